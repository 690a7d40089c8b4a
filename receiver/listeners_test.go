package receiver_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// named gives the server a TLS port that endpoints share.
func named(t *testing.T, config receiver.Config) receiver.Config {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	names, err := gate.NewNames(ln, "localhost", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := names.Close(); err != nil {
			t.Error(err)
		}
	})
	config.Listeners.Names = names
	return config
}

// loopback sends to 127.0.0.1 whatever the name is.
func loopback(t *testing.T, client *http.Client, port string) {
	t.Helper()
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		t.Fatal("another transport")
	}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
	}
}

func TestEndpointsToldApartByName(t *testing.T) {
	t.Parallel()
	first, second := open("first", "s", "tls-badcert 200"), open("second", "s", "418")
	first.Listener, second.Listener = &webhook.ListenerPolicy{Named: true}, &webhook.ListenerPolicy{Named: true, H2: true}
	e := newEdge(t, named(t, own()), first, second)
	url := e.hookURL(t, "first")
	if !strings.HasPrefix(url, "https://first.localhost:") {
		t.Fatal(url)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	port, _, _ = strings.Cut(port, "/")
	client := e.sender(t, false)
	loopback(t, client, port)
	if _, err := send(t, client, url, "x"); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("the planned certificate: %v", err)
	}
	if status, err := send(t, client, url, "x"); err != nil || status != 200 {
		t.Errorf("after it: %d, %v", status, err)
	}
	if status, err := send(t, client, e.hookURL(t, "second"), "x"); err != nil || status != 418 {
		t.Errorf("the other endpoint: %d, %v", status, err)
	}
	// A name leads to its own endpoint only.
	if status, err := send(t, client, strings.Replace(url, "/hooks/first", "/hooks/second", 1), "x"); err != nil || status != http.StatusNotFound {
		t.Errorf("the other endpoint under the first's name: %d, %v", status, err)
	}
	h2 := e.sender(t, true)
	loopback(t, h2, port)
	if status, err := send(t, h2, e.hookURL(t, "second"), "y"); err != nil || status != 418 {
		t.Errorf("HTTP/2: %d, %v", status, err)
	}
	if c := e.captures(t, "second", 2)[1]; c.Request.Proto != "HTTP/2.0" || c.Request.TLS.ServerName != "second.localhost" {
		t.Errorf("%s, %+v", c.Request.Proto, c.Request.TLS)
	}
	conns := e.connections(t, "first", 2)
	if conns[0].Fault != webhook.TLSBadCert || conns[0].Handshake.ServerName != "first.localhost" || conns[1].Requests != 1 {
		t.Errorf("%+v", conns)
	}
}

// freePorts returns a port that is free and a listener that has the next one. Other tests take ports of the range, too.
func freePorts(t *testing.T, among gate.Ports) (port int, next net.Listener) {
	t.Helper()
	var listen net.ListenConfig
	for port = among.First; port < among.Last; port++ {
		one, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		if err = one.Close(); err != nil {
			t.Fatal(err)
		}
		if next, err = listen.Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port+1)); err == nil {
			return port, next
		}
	}
	t.Fatalf("no two free ports from %d to %d", among.First, among.Last)
	return 0, nil
}

func TestListenersThatCannotBe(t *testing.T) {
	t.Parallel()
	config := own()
	config.Listeners.Name = "range.example"
	port, taken := freePorts(t, config.Listeners.Ports)
	t.Cleanup(func() { _ = taken.Close() })
	first := open("first", "s", "200")
	first.Listener = &webhook.ListenerPolicy{Port: port}
	second := open("second", "s", "200")
	second.Listener = &webhook.ListenerPolicy{Port: port + 1}
	e := newEdge(t, config, first, second)
	if base, _ := e.server.Address("first"); base != "http://range.example:"+strconv.Itoa(port) || e.server.Problem("first") != nil {
		t.Errorf("first is at %s, %v", base, e.server.Problem("first"))
	}
	if base, ok := e.server.Address("second"); ok || e.server.Problem("second") == nil || !strings.Contains(e.server.Problem("second").Error(), "in use") {
		t.Errorf("second is at %s: %v", base, e.server.Problem("second"))
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.Tick(10 * time.Millisecond); e.server.Problem("second") != nil; <-tick {
		if ctx.Err() != nil {
			t.Fatalf("the port is free and not taken: %v", e.server.Problem("second"))
		}
	}
	client := e.sender(t, false)
	loopback(t, client, strconv.Itoa(port+1))
	if status, err := send(t, client, e.hookURL(t, "second"), "x"); err != nil || status != http.StatusOK {
		t.Errorf("after the port became free: %d, %v", status, err)
	}
	withNames := receiver.New(named(t, own()))
	for name, test := range map[string]struct {
		server  *receiver.Server
		respond string
		policy  webhook.ListenerPolicy
		says    string
	}{
		"no shared port":           {e.server, "200", webhook.ListenerPolicy{Named: true}, "--listen-tls"},
		"another endpoint's port":  {e.server, "200", webhook.ListenerPolicy{Port: port}, "endpoint first's"},
		"a name with a port":       {withNames, "200", webhook.ListenerPolicy{Named: true, Port: port}, "leave it 0"},
		"a name that refuses":      {withNames, "refuse/for=1s 200", webhook.ListenerPolicy{Named: true}, "refuse happens before"},
		"a name that may reset":    {withNames, "reset@accept/p=0.5 200", webhook.ListenerPolicy{Named: true}, "reset@accept happens before"},
		"a name with faults of it": {withNames, "tls-reset h2-goaway 200", webhook.ListenerPolicy{Named: true}, ""},
	} {
		err := test.server.CheckListener(&webhook.Endpoint{Name: "third", Respond: test.respond, Listener: &test.policy})
		if (err == nil) != (test.says == "") || err != nil && (!errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}
