package fault_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookrange/hookrange/receiver/fault"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// wantTimes compares an outcome's durations, in seconds; -1 stands for none.
func wantTimes(t *testing.T, out webhook.Outcome, first, done, hungUp float64) {
	t.Helper()
	show := func(d *time.Duration) float64 {
		if d == nil {
			return -1
		}
		return d.Seconds()
	}
	got := [3]float64{show(out.FirstByte), show(out.Done), show(out.HungUp)}
	if want := [3]float64{first, done, hungUp}; got != want {
		t.Errorf("first byte, done and hang-up at %v s, want %v s", got, want)
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		job         fault.Job
		first, done float64
		note        string
	}{
		"at once": {job: fault.Job{Plan: webhook.Plan{Status: 200}}},
		"after":   {job: fault.Job{Plan: webhook.Plan{Status: 200, After: 30 * time.Second}}, first: 30, done: 30},
		"capped": {
			job:   fault.Job{Plan: webhook.Plan{Status: 200, After: 30 * time.Second}, MaxWait: 20 * time.Second},
			first: 20, done: 20, note: "waited 20s",
		},
		"hang": {job: fault.Job{Plan: webhook.Plan{Fault: webhook.Hang}}, first: -1, done: 600},
		"hang for": {
			job:   fault.Job{Plan: webhook.Plan{Fault: webhook.Hang, For: 9 * time.Second, After: time.Second}},
			first: -1, done: 10,
		},
		"hang capped": {
			job:   fault.Job{Plan: webhook.Plan{Fault: webhook.Hang}, MaxWait: time.Minute},
			first: -1, done: 60,
		},
		"close after": {
			job:   fault.Job{Plan: webhook.Plan{Fault: webhook.CloseRequest, After: time.Minute}},
			first: -1, done: 60,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := serveMemory(t, test.job)
				conn := r.send(t)
				if test.first >= 0 {
					readAnswer(t, conn)
				} else if data, end := readAll(t, conn); data != "" || end != "fin" {
					t.Errorf("read %q ended by %s, want nothing and a fin", data, end)
				}
				out := <-r.outcomes
				wantTimes(t, out, test.first, test.done, -1)
				if !strings.Contains(out.Note, test.note) || (test.note == "" && out.Note != "") {
					t.Errorf("note %q, want %q", out.Note, test.note)
				}
			})
		})
	}
}

// arrivals reads up to the end and returns when, in milliseconds, each part of the body came.
func arrivals(t *testing.T, conn io.Reader, start time.Time) (data string, at []string) {
	t.Helper()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			data += string(buf[:n])
			at = append(at, fmt.Sprintf("%d@%d", n, time.Since(start).Milliseconds()))
		}
		if err != nil {
			return data, at
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	body := []byte("0123")
	tests := map[string]struct {
		plan    webhook.Plan
		maxWait time.Duration
		want    string
		note    string
	}{
		"default":       {plan: webhook.Plan{Body: body}, want: "1@500 1@1000 1@1500 1@2000"},
		"spread":        {plan: webhook.Plan{Body: body, For: 10 * time.Minute}, want: "1@150000 1@300000 1@450000 1@600000"},
		"rate":          {plan: webhook.Plan{Body: body, Rate: 10}, want: "1@100 1@200 1@300 1@400"},
		"fast":          {plan: webhook.Plan{Body: body, Rate: 300}, want: "3@10 1@13"},
		"rate and for":  {plan: webhook.Plan{Body: body, Rate: 1, For: 2500 * time.Millisecond}, want: "1@1000 1@2000"},
		"nothing":       {plan: webhook.Plan{Body: []byte{}}},
		"cut at limit":  {plan: webhook.Plan{Body: body, Rate: 1}, maxWait: 1500 * time.Millisecond, want: "1@1000", note: "stopped after 1.5s"},
		"after a while": {plan: webhook.Plan{Body: body, Rate: 4, After: time.Second}, want: "1@1250 1@1500 1@1750 1@2000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.plan.Fault = webhook.Drip
				start := time.Now()
				r := serveMemory(t, fault.Job{Plan: test.plan, MaxWait: test.maxWait})
				_, at := arrivals(t, r.send(t), start)
				if got := strings.Join(at[1:], " "); got != test.want {
					t.Errorf("bytes@ms after the head: %s, want %s", got, test.want)
				}
				out := <-r.outcomes
				if out.Status != 200 || !strings.Contains(out.Note, test.note) || (test.note == "" && out.Note != "") {
					t.Errorf("outcome %+v, want note %q", out, test.note)
				}
			})
		})
	}
}

func TestTricklesHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		plan := webhook.Plan{Fault: webhook.TrickleHead, For: 10 * time.Second, Body: []byte("0123")}
		r := serveMemory(t, fault.Job{Plan: plan})
		data, at := arrivals(t, r.send(t), start)
		head := len(data) - len("0123")
		if len(at) != head+1 || at[head] != "4@10000" || at[head-1] != "1@10000" {
			t.Errorf("a head of %d bytes came as %v", head, at)
		}
		out := <-r.outcomes
		wantTimes(t, out, out.FirstByte.Seconds(), 10, -1)
		if out.Status != 200 || *out.FirstByte > 100*time.Millisecond {
			t.Errorf("outcome %+v, want status 200 and an early first byte", out)
		}
	})
}

func TestHangUpTimes(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]webhook.Plan{
		"waiting":   {Status: 200, After: time.Minute},
		"hanging":   {Fault: webhook.Hang},
		"trickling": {Fault: webhook.TrickleHead, For: 10 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := serveMemory(t, fault.Job{Plan: plan, MaxWait: 20 * time.Hour})
				conn := r.send(t)
				time.AfterFunc(5*time.Second, func() { conn.Close() })
				out := <-r.outcomes
				wantTimes(t, out, -1, 5, 5)
				if out.Status != 0 || out.HungUpBy != webhook.HangUpFIN {
					t.Errorf("outcome %+v, want no status and a fin", out)
				}
			})
		})
	}
}

func TestShutDown(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]webhook.Plan{
		"waiting": {Status: 200, After: time.Minute, Body: []byte("x")},
		"hanging": {Fault: webhook.Hang},
		"before":  {Fault: webhook.Drip, After: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := serveMemory(t, fault.Job{Plan: plan})
				conn := r.send(t)
				time.AfterFunc(5*time.Second, r.shutDown)
				answer, body := readAnswer(t, conn)
				if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !answer.Close || body == "x" {
					t.Errorf("answer %d %v, closing %v, body %q", answer.StatusCode, answer.Header, answer.Close, body)
				}
				out := <-r.outcomes
				wantTimes(t, out, 5, 5, -1)
				if out.Status != 503 || out.Fault != "" || out.Note != "shut down while waiting" {
					t.Errorf("outcome %+v", out)
				}
			})
		})
	}
	t.Run("dripping", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := serveMemory(t, fault.Job{Plan: webhook.Plan{Fault: webhook.Drip, Body: make([]byte, 100)}})
			conn := r.send(t)
			time.AfterFunc(5250*time.Millisecond, r.shutDown)
			data, _ := readAll(t, conn)
			if _, body := splitHead(t, data); len(body) != 10 {
				t.Errorf("a body of %d bytes came, want 10", len(body))
			}
			out := <-r.outcomes
			wantTimes(t, out, 0, 5.25, -1)
			if out.Status != 200 || out.Fault != webhook.Drip || !strings.Contains(out.Note, "shut down") {
				t.Errorf("outcome %+v", out)
			}
		})
	})
	t.Run("answer that needs no wait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := serveMemory(t, fault.Job{Plan: webhook.Plan{Status: 201}})
			r.shutDown()
			if answer, _ := readAnswer(t, r.send(t)); answer.StatusCode != http.StatusCreated {
				t.Errorf("answer %d, want the planned 201", answer.StatusCode)
			}
		})
	})
}

// TestSenderThatDoesNotRead holds that a sender which takes no bytes cannot keep an answer for
// ever.
func TestSenderThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]webhook.Plan{
		"large answer": {Status: 200, Body: make([]byte, 64<<10)},
		"truncate":     {Fault: webhook.Truncate},
		"drip":         {Fault: webhook.Drip},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := serveMemory(t, fault.Job{Plan: plan})
				r.send(t)
				out := <-r.outcomes
				if out.Status != 0 || out.HungUp != nil || *out.Done > 11*time.Second {
					t.Errorf("outcome %+v, want no status within 11 s", out)
				}
			})
		})
	}
}
