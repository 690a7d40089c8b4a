package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// sendAtOnce bounds the deliveries under way when --rate starts them.
const sendAtOnce = 1000

// Bounds of --rate: one delivery in a day, and more than a machine can start.
const (
	leastRate = 1.0 / (24 * 60 * 60)
	mostRate  = 1_000_000
)

// Send is the command that delivers a fixture as a documented policy says.
type Send struct {
	Fixture string   `arg:"" help:"Name of a fixture, such as langsmith-rule, or a file: a .vec vector, a request as it stood on the wire, or a body that is sent as JSON; with --example an OpenAPI 3 document or a HAR."`
	URL     string   `arg:"" name:"url" help:"Where to deliver, with the secret in its query."`
	Example string   `help:"Send this request of the document, whose path follows that of URL; an unknown NAME lists all." placeholder:"NAME"`
	Policy  string   `help:"Delivery policy: langsmith-rules, agent-server-js, agent-server-python, langsmith-engine or github." default:"langsmith-rules"`
	Break   string   `help:"Break one rule of the policy, as a sender with a bug would, such as retries-4xx; an unknown NAME lists all." placeholder:"NAME"`
	Header  []string `help:"Header field to add to each delivery, as 'Name: value'." placeholder:"FIELD" sep:"none"`
	Count   int      `help:"How many deliveries, each with fresh ids and times." default:"1"`
	Rate    *float64 `help:"Deliveries to start each second, also while others are under way. Without it, one after another." placeholder:"N"`
	Secret  string   `help:"Secret to sign with, or to send in a header, where the fixture's scheme does that." placeholder:"S"`
	JSON    bool     `help:"Print JSON, one object a line." name:"json"`
}

// Run delivers and reports; it fails with ErrFailed when a delivery failed.
func (c *Send) Run(ctx context.Context, p *Program) error {
	if c.Count < 1 {
		return fmt.Errorf("%w: --count %d: give how many deliveries, from 1", webhook.ErrInvalid, c.Count)
	}
	// Not a number is between none.
	if c.Rate != nil && !(*c.Rate >= leastRate && *c.Rate <= mostRate) {
		return fmt.Errorf("%w: --rate %g: give how many deliveries to start each second, from one in a day to %d", webhook.ErrInvalid, *c.Rate, mostRate)
	}
	policy, err := sender.PolicyNamed(c.Policy)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	if c.Break != "" {
		variant, unknown := sender.BrokenNamed(c.Break)
		if unknown != nil {
			return fmt.Errorf("--break: %w", unknown)
		}
		if policy, err = variant.Break(policy); err != nil {
			return fmt.Errorf("--break: %w", err)
		}
	}
	s := &sending{command: c, policy: policy, version: p.Version, examples: p.Examples, url: c.URL, out: p.Out, many: c.Count > 1}
	for _, step := range []func() error{s.headers, s.source, func() error { return s.all(ctx) }} {
		if err = step(); err != nil {
			return err
		}
	}
	if s.failed > 0 {
		return ErrFailed
	}
	return nil
}

// sending is one run of the command.
type sending struct {
	command *Send
	policy  sender.Policy
	version string
	// examples reads a document, url is where to deliver.
	examples func(document []byte) ([]Example, error)
	url      string
	// added are the header fields of the command line.
	added []webhook.Field
	// fresh returns the n-th delivery.
	fresh func() (fixtures.Vector, error)
	many  bool

	mu     sync.Mutex
	out    io.Writer
	failed int
	err    error
}

// headers reads the header fields of the command line.
func (s *sending) headers() error {
	for _, text := range s.command.Header {
		name, value, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return fmt.Errorf("%w: --header %q: write 'Name: value'", webhook.ErrInvalid, name)
		}
		s.added = append(s.added, webhook.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return nil
}

// source finds the fixture.
func (s *sending) source() error {
	name := s.command.Fixture
	rng := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // ids of examples
	s.fresh = func() (fixtures.Vector, error) { return fixtures.Fresh(name, time.Now(), rng) }
	_, unknown := s.fresh()
	if unknown == nil && s.command.Example == "" {
		return nil
	}
	raw, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.command.Example != "":
		return fmt.Errorf("%w: --example: there is no file %s", webhook.ErrInvalid, name)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w, and there is no file %s", webhook.ErrInvalid, unknown, name)
	case err != nil:
		return fmt.Errorf("fixture: %w", err)
	}
	if s.command.Example != "" {
		return s.example(raw)
	}
	vector := fixtures.Vector{
		Name: filepath.Base(name), Method: http.MethodPost, Body: raw,
		Head: []byte("POST / HTTP/1.1\r\nHost: \r\nContent-Type: application/json\r\nUser-Agent: hookrange/" + s.version + "\r\n\r\n"),
	}
	if request, whole := fixtures.Request(vector.Name, raw); whole {
		vector = request
	} else if filepath.Ext(name) == ".vec" {
		if vector, err = fixtures.Parse(vector.Name, raw); err != nil {
			return err
		}
	}
	s.fresh = func() (fixtures.Vector, error) { return vector, nil }
	return nil
}

// all starts every delivery and waits for their ends.
func (s *sending) all(ctx context.Context) error {
	var every <-chan time.Time
	if rate := s.command.Rate; rate != nil {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / *rate))
		defer ticker.Stop()
		every = ticker.C
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, sendAtOnce)
	for n := 1; n <= s.command.Count && ctx.Err() == nil; n++ {
		vector, err := s.fresh()
		if err != nil {
			return err
		}
		if every == nil {
			s.one(ctx, n, vector)
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			s.one(ctx, n, vector)
			<-places
		})
		if n < s.command.Count {
			select {
			case <-every:
			case <-ctx.Done():
			}
		}
	}
	wg.Wait()
	return errors.Join(s.err, ctx.Err())
}

// one makes one delivery.
func (s *sending) one(ctx context.Context, n int, vector fixtures.Vector) {
	if secret := s.secret(vector); secret != "" {
		vector = vector.WithSecret(secret)
	}
	delivery := sender.Delivery{
		Method: vector.Method, URL: s.url, Header: append(vector.Fields(), s.added...), Body: vector.Body, Sign: vector.Sign,
	}
	result := sender.Send(ctx, delivery, s.policy, func(a sender.Attempt) { s.attempt(n, a) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(result.Err, sender.ErrInvalid) {
		s.err = fmt.Errorf("%w: %w", webhook.ErrInvalid, result.Err)
		return
	}
	if !result.Delivered {
		s.failed++
	}
	s.result(n, result)
}

// secret is what a sender of this fixture would know: the one given, or the one in the URL.
func (s *sending) secret(v fixtures.Vector) string {
	if s.command.Secret != "" || v.Scheme != webhook.SchemeQuery {
		return s.command.Secret
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return ""
	}
	return u.Query().Get(v.Param)
}

func (s *sending) attempt(n int, a sender.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.command.JSON {
		line := map[string]any{
			"delivery": n, "attempt": a.N, "try": a.Try, "hop": a.Hop, "started_at": a.Start.UTC(), "duration_ms": ms(a.Duration),
		}
		if a.Status != 0 {
			line["status"] = a.Status
		}
		if a.Err != nil {
			line["error"] = a.Err.Error()
		}
		if a.NextIn != nil {
			line["next_in_ms"] = ms(*a.NextIn)
		}
		s.print(line)
		return
	}
	var text strings.Builder
	if s.many {
		fmt.Fprintf(&text, "delivery %d  ", n)
	}
	fmt.Fprintf(&text, "attempt %d", a.N)
	if a.Try > 1 {
		fmt.Fprintf(&text, ", connect %d", a.Try)
	}
	if a.Hop > 0 {
		fmt.Fprintf(&text, ", redirect %d", a.Hop)
	}
	switch {
	case a.Err != nil:
		fmt.Fprintf(&text, "  %s", OneLine(a.Err.Error()))
	default:
		fmt.Fprintf(&text, "  %s", strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))))
	}
	fmt.Fprintf(&text, "  after %s", shortTime(a.Duration))
	if a.NextIn != nil {
		fmt.Fprintf(&text, ", next in %s", shortTime(*a.NextIn))
	}
	fmt.Fprintln(s.out, text.String())
}

func (s *sending) result(n int, r sender.Result) {
	if s.command.JSON {
		s.print(map[string]any{
			"delivery": n, "delivered": r.Delivered, "attempts": r.Attempts, "connects": r.Connects, "status": r.Status,
		})
		return
	}
	prefix, verdict := "", "not delivered"
	if s.many {
		prefix = fmt.Sprintf("delivery %d  ", n)
	}
	if r.Delivered {
		verdict = "delivered"
	}
	attempts := "attempts"
	if r.Attempts == 1 {
		attempts = "attempt"
	}
	fmt.Fprintf(s.out, "%s%s by %s in %d %s\n", prefix, verdict, s.policy.Name, r.Attempts, attempts)
}

func (s *sending) print(line map[string]any) {
	raw, err := json.Marshal(line)
	if err != nil {
		s.err = err
		return
	}
	fmt.Fprintln(s.out, string(raw))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// shortTime rounds to what a person reads.
func shortTime(d time.Duration) string {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
