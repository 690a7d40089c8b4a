package proof

import (
	"bufio"
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

// spoofed is the experiment in which a sender says that it is ever new ones.
func spoofed() []Experiment {
	return []Experiment{{
		Name:     "spoofed",
		Promise:  "Requests with ever new addresses in X-Forwarded-For: of a peer that is not trusted the header is not heeded, and its limit holds; of a trusted one they cost at most 32 MB of memory, and meanwhile another client within its rate is answered 200 each time",
		Unit:     "requests",
		Goal:     2_000_000,
		Controls: []string{"heeds-everyone", "remembers-all"},
		Certain:  true,
		Try:      trying(spoof),
	}}
}

const (
	spoofRate = 50
	// spoofMemory is how many megabytes may be gained.
	spoofMemory = 32
	// spoofedSettings have a client that is looked at beside; the floods ask for an endpoint that is not there: what is
	// tried is what clients cost, and their limit comes before the endpoint is looked for.
	spoofedSettings = "endpoints: [{name: default, secret: " + secret + ", retention: {accepted: {count: 100}}}]\n"
	spoofedHook     = "/hooks/nowhere"
)

func spoof(ctx context.Context, p *program, count *Count) error {
	if err := p.declare(spoofedSettings); err != nil {
		return err
	}
	n := int64(1_000_000)
	if p.short {
		n = 250_000
	}
	p.flags = []string{"--client-rate", fmt.Sprint(spoofRate), "--trusted-proxy", "192.0.2.0/24"}
	err := p.start(ctx)
	if err == nil {
		err = p.unheeded(ctx, n/10, count)
	}
	if _, stopped := p.stop(); err != nil || stopped != nil {
		return errors.Join(err, stopped)
	}
	p.flags = []string{"--client-rate", fmt.Sprint(spoofRate), "--trusted-proxy", "127.0.0.0/8"}
	if err = p.start(ctx); err != nil {
		return err
	}
	return p.heeded(ctx, n, count)
}

// unheeded floods as a peer that is not trusted.
func (p *program) unheeded(ctx context.Context, n int64, count *Count) error {
	start := time.Now()
	got, err := p.spoofs(ctx, n, ever)
	if err != nil {
		return err
	}
	count.Tried += got.passed + got.refused
	// The bucket is full at the start, and a second's worth.
	if most := spoofRate * int64(time.Since(start).Seconds()+2); got.passed > most {
		count.Break("a peer that is not trusted got %d requests through with new addresses, and %d at its rate", got.passed, most)
	}
	count.Sum("refused of a peer that is not trusted", got.refused)
	return nil
}

// heeded floods as a trusted peer, and sends as one client of it beside. The memory that any flood takes is not counted,
// so one with a single address goes first, beside the same client.
func (p *program) heeded(ctx context.Context, n int64, count *Count) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var beside sync.WaitGroup
	var answered, failed int64
	var seen error
	beside.Go(func() {
		client := p.client()
		defer client.CloseIdleConnections()
		for ctx.Err() == nil {
			status, err := p.within(context.WithoutCancel(ctx), client)
			if answered++; err != nil || status != http.StatusOK {
				failed++
				seen = fmt.Errorf("%d, %w", status, err)
			}
			wait(ctx, 2*time.Second/spoofRate, 3*time.Second/spoofRate)
		}
	})
	var got poured
	_, err := p.spoofs(ctx, 100_000, func(int64) string { return "203.0.113.7" })
	before := p.resident()
	if err == nil {
		got, err = p.spoofs(ctx, n, ever)
	}
	end()
	beside.Wait()
	if err != nil {
		return err
	}
	count.Tried += got.passed + got.refused
	gained := float64(p.resident()-before) / megabyte
	count.Peak("MB of memory gained at most", gained)
	count.Sum("others answered meanwhile", answered-failed)
	switch {
	case gained > spoofMemory:
		count.Break("%.0f MB of memory gained", gained)
	case failed > 0 || answered == 0:
		count.Break("%d of %d of a client within its rate were not answered 200: %v", failed, answered, seen)
	case got.refused > 0:
		count.Break("%d of %d new clients were refused", got.refused, n)
	}
	return nil
}

// within sends a webhook as a client that does not say that it is others.
func (p *program) within(ctx context.Context, client *http.Client) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.hook("default"), strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-Forwarded-For", "198.51.100.9")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// ever is another address for each n.
func ever(n int64) string { return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255) }

// poured counts what a flood got: past the limit of its client, or not.
type poured struct{ passed, refused int64 }

// spoofs floods with n requests, each from the address that it gets, over connections that are kept.
func (p *program) spoofs(ctx context.Context, n int64, address func(n int64) string) (poured, error) {
	const connections, at = 4, 50
	var sent, passed, refused atomic.Int64
	failures := make([]error, connections)
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Receiver, "http://"))
			if err != nil {
				failures[i] = err
				return
			}
			defer conn.Close() //nolint:errcheck // nothing is to be kept
			read := bufio.NewReader(conn)
			for last := sent.Add(at); last <= n && ctx.Err() == nil; last = sent.Add(at) {
				var b strings.Builder
				for k := range int64(at) {
					fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: %s\r\n\r\n", spoofedHook, address(last-k))
				}
				_ = conn.SetDeadline(time.Now().Add(patience))
				if _, err = io.WriteString(conn, b.String()); err != nil {
					failures[i] = err
					return
				}
				for range at {
					resp, err := http.ReadResponse(read, nil)
					if err != nil {
						failures[i] = err
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					switch resp.StatusCode {
					case http.StatusNotFound:
						passed.Add(1)
					case http.StatusServiceUnavailable:
						refused.Add(1)
					default:
						failures[i] = fmt.Errorf("answered %s", resp.Status)
						return
					}
				}
			}
		})
	}
	all.Wait()
	return poured{passed.Load(), refused.Load()}, errors.Join(append(failures, ctx.Err())...)
}
