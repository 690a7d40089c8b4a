package proof

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// paces is the experiment on how soon answers come.
func paces() []Experiment {
	return []Experiment{{
		Name:     "answer-time",
		Promise:  "At 1 000 webhooks of 10 kB a second, each on disk before its answer, the p99 of answers is within 50 ms, and within 1 s when 256 senders send as fast as they are answered",
		Unit:     "webhooks",
		Goal:     300_000,
		Controls: []string{"late-commits"},
		Certain:  true,
		Try:      serving(settings, pace),
	}}
}

// answers are how long each of some webhooks took; those that were not answered 2xx count as failed.
type answers struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
	why    string
}

func (a *answers) add(took time.Duration, status int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || status != http.StatusOK {
		a.failed++
		a.why = fmt.Sprintf("answered %d, %v", status, err)
		return
	}
	a.took = append(a.took, took)
}

// pace sends at a steady rate, whatever the answers do, and then as fast as answers come.
func pace(ctx context.Context, p *program, count *Count) error {
	rate, steady, full, senders := 1000, 10*time.Second, 5*time.Second, 256
	if p.short {
		rate, steady, full, senders = 100, time.Second, time.Second, 16
	}
	// What a new file and new connections cost is no part of it.
	if _, err := p.flat(ctx, senders, time.Second); err != nil {
		return err
	}
	calm, err := p.steadily(ctx, rate, steady)
	if err != nil && !p.short {
		return err
	}
	busy, err := p.flat(ctx, senders, full)
	if err != nil {
		return err
	}
	judge := func(a *answers, when string, goal time.Duration) {
		count.Tried += int64(len(a.took) + a.failed)
		if a.failed > 0 || len(a.took) == 0 {
			count.Break("%s %d of %d webhooks failed: %s", when, a.failed, len(a.took)+a.failed, a.why)
			return
		}
		p99 := p99Of(a.took)
		count.Peak("ms p99 "+when+" at most", p99.Seconds()*1000)
		if p99 > goal && !p.short {
			count.Break("p99 %s is %v", when, p99)
		}
	}
	judge(calm, "at a steady rate", 50*time.Millisecond)
	judge(busy, "at full load", time.Second)
	count.Peak("a second at full load", float64(len(busy.took))/full.Seconds())
	return nil
}

// steadily sends so many webhooks a second, each timed from when it was due. It returns an error when this side is too
// late itself to tell.
func (p *program) steadily(ctx context.Context, rate int, d time.Duration) (*answers, error) {
	const connections, tolerance = 64, 10 * time.Millisecond
	total := int(d.Seconds() * float64(rate))
	due := make(chan time.Time, total)
	a := &answers{}
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			client := p.client()
			defer client.CloseIdleConnections()
			for at := range due {
				status, err := p.deliver(ctx, client, p.hook("default"), tenKilobytes(i, at))
				a.add(time.Since(at), status, err)
			}
		})
	}
	var late []time.Duration
	for start, n := time.Now(), 0; n < total && ctx.Err() == nil; n++ {
		at := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if left := time.Until(at); left > 0 {
			time.Sleep(left)
		}
		late = append(late, time.Since(at))
		due <- at
	}
	close(due)
	all.Wait()
	if ctx.Err() != nil {
		return a, ctx.Err()
	}
	if by := p99Of(late); by > tolerance {
		return a, fmt.Errorf("this machine is too busy: the senders themselves were %v late", by)
	}
	return a, nil
}

// flat lets senders send as fast as they are answered for a while.
func (p *program) flat(ctx context.Context, senders int, d time.Duration) (*answers, error) {
	a := &answers{}
	end := time.Now().Add(d)
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() {
			client := p.client()
			defer client.CloseIdleConnections()
			for ctx.Err() == nil && time.Now().Before(end) {
				start := time.Now()
				status, err := p.deliver(ctx, client, p.hook("default"), tenKilobytes(i, start))
				a.add(time.Since(start), status, err)
			}
		})
	}
	all.Wait()
	if len(a.took) == 0 {
		return a, errors.Join(errors.New("nothing was answered: "+a.why), ctx.Err())
	}
	return a, ctx.Err()
}

// tenKilobytes is a body that is like no other.
func tenKilobytes(sender int, at time.Time) []byte {
	const size = 10_000
	return fmt.Appendf(nil, `{"sender":%d,"at":%d,"pad":"%s"}`, sender, at.UnixNano(), strings.Repeat("lorem ipsum ", size/12))
}
