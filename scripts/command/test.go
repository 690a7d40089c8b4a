// Package command has the commands about senders: test judges one, send is the reference sender.
package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/bucket"
	"github.com/hookrange/hookrange/scripts/known"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/report"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// How a command ends that has printed all there is to say.
var (
	// ErrFailed: a check failed, or a delivery.
	ErrFailed = errors.New("failed")
	// ErrIncomplete: nothing failed, but not everything could be measured.
	ErrIncomplete = errors.New("incomplete")
)

// Program is what the commands have of the program around them.
type Program struct {
	// Out is what is printed to, Args the command line without the program's name.
	Out     io.Writer
	Args    []string
	Version string
	// Data is the folder of what outlives a command.
	Data string
	// Mask hides secrets that can be told from a text.
	Mask func(string) string
	// Open stands up what lends endpoints to a run.
	Open func(ctx context.Context, place Place) (House, error)
	// Fetcher asks for presigned URLs as a policy allows, and for those of the run's own object store at own().
	Fetcher func(policy webhook.FetchPolicy, own func() string) (scripts.Fetcher, error)
	// Examples returns the requests of an OpenAPI 3 document or a HAR, or webhook.ErrInvalid for anything else.
	Examples func(document []byte) ([]Example, error)
	// Remote carries a run out on the server that the user named; nil when none was.
	Remote func(ctx context.Context, order Order, screen *Screen) (result.Run, error)
}

// Place is where a manual run receives; that of any other run is empty.
type Place struct {
	// Listen is the address, PublicURL how URLs begin for the sender; empty for the address.
	Listen    string `json:"listen"`
	PublicURL string `json:"public_url,omitempty"`
	// Dir is the folder of a store that is kept.
	Dir string `json:"-"`
}

// House lends endpoints to one run. *proving.Range is one but for the types of scripts.
type House interface {
	scripts.Range
	manual.House
	// Base is how the URLs of endpoints without a listener begin.
	Base() string
	// Address is that of the port behind Base.
	Address() string
	// Missing says for each need of a case that cannot be met here why.
	Missing() map[string]string
	// Authority returns what signs the endpoints' certificates, and the file that has it.
	Authority() (pem []byte, file string)
	// Close ends everything that was lent.
	Close(ctx context.Context) error
}

// Order is a run that is to be carried out: by a server, or later.
type Order struct {
	// Profile names one; else Script is the text of the file File.
	Profile string            `json:"profile,omitempty"`
	Script  string            `json:"script,omitempty"`
	File    string            `json:"file,omitempty"`
	Sender  string            `json:"sender"`
	Cases   string            `json:"cases,omitempty"`
	Jobs    int               `json:"jobs,omitempty"`
	Scale   float64           `json:"scale,omitempty"`
	Strict  bool              `json:"strict,omitempty"`
	Set     map[string]string `json:"set,omitempty"`
}

// Test is the command that judges a sender.
type Test struct {
	Scripts      []string          `arg:"" optional:"" name:"profile" help:"Profiles or script files. --list without any names the profiles."`
	Sender       string            `help:"Shell command that sends once to $HOOKRANGE_URL what is in the file $HOOKRANGE_PAYLOAD; or builtin:POLICY, or builtin:POLICY/VARIANT with one rule broken as by send --break; or agent-server:URL; or manual." placeholder:"CMD"`
	PublicURL    string            `help:"Base of the one URL of a manual run as the sender sees it, such as a tunnel's address." placeholder:"URL"`
	Listen       string            `help:"Address where a manual run receives; the tunnel leads here." default:"127.0.0.1:8080"`
	Resume       string            `help:"Go on with the manual run of this id, which was ended before its last case." placeholder:"ID"`
	Case         string            `help:"Only the cases whose id matches, such as 'RETRY-*'." placeholder:"GLOB"`
	Jobs         int               `help:"Cases at the same time." default:"8"`
	Strict       bool              `help:"Fail on warnings too."`
	Known        string            `help:"YAML file of known failures: CASE or CASE:CHECK, each with its reason. Entries that do not fail any more fail the run." placeholder:"FILE" type:"existingfile"`
	Report       []string          `help:"Write a report: KIND=FILE, or KIND=- for standard output alone. Kinds: ${reports}." placeholder:"KIND=FILE" sep:"none"`
	Beside       []string          `help:"Show the runs of another JSON report beside this one in all reports: a matrix of cases by senders." placeholder:"FILE" type:"existingfile" sep:"none"`
	Set          map[string]string `help:"Give a variable of the script another value." placeholder:"NAME=VALUE" sep:"none" mapsep:"none"`
	Scale        float64           `help:"Multiply all times; only with a builtin sender." default:"1"`
	FetchPrivate []string          `help:"Private object stores that presigned URLs may lead to, as HOST:PORT." placeholder:"HOST:PORT"`
	FetchBase    string            `help:"What a relative presigned URL is joined to." placeholder:"URL"`
	List         bool              `help:"Print the profiles, or the cases, and run nothing."`
	Lint         bool              `help:"Check the scripts and run nothing."`
	New          string            `help:"Print a commented script of this name to begin with." placeholder:"NAME"`
	JSON         bool              `help:"Print JSON, one object a line: each case as it ends, then the run." name:"json"`
}

// ReportKinds names the kinds of reports.
func ReportKinds() string { return strings.Join(report.Formats(), ", ") }

// Run judges a sender.
func (c *Test) Run(ctx context.Context, p *Program) error {
	if c.New != "" {
		text, err := scripts.New(c.New)
		if err == nil {
			_, err = io.WriteString(p.Out, text)
		}
		return err
	}
	if c.List && len(c.Scripts) == 0 {
		return c.profiles(p.Out)
	}
	if c.Resume != "" {
		return c.resume(ctx, p)
	}
	if len(c.Scripts) == 0 {
		return webhook.WithHint(fmt.Errorf("%w: no profile or script", webhook.ErrInvalid), "there are: "+strings.Join(scripts.Profiles(), ", "))
	}
	loaded, err := c.load()
	if err != nil {
		return err
	}
	switch {
	case c.Lint:
		return nil
	case c.List:
		return c.list(p.Out, loaded)
	default:
		return c.judge(ctx, judging{Program: p, scripts: loaded})
	}
}

// load reads and checks the profiles and files.
func (c *Test) load() ([]*scripts.Script, error) {
	var loaded []*scripts.Script
	var problems []error
	named := map[string]bool{}
	for _, name := range c.Scripts {
		s, err := loadScript(name)
		if err == nil {
			err = scripts.Lint(s, c.Set)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		for variable := range s.Vars() {
			named[variable] = true
		}
		loaded = append(loaded, s)
	}
	for name := range c.Set {
		if !named[name] && len(problems) == 0 {
			problems = append(problems, fmt.Errorf("%w: --set %s: no script has this variable", webhook.ErrInvalid, name))
		}
	}
	return loaded, errors.Join(problems...)
}

// loadScript takes a profile's name, or else a file.
func loadScript(name string) (*scripts.Script, error) {
	s, err := scripts.Profile(name)
	if !errors.Is(err, webhook.ErrNotFound) {
		return s, err
	}
	raw, readErr := os.ReadFile(name)
	if readErr != nil {
		return nil, fmt.Errorf("%w: %w; nor is there a file %s", webhook.ErrInvalid, err, name)
	}
	return scripts.Parse(name, raw)
}

func (c *Test) profiles(w io.Writer) error {
	for _, name := range scripts.Profiles() {
		s, err := scripts.Profile(name)
		if err != nil {
			return err
		}
		if c.JSON {
			err = json.NewEncoder(w).Encode(map[string]string{"profile": name, "title": s.Title})
		} else {
			_, err = fmt.Fprintf(w, "%-22s %s\n", name, s.Title)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list prints the cases without running them.
func (c *Test) list(w io.Writer, loaded []*scripts.Script) error {
	for _, s := range loaded {
		cases, err := s.Cases(c.Set)
		if err != nil {
			return err
		}
		for i := range cases {
			one := &cases[i]
			if c.JSON {
				if err := json.NewEncoder(w).Encode(one); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(w, "%-28s %-9s %s\n", one.ID, one.Requirement.Level, one.Title)
		}
	}
	return nil
}

// judge runs the cases, writes the reports and says how it ended.
func (c *Test) judge(ctx context.Context, t judging) error {
	list, err := c.known()
	if err != nil {
		return err
	}
	reports, err := c.reports(t.Out)
	if err != nil {
		return err
	}
	screen := t.Out
	if slices.ContainsFunc(c.Report, func(text string) bool { return strings.HasSuffix(text, "="+toOutput) }) {
		screen = io.Discard
	}
	t.screen = NewScreen(screen, c.JSON)
	run, err := c.carryOut(ctx, t)
	if err != nil {
		return err
	}
	stale := list.Apply(known.Scope{Strict: c.Strict, Partial: c.Case != ""}, &run)
	if err = t.screen.end(run, stale); err != nil {
		return err
	}
	for _, write := range reports {
		err = errors.Join(err, write(run))
	}
	if err != nil {
		return err
	}
	return c.status(run, stale)
}

// judging is what a run of the command has.
type judging struct {
	*Program
	scripts []*scripts.Script
	screen  *Screen
	// before is the manual run that goes on, or nil.
	before *kept
}

// carryOut runs the cases: on the server that the user named, or here.
func (c *Test) carryOut(ctx context.Context, t judging) (run result.Run, err error) {
	if t.Remote != nil {
		order, err := c.order()
		if err != nil {
			return run, err
		}
		return t.Remote(ctx, order, t.screen)
	}
	var objects bucket.Store
	defer func() { err = errors.Join(err, objects.Close()) }()
	fetcher, err := t.Fetcher(webhook.FetchPolicy{Private: c.FetchPrivate, BaseURL: c.FetchBase}, objects.Address)
	if err != nil {
		return run, err
	}
	config := scripts.Config{
		Scripts: t.scripts, Schema: fixtures.Schema, Vars: c.Set, Case: c.Case, Jobs: c.Jobs, Scale: c.Scale,
		Fetcher: fetcher, Progress: t.screen.Progress, About: c.about(t.Program, t.scripts),
	}
	byHand := c.Sender == trigger.Manual
	var sender trigger.Sender
	if !byHand {
		if sender, err = trigger.Named(ctx, c.Sender, t.Version); err != nil {
			return run, err
		}
		if err = sender.Tell(&config.About, t.scripts); err != nil {
			return run, err
		}
	}
	if (byHand || !sender.Scales()) && c.Scale != 1 || !(c.Scale > 0) || math.IsInf(c.Scale, 0) || c.Jobs < 1 {
		return run, fmt.Errorf("%w: --scale is for builtin senders and above 0, --jobs at least 1", webhook.ErrInvalid)
	}
	if byHand {
		return c.byHand(ctx, t, config)
	}
	house, err := t.Open(ctx, Place{})
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, house.Close(ctx)) }()
	config.Range, config.Sender, config.Objects = house, sender.Trusting(house.Authority()), &objects
	config.Missing = with(house.Missing(), sender.Missing())
	return scripts.Run(ctx, config)
}

// with returns a with all of b.
func with(a, b map[string]string) map[string]string {
	maps.Copy(a, b)
	return a
}

// about is what the run says of itself.
func (c *Test) about(p *Program, loaded []*scripts.Script) result.Run {
	names := make([]string, len(loaded))
	for i, s := range loaded {
		names[i] = s.Name
	}
	return result.Run{
		Profile: strings.Join(names, " "), Sender: p.Mask(c.Sender), Version: p.Version,
		Platform:  fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Reproduce: p.Mask("hookrange " + Quote(p.Args)),
	}
}

// Quote writes words as a shell takes them.
func Quote(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n'\"$`\\*?[]{}()<>|&;~#!") {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// known reads the known failures.
func (c *Test) known() (known.List, error) {
	if c.Known == "" {
		return known.List{}, nil
	}
	raw, err := os.ReadFile(c.Known)
	if err != nil {
		return known.List{}, fmt.Errorf("--known: %w", err)
	}
	return known.Parse(c.Known, raw)
}

// beside reads the runs of other reports.
func (c *Test) beside() ([]result.Run, error) {
	var all []result.Run
	for _, path := range c.Beside {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--beside: %w", err)
		}
		runs, err := report.ReadJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("--beside %s: %w", path, err)
		}
		all = append(all, runs...)
	}
	return all, nil
}

// toOutput stands for standard output in the place of a report's file.
const toOutput = "-"

// reports returns what writes each report.
func (c *Test) reports(out io.Writer) ([]func(result.Run) error, error) {
	others, err := c.beside()
	if err != nil {
		return nil, err
	}
	var all []func(result.Run) error
	for _, text := range c.Report {
		kind, path, ok := strings.Cut(text, "=")
		write, err := report.Named(kind)
		if err != nil || !ok || path == "" {
			return nil, fmt.Errorf("%w: --report %q: want KIND=FILE; kinds are %s", webhook.ErrInvalid, text, ReportKinds())
		}
		if path != toOutput {
			if err = writable(path); err != nil {
				return nil, fmt.Errorf("%w: --report: %w", webhook.ErrInvalid, err)
			}
		}
		all = append(all, func(run result.Run) error {
			var text bytes.Buffer
			if err := write(&text, append(slices.Clip(others), run), report.Options{Strict: c.Strict}); err != nil {
				return fmt.Errorf("report %s: %w", kind, err)
			}
			if path == toOutput {
				_, err := text.WriteTo(out)
				return err
			}
			if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
				return fmt.Errorf("report %s: %w", kind, err)
			}
			return nil
		})
	}
	return all, nil
}

// writable tells before a run, which may take minutes, that its report could not be written. A pipe is not opened.
func writable(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil
	}
	f, openErr := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if openErr != nil {
		return openErr
	}
	if openErr = f.Close(); err != nil {
		openErr = errors.Join(openErr, os.Remove(path)) // it was not there before
	}
	return openErr
}

// status turns the run's verdict into the command's end.
func (c *Test) status(run result.Run, stale []string) error {
	switch {
	case run.Verdict == result.Error:
		return fmt.Errorf("%w: a case could not be run; see above", webhook.ErrInvalid)
	case run.Verdict == result.Fail, c.Strict && slices.ContainsFunc(run.Cases, warned):
		return ErrFailed
	case len(stale) > 0:
		// Said here too: the run itself did not fail, and the screen in JSON and the reports do not know the list.
		return fmt.Errorf("--known %s: %s; take it off the list", c.Known, strings.Join(stale, "; "))
	case run.Verdict == result.Inconclusive:
		return ErrIncomplete
	default:
		return nil
	}
}

// warned tells whether a case has a warning that nobody knew of.
func warned(c result.Case) bool {
	return !c.Known && slices.ContainsFunc(c.Checks, func(check result.Check) bool { return check.Verdict == result.Warning })
}
