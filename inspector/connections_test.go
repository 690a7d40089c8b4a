package inspector_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

// fewListeners is a receiver where endpoint "default" is shut, port 1 is taken and a name goes with everything.
type fewListeners struct{}

func (fewListeners) CheckListener(ep *webhook.Endpoint) error {
	if l := ep.Listener; l != nil && l.Port == 2 {
		return fmt.Errorf("%w: listener: port 2 is endpoint other's", webhook.ErrInvalid)
	}
	return nil
}

func (fewListeners) Address(endpoint string) (base string, ok bool) {
	return "https://" + endpoint + ".localhost:8443", endpoint == "named"
}

func (fewListeners) Problem(endpoint string) error {
	if endpoint == "taken" {
		return errors.New("endpoint taken: listen: address already in use")
	}
	return nil
}

func (fewListeners) Open(endpoint string) []webhook.Connection {
	return []webhook.Connection{{Endpoint: endpoint, At: time.Now(), Reached: webhook.ConnAccepted, Requests: 1}}
}

func (fewListeners) Shut(string) webhook.Fault { return webhook.Refuse }
func (fewListeners) Countable() (ok bool, reason string) {
	return false, "the right CAP_NET_RAW is missing"
}
func (fewListeners) AuthorityPEM() (cert []byte, _ error) { return []byte(certificate), nil }

func withListeners(c *inspector.Config) { c.Listeners = fewListeners{} }

func (r *rig) connection(tb testing.TB, endpoint string, change ...func(*webhook.Connection)) {
	tb.Helper()
	ended := 12 * time.Millisecond
	c := webhook.Connection{
		Endpoint: endpoint, Peer: netip.MustParseAddrPort("192.0.2.7:4711"), At: time.Unix(1_800_000_000, 0),
		Reached: webhook.ConnAccepted, Ended: &ended,
	}
	for _, f := range change {
		f(&c)
	}
	if err := r.store.RecordConnection(tb.Context(), c); err != nil {
		tb.Fatal(err)
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t, withListeners)
	r.endpoint(t, "default")
	r.endpoint(t, "other")
	r.connection(t, "default", func(c *webhook.Connection) {
		c.Fault, c.Step, c.EndedBy = webhook.TLSBadCert, "tls-badcert/cert=expired", webhook.HangUpRST
		c.Handshake = &webhook.Handshake{Done: 3500 * time.Microsecond, ServerName: hooked, Err: "remote error: tls: expired certificate"}
	})
	r.connection(t, "other")
	r.connection(t, "default", func(c *webhook.Connection) {
		c.Reached, c.Fault, c.Step, c.Ended = webhook.ConnRefused, webhook.Refuse, "refuse", nil
	})
	r.connection(t, "default", func(c *webhook.Connection) { c.Fault, c.Step, c.Reset = webhook.ResetAccept, "reset@accept", true })
	r.connection(t, "default", func(c *webhook.Connection) {
		c.Requests, c.Handshake = 2, &webhook.Handshake{Version: "TLS 1.3", Protocol: "h2"}
	})
	r.settled(t)
	path := endpoints + "/default/connections"
	page := get[api.Connections](t, r, path+"?limit=3")
	if page.Counted || page.NotCounted == "" || page.Shut != "refuse" || page.Next == nil || len(page.Open) != 1 || page.Open[0].Ended != nil {
		t.Errorf("%+v", page)
	}
	at, ms := time.Unix(1_800_000_000, 0).UTC(), api.Millis(12*time.Millisecond)
	want := []api.Connection{
		{
			At: at, Reached: "accepted", Requests: 2, Ended: &ms, EndedBy: "receiver", EndedWith: "fin",
			Handshake: &api.Handshake{Version: "TLS 1.3", ALPN: "h2"},
		},
		{At: at, Reached: "accepted", Fault: "reset@accept", Step: "reset@accept", Ended: &ms, EndedBy: "receiver", EndedWith: "rst"},
		{At: at, Reached: "refused", Fault: "refuse", Step: "refuse"},
		{
			At: at, Reached: "accepted", Fault: "tls-badcert", Step: "tls-badcert/cert=expired", Ended: &ms, EndedBy: "sender", EndedWith: "rst",
			Handshake: &api.Handshake{Done: api.Millis(3500 * time.Microsecond), ServerName: api.Hidden, Error: "remote error: tls: expired certificate"},
		},
	}
	rest := get[api.Connections](t, r, fmt.Sprintf("%s?before=%d", path, *page.Next))
	if rest.Next != nil {
		t.Errorf("the last page goes on at %d", *rest.Next)
	}
	got := append(page.Connections, rest.Connections...)
	for i := range want {
		want[i].Endpoint, want[i].RemoteAddr, want[i].Seq = "default", "192.0.2.7:4711", got[i].Seq
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("connections (-want +got):\n%s", diff)
	}
	if newer := get[api.Connections](t, r, fmt.Sprintf("%s?after=%d", path, got[1].Seq)).Connections; len(newer) != 1 || newer[0].Seq != got[0].Seq {
		t.Errorf("after %d: %+v", got[1].Seq, newer)
	}
	refused(t, r.call(t, http.MethodGet, endpoints+"/nowhere/connections", ""), http.StatusNotFound, "not_found")

	// They are facts of the live feed, too.
	socket := dial(t, r, "?endpoint=default&after=0")
	socket.hello(t, token)
	for i := range got {
		if e := socket.event(t); e.Fact != "connection" || e.Connection == nil || cmp.Diff(got[len(got)-1-i], *e.Connection) != "" {
			t.Errorf("fact %d: %+v", i, e)
		}
	}
	// A class has no connections; all captures take them along.
	if out := decoded[api.Deleted](t, r.call(t, http.MethodDelete, endpoints+"/default/captures?class=rejected", ""), 200); out.Connections != 0 {
		t.Errorf("deleted %+v", out)
	}
	if out := decoded[api.Deleted](t, r.call(t, http.MethodDelete, endpoints+"/default/captures", ""), 200); out.Connections != 4 {
		t.Errorf("deleted %+v", out)
	}
	if e := socket.event(t); e.Deletion == nil || !e.Deletion.Connections || e.Deletion.Through < got[0].Seq {
		t.Errorf("told %+v", e)
	}
	if left := get[api.Connections](t, r, path).Connections; len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
	if left := get[api.Connections](t, r, endpoints+"/other/connections").Connections; len(left) != 1 {
		t.Errorf("another endpoint has %d", len(left))
	}
}

func TestAuthorityIsPublic(t *testing.T) {
	t.Parallel()
	a := newRig(t, withListeners).call(t, http.MethodGet, "/api/v1/ca.pem", "", anonymous)
	if a.StatusCode != http.StatusOK || string(a.text) != certificate || a.Header.Get("Content-Type") != "application/x-pem-file" {
		t.Errorf("%d, %v: %s", a.StatusCode, a.Header, a.text)
	}
	refused(t, newRig(t).call(t, http.MethodGet, "/api/v1/ca.pem", ""), http.StatusNotFound, "not_found")
}

func TestListenerSetting(t *testing.T) {
	t.Parallel()
	r := newRig(t, withListeners)
	call := func(method, path, body string, status int) api.Endpoint {
		t.Helper()
		return decoded[api.Endpoint](t, r.call(t, method, endpoints+path, body), status)
	}
	made := call(http.MethodPost, "", `{"name":"named","secret":"first-secret","listener":{"kind":"tls","h2":true,"port":20500}}`, 201)
	for _, step := range []struct {
		body   string
		shown  api.Listener
		stored *webhook.ListenerPolicy
	}{
		{`{}`, api.Listener{Kind: "tls", H2: true, Port: 20500}, &webhook.ListenerPolicy{TLS: true, H2: true, Port: 20500}},
		{`{"listener":{"h2":false}}`, api.Listener{Kind: "tls", Port: 20500}, &webhook.ListenerPolicy{TLS: true, Port: 20500}},
		{`{"listener":{"h2":true}}`, api.Listener{Kind: "tls", H2: true, Port: 20500}, &webhook.ListenerPolicy{TLS: true, H2: true, Port: 20500}},
		{`{"listener":{"kind":"plain"}}`, api.Listener{Kind: "plain", Port: 20500}, &webhook.ListenerPolicy{Port: 20500}},
		{`{"listener":{"kind":"name"}}`, api.Listener{Kind: "name"}, &webhook.ListenerPolicy{TLS: true, Named: true}},
		{`{"listener":{"h2":true}}`, api.Listener{Kind: "name", H2: true}, &webhook.ListenerPolicy{TLS: true, Named: true, H2: true}},
	} {
		shown := call(http.MethodPatch, "/named", step.body, 200)
		stored, err := r.store.Endpoint("named")
		if err != nil || shown.Listener != step.shown || cmp.Diff(stored.Listener, step.stored) != "" {
			t.Errorf("%s: %+v, stored %+v, %v", step.body, shown.Listener, stored.Listener, err)
		}
		if shown.Secret != api.Hidden || made.Secret != "first-secret" {
			t.Errorf("%s: secret %q", step.body, shown.Secret)
		}
	}
	exact := get[api.Endpoint](t, r, endpoints+"/named?reveal=true")
	want := []api.Way{
		{Via: "name", URL: "https://named.localhost:8443/hooks/named?secret=first-secret"},
		{Via: "shared", URL: base + "/hooks/named?secret=first-secret"},
	}
	if cmp.Diff(want, exact.URLs) != "" || exact.URL != want[0].URL {
		t.Errorf("%+v, %s", exact.URLs, exact.URL)
	}
	if again := call(http.MethodPut, "/named", `{"name":"named"}`, 200); again.Listener.Kind != "none" {
		t.Errorf("replaced: %+v", again.Listener)
	}
	if taken := call(http.MethodPost, "", `{"name":"taken","listener":{"kind":"plain","port":1}}`, 201); !strings.Contains(taken.Listener.Problem, "in use") {
		t.Errorf("%+v", taken.Listener)
	}
	for body, says := range map[string]string{
		`{"listener":{"kind":"udp"}}`:              "listener.kind",
		`{"listener":{"kind":"tls","port":70000}}`: "listener.port",
		`{"listener":{"kind":"plain","h2":true}}`:  "listener.h2",
		`{"listener":{"kind":"tls","port":2}}`:     "endpoint other's",
		`{"listener":{"tls":true}}`:                `"tls"`,
	} {
		detail := refused(t, r.call(t, http.MethodPatch, endpoints+"/named", body), http.StatusBadRequest, "invalid")
		if !strings.Contains(detail, says) {
			t.Errorf("%s: %s", body, detail)
		}
	}
	plain := newRig(t)
	refused(t, plain.call(t, http.MethodPost, endpoints, `{"name":"x","listener":{"kind":"tls"}}`), http.StatusBadRequest, "invalid")
}
