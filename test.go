package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/known"
	"github.com/hookrange/hookrange/scripts/report"
	"github.com/hookrange/hookrange/scripts/result"
)

// errIncomplete: nothing failed, but not everything could be measured.
var errIncomplete = errors.New("incomplete")

type testCommand struct {
	Scripts      []string          `arg:"" optional:"" name:"profile" help:"Profiles or script files. --list without any names the profiles."`
	Sender       string            `help:"Shell command that sends once to $HOOKRANGE_URL what is in the file $HOOKRANGE_PAYLOAD; or builtin:POLICY, or builtin:POLICY/VARIANT with one rule broken as by send --break; or agent-server:URL; or manual." placeholder:"CMD"`
	PublicURL    string            `help:"Base of the one URL of a manual run as the sender sees it, such as a tunnel's address." placeholder:"URL"`
	Listen       string            `help:"Address where a manual run receives; the tunnel leads here." default:"127.0.0.1:8080"`
	Case         string            `help:"Only the cases whose id matches, such as 'RETRY-*'." placeholder:"GLOB"`
	Jobs         int               `help:"Cases at the same time." default:"8"`
	Strict       bool              `help:"Fail on warnings too."`
	Known        string            `help:"YAML file of known failures: CASE or CASE:CHECK, each with its reason. Entries that do not fail any more fail the run." placeholder:"FILE" type:"existingfile"`
	Report       []string          `help:"Write a report: KIND=FILE. Kinds: ${reports}." placeholder:"KIND=FILE" sep:"none"`
	Set          map[string]string `help:"Give a variable of the script another value." placeholder:"NAME=VALUE" sep:"none" mapsep:"none"`
	Scale        float64           `help:"Multiply all times; only with a builtin sender." default:"1"`
	FetchPrivate []string          `help:"Private object stores that presigned URLs may lead to, as HOST:PORT." placeholder:"HOST:PORT"`
	FetchBase    string            `help:"What a relative presigned URL is joined to." placeholder:"URL"`
	List         bool              `help:"Print the profiles, or the cases, and run nothing."`
	Lint         bool              `help:"Check the scripts and run nothing."`
	New          string            `help:"Print a commented script of this name to begin with." placeholder:"NAME"`
	JSON         bool              `help:"Print JSON, one object a line: each case as it ends, then the run." name:"json"`
}

func reportKinds() string { return strings.Join(report.Formats(), ", ") }

// Run judges a sender.
func (c *testCommand) Run(ctx context.Context, cli *grammar, p *process) error {
	if c.New != "" {
		text, err := scripts.New(c.New)
		if err == nil {
			_, err = io.WriteString(p.out, text)
		}
		return err
	}
	if c.List && len(c.Scripts) == 0 {
		return c.profiles(p.out)
	}
	if len(c.Scripts) == 0 {
		return hint(fmt.Errorf("%w: no profile or script", webhook.ErrInvalid), "there are: "+strings.Join(scripts.Profiles(), ", "))
	}
	loaded, err := c.load()
	if err != nil {
		return err
	}
	switch {
	case c.Lint:
		return nil
	case c.List:
		return c.list(p.out, loaded)
	default:
		return c.judge(ctx, cli, p, loaded)
	}
}

// load reads and checks the profiles and files.
func (c *testCommand) load() ([]*scripts.Script, error) {
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

func (*testCommand) profiles(w io.Writer) error {
	for _, name := range scripts.Profiles() {
		s, err := scripts.Profile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-22s %s\n", name, s.Title)
	}
	return nil
}

// list prints the cases without running them.
func (c *testCommand) list(w io.Writer, loaded []*scripts.Script) error {
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
func (c *testCommand) judge(ctx context.Context, cli *grammar, p *process, loaded []*scripts.Script) error {
	list, err := c.known()
	if err != nil {
		return err
	}
	reports, err := c.reports()
	if err != nil {
		return err
	}
	screen := &testScreen{out: p.out, json: c.JSON}
	run, err := c.carryOut(ctx, cli, judging{p, loaded, screen})
	if err != nil {
		return err
	}
	stale := list.Apply(known.Scope{Strict: c.Strict, Partial: c.Case != ""}, &run)
	if err = screen.end(run, stale); err != nil {
		return err
	}
	for _, write := range reports {
		if err = write(run); err != nil {
			return err
		}
	}
	return c.status(run, stale)
}

// judging is what a run of the command has.
type judging struct {
	*process
	scripts []*scripts.Script
	screen  *testScreen
}

// carryOut runs the cases: on the server that --server names, or here.
func (c *testCommand) carryOut(ctx context.Context, cli *grammar, t judging) (run result.Run, err error) {
	if cli.Server != "" {
		return c.remote(ctx, cli, t.screen)
	}
	config := scripts.Config{
		Scripts: t.scripts, Schema: fixtures.Schema, Vars: c.Set, Case: c.Case, Jobs: c.Jobs, Scale: c.Scale,
		Progress: t.screen.progress, About: c.about(t.process, t.scripts),
	}
	var sending scripts.Sender
	if c.Sender != manualSender {
		if sending, config.Missing, err = senderFor(ctx, c.Sender); err != nil {
			return run, err
		}
	}
	if server, ok := sending.(agentSender); ok {
		if err = server.tell(&config.About, t.scripts); err != nil {
			return run, err
		}
	}
	if _, builtin := sending.(builtinSender); !builtin && c.Scale != 1 || c.Scale <= 0 || c.Jobs < 1 {
		return run, fmt.Errorf("%w: --scale is for builtin senders and above 0, --jobs at least 1", webhook.ErrInvalid)
	}
	policy := webhook.FetchPolicy{Private: c.FetchPrivate, BaseURL: c.FetchBase}
	if err = egress.CheckPolicy(policy); err != nil {
		return run, err
	}
	log, err := newLog(t.err, quieter(cli.Log))
	if err != nil {
		return run, err
	}
	house, err := openRange(ctx, log)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, house.close(ctx)) }()
	if sending == nil {
		return c.byHand(ctx, house, t)
	}
	config.Range, config.Sender, config.Objects = house, trusting(sending, house), &house.objects
	config.Fetcher = guardedFetcher{egress.New(egress.Config{Version: version}), policy, &house.objects}
	config.Missing = with(house.missing(), config.Missing)
	return scripts.Run(ctx, config)
}

// with returns a with all of b.
func with(a, b map[string]string) map[string]string {
	maps.Copy(a, b)
	return a
}

// quieter keeps the receivers' ordinary news out of the run's output.
func quieter(level string) string {
	if level == "info" {
		return "error"
	}
	return level
}

// about is what the run says of itself.
func (c *testCommand) about(p *process, loaded []*scripts.Script) result.Run {
	names := make([]string, len(loaded))
	for i, s := range loaded {
		names[i] = s.Name
	}
	return result.Run{
		Profile: strings.Join(names, " "), Sender: mask().String(c.Sender), Version: version,
		Platform:  fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Reproduce: mask().String("hookrange " + quoteAll(p.args)),
	}
}

// quoteAll writes words as a shell takes them.
func quoteAll(words []string) string {
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
func (c *testCommand) known() (known.List, error) {
	if c.Known == "" {
		return known.List{}, nil
	}
	raw, err := os.ReadFile(c.Known)
	if err != nil {
		return known.List{}, fmt.Errorf("--known: %w", err)
	}
	return known.Parse(c.Known, raw)
}

// reports returns what writes each report.
func (c *testCommand) reports() ([]func(result.Run) error, error) {
	var out []func(result.Run) error
	for _, text := range c.Report {
		kind, path, ok := strings.Cut(text, "=")
		write, err := report.Named(kind)
		if err != nil || !ok || path == "" {
			return nil, fmt.Errorf("%w: --report %q: want KIND=FILE; kinds are %s", webhook.ErrInvalid, text, reportKinds())
		}
		out = append(out, func(run result.Run) error {
			var text bytes.Buffer
			if err := write(&text, []result.Run{run}, report.Options{Strict: c.Strict}); err != nil {
				return fmt.Errorf("report %s: %w", kind, err)
			}
			if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
				return fmt.Errorf("report %s: %w", kind, err)
			}
			return nil
		})
	}
	return out, nil
}

// status turns the run's verdict into the command's end.
func (c *testCommand) status(run result.Run, stale []string) error {
	switch {
	case run.Verdict == result.Error:
		return fmt.Errorf("%w: a case could not be run; see above", webhook.ErrInvalid)
	case run.Verdict == result.Fail, len(stale) > 0, c.Strict && slices.ContainsFunc(run.Cases, warned):
		return console.ErrNotMet
	case run.Verdict == result.Inconclusive:
		return errIncomplete
	default:
		return nil
	}
}

// warned tells whether a case has a warning that nobody knew of.
func warned(c result.Case) bool {
	return !c.Known && slices.ContainsFunc(c.Checks, func(check result.Check) bool { return check.Verdict == result.Warning })
}
