package profiles_test

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
	house := openHouse(t)
	const steps = "trigger main\nwait main attempts=1\nexpect main deliveries == 1\n"
	script, err := scripts.Parse("f", []byte("profile p payload=p.json\ncase STATUS t level=must\nendpoint main 200\n"+steps+
		"case WIRE t level=must\nneeds direct\nendpoint main close@request\n"+steps+
		"case PART t level=must\nendpoint main 200\n"+steps+"expect main answered\n-- p.json --\n{}\n"))
	if err != nil {
		t.Fatal(err)
	}
	run, err := scripts.Run(t.Context(), scripts.Config{Scripts: []*scripts.Script{script}, Range: house, Sender: roundabout{}, Missing: house.Missing()})
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
