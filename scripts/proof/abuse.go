package proof

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
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
			Promise:  "10 000 answers hang at once within 250 MB of memory, the next is told so at once, others are answered meanwhile, and all are free within 5 s of their senders leaving",
			Unit:     "hanging answers",
			Goal:     100_000,
			Controls: []string{"unbounded-waiting"},
			Certain:  true,
			Try:      serving(hangingSettings(), hang),
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
			Promise:  "Bodies made to hurt parsers (nesting, keys, numbers, doubled keys, broken encodings, packed bombs) are kept byte for byte, shown, and cost little",
			Unit:     "bombs",
			Goal:     500,
			Controls: []string{"gjson-first"},
			Certain:  true,
			Try:      serving(settings, bomb),
		},
	}
}

const hangingEndpoints = 10

func hangingSettings() string {
	var b strings.Builder
	b.WriteString(settings)
	for i := range hangingEndpoints {
		fmt.Fprintf(&b, "  - {name: hang%d, secret: %s, respond: hang/for=10m, retention: {accepted: {count: 100}}}\n", i, secret)
	}
	return b.String()
}

// hang lets as many answers hang as may, and some more, and looks at what it costs the others.
func hang(ctx context.Context, p *program, count *Count) error {
	const over, most = 20, 250
	endpoints, each := hangingEndpoints, 1000
	if p.short {
		endpoints = 1
	}
	before, err := p.latency(ctx)
	if err != nil {
		return err
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	var refused atomic.Int64
	var readers sync.WaitGroup
	for i := range endpoints {
		n := each
		if i == endpoints-1 {
			n += over
		}
		for range n {
			c, dialErr := p.post(ctx, fmt.Sprintf("hang%d", i))
			if dialErr != nil {
				return dialErr
			}
			conns = append(conns, c)
			readers.Go(func() {
				head := make([]byte, len("HTTP/1.1 503"))
				if n, _ := io.ReadFull(c, head); n == len(head) && strings.HasSuffix(string(head), " 503") {
					refused.Add(1)
				}
			})
		}
	}
	count.Tried = int64(len(conns))
	if p.eventually(ctx, 10*time.Second, func() bool { return refused.Load() >= over }); refused.Load() != over {
		count.Break("%d answers over the limit were refused with 503, want %d", refused.Load(), over)
	}
	during, err := p.latency(ctx)
	if err != nil {
		return err
	}
	memory := float64(p.status("VmRSS")) / megabyte
	count.Peak("MB of memory at most", memory)
	count.Peak("ms p99 of others meanwhile at most", during.Seconds()*1000)
	count.Peak("ms p99 of others before at most", before.Seconds()*1000)
	if memory > most {
		count.Break("%.0f MB of memory", memory)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	readers.Wait()
	p.freed(ctx, count)
	return nil
}

// freed waits until no answer hangs any more; all their senders have left.
func (p *program) freed(ctx context.Context, count *Count) {
	left := time.Now()
	p.eventually(ctx, 10*time.Second, func() bool { return p.metric(ctx, "hookrange_waiting_answers") == 0 })
	took := time.Since(left)
	count.Peak("s at most until all were free", took.Seconds())
	if took > 5*time.Second {
		count.Break("answers were still held %v after their senders left", took.Round(time.Millisecond))
	}
}

// post opens a connection and sends a small webhook on it.
func (p *program) post(ctx context.Context, endpoint string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Receiver, "http://"))
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(c, "POST /hooks/%s?secret=%s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", endpoint, secret)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// latency returns the 99th percentile of webhooks sent one after the other.
func (p *program) latency(ctx context.Context) (time.Duration, error) {
	const n = 300
	client := p.client()
	defer client.CloseIdleConnections()
	took := make([]time.Duration, 0, n)
	for i := range n {
		start := time.Now()
		status, err := p.deliver(ctx, client, p.hook("default"), fmt.Appendf(nil, `{"n":%d}`, i))
		if err != nil || status != http.StatusOK {
			return 0, fmt.Errorf("a webhook beside the load: %d %w", status, err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[n*99/100], nil
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

// status returns a size from the program's status file, in bytes; 0 where there is none.
func (p *program) status(field string) int64 {
	for line := range strings.Lines(readAll(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))) {
		var kb int64
		if n, err := fmt.Sscanf(line, field+": %d kB", &kb); err == nil && n == 1 {
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
	memory := p.status("VmRSS")
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
	count.Peak("MB of memory gained at most", float64(p.status("VmRSS")-memory)/megabyte)
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

// bomb sends every bomb, and shows and exports what was kept.
func bomb(ctx context.Context, p *program, count *Count) error {
	client := p.client()
	defer client.CloseIdleConnections()
	for name, body := range bombs() {
		count.Tried++
		before := p.processor()
		start := time.Now()
		status, err := p.deliver(ctx, client, p.hook("default"), body)
		answered := time.Since(start)
		if err != nil || status != http.StatusOK {
			count.Break("%s: answered %d, %v", name, status, err)
			return nil // it may have ended
		}
		list, err := p.get(ctx, "/api/v1/endpoints/default/captures?limit=1")
		if err != nil {
			count.Break("%s: cannot be shown: %v", name, err)
			return nil
		}
		_, err = io.Copy(io.Discard, list)
		if err = errors.Join(err, list.Close()); err != nil {
			return err
		}
		used := p.processor() - before
		count.Peak("s of processor for the dearest", used.Seconds())
		count.Peak("s until the slowest was answered", answered.Seconds())
		if used > 2*time.Second {
			count.Break("%s cost %v of the processor", name, used)
		}
	}
	kept, err := p.bodies(ctx)
	if err != nil {
		count.Break("what was kept cannot be read: %v", err)
		return ctx.Err()
	}
	for name, body := range bombs() {
		if _, ok := kept[sha256.Sum256(body)]; !ok {
			count.Break("%s is not kept byte for byte", name)
		}
	}
	return nil
}

// processor is how long the program has used processors; 0 where that cannot be told.
func (p *program) processor() time.Duration {
	const ticks = 100
	_, rest, _ := strings.Cut(readAll(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11], &user); err != nil {
		return 0
	}
	if _, err := fmt.Sscan(fields[12], &system); err != nil {
		return 0
	}
	return time.Duration(user+system) * time.Second / ticks
}

// bombs are bodies that have stopped or slowed parsers elsewhere.
func bombs() map[string][]byte {
	const large = 10<<20 - 1000
	repeat := func(text string, size int) []byte { return []byte(strings.Repeat(text, size/len(text))) }
	return map[string][]byte{
		"10 MB of [":            repeat("[", large),
		"160 kB of [":           repeat("[", 160_000),
		"10 MB of {\"a\":":      repeat(`{"a":`, large),
		"nesting that closes":   append(repeat("[", large/2), repeat("]", large/2)...),
		"a rule around nesting": append([]byte(`{"rule_id":"x","runs":[{"inputs":`), repeat("[", large)...),
		"a million keys":        append(append([]byte("{"), repeat(`"k":1,`, large-10)...), `"z":1}`...),
		"one long text":         append(append([]byte(`{"a":"`), repeat("x", large-10)...), `"}`...),
		"escapes":               append(append([]byte(`{"a":"`), repeat(`\u0000`, large-10)...), `"}`...),
		"lone surrogates":       append(append([]byte(`{"a":"`), repeat(`\ud800`, large-10)...), `"}`...),
		"one long number":       repeat("9", large),
		"broken UTF-8":          repeat("\xff\xfe", large),
		"spaces":                repeat(" ", large),
		"NUL":                   repeat("\x00", large),
		"quotes":                repeat(`"`, large),
		"doubled keys":          []byte(`{"id":"1","id":"2","rule_id":"a","rule_id":"b","runs":[],"runs":[{}]}`),
		"garbage and an id":     []byte(`garbage{"id":"x"}`),
	}
}
