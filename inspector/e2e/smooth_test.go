package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"

	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// observe keeps what a PerformanceObserver sees, from the first byte of a document on.
const observe = `window.shifts = []; window.longTasks = [];
	new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifts.push(
		[e.value, e.sources.map((s) => s.node?.className || s.node?.nodeName || '?').join(' ')]); })
		.observe({ type: 'layout-shift', buffered: true });
	new PerformanceObserver((list) => { for (const e of list.getEntries()) window.longTasks.push(e.duration); })
		.observe({ type: 'longtask', buffered: true });`

func (p *tab) observe() {
	p.t.Helper()
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: observe})
}

// settled waits until nothing more is drawn or said.
const settled = `async () => {
	await document.fonts.ready;
	for (let i = 0; i < 5; i++) await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)));
	return true;
}`

// testSteady: what is drawn first stays where it is, with rows and with an open capture.
func testSteady(r *rig) {
	t := r.t
	s := r.serve()
	for n := range 30 {
		s.post(http.StatusOK, s.hook(fmt.Sprintf("/%d", n)), "application/json", fmt.Sprintf(`{"n":%d}`, n))
	}
	seq := s.captures()[0].Seq
	first := r.open(s)
	first.until("the page is live", isLive)
	p := r.tab(s.ready.Inspector)
	p.observe()
	p.navigate("/#token=" + s.ready.Token)
	p.until("the page is live", isLive)
	for _, width := range []int64{1280, 320} {
		for name, path := range map[string]string{"list": "/e/default", "capture": fmt.Sprintf("/e/default/%d", seq), "settings": "/e/default/settings"} {
			p.size(width, 900)
			p.navigate(path)
			p.until("the page is live", isLive)
			p.until("it is whole", `(name) => name === 'list' ? document.querySelector('[role=option]') !== null
				: name === 'capture' ? document.querySelector('article [role=tabpanel]')?.innerText.includes('"n"') === true
				: document.querySelector('main form') !== null`, name)
			eval[bool](p, settled)
			if sum := eval[float64](p, `() => window.shifts.reduce((sum, [value]) => sum + value, 0)`); sum >= 0.01 {
				t.Errorf("%s, %d px wide: things move by %.4f: %v", name, width, sum, eval[[][]any](p, `() => window.shifts`))
			}
		}
	}
	// A shift that is made is seen.
	eval[bool](p, `() => { document.body.style.paddingTop = '200px'; return true; }`)
	p.until("a shift is seen", `() => window.shifts.length > 0`)
}

// manyRows names the environment variable with how many rows TestScroll has the page scroll.
const manyRows = "HOOKRANGE_SCROLL"

// longestTask is what the page may do at most without looking at keys and mouse.
const longestTask = 200.0

// TestScroll has the page load and scroll as many rows as HOOKRANGE_SCROLL says, such as 100000, while more come, and
// prints the longest task that the browser saw. It measures, so it runs only when it is asked for.
func TestScroll(t *testing.T) {
	many, err := strconv.Atoi(os.Getenv(manyRows))
	if err != nil {
		t.Skip("set " + manyRows + "=100000 to measure how the page scrolls as many rows")
	}
	r := newRig(t)
	s := r.serve()
	secret := s.secret()
	s.stop()
	began := time.Now()
	fill(t, filepath.Join(s.folder, "data"), many)
	t.Logf("%d captures recorded in %v", many, time.Since(began).Round(time.Second))
	s.start("127.0.0.1:0", "127.0.0.1:0")
	p := r.tab(s.ready.Inspector)
	p.observe()
	p.navigate("/#token=" + s.ready.Token)
	p.until("the page is live", isLive)
	p.until("rows are there", `() => document.querySelector('[role=option]') !== null`)
	// A task of the page's own: what the debugger evaluates is none.
	eval[bool](p, `() => { setTimeout(() => { const end = performance.now() + 300; while (performance.now() < end); }); return true; }`)
	p.until("a long task is seen", `() => window.longTasks.some((d) => d >= 290)`)
	eval[bool](p, `() => { window.longTasks = []; return true; }`)

	began = time.Now()
	// Every tenth capture is folded under the one before.
	for rows := 0; rows < many-many/10; {
		rows = eval[int](p, `async () => {
			const box = document.querySelector('.list-pane .scroll');
			for (const end = performance.now() + 2000; performance.now() < end;) {
				box.scrollTop = box.scrollHeight;
				await new Promise((done) => setTimeout(done, 4));
			}
			return Math.round(document.querySelector('.list-pane .all').offsetHeight / 54);
		}`)
		if time.Since(began) > 30*time.Minute {
			t.Fatalf("only %d rows in half an hour", rows)
		}
	}
	loading := eval[[]float64](p, `() => window.longTasks.splice(0).sort((a, b) => b - a)`)
	t.Logf("%d rows loaded by scrolling in %v; tasks over 50 ms: %d, the longest %.0f ms", many, time.Since(began).Round(time.Second), len(loading), worst(loading))

	// Through the whole list and back, by hand's speed and by leaps, while captures come.
	var sending sync.WaitGroup
	sending.Go(func() {
		for n := range 40 {
			if status, err := send(s.ready.Receiver+"/hooks/default?secret="+secret, "application/json", fmt.Sprintf(`{"live":%d}`, n)); status != http.StatusOK {
				t.Errorf("post: %d, %v", status, err)
			}
		}
	})
	var frames []float64
	for from := 0; from < 700; from += 50 {
		frames = append(frames, eval[[]float64](p, `async (from) => {
			const box = document.querySelector('.list-pane .scroll');
			const gaps = [];
			for (let i = from, last = performance.now(); i < from + 50; i++) {
				box.scrollTop = i < 300 ? box.scrollHeight * i / 300 : i < 600 ? box.scrollTop - 120 : Math.random() * box.scrollHeight;
				await new Promise((done) => requestAnimationFrame(done));
				const now = performance.now();
				gaps.push(now - last);
				last = now;
			}
			return gaps;
		}`, from)...)
	}
	slices.Sort(frames)
	sending.Wait()
	scrolling := eval[[]float64](p, `() => window.longTasks.sort((a, b) => b - a)`)
	t.Logf("scrolled: tasks over 50 ms: %d, the longest %.0f ms; frames p99 %.0f ms", len(scrolling), worst(scrolling), frames[len(frames)*99/100])
	if d := max(worst(loading), worst(scrolling)); d > longestTask {
		t.Errorf("a task took %.0f ms, at most %.0f are wanted", d, longestTask)
	}
}

func worst(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[0]
}

// fill records captures in a stopped server's store, which is to keep all of them.
func fill(t *testing.T, folder string, many int) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Dir: folder, Bell: live.New()})
	if err != nil {
		t.Fatal(err)
	}
	ep, err := db.Endpoint("default")
	if err != nil {
		t.Fatal(err)
	}
	all := *ep
	all.Retention.Accepted = webhook.Quota{Count: -1, Age: -1, Bytes: -1}
	if _, err = db.SaveEndpoint(t.Context(), all, false); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const writers = 64
	for w := range writers {
		wg.Go(func() {
			for n := w; n < many; n += writers {
				if err := keep(t, db, n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err = db.Close(); err != nil {
		t.Fatal(err)
	}
}

// keep records one capture with its outcome; every tenth is the second attempt of a delivery.
func keep(t *testing.T, db *store.Store, n int) error {
	t.Helper()
	body := fmt.Appendf(nil, `{"order":%d,"state":"paid","items":[1,2,3]}`, n-n%10/9)
	sum := sha256.Sum256(body)
	c := webhook.Capture{
		Endpoint: "default", ReceivedAt: time.Now(), Class: webhook.Accepted, DeliveryBy: "body",
		Request: webhook.Request{
			Proto: "HTTP/1.1", Method: "POST", Target: "/hooks/default?secret=x",
			Head: []byte("POST /hooks/default?secret=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n"),
			Body: body, BodySHA256: sum, BodySize: int64(len(body)), Declared: int64(len(body)),
		},
		Plan: webhook.Plan{Text: "200", Status: 200},
	}
	at := db.Arrive("default", webhook.DeliveryKey{Sum: [16]byte(sum[:16]), By: "body"}, true, c.ReceivedAt)
	c.Delivery, c.Attempt, c.Gap = at.Delivery, at.Attempt, at.Gap
	ticket, err := db.Record(t.Context(), &c, false)
	if err != nil {
		return err
	}
	took := time.Millisecond
	return db.Finish(t.Context(), ticket, webhook.Outcome{Status: 200, FirstByte: &took, Done: &took})
}
