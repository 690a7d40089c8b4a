package receiver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/meter"
	"github.com/hookrange/hookrange/receiver/wire"
)

// beginning is a request of which a part was sent.
type beginning struct {
	net.Conn
	t *testing.T
}

func (e *edge) begin(t *testing.T, fields, first string) *beginning {
	t.Helper()
	conn, err := net.Dial("tcp", e.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := &beginning{conn, t}
	b.send("POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n\r\n" + first)
	return b
}

func (b *beginning) send(text string) {
	b.t.Helper()
	if _, err := io.WriteString(b.Conn, text); err != nil {
		b.t.Fatal(err)
	}
}

// status waits for the answer.
func (b *beginning) status() int {
	b.t.Helper()
	_ = b.SetReadDeadline(time.Now().Add(time.Minute))
	resp, err := http.ReadResponse(bufio.NewReader(b.Conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode
}

// inFlight waits until so many bytes of bodies count.
func inFlight(t *testing.T, set *meter.Set, bytes int) {
	t.Helper()
	want := fmt.Sprintf("\nhookrange_body_bytes_in_flight %d\n", bytes)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); ; {
		var text strings.Builder
		if err := set.Write(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), want) {
			return
		}
		select {
		case <-late:
			t.Fatalf("not %d bytes in flight: %s", bytes, text.String())
		case <-tick.C:
		}
	}
}

// TestBodiesCountAsTheyCome: a sender that does not say how much it sends takes no more room from others than what has come;
// when there is none for it, nothing of it is recorded, and its room is free again.
func TestBodiesCountAsTheyCome(t *testing.T) {
	t.Parallel()
	const room = 200_000
	set := meter.NewSet()
	e := newEdge(t, receiver.Config{Limits: wire.Limits{Body: 150_000}, InFlight: room, Metrics: set}, open("rules", "s", ""))
	chunk := func(n int) string { return fmt.Sprintf("%x\r\n%s\r\n", n, strings.Repeat("x", n)) }
	const chunked = "Transfer-Encoding: chunked"
	var begun []*beginning
	for range 20 {
		begun = append(begun, e.begin(t, chunked, chunk(1000)), e.begin(t, "Content-Length: 2000", strings.Repeat("x", 1000)))
	}
	for i, b := range begun {
		b.send([]string{"0\r\n\r\n", strings.Repeat("x", 1000)}[i%2])
		if got := b.status(); got != http.StatusOK {
			t.Fatalf("request %d of %d at once was answered %d", i, len(begun), got)
		}
	}
	recorded := len(begun)
	// The first waits with most of the room; the second needs more than is left.
	first := e.begin(t, chunked, chunk(120_000))
	inFlight(t, set, 120_000)
	if got := e.begin(t, chunked, chunk(120_000)+"0\r\n\r\n").status(); got != http.StatusServiceUnavailable {
		t.Errorf("a body for which there is no room was answered %d", got)
	}
	if got := e.begin(t, "Content-Length: 100000", "").status(); got != http.StatusServiceUnavailable {
		t.Errorf("a body for which there is sure to be no room was answered %d", got)
	}
	first.send("0\r\n\r\n")
	if got := first.status(); got != http.StatusOK {
		t.Errorf("the one that was there before was answered %d", got)
	}
	if got := e.begin(t, chunked, chunk(150_000)+"0\r\n\r\n").status(); got != http.StatusOK {
		t.Errorf("after them all, one was answered %d", got)
	}
	recorded += 2
	if got := len(e.captures(t, "rules", recorded)); got != recorded {
		t.Errorf("%d captures, want %d", got, recorded)
	}
}
