package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// stress is the experiment that does everything at once to a program which watches for data races.
func stress() []Experiment {
	return []Experiment{{
		Name:     "stress",
		Promise:  "Under mixed load (webhooks, hanging answers, lists, searches, exports, live viewers, replays, changed settings) the race detector finds nothing, no panic is logged, and afterwards as many goroutines are there as before",
		Unit:     "minutes of load",
		Goal:     60,
		Controls: []string{"unlocked-bell", "forgotten-goroutines"},
		Certain:  true,
		Long:     true,
		Needs:    needsTool("cc"),
		Try:      racing,
	}}
}

func racing(ctx context.Context, b *Build) (count Count, err error) {
	folder, err := tryFolder()
	if err != nil {
		return count, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer target.Close()
	binary, err := b.Racing(ctx)
	if err != nil {
		return count, err
	}
	p := &program{
		binary: binary, folder: folder, data: filepath.Join(folder, "data"), log: new(output),
		flags: []string{"--replay-private", strings.TrimPrefix(target.URL, "http://")},
	}
	if err = p.declare(boundedSettings + "  - {name: slow, secret: " + secret + ", respond: hang/for=10m}\n"); err != nil {
		return count, err
	}
	if err = p.start(ctx); err != nil {
		return count, err
	}
	defer func() { err = errors.Join(err, p.kill()) }()
	if err = p.burden(ctx, target.URL, 5*time.Second, new(Count)); err != nil { // what is made once is made then
		return count, err
	}
	before, err := p.settled(ctx, 0)
	if err != nil {
		return count, err
	}
	if err = p.burden(ctx, target.URL, time.Minute, &count); err != nil {
		return count, err
	}
	after, err := p.settled(ctx, before)
	if err != nil {
		return count, err
	}
	count.Tried = 1
	count.Peak("goroutines before at most", before)
	count.Peak("goroutines afterwards at most", after)
	if after > before+slackOfGoroutines {
		count.Break("%.0f goroutines before the load and %.0f after it", before, after)
	}
	if _, err = p.stop(); err != nil {
		count.Break("it did not end well: %v", err)
	}
	for _, bad := range []string{"DATA RACE", "panic"} {
		if _, told, found := strings.Cut(p.log.String(), bad); found {
			count.Break("%s: %.300s", bad, told)
		}
	}
	return count, nil
}

// slackOfGoroutines are those that come and go by themselves: connections of this package's own calls, a checkpoint.
const slackOfGoroutines = 8

// settled waits until the program has no more goroutines than wanted, for a while, and returns how many it has.
func (p *program) settled(ctx context.Context, want float64) (float64, error) {
	least := -1.0
	p.eventually(ctx, 10*time.Second, func() bool {
		if now := p.metric(ctx, "go_goroutines"); now > 0 && (least < 0 || now < least) {
			least = now
		}
		return want > 0 && least > 0 && least <= want+slackOfGoroutines
	})
	if least < 0 {
		return 0, errors.Join(errors.New("the program does not tell how many goroutines it has"), ctx.Err())
	}
	return least, nil
}

// burden does everything at once for a while. What is refused under it is only counted.
func (p *program) burden(ctx context.Context, target string, long time.Duration, count *Count) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	var done, failed atomic.Int64
	var all sync.WaitGroup
	does := func(n int, pause time.Duration, act func(ctx context.Context, client *http.Client, i int) error) {
		for range n {
			all.Go(func() {
				client := p.client()
				defer client.CloseIdleConnections()
				for i := 0; ctx.Err() == nil; i++ {
					if err := act(ctx, client, i); err == nil {
						done.Add(1)
					} else if ctx.Err() == nil {
						failed.Add(1)
					}
					wait(ctx, pause, 2*pause)
				}
			})
		}
	}
	const captures = "/api/v1/endpoints/default/captures"
	reads := func(path string) func(context.Context, *http.Client, int) error {
		return func(ctx context.Context, client *http.Client, _ int) error {
			return p.call(ctx, client, http.MethodGet, path, "")
		}
	}
	does(6, time.Millisecond, func(ctx context.Context, client *http.Client, i int) error {
		_, err := p.deliver(ctx, client, p.hook("default"), fmt.Appendf(nil, `{"n":%d,"pad":"%0500d"}`, i, i))
		return err
	})
	does(4, 10*time.Millisecond, p.hangUp)
	for _, path := range []string{captures + "?limit=50", captures + "?q=pad", "/api/v1/endpoints/default/deliveries", "/api/v1/endpoints/default/export?format=har", "/metrics"} {
		does(1, 20*time.Millisecond, reads(path))
	}
	does(1, 50*time.Millisecond, func(ctx context.Context, client *http.Client, i int) error {
		return p.call(ctx, client, http.MethodPatch, "/api/v1/endpoints/default", fmt.Sprintf(`{"respond":"%d"}`, 200+i%3))
	})
	does(2, 50*time.Millisecond, func(ctx context.Context, client *http.Client, _ int) error {
		return p.replayNewest(ctx, client, target)
	})
	does(6, 100*time.Millisecond, p.watch)
	all.Wait()
	count.Sum("calls", done.Load())
	count.Sum("calls refused", failed.Load())
	if done.Load() == 0 {
		return errors.New("nothing was done under load")
	}
	return nil
}

// call asks the inspector and reads the answer to its end.
func (p *program) call(ctx context.Context, client *http.Client, method, path, body string) error {
	resp, err := p.ask(ctx, client, method, path, body)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode/100 != 2 {
		err = errors.Join(err, errors.New(resp.Status))
	}
	return errors.Join(err, resp.Body.Close())
}

// hangUp lets an answer hang for a moment and leaves.
func (p *program) hangUp(ctx context.Context, _ *http.Client, _ int) error {
	conn, err := p.post(ctx, "slow")
	if err != nil {
		return err
	}
	wait(ctx, time.Millisecond, 200*time.Millisecond)
	return conn.Close()
}

// replayNewest sends the newest capture on.
func (p *program) replayNewest(ctx context.Context, client *http.Client, target string) error {
	last := p.metric(ctx, "hookrange_last_seq")
	for seq := int64(last); seq > 0 && seq > int64(last)-10; seq-- { // not each fact is a capture
		at := fmt.Sprintf("/api/v1/endpoints/default/captures/%d/replay", seq)
		if err := p.call(ctx, client, http.MethodPost, at, fmt.Sprintf(`{"url":%q}`, target)); err == nil {
			return nil
		}
	}
	return errors.New("there is nothing to replay")
}

// watch looks at the live feed for a second.
func (p *program) watch(ctx context.Context, _ *http.Client, _ int) error {
	conn, err := p.live(ctx, websocket.DefaultDialer, "")
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is to be kept
	if err = conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if _, _, err = conn.ReadMessage(); err != nil {
			if n == 0 {
				return err
			}
			return nil // its second is over
		}
	}
}
