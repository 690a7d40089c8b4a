package proof

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// floods is the experiment in which senders misuse HTTP/2.
func floods() []Experiment {
	return []Experiment{{
		Name: "http2-flood",
		Promise: "Floods over HTTP/2 (streams that are reset at once, heads that never end, PING, SETTINGS and empty DATA frames whose answers nobody reads, too many streams) " +
			"cost at most 64 MB of memory, at most 100 requests of a connection are under way, and others are answered all the while, each within 2 s",
		Unit:     "frames",
		Goal:     20_000_000,
		Controls: []string{"unbounded-streams"},
		Certain:  true,
		Try:      serving(floodedSettings, floodFrames),
	}}
}

const floodedSettings = `endpoints:
  - {name: default, secret: ` + secret + `, retention: {accepted: {count: 500}}, listener: {kind: tls, h2: true}}
  - {name: hang, secret: ` + secret + `, respond: hang/for=10m, listener: {kind: tls, h2: true}}
`

// torrent is a way to flood a connection. It writes frames until it has written so many or is not listened to any more.
type torrent struct {
	name, endpoint string
	write          func(f *frameWriter, n int) error
}

func torrents() []torrent {
	return []torrent{
		{"streams reset at once", "default", func(f *frameWriter, _ int) error {
			return errors.Join(f.open(true), f.WriteRSTStream(f.stream, http2.ErrCodeCancel))
		}},
		{"heads that never end", "default", func(f *frameWriter, n int) error {
			if n == 0 {
				return f.open(false)
			}
			return f.WriteContinuation(f.stream, false, f.more)
		}},
		{"PING", "default", func(f *frameWriter, _ int) error { return f.WritePing(false, [8]byte{}) }},
		{"SETTINGS", "default", func(f *frameWriter, n int) error {
			return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(1000 + n%1000)})
		}},
		{"empty DATA", "default", func(f *frameWriter, n int) error {
			if n == 0 {
				return f.open(true)
			}
			return f.WriteData(f.stream, false, nil)
		}},
		{"too many streams", "hang", func(f *frameWriter, n int) error {
			if n > 2000 {
				return errEnough
			}
			return errors.Join(f.open(true), f.WriteData(f.stream, true, []byte("{}")))
		}},
	}
}

// floodFrames lets some connections of each kind flood, and looks at what it costs.
func floodFrames(ctx context.Context, p *program, count *Count) error {
	const connections, senders = 4, 256
	length := 3 * time.Second
	if p.short {
		length = 300 * time.Millisecond
	}
	// What any load makes the program keep for the next one is no part of it.
	if _, err := p.flat(ctx, senders, length); err != nil {
		return err
	}
	for _, t := range torrents() {
		if err := p.flood(ctx, t, connections, length, count); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func (p *program) flood(ctx context.Context, t torrent, connections int, length time.Duration, count *Count) error {
	const memory = 64
	if t.endpoint == "hang" {
		length = max(length, 2*time.Second) // each of its requests must be on disk before it hangs
	}
	p.settle(ctx)
	before, used, start := p.resident(), p.processor(), time.Now()
	flowing, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	type flow struct {
		written int64
		err     error
	}
	ended := make(chan flow, connections)
	for range connections {
		go func() {
			n, err := p.torrent(flowing, t)
			ended <- flow{n, err}
		}()
	}
	p.besideFlood(flowing, t.name, connections, count)
	cancel()
	for range connections {
		f := <-ended
		if f.err != nil {
			return f.err
		}
		count.Tried += f.written
		count.Sum(t.name, f.written)
	}
	count.Peak("processors during "+t.name+" at most", (p.processor()-used).Seconds()/time.Since(start).Seconds())
	gained := float64(p.resident()-before) / megabyte
	count.Peak("MB of memory gained at most", gained)
	if gained > memory {
		count.Break("%s took %.0f MB of memory", t.name, gained)
	}
	p.eventually(ctx, patience, func() bool { return p.metric(ctx, "hookrange_waiting_answers") == 0 })
	return nil
}

// besideFlood sends while there is a flood, and looks at how many requests wait.
func (p *program) besideFlood(flowing context.Context, name string, connections int, count *Count) {
	const streams, soon = 100, 2 * time.Second
	ctx := context.WithoutCancel(flowing)
	for flowing.Err() == nil {
		at := time.Now()
		client := p.client() // who comes new is the first to notice
		client.Timeout = 10 * soon
		status, err := p.deliver(ctx, client, p.hook("default"), []byte(`{"beside":"a flood"}`))
		client.CloseIdleConnections()
		took := time.Since(at)
		switch {
		case err != nil || status != http.StatusOK:
			count.Break("during %s another was answered %d, %v", name, status, err)
			return
		case took > soon && !p.short:
			count.Break("during %s another was answered after %v", name, took)
		}
		count.Sum("others answered meanwhile", 1)
		count.Peak("s until the slowest of others was answered", took.Seconds())
		held := p.metric(ctx, "hookrange_waiting_answers")
		count.Peak("requests under way on a connection at most", held/float64(connections))
		if held > float64(streams*connections) {
			count.Break("%s: %g requests wait on %d connections", name, held, connections)
			return
		}
		wait(flowing, 5*time.Millisecond, 6*time.Millisecond)
	}
}

// errEnough ends what floods a connection, which stays open.
var errEnough = errors.New("enough")

// torrent floods, on new connections where the program ends one, until ctx ends. It returns how many frames it wrote.
func (p *program) torrent(ctx context.Context, t torrent) (written int64, err error) {
	for ctx.Err() == nil {
		f, err := p.frames(ctx, t.endpoint)
		if late := net.Error(nil); ctx.Err() != nil || errors.As(err, &late) && late.Timeout() {
			if f != nil {
				_ = f.conn.Close()
			}
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, enough := f.flow(ctx, t)
		if written += n; enough {
			<-ctx.Done()
		}
		_ = f.conn.Close()
	}
	return written, nil
}

// flow floods until the program ends the connection, as it may, or it is enough.
func (f *frameWriter) flow(ctx context.Context, t torrent) (written int64, enough bool) {
	for n := 0; ctx.Err() == nil; n++ {
		if err := t.write(f, n); err != nil {
			return written, errors.Is(err, errEnough)
		}
		written++
	}
	return written, false
}

// frameWriter is a connection with HTTP/2.
type frameWriter struct {
	*http2.Framer
	conn   net.Conn
	stream uint32
	head   bytes.Buffer
	pack   *hpack.Encoder
	path   string
	// more is a field that heads which never end go on with.
	more []byte
}

// frames connects to an endpoint's own listener. Nothing is ever read.
func (p *program) frames(ctx context.Context, endpoint string) (*frameWriter, error) {
	at := slices.IndexFunc(p.Endpoints, func(e endpointURL) bool { return e.Name == endpoint })
	if at < 0 {
		return nil, fmt.Errorf("no endpoint %s", endpoint)
	}
	to, err := url.Parse(p.Endpoints[at].URL)
	if err != nil {
		return nil, err
	}
	//nolint:gosec // whom it trusts is no matter here
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	conn, err := dialer.DialContext(ctx, "tcp", to.Host)
	if err != nil {
		return nil, err
	}
	f := &frameWriter{Framer: http2.NewFramer(conn, conn), conn: conn, path: to.RequestURI()}
	f.AllowIllegalWrites = true
	f.pack = hpack.NewEncoder(&f.head)
	deadline, _ := ctx.Deadline()
	err = conn.SetDeadline(deadline)
	if err == nil {
		_, err = conn.Write([]byte(http2.ClientPreface))
	}
	if err == nil {
		err = f.WriteSettings()
	}
	_ = f.pack.WriteField(hpack.HeaderField{Name: "x-more", Value: string(repeated("more", 200)), Sensitive: true})
	f.more = bytes.Clone(f.head.Bytes())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return f, nil
}

// open begins a stream with the head of a webhook; its body is still to come.
func (f *frameWriter) open(whole bool) error {
	if f.stream++; f.stream > 1 {
		f.stream++
	}
	f.head.Reset()
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", f.path}, {"content-length", "2"}} {
		_ = f.pack.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.head.Bytes(), EndHeaders: whole})
}
