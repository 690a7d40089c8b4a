package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const megabyte = 1_000_000

// abuses are the experiments in which senders ask for too much.
func abuses() []Experiment {
	return []Experiment{
		{
			Name:     "hanging",
			Promise:  "10 000 answers hang at once within 250 MB of memory, the next is told so at once, others are answered as fast as by a program in which none hangs (p99 within 5 ms, or twice of what it takes there), and all are free within 5 s of their senders leaving",
			Unit:     "hanging answers",
			Goal:     100_000,
			Controls: []string{"unbounded-waiting"},
			Certain:  true,
			Try:      serving(hangingSettings("hang/for=10m"), hang(250)),
		},
		{
			Name:     "waiting",
			Promise:  "10 000 answers wait for minutes within 500 MB of memory, and others are answered as fast as by a program in which none waits, for the same of the processor",
			Unit:     "waiting answers",
			Goal:     100_000,
			Controls: []string{"fixed-limit"},
			Certain:  true,
			Long:     true,
			Try:      serving(hangingSettings("200/after=10m"), hang(500)),
		},
		{
			Name:     "bad-secret",
			Promise:  "A flood with wrong secrets is refused, and pushes out no capture that was accepted",
			Unit:     "refused requests",
			Goal:     1_000_000,
			Controls: []string{"one-quota"},
			Certain:  true,
			Try:      serving(floodSettings, flood),
		},
		{
			Name:     "slow-sender",
			Promise:  "Connections that send their head or body byte by byte, or nothing, are closed within 15 s, and others are answered all the while",
			Unit:     "slow connections",
			Goal:     10_000,
			Controls: []string{"patient"},
			Certain:  true,
			Long:     true,
			Try:      serving(settings, dawdle),
		},
		{
			Name:     "parser-bomb",
			Promise:  "Bodies made to hurt parsers (known ones, and generated ones: nesting, keys, numbers, escapes, pieces, forms, broken encodings, packed bombs) are kept byte for byte, shown, and for each 10 MB that they unpack to cost at most 0.1 s of a processor, or twice of what a harmless body does beside them",
			Unit:     "bombs",
			Goal:     500,
			Controls: []string{"gjson-first"},
			Certain:  true,
			Try:      serving(settings, bomb),
		},
	}
}

// deliver sends one webhook and returns the answer's status.
func (*program) deliver(ctx context.Context, client *http.Client, target string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// eventually waits until it is so, for a while at most.
func (*program) eventually(ctx context.Context, limit time.Duration, so func() bool) {
	for end := time.Now().Add(limit); !so() && time.Now().Before(end) && ctx.Err() == nil; {
		wait(ctx, 5*time.Millisecond, 10*time.Millisecond)
	}
}

// resident returns how many bytes of memory the program has; 0 where that cannot be told.
func (p *program) resident() int64 {
	for line := range strings.Lines(readAll(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))) {
		var kb int64
		if n, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil && n == 1 {
			return kb << 10
		}
	}
	return 0
}

// metric returns a metric's value, or -1.
func (p *program) metric(ctx context.Context, name string) float64 {
	body, err := p.get(ctx, "/metrics")
	if err != nil {
		return -1
	}
	defer body.Close() //nolint:errcheck // a part of it is enough
	text, _ := io.ReadAll(body)
	for line := range strings.Lines(string(text)) {
		var value float64
		if n, err := fmt.Sscanf(line, name+" %g", &value); err == nil && n == 1 {
			return value
		}
	}
	return -1
}

// floodSettings bound both classes alike, so that a flood in one of them would push out all of the other.
const floodSettings = `endpoints:
  - {name: default, secret: ` + secret + `, retention: {accepted: {count: 500}, rejected: {count: 500}}}
`

func flood(ctx context.Context, p *program, count *Count) error {
	good, bad := 200, int64(20_000)
	if p.short {
		bad = 2_000
	}
	l := newLedger()
	senders := l.send(ctx, p.hook("default"), load)
	p.eventually(ctx, patience, func() bool { return l.count() >= good })
	senders.end()
	memory := p.resident()
	var sent, answered atomic.Int64
	var all sync.WaitGroup
	for range load {
		all.Go(func() {
			client := p.client()
			defer client.CloseIdleConnections()
			for sent.Add(1) <= bad && ctx.Err() == nil {
				status, err := p.deliver(ctx, client, p.Receiver+"/hooks/default?secret=wrong", fmt.Appendf(nil, `{"n":%d,"pad":"%0500d"}`, sent.Load(), 0))
				if err == nil && (status == http.StatusUnauthorized || status == http.StatusServiceUnavailable) {
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	count.Tried = answered.Load()
	count.Peak("MB of memory gained at most", float64(p.resident()-memory)/megabyte)
	if n := bad - answered.Load(); n > 0 && ctx.Err() == nil {
		count.Break("%d of %d were not answered 401 or 503", n, bad)
	}
	lost, err := l.missing(ctx, p)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		count.Break("%d of %d accepted captures were pushed out", len(lost), l.count())
	}
	return nil
}

// dawdle opens slow connections of three kinds and times when each is closed.
func dawdle(ctx context.Context, p *program, count *Count) error {
	const limit = 15 * time.Second
	each := 600
	if p.short {
		each = 20
	}
	kinds := map[string]string{
		"head":    "POST /hooks/default?secret=" + secret + " HTTP/1.1\r\nHost: h\r\n",
		"body":    "POST /hooks/default?secret=" + secret + " HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
		"nothing": "",
	}
	ctx, cancel := context.WithTimeout(ctx, limit+time.Second)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	for kind, begin := range kinds {
		for range each {
			all.Go(func() {
				took, err := p.dawdler(ctx, begin)
				mu.Lock()
				defer mu.Unlock()
				count.Tried++
				count.Peak("s at most until one with a slow "+kind+" was closed", took.Seconds())
				if err != nil || took > limit {
					count.Break("a connection with a slow %s was open after %v: %v", kind, took.Round(time.Millisecond), err)
				}
			})
		}
	}
	others, failed := 0, 0
	client := p.client()
	defer client.CloseIdleConnections()
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for {
		select {
		case <-done:
			count.Sum("others answered meanwhile", int64(others))
			if failed > 0 || others == 0 {
				count.Break("%d of %d others were not answered", failed, others)
			}
			return nil
		case <-time.After(20 * time.Millisecond):
			if status, err := p.deliver(context.WithoutCancel(ctx), client, p.hook("default"), fmt.Appendf(nil, "%d", others)); err != nil || status != http.StatusOK {
				failed++
			}
			others++
		}
	}
}

// dawdler sends byte by byte until its connection is closed, and returns after how long that was.
func (p *program) dawdler(ctx context.Context, begin string) (time.Duration, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Receiver, "http://"))
	if err != nil {
		return 0, err
	}
	defer c.Close() //nolint:errcheck // nothing is to be kept
	start := time.Now()
	if _, err = io.WriteString(c, begin); err != nil {
		return 0, err
	}
	closed := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, c); close(closed) }()
	for {
		select {
		case <-closed:
			return time.Since(start), nil
		case <-ctx.Done():
			_ = c.SetReadDeadline(time.Now())
			<-closed
			return time.Since(start), errors.New("still open")
		case <-time.After(time.Second):
			if begin != "" {
				_, _ = io.WriteString(c, "x")
			}
		}
	}
}
