package proof

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

//go:embed probes.yaml
var probesFile []byte

// probe is one request, byte for byte, and what it must get.
type probe struct {
	Name string `yaml:"name"`
	Send string `yaml:"send"`
	// Want is the first answer's status; Or is another one that is right too.
	Want   int    `yaml:"want"`
	Or     int    `yaml:"or"`
	Closed bool   `yaml:"closed"`
	Cut    bool   `yaml:"cut"`
	Kept   string `yaml:"kept"`
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] [1-5]\d\d `)

func readProbes() ([]probe, error) {
	var list []probe
	if err := yaml.UnmarshalWithOptions(probesFile, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("probes.yaml: %w", err)
	}
	return list, nil
}

func rawProbes() []Experiment {
	return []Experiment{{
		Name:     "raw-http",
		Promise:  "Each of the requests that receivers read differently gets its one right answer; none is answered 2xx unless all of its body is kept, and none smuggles a second one in",
		Unit:     "probes",
		Goal:     1000,
		Controls: []string{"no-framing-check", "clean-paths", "takes-any-body"},
		Certain:  true,
		Try:      serving(settings, probeAll),
	}}
}

// serving is a try on a fresh program that runs all the while.
func serving(
	settings string, try func(ctx context.Context, p *program, count *Count) error, flags ...string,
) func(context.Context, *Build) (Count, error) {
	return trying(func(ctx context.Context, p *program, count *Count) error {
		p.flags = flags
		if err := p.declare(settings); err != nil {
			return err
		}
		if err := p.start(ctx); err != nil {
			return err
		}
		return try(ctx, p, count)
	})
}

func probeAll(ctx context.Context, p *program, count *Count) error {
	probes, err := readProbes()
	if err != nil {
		return err
	}
	results := make([]error, len(probes))
	var all sync.WaitGroup
	for i := range probes {
		all.Go(func() { results[i] = probes[i].try(ctx, p) })
	}
	all.Wait()
	kept, err := p.bodies(ctx)
	if err != nil {
		return err
	}
	for i := range probes {
		_, found := kept[sha256.Sum256([]byte(probes[i].Kept))]
		count.Tried++
		switch {
		case results[i] != nil:
			count.Break("%s: %v", probes[i].Name, results[i])
		case probes[i].Kept != "" && !found:
			count.Break("%s: answered 2xx and not kept", probes[i].Name)
		}
	}
	return nil
}

// try sends the probe and returns what was wrong with what came back.
func (b *probe) try(ctx context.Context, p *program) error {
	text := strings.NewReplacer("{hook}", "/hooks/default?secret="+secret, "{secret}", secret).Replace(b.Send)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Receiver, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is to be kept
	if _, err = conn.Write([]byte(text)); err != nil {
		return err
	}
	if half, ok := conn.(*net.TCPConn); ok && b.Cut {
		if err = half.CloseWrite(); err != nil {
			return err
		}
	}
	// An answer comes at once; that a connection stays open is seen by waiting.
	if err = conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	var all bytes.Buffer
	reader := bufio.NewReader(io.TeeReader(conn, &all))
	resp, err := http.ReadResponse(reader, &http.Request{Method: strings.SplitN(text, " ", 2)[0]})
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	if _, err = io.Copy(io.Discard, resp.Body); err != nil && !b.Closed {
		return fmt.Errorf("answer cut off: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != b.Want && (b.Or == 0 || resp.StatusCode != b.Or) {
		return fmt.Errorf("answered %d, want %d", resp.StatusCode, b.Want)
	}
	if !b.Closed {
		return nil
	}
	_, _ = io.Copy(io.Discard, reader)
	if n := len(statusLine.FindAll(all.Bytes(), -1)); n != 1 {
		return fmt.Errorf("%d answers to one request", n)
	}
	if err = conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the connection was kept open")
	}
	return nil
}
