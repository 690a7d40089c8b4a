package proof

import (
	"context"
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

const hangingEndpoints = 10

func hangingSettings(respond string) string {
	var b strings.Builder
	b.WriteString(settings)
	for i := range hangingEndpoints {
		fmt.Fprintf(&b, "  - {name: hang%d, secret: %s, respond: %s, retention: {accepted: {count: 100}}}\n", i, secret, respond)
	}
	return b.String()
}

// hang is a try that lets as many answers hang or wait as may, and some more, and looks at what it costs the others. All
// must do with so many megabytes.
func hang(most float64) func(ctx context.Context, p *program, count *Count) error {
	return func(ctx context.Context, p *program, count *Count) error { return p.hang(ctx, most, count) }
}

func (p *program) hang(ctx context.Context, most float64, count *Count) (err error) {
	const over = 20
	endpoints, each := hangingEndpoints, 1000
	if p.short {
		endpoints = 1
	}
	quiet, err := p.another("quiet")
	if err == nil {
		err = quiet.start(ctx)
	}
	defer func() { err = errors.Join(err, quiet.kill()) }()
	if err != nil {
		return err
	}
	c := new(crowd)
	defer c.leave()
	for i := range endpoints {
		n := each
		if i == endpoints-1 {
			n += over
		}
		for range n {
			if err = c.join(ctx, p, fmt.Sprintf("hang%d", i)); err != nil {
				return err
			}
		}
	}
	count.Tried = int64(len(c.conns))
	if p.eventually(ctx, 10*time.Second, func() bool { return c.refused.Load() >= over }); c.refused.Load() != over {
		count.Break("%d answers over the limit were refused with 503, want %d", c.refused.Load(), over)
	}
	if err = p.beside(ctx, quiet, count); err != nil {
		return err
	}
	memory := float64(p.resident()) / megabyte
	count.Peak("MB of memory at most", memory)
	if memory > most {
		count.Break("%.0f MB of memory", memory)
	}
	c.leave()
	p.freed(ctx, count)
	return nil
}

// crowd is senders whose answers hang or wait. Those that were told that there are too many are counted.
type crowd struct {
	conns   []net.Conn
	refused atomic.Int64
	readers sync.WaitGroup
}

// join sends a webhook and waits for its answer beside.
func (c *crowd) join(ctx context.Context, p *program, endpoint string) error {
	conn, err := p.post(ctx, endpoint)
	if err != nil {
		return err
	}
	c.conns = append(c.conns, conn)
	c.readers.Go(func() {
		head := make([]byte, len("HTTP/1.1 503"))
		if n, _ := io.ReadFull(conn, head); n == len(head) && strings.HasSuffix(string(head), " 503") {
			c.refused.Add(1)
		}
	})
	return nil
}

// leave ends them. It may be called again.
func (c *crowd) leave() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.readers.Wait()
}

// beside compares what webhooks take with what they take at a program that does nothing else, by turns, so that whatever
// else the machine does meets both.
func (p *program) beside(ctx context.Context, quiet *program, count *Count) error {
	const goal, factor, effort = 5 * time.Millisecond, 2, 3
	n := 1000
	if p.short {
		n = 100
	}
	p.settle(ctx)
	programs := [2]*program{p, quiet}
	var clients [2]*http.Client
	var took [2][]time.Duration
	var used [2]time.Duration
	for i := range programs {
		used[i] = -programs[i].processor()
		clients[i] = programs[i].client()
		defer clients[i].CloseIdleConnections()
	}
	for range n {
		for i := range programs {
			start := time.Now()
			status, err := programs[i].deliver(ctx, clients[i], programs[i].hook("default"), []byte(`{"beside":"the load"}`))
			if err != nil || status != http.StatusOK {
				return errors.Join(fmt.Errorf("a webhook beside the load was answered %d", status), err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	for i := range programs {
		used[i] += programs[i].processor()
	}
	loaded, alone := p99Of(took[0]), p99Of(took[1])
	count.Peak("ms p99 of others at most", loaded.Seconds()*1000)
	count.Peak("ms where none hangs at most", alone.Seconds()*1000)
	count.Peak("times the p99 where none hangs at most", loaded.Seconds()/alone.Seconds())
	count.Peak("times the processor's time at most", used[0].Seconds()/max(used[1], 10*time.Millisecond).Seconds())
	if used[0] > effort*used[1] && !p.short {
		count.Break("others took %v of the processor, and %v where none hangs", used[0], used[1])
	}
	if loaded > goal && loaded > factor*alone && !p.short {
		count.Break("p99 of others is %v, and %v where none hangs", loaded, alone)
	}
	return nil
}

// settle waits until the program has done what came of a burst: it hardly uses a processor any more.
func (p *program) settle(ctx context.Context) {
	const span, calm = 200 * time.Millisecond, 20 * time.Millisecond
	used := p.processor()
	p.eventually(ctx, patience, func() bool {
		wait(ctx, span, span+1)
		before := used
		used = p.processor()
		return used-before <= calm
	})
}

// p99Of sorts what was taken and returns the 99th percentile.
func p99Of(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
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
