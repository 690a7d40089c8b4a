package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// paces is the experiment on how soon answers come.
func paces() []Experiment {
	return []Experiment{{
		Name: "answer-time",
		Promise: "At 1 000 webhooks of 10 kB a second, each on disk before its answer, the p99 of answers, from when each was due to be sent, is within 50 ms, " +
			"and within 1 s when 256 senders send as fast as they are answered",
		Unit:     "webhooks at 1 000 a second",
		Goal:     300_000,
		Controls: []string{"late-commits"},
		Certain:  true,
		Try:      serving(settings, pace),
	}}
}

// answers are how long each of some webhooks took; those that were not answered 2xx count as failed.
type answers struct {
	mu   sync.Mutex
	took []time.Duration
	// late is by how much senders missed, on their own account, when something was due.
	late   []time.Duration
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

func (a *answers) slept(late time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.late = append(a.late, late)
}

// join adds what another round has.
func (a *answers) join(o *answers) {
	a.took, a.late = append(a.took, o.took...), append(a.late, o.late...)
	a.failed += o.failed
	if a.why == "" {
		a.why = o.why
	}
}

// tempo is what the steady part sends, in rounds that take turns with those of a receiver that does nothing.
type tempo struct {
	rate, rounds int
	round, rest  time.Duration
}

// pace sends at a steady rate, whatever the answers do, and then as fast as answers come.
func pace(ctx context.Context, p *program, count *Count) error {
	t, full, senders := tempo{rate: 1000, rounds: 5, round: 2 * time.Second, rest: time.Second}, 5*time.Second, 256
	if p.short {
		t, full, senders = tempo{rate: 100, rounds: 1, round: time.Second, rest: 300 * time.Millisecond}, time.Second, 16
	}
	// What a new file and new connections cost is no part of it.
	if _, err := p.flat(ctx, senders, time.Second); err != nil {
		return err
	}
	calm, err := p.steadily(ctx, t, count)
	if err != nil {
		return err
	}
	busy, err := p.flat(ctx, senders, full)
	if err != nil {
		return err
	}
	judge := func(a *answers, when string, goal time.Duration) {
		if a.failed > 0 {
			count.Break("%s %d of %d webhooks failed: %s", when, a.failed, len(a.took)+a.failed, a.why)
		}
		if len(a.took) == 0 {
			return
		}
		p99 := p99Of(a.took)
		count.Peak("ms p99 "+when+" at most", p99.Seconds()*1000)
		if p99 > goal && !p.short {
			count.Break("p99 %s is %v", when, p99)
		}
	}
	count.Tried = int64(len(calm.took) + calm.failed)
	judge(calm, "at a steady rate", 50*time.Millisecond)
	if count.Tried > 0 {
		count.Peak("ms p99 of the senders' own lateness at most", p99Of(calm.late).Seconds()*1000)
	}
	judge(busy, "at full load", time.Second)
	count.Peak("a second at full load at most", float64(len(busy.took))/full.Seconds())
	return nil
}

// steadily sends in rounds, by turns with rounds to a receiver in this process that does nothing. A round counts when
// that receiver answered in time before and after it, and when the senders themselves were not as late as half of what
// answers may take: a machine on which nothing is in time says nothing of the program.
func (p *program) steadily(ctx context.Context, t tempo, count *Count) (*answers, error) {
	const quiet, ownLateness = 10 * time.Millisecond, 25 * time.Millisecond
	idle, end, err := doNothing(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	crowd := newSteady(p)
	defer crowd.leave()
	all := &answers{}
	before, err := crowd.round(ctx, idle, t.rate, t.rest)
	if err != nil {
		return nil, err
	}
	for range t.rounds {
		one, err := crowd.round(ctx, p.hook("default"), t.rate, t.round)
		if err != nil {
			return nil, err
		}
		after, err := crowd.round(ctx, idle, t.rate, t.rest)
		if err != nil {
			return nil, err
		}
		around := max(p99Of(before.took), p99Of(after.took))
		before = after
		if !p.short && (around > quiet || p99Of(one.late) > ownLateness) {
			count.Sum("not judged: the machine was busy with something else", int64(len(one.took)+one.failed))
			continue
		}
		count.Peak("ms p99 of a receiver that does nothing at most", around.Seconds()*1000)
		all.join(one)
	}
	return all, nil
}

// steady is senders that each send when it is due. One whose answer is not there by then sends late, and what it sends
// counts from when it was due.
type steady struct {
	program *program
	clients []*http.Client
}

func newSteady(p *program) *steady {
	const senders = 250
	s := &steady{program: p}
	for range senders { // their connections last while it is another receiver's turn
		s.clients = append(s.clients, &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true, IdleConnTimeout: patience}})
	}
	return s
}

func (s *steady) leave() {
	for _, c := range s.clients {
		c.CloseIdleConnections()
	}
}

// round sends so many webhooks a second, spread evenly over the senders, for a while.
func (s *steady) round(ctx context.Context, target string, rate int, d time.Duration) (*answers, error) {
	total := int(d.Seconds() * float64(rate))
	a, start := &answers{}, time.Now().Add(50*time.Millisecond)
	var all sync.WaitGroup
	for i, client := range s.clients {
		all.Go(func() {
			for n := i; n < total && ctx.Err() == nil; n += len(s.clients) {
				at := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
				body := tenKilobytes(i, at)
				if left := time.Until(at); left > 0 {
					time.Sleep(left)
					a.slept(time.Since(at))
				}
				status, err := s.program.deliver(ctx, client, target, body)
				a.add(time.Since(at), status, err)
			}
		})
	}
	all.Wait()
	if ctx.Err() == nil && (len(a.took) == 0 || len(a.late) == 0) {
		return a, fmt.Errorf("of %d webhooks %d were sent when they were due and %d answered: %s", total, len(a.late), len(a.took), a.why)
	}
	return a, ctx.Err()
}

// doNothing starts a receiver that reads what it gets and answers 200.
func doNothing(ctx context.Context) (target string, end func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until it is closed
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		<-ended
	}, nil
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
