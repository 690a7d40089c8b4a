//go:build unix

package receiver_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/live"
	"github.com/hookrange/hookrange/receiver/store"
)

// BenchmarkEndToEnd loads the receiver over loopback, with everything on disk before it answers, and in the same run, by
// turns, two net/http handlers: one reads the body and answers 200, the other ("bare") also appends it to a file that is
// synced before the answer, and nothing more. It reports requests a second, the ratios of ours to the two, 99th
// percentiles and the processor's time for each request, the load's own included. Run it with -benchtime=1x.
func BenchmarkEndToEnd(b *testing.B) {
	// As the program sets them.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0))))
	for _, conns := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint("c=", conns), func(b *testing.B) {
			ours, noop, bare := serveOurs(b), serveNoop(b), serveBare(b)
			for _, address := range []string{ours, noop, bare} {
				load(address, conns, time.Second)
			}
			b.ResetTimer()
			for range b.N {
				var took, base, least []loaded
				var ratios, toBare []float64
				for i := range 5 {
					base = append(base, load(noop, conns, 2*time.Second))
					took = append(took, load(ours, conns, 2*time.Second))
					least = append(least, load(bare, conns, 2*time.Second))
					ratios = append(ratios, took[i].rate/base[i].rate)
					toBare = append(toBare, took[i].rate/least[i].rate)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(ratios), "ratio")
				b.ReportMetric(median(toBare), "ratio-bare")
				report(b, took, "captures/s", "")
				report(b, base, "noop/s", "noop-")
				report(b, least, "bare/s", "bare-")
			}
		})
	}
}

// report reports the medians of some loads.
func report(b *testing.B, all []loaded, rate, prefix string) {
	b.Helper()
	for unit, of := range map[string]func(loaded) float64{
		rate:              func(l loaded) float64 { return l.rate },
		prefix + "p99-ms": func(l loaded) float64 { return l.p99 },
		prefix + "cpu-us": func(l loaded) float64 { return l.cpu },
	} {
		var values []float64
		for _, l := range all {
			values = append(values, of(l))
		}
		b.ReportMetric(median(values), unit)
	}
}

// BenchmarkIdleConnection measures the memory that a connection takes which has sent one request and may send more, and
// that of a net/http server's.
func BenchmarkIdleConnection(b *testing.B) {
	const conns = 4000
	for name, serve := range map[string]func(*testing.B) string{"ours": serveOurs, "noop": serveNoop} {
		b.Run(name, func(b *testing.B) {
			address := serve(b)
			load(address, 1, time.Second)
			for b.Loop() {
				before := held()
				opened := make([]net.Conn, conns)
				webhook := newDelivery(sent.Add(1 << 24))
				reader := bufio.NewReaderSize(nil, 4096)
				for i := range opened {
					conn, err := net.Dial("tcp", address)
					if err != nil {
						b.Fatal(err)
					}
					opened[i] = conn
					reader.Reset(conn)
					if _, err = conn.Write(webhook.next()); err != nil || !readAnswer(reader) {
						b.Fatal("no answer")
					}
				}
				b.ReportMetric((held()-before)/conns, "bytes/connection")
				for _, conn := range opened {
					_ = conn.Close()
				}
			}
		})
	}
}

// held returns how many bytes of heap and stacks are in use.
func held() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

func serveOurs(b *testing.B) string {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(b.Context(), store.Config{Dir: b.TempDir(), Bell: live.New(), Log: log})
	if err != nil {
		b.Fatal(err)
	}
	if _, err = db.SaveEndpoint(b.Context(), open("default", "s3cret", "200"), true); err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- receiver.New(receiver.Config{Store: db, Log: log}).Run(ctx, ln) }()
	b.Cleanup(func() {
		stop()
		<-done
		_ = db.Close()
	})
	return ln.Addr().String()
}

func serveNoop(b *testing.B) string {
	b.Helper()
	return serveHandler(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
	})
}

// serveBare serves a handler that does the least that a body on disk before its answer takes: it appends the bodies that
// came together to a file and syncs it once for them all.
func serveBare(b *testing.B) string {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "bodies"))
	if err != nil {
		b.Fatal(err)
	}
	type waiting struct {
		body []byte
		done chan error
	}
	queue, ended := make(chan waiting, 1024), make(chan struct{})
	go func() {
		defer close(ended)
		for first := range queue {
			all, bodies := []waiting{first}, first.body
			for more := true; more; {
				select {
				case next := <-queue:
					all, bodies = append(all, next), append(bodies, next.body...)
				default:
					more = false
				}
			}
			_, err := file.Write(bodies)
			if err == nil {
				err = file.Sync()
			}
			for _, w := range all {
				w.done <- err
			}
		}
	}()
	b.Cleanup(func() { close(queue); <-ended; _ = file.Close() })
	return serveHandler(b, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			mine := waiting{body, make(chan error, 1)}
			queue <- mine
			err = <-mine.done
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
}

func serveHandler(b *testing.B, handler http.HandlerFunc) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler:           handler,
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ln) }()
	b.Cleanup(func() { _ = server.Close(); <-done })
	return ln.Addr().String()
}

// sent keeps any two connections from sending the same delivery.
var sent atomic.Uint64

// loaded is what a load found: requests a second, their 99th percentile in milliseconds and the processor's time for each
// in microseconds.
type loaded struct{ rate, p99, cpu float64 }

// load keeps conns connections busy for the given time.
func load(address string, conns int, d time.Duration) loaded {
	before := processor()
	var wg sync.WaitGroup
	var total atomic.Int64
	times := make([][]float64, conns)
	end := time.Now().Add(d)
	for i := range conns {
		wg.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return
			}
			defer conn.Close()
			reader := bufio.NewReaderSize(conn, 4096)
			webhook := newDelivery(sent.Add(1 << 24))
			for {
				start := time.Now()
				if start.After(end) {
					return
				}
				if _, err = conn.Write(webhook.next()); err != nil || !readAnswer(reader) {
					return
				}
				times[i] = append(times[i], float64(time.Since(start).Microseconds())/1000)
				total.Add(1)
			}
		})
	}
	wg.Wait()
	all := slices.Concat(times...)
	slices.Sort(all)
	if len(all) == 0 {
		return loaded{}
	}
	return loaded{
		rate: float64(total.Load()) / d.Seconds(),
		p99:  all[len(all)*99/100],
		cpu:  float64((processor() - before).Microseconds()) / float64(total.Load()),
	}
}

// processor returns the processor's time that this process has had.
func processor() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// readAnswer reads one answer with as little work as a client can do.
func readAnswer(r *bufio.Reader) bool {
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil || first && !bytes.Contains(line, []byte(" 200 ")) {
			return false
		}
		if len(line) == 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, digit := range bytes.TrimSpace(value) {
				length = length*10 + int(digit-'0')
			}
		}
	}
	_, err := r.Discard(length)
	return err == nil
}

var bodyPad = strings.Repeat(`{"role":"user","content":"How do I trace a run?"},`, 26)

// delivery is a rule delivery of about 2 KB, whose ids next changes in place: the load costs as little as it can.
type delivery struct {
	bytes []byte
	ids   [][]byte
	count uint64
}

func newDelivery(first uint64) *delivery {
	const id = "6ab80f10-d79c-4fa2-8f60-000000000000"
	body := `{"rule_id":"d75d7417-0c57-4655-88fe-1db3cda3a47a","start_time":"2024-04-05T01:28:54.734491+00:00",` +
		`"end_time":"2024-04-05T01:28:56.492563+00:00","runs":[{"status":"success","is_root":true,"id":"` + id + `",` +
		`"name":"Search","run_type":"tool","trace_id":"` + id + `","feedback_stats":null,` +
		`"inputs":{"messages":[` + bodyPad + `{}]},"outputs":null,"total_tokens":0,"inputs_s3_urls":null}]}`
	d := &delivery{count: first, bytes: fmt.Appendf(nil,
		"POST /hooks/default?secret=s3cret HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"+
			"Connection: keep-alive\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)}
	for at := 0; ; {
		i := bytes.Index(d.bytes[at:], []byte(id))
		if i < 0 {
			return d
		}
		at += i + len(id)
		d.ids = append(d.ids, d.bytes[at-12:at])
	}
}

func (d *delivery) next() []byte {
	d.count++
	for _, id := range d.ids {
		for i, n := len(id)-1, d.count; i >= 0; i, n = i-1, n>>4 {
			id[i] = "0123456789abcdef"[n&15]
		}
	}
	return d.bytes
}
