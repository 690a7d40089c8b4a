package receiver_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// A hanging answer is one goroutine that reads: net/http's handler and buffers are gone, and what still comes is not kept.
func TestHangingAnswersHoldLittle(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{}, open("rules", "s", "hang/for=10m"))
	const hanging = 20
	var held []net.Conn
	for range hanging {
		conn, err := net.Dial("tcp", e.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		held = append(held, conn)
		if _, err = io.WriteString(conn, "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for e.store.Last() < hanging {
		if _, err := e.bell.Wait(t.Context(), e.store.Last()); err != nil {
			t.Fatal(err)
		}
	}
	all, limit := make([]byte, 8<<20), time.Now().Add(time.Minute)
	for parked := 0; parked < hanging; {
		if time.Now().After(limit) {
			t.Fatalf("%d of %d answers are parked", parked, hanging)
		}
		runtime.Gosched()
		parked = strings.Count(string(all[:runtime.Stack(all, true)]), "fault.(*Parked).Wait(")
	}
	for _, conn := range held {
		_ = conn.Close()
	}
	for _, c := range e.captures(t, "rules", hanging) {
		if c.Outcome.HungUp == nil || c.Outcome.Fault != webhook.Hang {
			t.Errorf("outcome of a hang: %+v", c.Outcome)
		}
	}
}

func TestShutdownGivesWaitingAnswersUp(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]string{"waiting": "200/after=10m", "hanging": "hang/for=10m"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testShutdownGivesUp(t, respond)
		})
	}
}

func testShutdownGivesUp(t *testing.T, respond string) {
	t.Helper()
	e := newEdge(t, receiver.Config{}, open("rules", "s", respond))
	answered := make(chan int, 1)
	go func() {
		resp, err := http.Post(e.base+"/hooks/rules?secret=s", "text/plain", strings.NewReader("x"))
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	for e.store.Last() < 1 {
		if _, err := e.bell.Wait(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	e.stop()
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Fatalf("answered %d", status)
	}
	if c := e.captures(t, "rules", 1)[0]; c.Outcome.Note == "" || c.Outcome.Status != http.StatusServiceUnavailable {
		t.Fatalf("outcome %+v", c.Outcome)
	}
}
