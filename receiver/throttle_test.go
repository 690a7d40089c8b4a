package receiver_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/throttle"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// once is a rate at which one request comes through while a test lasts, and the next in almost three hours.
const once = 0.0001

// proxied trusts this machine as a proxy.
func proxied(t *testing.T) throttle.Proxies {
	t.Helper()
	proxies, err := throttle.ParseProxies([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	return proxies
}

// from posts as a proxy does for a client; an empty one is none.
func from(t *testing.T, url, client string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if client != "" {
		req.Header.Set("X-Forwarded-For", client)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// recorded returns how many captures there are.
func (e *edge) recorded(t *testing.T) int {
	t.Helper()
	list, err := e.store.Captures(t.Context(), webhook.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// told checks that an answer refuses for a rate, and says so.
func told(t *testing.T, status int, header http.Header, body, flag string) {
	t.Helper()
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if status != http.StatusServiceUnavailable || err != nil || seconds < 9990 || seconds > 10_000 || !strings.Contains(body, flag) {
		t.Errorf("answered %d, Retry-After %q, %s; want 503 for %s", status, header.Get("Retry-After"), body, flag)
	}
	if header.Get("Connection") == "close" {
		t.Error("the connection ends, which may be a proxy's")
	}
}

func TestClientRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		trusted bool
		// answered has an answer for each request, by its X-Forwarded-For.
		clients  []string
		answered []int
	}{
		{"one peer", false, []string{"", ""}, []int{200, 503}},
		{"a header of a peer that is not trusted", false, []string{"198.51.100.1", "198.51.100.2"}, []int{200, 503}},
		{"clients of a proxy", true, []string{"198.51.100.1", "198.51.100.2", "198.51.100.1"}, []int{200, 200, 503}},
		{"what a client wrote itself", true, []string{"1.1.1.1, 198.51.100.1", "2.2.2.2, 198.51.100.1"}, []int{200, 503}},
		{"one IPv6 network", true, []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}, []int{200, 503, 200}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			limits := throttle.Limits{ClientRate: once}
			if test.trusted {
				limits.Trusted = proxied(t)
			}
			e := newEdge(t, receiver.Config{Throttle: limits}, open("rules", "s", "200"), open("other", "s", "200"))
			recorded := 0
			for i, client := range test.clients {
				// A client's limit holds over all endpoints.
				endpoint := []string{"rules", "other"}[i%2]
				status, header, body := from(t, e.base+"/hooks/"+endpoint+"?secret=s", client)
				if status != test.answered[i] {
					t.Fatalf("request %d, from %q, was answered %d", i, client, status)
				}
				if status == http.StatusOK {
					recorded++
					continue
				}
				told(t, status, header, body, "--client-rate")
			}
			if got := e.recorded(t); got != recorded {
				t.Errorf("%d captures, want %d", got, recorded)
			}
			// The limit is no endpoint's, and not that of the program's state.
			if status, _, _ := from(t, e.base+"/hooks/none", test.clients[0]); status != http.StatusServiceUnavailable {
				t.Errorf("an unknown endpoint answered %d", status)
			}
			for range 3 {
				resp, err := http.Get(e.base + "/healthz")
				if err != nil {
					t.Fatal(err)
				}
				if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
					t.Fatalf("/healthz answered %d", resp.StatusCode)
				}
			}
		})
	}
}

func TestEndpointRate(t *testing.T) {
	t.Parallel()
	limits := throttle.Limits{EndpointRate: once, Trusted: proxied(t)}
	e := newEdge(t, receiver.Config{Throttle: limits}, open("rules", "s", "200"), open("other", "s", "200"))
	for i, want := range []int{200, 503, 503} {
		status, header, body := from(t, e.base+"/hooks/rules?secret=s", fmt.Sprintf("198.51.100.%d", i))
		if status != want {
			t.Fatalf("request %d was answered %d", i, status)
		}
		if want != http.StatusOK {
			told(t, status, header, body, "--endpoint-rate")
		}
	}
	// Another version of the endpoint has the same bucket, another endpoint has its own.
	if _, err := e.store.SaveEndpoint(t.Context(), open("rules", "s", "418"), false); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := e.post(t, "/hooks/rules?secret=s", "x"); status != http.StatusServiceUnavailable {
		t.Errorf("a changed endpoint answered %d", status)
	}
	if status, _, _ := e.post(t, "/hooks/other?secret=s", "x"); status != http.StatusOK {
		t.Errorf("another endpoint answered %d", status)
	}
	if got := e.recorded(t); got != 2 {
		t.Errorf("%d captures, want 2", got)
	}
}

// TestRateOverHTTP2: a listener of an endpoint's own has the same limits, and a refused request takes no step of its plan.
func TestRateOverHTTP2(t *testing.T) {
	t.Parallel()
	ep := open("rules", "s", "201 202 203")
	ep.Listener = &webhook.ListenerPolicy{H2: true}
	config := own()
	config.Throttle = throttle.Limits{ClientRate: once, Trusted: proxied(t)}
	e := newEdge(t, config, ep)
	client, url := e.sender(t, true), e.hookURL(t, "rules")
	var got []int
	for _, by := range []string{"198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.100.2", "198.51.100.3"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", by)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if got = append(got, resp.StatusCode); resp.ProtoMajor != 2 {
			t.Fatalf("answered over %s", resp.Proto)
		}
	}
	if diff := cmp.Diff([]int{201, 503, 202, 503, 203}, got); diff != "" {
		t.Error(diff)
	}
}

// TestRefusedLeaveNothing: what a refused request brought is no part of the next one's capture on the same connection.
func TestRefusedLeaveNothing(t *testing.T) {
	t.Parallel()
	e := newEdge(t, receiver.Config{Throttle: throttle.Limits{ClientRate: once, Trusted: proxied(t)}}, open("rules", "s", "200"))
	request := func(client, body string) (head, whole string) {
		head = "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " + client + "\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n"
		return head, head + body
	}
	_, first := request("198.51.100.1", "first")
	_, refused := request("198.51.100.1", strings.Repeat("refused", 1000))
	head, other := request("198.51.100.2", "other's")
	conn, err := net.Dial("tcp", e.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, first+refused+refused+other); err != nil {
		t.Fatal(err)
	}
	got := e.captures(t, "rules", 2)
	if string(got[1].Request.Head) != head || string(got[1].Request.Body) != "other's" {
		t.Errorf("captured %q, %q", got[1].Request.Head, got[1].Request.Body)
	}
}

func TestClientWaiting(t *testing.T) {
	t.Parallel()
	limits := throttle.Limits{ClientWaiting: 2, Trusted: proxied(t)}
	e := newEdge(t, receiver.Config{Throttle: limits}, open("rules", "s", "hang"), open("other", "s", "200/after=1ms"))
	hang := func(client string) net.Conn {
		conn, err := net.Dial("tcp", e.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "POST /hooks/rules?secret=s HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: %s\r\nContent-Length: 0\r\n\r\n", client)
		return conn
	}
	held := []net.Conn{hang("198.51.100.1"), hang("198.51.100.1")}
	for webhook.Seq(2) > e.store.Last() {
		if _, err := e.bell.Wait(t.Context(), e.store.Last()); err != nil {
			t.Fatal(err)
		}
	}
	status, header, body := from(t, e.base+"/hooks/other?secret=s", "198.51.100.1")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") != "1" || !strings.Contains(body, "planned answer was replaced") {
		t.Errorf("a third was answered %d, Retry-After %q, %s", status, header.Get("Retry-After"), body)
	}
	if c := e.captures(t, "other", 1)[0]; c.Plan.Status != http.StatusServiceUnavailable || c.Class != webhook.Accepted {
		t.Errorf("it was recorded as %s with the plan %+v", c.Class, c.Plan)
	}
	if status, _, _ = from(t, e.base+"/hooks/other?secret=s", "198.51.100.2"); status != http.StatusOK {
		t.Errorf("another client was answered %d", status)
	}
	// Both places are given back.
	for _, conn := range held {
		_ = conn.Close()
	}
	e.captures(t, "rules", 2)
	for range 2 {
		if status, _, _ = from(t, e.base+"/hooks/other?secret=s", "198.51.100.1"); status != http.StatusOK {
			t.Errorf("answered %d when nothing waits", status)
		}
	}
}
