package fault_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	const policy, sniff = "Content-Security-Policy: sandbox; default-src 'none'", "X-Content-Type-Options: nosniff"
	text := "Content-Type: text/plain; charset=utf-8"
	tests := map[string]struct {
		plan webhook.Plan
		head []string
		body string
	}{
		"200": {
			webhook.Plan{Status: 200},
			[]string{"HTTP/1.1 200 OK", "Content-Length: 17", policy, "Content-Type: application/json", sniff},
			`{"received":true}`,
		},
		"503": {
			webhook.Plan{Status: 503},
			[]string{"HTTP/1.1 503 Service Unavailable", "Content-Length: 24", policy, text, sniff},
			"503 Service Unavailable\n",
		},
		"204": {webhook.Plan{Status: 204, Body: []byte("x")}, []string{"HTTP/1.1 204 No Content", policy, sniff}, ""},
		"205": {
			webhook.Plan{Status: 205}, []string{"HTTP/1.1 205 Reset Content", "Content-Length: 0", policy, sniff}, "",
		},
		"empty body": {
			webhook.Plan{Status: 200, Body: []byte{}},
			[]string{"HTTP/1.1 200 OK", "Content-Length: 0", policy, sniff},
			"",
		},
		"body is not sniffed": {
			webhook.Plan{Status: 299, Body: []byte("<html>")},
			[]string{"HTTP/1.1 299 status code 299", "Content-Length: 6", policy, text, sniff},
			"<html>",
		},
		"names as written": {
			webhook.Plan{Status: 200, Close: true, Body: []byte("a"), Header: []webhook.Field{
				{Name: "x-lower", Value: "1"},
				{Name: "content-type", Value: "a/b"},
				{Name: "X-Twice", Value: "1"},
				{Name: "CONTENT-SECURITY-POLICY", Value: "none"},
				{Name: "X-Twice", Value: "2"},
				{Name: "x-content-type-options", Value: "no"},
				{Name: "date", Value: "today"},
			}},
			[]string{
				"HTTP/1.1 200 OK", "CONTENT-SECURITY-POLICY: none", "Connection: close", "Content-Length: 1",
				"X-Twice: 1", "X-Twice: 2", "content-type: a/b", "date: today", "x-content-type-options: no",
				"x-lower: 1",
			},
			"a",
		},
		"no status": {
			webhook.Plan{},
			[]string{"HTTP/1.1 500 Internal Server Error", "Content-Length: 26", policy, text, sniff},
			"500 Internal Server Error\n",
		},
		"generated": {
			webhook.Plan{Status: 200, Size: 1_000_003},
			[]string{"HTTP/1.1 200 OK", "Content-Length: 1000003", policy, text, sniff},
			generated(1_000_003),
		},
		"generated and small": {
			webhook.Plan{Status: 500, Size: 3},
			[]string{"HTTP/1.1 500 Internal Server Error", "Content-Length: 3", policy, text, sniff},
			generated(3),
		},
		"large": {
			webhook.Plan{Status: 200, Body: []byte(strings.Repeat("a", 300_000))},
			[]string{"HTTP/1.1 200 OK", "Content-Length: 300000", policy, text, sniff},
			strings.Repeat("a", 300_000),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serveTCP(t, fault.Job{Plan: test.plan})
			conn := r.dial()
			defer conn.Close()
			// The second request asks for the close, so that reading to the end ends.
			request := "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			data, end := readAll(t, conn)
			head, body := splitHead(t, data)
			head = slices.DeleteFunc(head, func(l string) bool { return !test.plan.Close && l == "Connection: close" })
			slices.Sort(head[1:])
			slices.Sort(test.head[1:])
			if diff := cmp.Diff(test.head, head); diff != "" || body != test.body || end != "fin" {
				t.Errorf("answer ended by %s with a body of %d bytes, want %d; head (-want +got):\n%s",
					end, len(body), len(test.body), diff)
			}
			out := <-r.outcomes
			if out.Bytes != int64(len(data)) || out.FirstByte == nil || out.Done == nil || *out.Done < *out.FirstByte ||
				out.HungUp != nil || out.Fault != "" {
				t.Errorf("outcome %+v of an answer of %d bytes", out, len(data))
			}
			if want := test.plan.Status; want != 0 && out.Status != want || (want == 0) != (out.Note != "") {
				t.Errorf("outcome %+v of status %d", out, want)
			}
		})
	}
}

// generated is what a body of a size says.
func generated(size int) string {
	const line = "A body that was generated to be large: 0123456789 abcdefghijklm\n"
	return strings.Repeat(line, size/len(line)+1)[:size]
}

func TestKeepsConnection(t *testing.T) {
	t.Parallel()
	r := serveTCP(t, fault.Job{Plan: webhook.Plan{Status: 503}})
	conn := r.send(t)
	first, _ := readAnswer(t, conn)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	second, _ := readAnswer(t, conn)
	if first.StatusCode != http.StatusServiceUnavailable || second.StatusCode != first.StatusCode || first.Close || second.Close {
		t.Errorf("answers %d and %d, closing %v and %v", first.StatusCode, second.StatusCode, first.Close, second.Close)
	}
	if a, b := <-r.outcomes, <-r.outcomes; a.Bytes != b.Bytes || a.Bytes == 0 {
		t.Errorf("outcomes of %d and %d bytes, want the same", a.Bytes, b.Bytes)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	head := func(length string, more ...string) []string {
		return append([]string{
			"HTTP/1.1 200 OK", "Content-Type: text/plain; charset=utf-8",
			"Content-Security-Policy: sandbox; default-src 'none'", "X-Content-Type-Options: nosniff",
			"Content-Length: " + length, "Connection: close",
		}, more...)
	}
	tests := map[string]struct {
		plan       webhook.Plan
		head       []string
		body, end  string
		wantStatus int
	}{
		"hang":          {plan: webhook.Plan{Fault: webhook.Hang, For: time.Millisecond}, end: "fin"},
		"close@request": {plan: webhook.Plan{Fault: webhook.CloseRequest}, end: "fin"},
		"reset@request": {plan: webhook.Plan{Fault: webhook.ResetRequest}, end: "rst"},
		"close@request after a wait": {
			plan: webhook.Plan{Fault: webhook.CloseRequest, After: time.Millisecond}, end: "fin",
		},
		"truncate": {
			plan: webhook.Plan{Fault: webhook.Truncate, Status: 200, Body: []byte("0123456789")},
			head: head("10"), body: "01234", end: "fin", wantStatus: 200,
		},
		"truncate an empty body": {
			plan: webhook.Plan{Fault: webhook.Truncate, Status: 200, Body: []byte{}, Header: []webhook.Field{
				{Name: "Content-Type", Value: "text/plain; charset=utf-8"}, {Name: "x-A", Value: "b"},
			}},
			head: []string{
				"HTTP/1.1 200 OK", "Content-Security-Policy: sandbox; default-src 'none'",
				"X-Content-Type-Options: nosniff", "Content-Length: 16", "Connection: close",
				"Content-Type: text/plain; charset=utf-8", "x-A: b",
			}, end: "fin", wantStatus: 200,
		},
		"reset@body": {
			plan: webhook.Plan{Fault: webhook.ResetBody, Body: []byte("0123456789")},
			head: head("10"), body: "01234", end: "rst", wantStatus: 200,
		},
		"garbage": {plan: webhook.Plan{Fault: webhook.Garbage, Body: []byte("\x00\xff")}, body: "\x00\xff", end: "fin"},
		"drip": {
			plan: webhook.Plan{Fault: webhook.Drip, Rate: 1 << 20, Body: []byte("0123456789")},
			head: head("10"), body: "0123456789", end: "fin", wantStatus: 200,
		},
		"drip of a generated body": {
			plan: webhook.Plan{Fault: webhook.Drip, Rate: 1 << 30, Size: 200_001},
			head: head("200001"), body: generated(200_001), end: "fin", wantStatus: 200,
		},
		"truncate a generated body": {
			plan: webhook.Plan{Fault: webhook.Truncate, Size: 200_001},
			head: head("200001"), body: generated(100_000), end: "fin", wantStatus: 200,
		},
		"trickle-head before a generated body": {
			plan: webhook.Plan{Fault: webhook.TrickleHead, Rate: 1 << 20, Size: 100_000},
			head: head("100000"), body: generated(100_000), end: "fin", wantStatus: 200,
		},
		"trickle-head": {
			plan: webhook.Plan{Fault: webhook.TrickleHead, Rate: 1 << 20, Body: []byte("abc")},
			head: head("3"), body: "abc", end: "fin", wantStatus: 200,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serveTCP(t, fault.Job{Plan: test.plan})
			data, end := readAll(t, r.send(t))
			body := data
			var lines []string
			if test.head != nil {
				lines, body = splitHead(t, data)
			}
			if diff := cmp.Diff(test.head, lines); diff != "" || body != test.body || end != test.end {
				t.Errorf("ended by %s with body %q, want %s and %q; head (-want +got):\n%s",
					end, body, test.end, test.body, diff)
			}
			want := webhook.Outcome{Status: test.wantStatus, Fault: test.plan.Fault, Bytes: int64(len(data))}
			out := <-r.outcomes
			if diff := cmp.Diff(want, out, cmpopts.IgnoreFields(webhook.Outcome{}, "FirstByte", "Done")); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if out.Done == nil || (out.FirstByte != nil) != (data != "") {
				t.Errorf("first byte %v and done %v of an answer of %d bytes", out.FirstByte, out.Done, len(data))
			}
		})
	}
}

func TestDefaultGarbageIsNotHTTP(t *testing.T) {
	t.Parallel()
	r := serveTCP(t, fault.Job{Plan: webhook.Plan{Fault: webhook.Garbage}})
	answer, err := http.ReadResponse(bufio.NewReader(r.send(t)), nil)
	if err == nil {
		answer.Body.Close()
		t.Fatalf("an HTTP client read %v", answer.Status)
	}
	if !strings.Contains(err.Error(), "malformed") {
		t.Errorf("an HTTP client says %v, want a malformed answer", err)
	}
}

func TestSenderHangsUp(t *testing.T) {
	t.Parallel()
	long := []byte(strings.Repeat("a", 1000))
	plans := map[string]webhook.Plan{
		"waiting":          {Status: 200, After: time.Hour},
		"hanging":          {Fault: webhook.Hang},
		"before a fault":   {Fault: webhook.ResetRequest, After: time.Hour},
		"dripping":         {Fault: webhook.Drip, Rate: 1, Body: long},
		"trickling a head": {Fault: webhook.TrickleHead, For: 10 * time.Hour},
	}
	for name, plan := range plans {
		for _, by := range []webhook.HangUp{webhook.HangUpFIN, webhook.HangUpRST} {
			t.Run(name+" "+string(by), func(t *testing.T) {
				t.Parallel()
				r := serveTCP(t, fault.Job{Plan: plan, MaxWait: time.Hour})
				conn := r.send(t).(*net.TCPConn)
				if plan.Fault == webhook.Drip {
					// The head shows that the connection was taken over.
					if _, err := io.ReadFull(conn, make([]byte, 64)); err != nil {
						t.Fatal(err)
					}
				}
				if by == webhook.HangUpRST {
					if err := conn.SetLinger(0); err != nil {
						t.Fatal(err)
					}
				}
				if err := conn.Close(); err != nil {
					t.Fatal(err)
				}
				out := <-r.outcomes
				if out.HungUp == nil || *out.HungUp > *out.Done || out.Note != "" {
					t.Fatalf("outcome %+v does not say that the sender hung up", out)
				}
				// A FIN from a socket with unread bytes is an RST by rule of TCP.
				if out.HungUpBy != by && plan.Fault != webhook.Drip {
					t.Errorf("hung up by %s, want %s", out.HungUpBy, by)
				}
				wantFault := plan.Fault
				if name == "before a fault" {
					wantFault = ""
				}
				if out.Fault != wantFault {
					t.Errorf("fault %q, want %q", out.Fault, wantFault)
				}
				if out.Bytes != 0 && plan.Fault != webhook.Drip {
					t.Errorf("%d bytes were sent to nobody", out.Bytes)
				}
			})
		}
	}
}

// TestHalfClosedSenderGetsNoAnswer holds that net/http does not make up a 200 for a plan that ended
// with the sender's FIN.
func TestHalfClosedSenderGetsNoAnswer(t *testing.T) {
	t.Parallel()
	r := serveTCP(t, fault.Job{Plan: webhook.Plan{Status: 503, After: time.Hour}, MaxWait: time.Hour})
	conn := r.send(t).(*net.TCPConn)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if data, end := readAll(t, conn); data != "" || end != "fin" {
		t.Errorf("read %q ended by %s, want nothing and a fin", data, end)
	}
}

func TestCannotBeCarriedOut(t *testing.T) {
	t.Parallel()
	for _, f := range []webhook.Fault{
		webhook.CloseAccept, webhook.ResetAccept, webhook.TLSAlert, webhook.TLSReset, webhook.TLSBadCert,
		webhook.Refuse, webhook.Blackhole, webhook.H2Reset, webhook.H2GoAway, "no such fault",
		// A recorder cannot be taken over, as an HTTP/2 stream cannot.
		webhook.CloseRequest, webhook.ResetRequest, webhook.ResetBody, webhook.Truncate, webhook.Garbage,
		webhook.Drip, webhook.TrickleHead,
	} {
		w := httptest.NewRecorder()
		out := fault.Perform(t.Context(), w, &line{}, fault.Job{
			Plan: webhook.Plan{Fault: f, Body: []byte("x")}, ReceivedAt: time.Now(),
		})
		if w.Code != 500 || out.Status != 500 || out.Fault != "" || !strings.Contains(out.Note, string(f)) {
			t.Errorf("%s was answered %d with outcome %+v, want 500 and a note", f, w.Code, out)
		}
	}
}

// TestGeneratedBodyIsNotHeld: an answer of 200 MB takes next to no memory.
func TestGeneratedBodyIsNotHeld(t *testing.T) {
	s := &sink{head: http.Header{}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := fault.Perform(t.Context(), s, s, fault.Job{Plan: webhook.Plan{Status: 200, Size: 200_000_000}, ReceivedAt: time.Now()})
	runtime.ReadMemStats(&after)
	if held := after.TotalAlloc - before.TotalAlloc; held > 256<<10 || s.sent != 200_000_000 || out.Status != 200 || out.Note != "" {
		t.Errorf("%d bytes were allocated for an answer of %d: %+v", held, s.sent, out)
	}
}
