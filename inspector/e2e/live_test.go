package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"

	"github.com/hookrange/hookrange/fixtures"
)

// fresh returns the body of a fixture as a new delivery.
func fresh(t *testing.T, name string) string {
	t.Helper()
	v, err := fixtures.Fresh(name, time.Now(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	if err != nil {
		t.Fatal(err)
	}
	return string(v.Body)
}

func testRowsAppear(r *rig) {
	t := r.t
	s := r.serve()
	p := r.open(s)
	p.sees("Waiting for the first webhook")
	p.sees(s.ready.Receiver + "/hooks/default?secret=•••")
	if at := eval[string](p, `() => location.href`); strings.Contains(at, s.ready.Token) {
		t.Errorf("the token is still in the address bar: %s", at)
	}
	p.until("the page is live", isLive)
	eval[bool](p, `() => (window.unloaded = false) || true`)

	wrong := "wrong-guess-0123456789"
	s.post(http.StatusUnauthorized, s.ready.Receiver+"/hooks/default/first?secret="+wrong, "application/json", `{"first":true}`)
	s.post(http.StatusOK, s.hook("/second"), "application/json", fresh(t, "langsmith-rule"))
	s.post(http.StatusOK, s.hook("/third"), "text/plain", fresh(t, "agent-server-python-create-run"))

	want := s.captures()
	p.shows(want)
	if !eval[bool](p, `() => window.unloaded === false`) {
		t.Error("the page was loaded again")
	}
	p.until("all answers are told", `() => [...document.querySelectorAll('[role=option]')].every((e) => /answered \d+/.test(e.innerText))`)
	rows := p.rows()
	for i, words := range [][]string{
		{"run success · agent", "accepted", "answered 200", "/hooks/default/third?secret=•••"},
		{"rule d75d7417", "accepted", "answered 200", "/hooks/default/second?secret=•••"},
		{"rejected", "wrong secret", "answered 401", "/hooks/default/first?secret=•••"},
	} {
		for _, word := range words {
			if !strings.Contains(rows[i].Text, word) {
				t.Errorf("row %d does not say %q: %q", i, word, rows[i].Text)
			}
		}
	}
	colours := eval[[]string](p, `() => [...document.querySelectorAll('[role=option]')].map((e) => {
		const mark = [...e.querySelectorAll('svg')].find((s) => s.parentElement.innerText.match(/accepted|rejected/));
		return getComputedStyle(mark).color + mark.innerHTML.replace(/class="[^"]*"/g, '');
	})`)
	if colours[0] != colours[1] || colours[1] == colours[2] {
		t.Errorf("the marks do not tell the classes apart: %q", colours)
	}
	for _, secret := range []string{s.secret(), wrong} {
		if eval[bool](p, `(secret) => document.documentElement.outerHTML.includes(secret)`, secret) {
			t.Errorf("a secret is in the page: %s", secret)
		}
	}
	// A capture says what is odd about it.
	p.opens(want[0].Seq)
	p.sees("text/plain")
	if !p.has("tab", "Payload 1") {
		t.Error("the JSON that was sent as text/plain is no problem")
	}
}

// isLive tells whether the page says that it is connected.
const isLive = `() => [...document.querySelectorAll('[role=status]')].some((e) => e.textContent === 'Live')`

// traffic posts as many webhooks as it is asked for, one after the other, and remembers which were acknowledged.
// One that was not is followed by another.
type traffic struct {
	hook  string
	asked chan struct{}

	mu    sync.Mutex
	acked []string
	total int
}

func newTraffic(t *testing.T, s *server) *traffic {
	t.Helper()
	x := &traffic{hook: s.hook("/n"), asked: make(chan struct{}, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { x.run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return x
}

func (x *traffic) run(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-x.asked:
		}
		sub := fmt.Sprintf("/n/%d", n)
		status, err := send(strings.Replace(x.hook, "/n?", sub+"?", 1), "application/json", fmt.Sprintf(`{"n":%d}`, n))
		if err != nil || status != http.StatusOK {
			x.asked <- struct{}{}
			<-tick.C
			continue
		}
		x.mu.Lock()
		x.acked = append(x.acked, "/hooks/default"+sub)
		x.mu.Unlock()
	}
}

// ask has n more sent, and does not wait.
func (x *traffic) ask(n int) {
	x.total += n
	for range n {
		x.asked <- struct{}{}
	}
}

// paths returns those that were acknowledged.
func (x *traffic) paths() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.acked)
}

// wait blocks until all that were asked for are acknowledged.
func (x *traffic) wait(t *testing.T) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(x.paths()) < x.total {
		select {
		case <-deadline:
			t.Fatal("webhooks are no longer acknowledged")
		case <-tick.C:
		}
	}
}

func testReconnect(r *rig) {
	t := r.t
	s := r.serve()
	p := r.open(s)
	p.size(1280, 10_000) // so that the list has no rows out of sight
	p.until("the page is live", isLive)
	eval[bool](p, `() => (window.unloaded = false) || true`)

	x := newTraffic(t, s)
	x.ask(20)
	x.wait(t)
	for range 2 {
		x.ask(30)
		s.stop()
		p.until("the page says that it reconnects", `() => [...document.querySelectorAll('[role=status]')]
			.some((e) => e.textContent === 'Connection lost, reconnecting')`)
		s.restart()
		x.ask(10)
		x.wait(t)
		p.until("the page is live again", isLive)
		x.ask(10)
		x.wait(t)
	}

	kept := s.captures()
	count := map[string]int{}
	for _, c := range kept {
		count[c.Path]++
	}
	for _, path := range x.paths() {
		if count[path] != 1 {
			t.Errorf("%s was acknowledged once and is kept %d times", path, count[path])
		}
	}
	p.shows(kept)
	if !eval[bool](p, `() => window.unloaded === false`) {
		t.Error("the page was loaded again")
	}
}

func testTwoBrowsers(r *rig) {
	t := r.t
	s := r.serve()
	// A second process, and a slow one.
	other := &rig{t: t, binary: r.binary, browser: startBrowser(t, findBrowser(t))}
	quick, slow := r.open(s), other.open(s)
	call(slow, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 6})
	for _, p := range []*tab{quick, slow} {
		p.size(1280, 20_000)
		p.until("the page is live", isLive)
	}
	const senders, each = 4, 40
	var posting sync.WaitGroup
	failures := make(chan error, senders*each)
	hook := s.hook("")
	for n := range senders {
		posting.Go(func() {
			for i := range each {
				status, err := send(hook, "application/json", fmt.Sprintf(`{"sender":%d,"i":%d}`, n, i))
				if err != nil || status != http.StatusOK {
					failures <- fmt.Errorf("answered %d: %w", status, err)
				}
			}
		})
	}
	posting.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	kept := s.captures()
	if len(kept) != senders*each {
		t.Errorf("%d captures are kept, want %d", len(kept), senders*each)
	}
	quick.shows(kept)
	slow.shows(kept)
}

func testKeys(r *rig) {
	t := r.t
	s := r.serve()
	for i := range 4 {
		s.post(http.StatusOK, s.hook(fmt.Sprintf("/key/%d", i)), "application/json", fmt.Sprintf(`{"apple":%d}`, i))
	}
	s.post(http.StatusOK, s.hook("/pear"), "application/json", `{"pear":true}`)
	p := r.open(s)
	kept := s.captures()
	p.shows(kept)

	selected := func(want int64) {
		t.Helper()
		p.eventually(fmt.Sprintf("row %d is selected", want), func() error {
			rows := p.rows()
			i := slices.IndexFunc(rows, func(r row) bool { return r.Selected })
			if i < 0 || rows[i].Seq != want {
				return errors.New("another or none is")
			}
			return nil
		})
	}
	opened := func(want int64) {
		t.Helper()
		p.until("the capture is open", `(seq) => document.querySelector('article')?.getAttribute('aria-label') === 'Capture ' + seq &&
			location.pathname === '/e/default/' + seq`, want)
	}
	p.keys("j")
	selected(kept[0].Seq)
	p.keys("jj")
	selected(kept[2].Seq)
	p.keys("k")
	selected(kept[1].Seq)
	p.keys(kb.Enter)
	opened(kept[1].Seq)
	p.keys("j")
	opened(kept[2].Seq)
	p.keys("3")
	p.until("the answer is shown", `() => document.querySelector('article [role=tab][aria-selected=true]')?.innerText === 'Answer'`)
	p.keys("1")
	p.keys(kb.Escape)
	p.until("the list is shown alone", `() => document.querySelector('article') === null && location.pathname === '/e/default'`)
	selected(kept[2].Seq)

	p.keys("/")
	p.until("the search has the focus", `() => document.activeElement?.type === 'search'`)
	p.keys("pear")
	p.shows(kept[:1])
	p.keys(kb.Escape)
	p.shows(kept)
	p.until("the list has the focus", `() => document.activeElement?.getAttribute('role') === 'listbox'`)

	p.keys("?")
	p.until("the help is open", `() => document.querySelector('dialog[open]')?.innerText.includes('next capture') === true`)
	p.keys("j")
	selected(kept[2].Seq)
	p.keys(kb.Escape)
	p.until("the help is closed", `() => document.querySelector('dialog[open]') === null`)
	p.keys("gs")
	p.sees("Settings of default")
	p.keys("gl")
	p.shows(kept)
}

func testWrongToken(r *rig) {
	s := r.serve()
	p := r.tab(s.ready.Inspector)
	p.navigate("/#token=not-the-token-0123456789")
	p.sees("The server did not accept this token")
	p.fill("Token", s.ready.Token)
	p.press("button", "Open the inspector")
	p.sees("Waiting for the first webhook")
}
