package receiver_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/hookrange/hookrange/receiver"
)

// A request that gets no capture leaves nothing to the next on its connection: behind a proxy that is another sender's.
func TestUnrecordedRequestsLeaveNothing(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"unknown endpoint": "POST /hooks/none HTTP/1.1\r\nHost: h\r\nX-Secret: theirs\r\nContent-Length: 5\r\n\r\ntheir",
		"health":           "GET /healthz HTTP/1.1\r\nHost: h\r\nX-Secret: theirs\r\n\r\n",
		"chunks":           "POST /hooks/none HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntheir\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t, receiver.Config{}, open("rules", "s", "200"))
			const own = "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
			conn, err := net.Dial("tcp", e.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			read := bufio.NewReader(conn)
			closed := false
			for _, request := range []string{before, own + "mine"} {
				if _, err = io.WriteString(conn, request); err != nil && !closed {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(read, nil)
				if closed {
					if err == nil {
						t.Fatal("the connection went on after a body whose end nobody looked for")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				closed = resp.Close
			}
			if c := e.captures(t, "rules", 1)[0]; string(c.Request.Head) != own || string(c.Request.Body) != "mine" {
				t.Errorf("captured %q, %q", c.Request.Head, c.Request.Body)
			}
		})
	}
}
