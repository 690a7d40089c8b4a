package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// roundabout sends everything by a proxy of the standard library.
type roundabout struct{}

func (roundabout) Trigger(ctx context.Context, in scripts.TriggerInput) error {
	to, err := url.Parse(in.URL)
	if err != nil {
		return err
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: to.Scheme, Host: to.Host})
			p.SetXForwarded()
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	defer proxy.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, proxy.URL+to.RequestURI(), bytes.NewReader(in.Body))
	if err != nil {
		return err
	}
	resp, err := proxy.Client().Do(req)
	if err != nil {
		return nil
	}
	return resp.Body.Close()
}

// TestBehindAProxy: what a real proxy passes on is judged, but for what is the proxy's own.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	house, err := openRange(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := house.close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	const steps = "trigger main\nwait main attempts=1\nexpect main deliveries == 1\n"
	script, err := scripts.Parse("f", []byte("profile p payload=p.json\ncase STATUS t level=must\nendpoint main 200\n"+steps+
		"case WIRE t level=must\nneeds direct\nendpoint main close@request\n"+steps+
		"case PART t level=must\nendpoint main 200\n"+steps+"expect main answered\n-- p.json --\n{}\n"))
	if err != nil {
		t.Fatal(err)
	}
	run, err := scripts.Run(t.Context(), scripts.Config{Scripts: []*scripts.Script{script}, Range: house, Sender: roundabout{}, Missing: house.missing()})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]result.Verdict{"STATUS": result.Pass, "WIRE": result.Inconclusive, "PART": result.Inconclusive}
	for _, c := range run.Cases {
		last := c.Checks[len(c.Checks)-1]
		if c.Verdict != want[c.ID] || c.Verdict == result.Inconclusive && !strings.Contains(last.Reason, "X-Forwarded-") {
			t.Errorf("%s: %s, want %s: %+v", c.ID, c.Verdict, want[c.ID], c.Checks)
		}
	}
}

// TestOurs: a run says before it begins whether its URL is an address of this machine.
func TestOurs(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "localhost": true, "127.8.8.8": true, "x.trycloudflare.com": false, "192.0.2.1": false, "2001:db8::1": false,
	} {
		if ours(host) != want {
			t.Errorf("%s: %v, want %v", host, ours(host), want)
		}
		if _, missing := manualNeeds("https://" + strings.NewReplacer("::1", "[::1]", "2001:db8::1", "[2001:db8::1]").Replace(host))["direct"]; missing == want {
			t.Errorf("direct is missing at %s: %v", host, missing)
		}
	}
}
