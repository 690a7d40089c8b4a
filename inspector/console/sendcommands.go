package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/durable"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Way is what the program has for commands that send captures on or take them out.
type Way struct {
	// Policy refuses the name of a delivery policy that is not known.
	Policy func(name string) error
	// Relay returns what sends from this machine, and refuses to send to the server's own addresses.
	Relay func(bases []string) Relay
	// Terminal is where tail shows a list with keys; the zero value is none.
	Terminal Terminal
	// Notes gets what is said beside a command's output.
	Notes io.Writer
}

// sendFlags are those of replay and forward.
type sendFlags struct {
	URL    string `arg:"" name:"url" help:"Where to send to, with the secret that it wants in its query."`
	Policy string `help:"Delivery policy: none tries once; or langsmith-rules, agent-server-js, agent-server-python, langsmith-engine or github." default:"none"`
	Sign   bool   `help:"Prove the sender anew, as the endpoint's scheme has it, with the endpoint's secret."`
	Secret string `help:"Prove with this secret instead." placeholder:"S"`
	JSON   bool   `help:"Print JSON, one object a line." name:"json"`
}

func (f *sendFlags) sending(way Way) (Sending, error) {
	if err := way.Policy(f.Policy); err != nil {
		return Sending{}, fmt.Errorf("--policy: %w", err)
	}
	return Sending{URL: f.URL, Policy: f.Policy, Sign: f.Sign, Secret: f.Secret, JSON: f.JSON, Relay: way.Relay}, nil
}

// ReplayCommand sends captures again.
type ReplayCommand struct {
	Capture string `arg:"" help:"SEQ, ENDPOINT/SEQ or ENDPOINT/latest; or ENDPOINT, for all of its captures that --query and --class name."`
	sendFlags
	Query  string   `help:"Search terms, as of the page's search; 'forward:failed' are those that a forward gave up." placeholder:"Q"`
	Class  []string `help:"Classes to send on: accepted, rejected, incomplete. Without it, accepted." placeholder:"CLASS"`
	Method string   `help:"Another method." placeholder:"METHOD"`
	Header []string `help:"Header field as 'Name: value', in the place of those of that name." placeholder:"FIELD" sep:"none"`
	Drop   []string `help:"Name of a header field to leave out." placeholder:"NAME"`
	Body   string   `help:"File with another body." placeholder:"FILE"`
	Server bool     `help:"Let the server send it, as far as its --replay-private allows, and not this machine." name:"by-server"`
}

// Run sends captures on; It fails with ErrNotMet when one was not delivered.
func (c *ReplayCommand) Run(ctx context.Context, client *Client, way Way, out io.Writer) error {
	sending, err := c.sending(way)
	if err != nil {
		return err
	}
	options := ReplayOptions{
		Sending: sending, Capture: c.Capture, Query: c.Query, Classes: c.Class, Server: c.Server, Method: c.Method, Set: c.Header, Drop: c.Drop,
	}
	if c.Body != "" {
		body, readErr := os.ReadFile(c.Body)
		if readErr != nil {
			return fmt.Errorf("--body: %w", readErr)
		}
		options.Body = append([]byte{}, body...)
	}
	return Replay(ctx, client, options, out)
}

// ForwardCommand sends captures on as they come.
type ForwardCommand struct {
	Endpoint string `arg:"" help:"Endpoint whose captures are sent on."`
	sendFlags
	After  *int64   `help:"Begin after this seq; 0 begins with the oldest capture. Without it, begin now." placeholder:"SEQ"`
	Cursor string   `help:"File that keeps how far it came, to go on from there the next time." placeholder:"FILE"`
	Class  []string `help:"Classes to send on. Without it, accepted." placeholder:"CLASS"`
	GoOn   bool     `help:"When the target cannot be reached, go on with the next capture and do not wait for it."`
}

// Run sends captures on until ctx ends.
func (c *ForwardCommand) Run(ctx context.Context, client *Client, way Way, out io.Writer) error {
	sending, err := c.sending(way)
	if err != nil {
		return err
	}
	options := ForwardOptions{Sending: sending, Endpoint: c.Endpoint, After: c.After, Classes: c.Class, GoOn: c.GoOn}
	if c.Cursor != "" {
		if kept, readErr := readCursor(c.Cursor); readErr != nil {
			return readErr
		} else if kept != nil {
			options.After = kept
		}
		// Before anything is sent: what was sent and not kept is sent again.
		if info, statErr := os.Stat(filepath.Dir(c.Cursor)); statErr != nil || !info.IsDir() {
			return fmt.Errorf("%w: --cursor: %s is no folder: make it, or name another file", webhook.ErrInvalid, filepath.Dir(c.Cursor))
		}
		options.Keep = func(seq int64) error {
			if err := durable.Replace(c.Cursor, []byte(strconv.FormatInt(seq, 10)+"\n")); err != nil {
				return fmt.Errorf("--cursor: %w", err)
			}
			return nil
		}
	}
	return Forward(ctx, client, options, out)
}

// readCursor returns the seq that a file keeps, or nil when there is no file.
func readCursor(path string) (*int64, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no cursor yet is no error
	}
	if err != nil {
		return nil, fmt.Errorf("--cursor: %w", err)
	}
	seq, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || seq < 0 {
		return nil, fmt.Errorf("%w: --cursor: %s does not hold a seq; remove it to begin now", webhook.ErrInvalid, path)
	}
	return &seq, nil
}

// ExportCommand takes captures out.
type ExportCommand struct {
	Endpoint string   `arg:"" help:"Endpoint whose captures are taken out."`
	Format   string   `help:"${enum}." enum:"har,jsonl,curl,csv,zip,dataset" required:""`
	Out      string   `help:"File to write; without it, standard output." placeholder:"FILE"`
	Query    string   `help:"Search terms, as of the page's search." placeholder:"Q"`
	Class    []string `help:"Classes to take out. Without it, all; for a dataset, accepted." placeholder:"CLASS"`
	After    *int64   `help:"Only captures after this seq." placeholder:"SEQ"`
	Before   *int64   `help:"Only captures before this seq." placeholder:"SEQ"`
	Limit    *int64   `help:"Captures at most." placeholder:"N"`
	Reveal   bool     `help:"Show secrets."`
}

// Run writes the captures, and on a terminal how far it is.
func (c *ExportCommand) Run(ctx context.Context, client *Client, way Way, out io.Writer) error {
	options := ExportOptions{
		Endpoint: c.Endpoint, Format: c.Format, Query: c.Query, Classes: c.Class, After: c.After, Before: c.Before, Limit: c.Limit, Reveal: c.Reveal,
	}
	if terminal(way.Notes) && (c.Out != "" && c.Out != "-" || !terminal(out)) {
		options.Progress = way.Notes
	}
	if c.Out == "" || c.Out == "-" {
		done, exportErr := Export(ctx, client, options, out)
		if exportErr != nil {
			return exportErr
		}
		return c.note(way.Notes, done)
	}
	if info, err := os.Stat(c.Out); err == nil && info.IsDir() {
		return fmt.Errorf("%w: --out: %s is a folder: name a file", webhook.ErrInvalid, c.Out)
	}
	// The file takes its name when it is whole; one that is there stays until then.
	part, err := os.OpenFile(c.Out+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	buffered := bufio.NewWriterSize(part, 1<<20)
	done, err := Export(ctx, client, options, buffered)
	if err = errors.Join(err, buffered.Flush(), part.Close()); err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	if err = os.Rename(part.Name(), c.Out); err != nil {
		return errors.Join(fmt.Errorf("--out: %w", err), os.Remove(part.Name()))
	}
	return c.note(way.Notes, done)
}

// note says on the other stream what was written.
func (c *ExportCommand) note(notes io.Writer, done Exported) error {
	what := "capture"
	if c.Format == "dataset" {
		what = "example"
	}
	if done.Count != 1 {
		what += "s"
	}
	left := ""
	if done.LeftOut != "" && done.LeftOut != "0" {
		left = "; left out: " + done.LeftOut
	}
	_, err := fmt.Fprintf(notes, "%d %s, %d bytes%s\n", done.Count, what, done.Bytes, left)
	return err
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
