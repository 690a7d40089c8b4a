// Package runs carries conformance runs out in a server and keeps what came of them.
package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/manual"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

const (
	// maxRuns bounds the runs that are kept, maxAtOnce and maxManual those that go on.
	maxRuns   = 100
	maxAtOnce = 4
	maxManual = 10
	maxJobs   = 64
)

// Why a run was ended before its last case.
var (
	errCancelled = errors.New("cancelled by a user")
	errPaused    = errors.New("paused by a user")
)

// House lends a server's endpoints.
type House interface {
	// Range lends endpoints whose names begin with a prefix.
	Range(ctx context.Context, prefix string) Range
	// Clear deletes the endpoints whose names begin with a prefix, but one.
	Clear(ctx context.Context, prefix, but string) error
}

// Range lends endpoints to one run. *proving.Range is one but for the types of scripts.
type Range interface {
	scripts.Range
	manual.House
	// Missing says for each need of a case that cannot be met here why.
	Missing() map[string]string
	// Authority returns what signs the endpoints' certificates, and the file that has it.
	Authority() (pem []byte, file string)
	// Stop ends what the range does and leaves its endpoints, Close deletes them too.
	Stop()
	Close(ctx context.Context) error
}

// Config is what runs need of their server. All of it is required.
type Config struct {
	House House
	// Base begins the hook URLs of endpoints without a listener.
	Base string
	// Dir is the folder of what is kept.
	Dir     string
	Version string
	// Fetcher asks for presigned URLs, and for those of a run's own object store at own().
	Fetcher func(own func() string) (scripts.Fetcher, error)
	// Mask hides secrets that can be told from a text.
	Mask func(string) string
	Log  *slog.Logger
}

// Runs runs conformance scripts in a server and keeps what came of them in a folder. It is an inspector.Tests.
type Runs struct {
	cfg   Config
	files files
	// life is that of the runs; all of them are waited for.
	life context.Context //nolint:containedctx // the runs' own life, which no caller's context must end
	ends context.CancelFunc
	all  sync.WaitGroup

	// profiles are those that come with the program.
	profiles []api.TestProfile

	mu   sync.Mutex
	runs map[string]*run
	// revision grows with every change of a run; news is closed by the next one.
	revision int64
	news     chan struct{}
}

// run is one run; Runs.mu guards it.
type run struct {
	kept
	revision int64
	// goes is set while its goroutine runs.
	goes *going
	// links has the server's endpoint for each case and endpoint.
	links map[[2]string]string
	// cannot says of each case that a manual run cannot judge why.
	cannot map[string]string
}

// going is a run that goes on.
type going struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	desk   *manual.Desk
}

// Open reads the runs that are kept and removes what a crash left of them. Nothing goes on before Run.
func Open(ctx context.Context, config Config) (*Runs, error) {
	t := &Runs{cfg: config, files: files(config.Dir), runs: map[string]*run{}, news: make(chan struct{})}
	// A revision of the server's life before must not be taken for one of this.
	t.revision = time.Now().UnixMilli()
	t.life, t.ends = context.WithCancel(context.WithoutCancel(ctx))
	for _, name := range scripts.Profiles() {
		s, err := scripts.Profile(name)
		if err != nil {
			return nil, err
		}
		cases, err := s.Cases(nil)
		if err != nil {
			return nil, err
		}
		t.profiles = append(t.profiles, api.TestProfile{Name: name, Title: s.Title, Cases: len(cases), Vars: s.Vars()})
	}
	all, err := t.files.load(config.Log)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		if err = t.take(ctx, k); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// take makes a run of what is kept of it.
func (t *Runs) take(ctx context.Context, k kept) error {
	one := &run{kept: k, links: map[[2]string]string{}, revision: t.revision}
	but := ""
	switch {
	case !goesOn(k.State):
	case k.Input.Sender == trigger.Manual:
		but = mainOf(k.Run.ID)
		if s, err := scriptOf(k.Input); err == nil {
			// The run itself fails and says why when this does.
			one.cannot, _ = manual.Unmeasured(s, k.Input.Set, k.Run.Cases, t.cfg.Base)
		}
		for i := range one.Run.Cases {
			if c := &one.Run.Cases[i]; c.State == "ended" {
				one.links[[2]string{c.ID, manual.Main}] = but
			}
		}
	default:
		one.close(api.TestInterrupted)
		if err := t.files.save(one.kept); err != nil {
			return err
		}
	}
	if err := t.cfg.House.Clear(ctx, prefixOf(k.Run.ID), but); err != nil {
		return fmt.Errorf("tests: what run %s left: %w", k.Run.ID, err)
	}
	t.runs[k.Run.ID] = one
	return nil
}

// goesOn tells whether a run in this state is not over.
func goesOn(state string) bool { return state == api.TestRunning || state == api.TestPaused }

// prefixOf begins the names of a run's endpoints.
func prefixOf(id string) string { return "test-" + strings.ReplaceAll(id, "-", "") + "-" }

// mainOf is the one endpoint of a manual run.
func mainOf(id string) string { return prefixOf(id) + manual.Main }

// close notes the end of a run.
func (r *run) close(state string) {
	r.State, r.Run.Ended = state, time.Now().UTC()
	for i := range r.Run.Cases {
		if c := &r.Run.Cases[i]; c.State == "running" {
			c.State = "waiting"
		}
	}
	r.Run.Verdict = scripts.Verdict(r.Run.Cases)
	r.links = nil
}

// changed tells who waits that a run is another now. Runs.mu is held.
func (t *Runs) changed(one *run) {
	t.revision++
	one.revision = t.revision
	close(t.news)
	t.news = make(chan struct{})
}

// Changed blocks until the revision of a run, or of the list where id is empty, is not since, or ctx ends. A run that is
// not there does not block.
func (t *Runs) Changed(ctx context.Context, id string, since int64) {
	for {
		t.mu.Lock()
		now, news := t.revision, t.news
		if id != "" {
			now = 0
			if one := t.runs[id]; one != nil {
				now = one.revision
			}
		}
		t.mu.Unlock()
		if now != since || now == 0 {
			return
		}
		select {
		case <-news:
		case <-ctx.Done():
			return
		case <-t.life.Done():
			return
		}
	}
}

// Run lets manual runs go on and blocks until ctx has ended and all runs with it.
func (t *Runs) Run(ctx context.Context) error {
	t.mu.Lock()
	for _, one := range t.runs {
		if one.State == api.TestRunning && one.goes == nil {
			t.launch(one) //nolint:contextcheck // runs have a life of their own, which Run ends
		}
	}
	t.mu.Unlock()
	<-ctx.Done()
	t.ends()
	t.all.Wait()
	return nil
}

// Start begins a run.
func (t *Runs) Start(ctx context.Context, in api.TestInput) (api.Test, error) {
	one, err := t.prepare(ctx, in)
	if err != nil {
		return api.Test{}, err
	}
	byHand := in.Sender == trigger.Manual
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life.Err() != nil {
		return api.Test{}, fmt.Errorf("tests: the server stops: %w", webhook.ErrUnavailable)
	}
	if err = t.room(byHand); err != nil {
		return api.Test{}, err
	}
	if err = t.files.save(one.kept); err != nil {
		return api.Test{}, err
	}
	if byHand {
		// The first answer has the URL.
		if err = t.keepMain(ctx, one); err != nil {
			return api.Test{}, errors.Join(err, t.files.remove(one.Run.ID))
		}
	}
	t.runs[one.Run.ID] = one
	t.launch(one) //nolint:contextcheck // as above
	t.forgetOld()
	return one.shown(true), nil
}

// prepare checks what a run is to be and makes it.
func (t *Runs) prepare(ctx context.Context, in api.TestInput) (*run, error) {
	s, err := scriptOf(in)
	if err != nil {
		return nil, err
	}
	sending, err := t.sender(ctx, in)
	if err != nil {
		return nil, err
	}
	cases, err := casesOf(s, in)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	one := &run{links: map[[2]string]string{}, kept: kept{Input: in, State: api.TestRunning, Run: result.Run{
		ID: id.String(), Profile: s.Name, Sender: t.cfg.Mask(in.Sender), Version: t.cfg.Version,
		Platform: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU()),
		Started:  time.Now().UTC(), Cases: cases, Reproduce: t.reproduce(s, in),
	}}}
	if sending == nil {
		one.cannot, err = manual.Unmeasured(s, in.Set, cases, t.cfg.Base)
		one.Run.Notes = manual.Notes(one.cannot)
		return one, err
	}
	return one, sending.Tell(&one.Run, []*scripts.Script{s})
}

// keepMain makes the endpoint of a manual run.
func (t *Runs) keepMain(ctx context.Context, one *run) error {
	s, err := scriptOf(one.Input)
	if err != nil {
		return err
	}
	lends := t.cfg.House.Range(ctx, prefixOf(one.Run.ID))
	defer lends.Stop()
	_, err = lends.Keep(ctx, manual.Spec(s, one.Input.Set))
	return err
}

// room refuses a run when too many go on.
func (t *Runs) room(byHand bool) error {
	going, limit := 0, maxAtOnce
	if byHand {
		limit = maxManual
	}
	for _, one := range t.runs {
		if goesOn(one.State) && (one.Input.Sender == trigger.Manual) == byHand {
			going++
		}
	}
	if going >= limit {
		return fmt.Errorf("tests: %d runs go on already: %w", going, webhook.ErrOverloaded)
	}
	return nil
}

// newestFirst returns the runs. Their ids are in the order of time.
func (t *Runs) newestFirst() []*run {
	return slices.SortedFunc(maps.Values(t.runs), func(a, b *run) int { return cmp.Compare(b.Run.ID, a.Run.ID) })
}

// forgetOld deletes the oldest runs that are over, beyond those that are kept.
func (t *Runs) forgetOld() {
	all := t.newestFirst()
	for _, one := range all[min(len(all), maxRuns):] {
		if goesOn(one.State) {
			continue
		}
		if err := t.files.remove(one.Run.ID); err != nil {
			t.cfg.Log.Error("an old run cannot be deleted", errAttr(err))
			continue
		}
		delete(t.runs, one.Run.ID)
	}
}
