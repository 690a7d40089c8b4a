package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func orderTo(url string) webhook.Order {
	return webhook.Order{
		ID: "01910000-0000-7000-8000-000000000001", By: webhook.ByServer, URL: url,
		Capture: &webhook.Capture{Class: webhook.Accepted, Request: webhook.Request{
			Method: "POST", Body: []byte("b\x00dy"),
			Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nx-Two: 1\r\nX-two: 2\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n"),
		}},
	}
}

// TestGuardedRelay: the server sends to where it was allowed to, and never to itself, whatever it was allowed.
func TestGuardedRelay(t *testing.T) {
	t.Parallel()
	var came []string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came = append(came, r.URL.RequestURI()+" "+string(body)+" "+strings.Join(r.Header.Values("X-Two"), ","))
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "http://127.0.0.1:20500/hooks/default", http.StatusTemporaryRedirect)
		}
	}))
	defer app.Close()
	own := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it sent to its own listener") }))
	defer own.Close()
	h := &house{base: "https://hooks.example.com", ports: gate.Ports{First: 20000, Last: 20999}}
	private := []string{app.Listener.Addr().String(), own.Listener.Addr().String(), "127.0.0.1:20500", "169.254.169.254:80"}
	relay := h.relay(private, own.Listener.Addr())
	for name, tt := range map[string]struct{ url, refused, failure string }{
		"allowed":              {url: app.URL + "/x?secret=s"},
		"not allowed":          {url: "http://127.0.0.1:9/", refused: "--replay-private"},
		"its own listener":     {url: own.URL, refused: "loop"},
		"by another name":      {url: strings.Replace(own.URL, "127.0.0.1", "localhost", 1), refused: "private"},
		"an endpoint's port":   {url: "http://127.0.0.1:20500/hooks/a", refused: "loop"},
		"its public name":      {url: "https://HOOKS.example.com:443/hooks/default", refused: "loop"},
		"a metadata service":   {url: "http://169.254.169.254/latest/meta-data", refused: "private"},
		"no http":              {url: "ftp://a.example/", refused: "neither http nor https"},
		"redirected to itself": {url: app.URL + "/loop", failure: "own_address"},
	} {
		t.Run(name, func(t *testing.T) {
			var tries []webhook.Replay
			order := orderTo(tt.url)
			if tt.failure != "" {
				order.Policy = "agent-server-js"
			}
			err := relay.Send(t.Context(), order, func(r webhook.Replay) { tries = append(tries, r) })
			switch {
			case tt.refused != "":
				if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), tt.refused) || tries != nil {
					t.Errorf("%v, %v; want a refusal with %q", tries, err, tt.refused)
				}
			case err != nil || len(tries) == 0:
				t.Fatalf("%v, %v", tries, err)
			case tt.failure != "":
				if last := tries[len(tries)-1]; last.Delivered || !strings.Contains(last.Failure, tt.failure) {
					t.Errorf("%+v, want a failure with %q", last, tt.failure)
				}
			case !tries[0].Delivered || strings.Contains(tries[0].Target, "secret=s"):
				t.Errorf("%+v", tries[0])
			}
		})
	}
	slices.Sort(came)
	if diff := cmp.Diff([]string{"/loop b\x00dy 1,2", "/x?secret=s b\x00dy 1,2"}, came); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
}

func TestUnguardedRelayRefusesItsServer(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer app.Close()
	_, port, err := net.SplitHostPort(app.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		bases []string
		ok    bool
	}{
		"another port":    {[]string{"http://127.0.0.1:1"}, true},
		"another host":    {[]string{"http://192.0.2.1:" + port}, true},
		"another hook":    {[]string{app.URL + "/hooks/b", app.URL + "/hooks/a2"}, true},
		"itself":          {[]string{app.URL + "/hooks/a?secret=s"}, false},
		"by another name": {[]string{"http://localhost:" + port}, false},
		"the second":      {[]string{"http://127.0.0.1:1", app.URL}, false},
	} {
		err := unguarded(tt.bases).Send(t.Context(), orderTo(app.URL+"/hooks/a/sub?x=1"), func(webhook.Replay) {})
		if (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), "loop") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReplayPolicies(t *testing.T) {
	t.Parallel()
	for _, name := range replayPolicies() {
		if p, err := replayPolicy(name); err != nil || p.Name != name {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	for _, name := range []string{"", "nothing", "langsmith-rules/silent"} {
		if _, err := replayPolicy(name); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestOwnListeners(t *testing.T) {
	t.Parallel()
	own := ownListeners(gate.Ports{First: 20000, Last: 20999}, []net.Addr{&net.TCPAddr{IP: net.IPv4zero, Port: 8080}})
	for text, want := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:8080": true, "127.0.0.1:20000": true, "127.0.0.1:21000": false, "127.0.0.1:3000": false, "192.0.2.1:8080": false,
	} {
		if got := own(netip.MustParseAddrPort(text)); got != want {
			t.Errorf("%s is our own: %v", text, got)
		}
	}
}
