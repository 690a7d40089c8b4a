package inspector_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/gorilla/websocket"
)

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.server.Run(ctx, ln) }()
	r.http.URL = "http://" + ln.Addr().String()
	c := dial(t, r, "")
	c.hello(t, token)
	waited := make(chan answer, 1)
	go func() { waited <- r.call(t, http.MethodGet, waits+"?timeout=5m", "") }()
	if a := r.call(t, http.MethodGet, "/api/v1/info", ""); a.StatusCode != http.StatusOK {
		t.Errorf("info: %d", a.StatusCode)
	}
	r.capture(t, "default", "{}")
	if a := <-waited; a.StatusCode != http.StatusOK {
		t.Errorf("wait: %d %s", a.StatusCode, a.text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if code, _ := c.closed(t); code != websocket.CloseGoingAway {
		t.Errorf("socket closed with %d, want 1001", code)
	}
	if err := r.server.Run(t.Context(), ln); err == nil {
		t.Error("a closed listener serves")
	}
}
