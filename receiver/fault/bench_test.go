package fault_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// sink takes an answer without a network.
type sink struct {
	head http.Header
	sent int
}

func (s *sink) Header() http.Header                              { return s.head }
func (*sink) WriteHeader(int)                                    {}
func (s *sink) Write(b []byte) (int, error)                      { s.sent += len(b); return len(b), nil }
func (*sink) SetWriteDeadline(time.Time) error                   { return nil }
func (*sink) FlushError() error                                  { return nil }
func (*sink) HungUp() (at time.Time, by webhook.HangUp, ok bool) { return time.Time{}, "", false }
func (*sink) Written() int64                                     { return 0 }
func (*sink) Reset() error                                       { return nil }

func BenchmarkPerform(b *testing.B) {
	s := &sink{head: http.Header{}}
	job := fault.Job{Plan: webhook.Plan{Status: 200}, ReceivedAt: time.Now()}
	b.ReportAllocs()
	for b.Loop() {
		clear(s.head)
		fault.Perform(b.Context(), s, s, job)
	}
}

// BenchmarkRoundTrip compares Perform with a handler that writes the same answer, over one loopback
// connection that is kept.
func BenchmarkRoundTrip(b *testing.B) {
	run := func(b *testing.B, dial func() net.Conn) {
		b.Helper()
		conn := dial()
		defer conn.Close()
		read := bufio.NewReader(conn)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
				b.Fatal(err)
			}
			answer, err := http.ReadResponse(read, nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("perform", func(b *testing.B) {
		run(b, serveTCP(b, fault.Job{Plan: webhook.Plan{Status: 200}}).dial)
	})
	b.Run("no-op", func(b *testing.B) {
		run(b, serveHandler(b, func(
			_ context.Context, w http.ResponseWriter, _ fault.Line, _ time.Time,
		) webhook.Outcome {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"received":true}`)
			return webhook.Outcome{}
		}).dial)
	})
}
