package receiver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestOwnListenerMixesStepsOfBothLevels(t *testing.T) {
	t.Parallel()
	e := newEdge(t, own(), open("rules", "s", "503 close@accept reset@accept 200"))
	url := e.hookURL(t, "rules")
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second} // keeps connections where it may
	t.Cleanup(client.CloseIdleConnections)
	var got []string
	for range 5 {
		status, err := send(t, client, url, "x")
		switch {
		case err != nil: // which error it is depends on how far the client was; the connections tell which fault it was
			got = append(got, "fault")
		default:
			got = append(got, fmt.Sprint(status))
		}
	}
	if diff := cmp.Diff([]string{"503", "fault", "fault", "200", "200"}, got); diff != "" {
		t.Fatal(diff)
	}
	list := e.captures(t, "rules", 3)
	if len(list) != 3 || !list[0].Plan.Close || list[1].Plan.Close || list[1].Plan.Step != 3 || list[2].Attempt != 3 {
		t.Fatalf("%+v", list)
	}
	client.CloseIdleConnections()
	conns := e.connections(t, "rules", 4)
	for i, want := range []struct {
		fault    webhook.Fault
		requests int
	}{{"", 1}, {webhook.CloseAccept, 0}, {webhook.ResetAccept, 0}, {"", 2}} {
		if conns[i].Fault != want.fault || conns[i].Requests != want.requests || conns[i].Ended == nil {
			t.Errorf("connection %d: %+v", i, conns[i])
		}
	}
	if conns[1].Reset || !conns[2].Reset || conns[3].Reset {
		t.Errorf("reset: %t, %t and %t", conns[1].Reset, conns[2].Reset, conns[3].Reset)
	}
	if conns[3].EndedBy != webhook.HangUpFIN || conns[1].EndedBy != "" || conns[2].EndedBy != "" {
		t.Errorf("ended by %q, %q and %q", conns[1].EndedBy, conns[2].EndedBy, conns[3].EndedBy)
	}
	// The shared port takes requests too, and the own one no other endpoint's.
	if status, _, _ := e.post(t, "/hooks/rules?secret=s", "y"); status != http.StatusOK {
		t.Errorf("shared port answered %d", status)
	}
	if status, err := send(t, client, strings.Replace(url, "/rules", "/other", 1), "y"); err != nil || status != http.StatusNotFound {
		t.Errorf("another endpoint answered %d, %v", status, err)
	}
}

func TestRefusedBetweenRequests(t *testing.T) {
	t.Parallel()
	e := newEdge(t, own(), open("rules", "s", "503 refuse/for=300ms 200"))
	url, client := e.hookURL(t, "rules"), e.sender(t, false)
	if status, err := send(t, client, url, "x"); err != nil || status != 503 {
		t.Fatal(status, err)
	}
	refused := 0
	pace := time.NewTicker(2 * time.Millisecond) // for no more tries than one list holds
	defer pace.Stop()
	for ; ; <-pace.C {
		status, err := send(t, client, url, "x")
		if err == nil {
			if status != 200 {
				t.Fatal(status)
			}
			break
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		refused++
	}
	if refused == 0 {
		t.Fatal("the gate was open when its 503 arrived")
	}
	if ok, reason := e.server.Countable(); !ok {
		t.Skip(reason)
	}
	conns := e.connections(t, "rules", refused+2)
	if len(conns) != refused+2 || conns[1].Reached != webhook.ConnRefused || conns[1].Step != "refuse/for=300ms" {
		t.Fatalf("%d connections for %d refused and 2 answered: %+v", len(conns), refused, conns[1])
	}
}

func TestListenersFollowTheSettings(t *testing.T) {
	t.Parallel()
	e := newEdge(t, own(), open("rules", "s", "200"))
	if base, ok := e.server.Address("rules"); ok {
		t.Fatalf("a plain endpoint has %s", base)
	}
	change := func(respond string, listener *webhook.ListenerPolicy) string {
		t.Helper()
		ep := open("rules", "s", respond)
		ep.Listener = listener
		if _, err := e.store.SaveEndpoint(t.Context(), ep, false); err != nil {
			t.Fatal(err)
		}
		base, _ := e.server.Address("rules")
		return base
	}
	first := change("close@accept 200", nil)
	client := e.sender(t, false)
	if _, err := send(t, client, first+"/hooks/rules?secret=s", "x"); err == nil {
		t.Error("the fault was not carried out")
	}
	if same := change("reset@accept 418", nil); same != first {
		t.Errorf("moved from %s to %s", first, same)
	}
	// The new answers begin with their first step.
	if _, err := send(t, client, first+"/hooks/rules?secret=s", "x"); !reset(err) {
		t.Error(err)
	}
	if status, err := send(t, client, first+"/hooks/rules?secret=s", "x"); err != nil || status != 418 {
		t.Error(status, err)
	}
	if second := change("tls-alert 200", nil); !strings.HasPrefix(second, "https://") {
		t.Errorf("TLS faults at %s", second)
	}
	if third := change("200", &webhook.ListenerPolicy{H2: true}); !strings.HasPrefix(third, "https://") {
		t.Errorf("HTTP/2 at %s", third)
	}
	if none := change("200", nil); none != "" {
		t.Errorf("still at %s", none)
	}
	last := change("close@accept/p=1", nil)
	if err := e.store.DeleteEndpoint(t.Context(), "rules"); err != nil {
		t.Fatal(err)
	}
	if base, ok := e.server.Address("rules"); ok {
		t.Errorf("deleted and at %s", base)
	}
	if _, err := send(t, client, last+"/hooks/rules?secret=s", "x"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}

func TestBodiesOverTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		h2    bool
		most  uint16
		proto string
		tls   string
	}{
		"HTTP/1.1 over TLS 1.2": {false, tls.VersionTLS12, "HTTP/1.1", "TLS 1.2"},
		"HTTP/1.1 over TLS 1.3": {false, 0, "HTTP/1.1", "TLS 1.3"},
		"HTTP/2":                {true, 0, "HTTP/2.0", "TLS 1.3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep := open("rules", "s", "200")
			ep.Listener = &webhook.ListenerPolicy{TLS: true, H2: true}
			e := newEdge(t, own(), ep)
			url := e.hookURL(t, "rules")
			client := e.sender(t, test.h2)
			client.Transport.(*http.Transport).TLSClientConfig.MaxVersion = test.most
			body := strings.Repeat("0123456789", 10_000)
			if status, err := send(t, client, url, body); err != nil || status != 200 {
				t.Fatal(status, err)
			}
			c := e.captures(t, "rules", 1)[0]
			if string(c.Request.Body) != body || c.Request.Proto != test.proto || c.Request.TLS == nil || c.Request.TLS.Version != test.tls {
				t.Fatalf("%s, %+v, %d bytes", c.Request.Proto, c.Request.TLS, len(c.Request.Body))
			}
			if head := string(c.Request.Head); !strings.HasPrefix(head, "POST /hooks/rules?secret=s "+test.proto+"\r\nHost: 127.0.0.1:") {
				t.Errorf("head %q", head)
			}
			if c.Outcome.Bytes == 0 || c.Outcome.HungUp != nil {
				t.Errorf("outcome %+v", c.Outcome)
			}
			client.CloseIdleConnections()
			conn := e.connections(t, "rules", 1)[0]
			if h := conn.Handshake; h == nil || h.Err != "" || h.Version != test.tls || h.Done <= 0 || conn.Requests != 1 {
				t.Errorf("%+v, %+v", conn, conn.Handshake)
			}
		})
	}
}

func TestFaultsOnHTTP2(t *testing.T) {
	t.Parallel()
	for fault, sees := range map[string]string{
		"h2-reset":       "INTERNAL_ERROR",
		"h2-goaway":      "GOAWAY|Request.Body",
		"reset@request":  "connection reset by peer|EOF|broken pipe|closed network connection", // a write of the client may have taken the error from its read
		"close@request":  "EOF",
		"hang/for=100ms": "INTERNAL_ERROR",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			ep := open("rules", "s", fault+" 200")
			ep.Listener = &webhook.ListenerPolicy{H2: true}
			e := newEdge(t, own(), ep)
			client := e.sender(t, true)
			status, err := send(t, client, e.hookURL(t, "rules"), "x")
			if err == nil || !slices.ContainsFunc(strings.Split(sees, "|"), func(text string) bool { return strings.Contains(err.Error(), text) }) {
				t.Fatalf("answered %d, %v; want %s", status, err, sees)
			}
			if status, err = send(t, client, e.hookURL(t, "rules"), "x"); err != nil || status != 200 {
				t.Fatal(status, err)
			}
			name, _, _ := strings.Cut(fault, "/")
			if o := e.captures(t, "rules", 2)[0].Outcome; o.Fault != webhook.Fault(name) || o.HungUp != nil || o.Note != "" || o.Status != 0 {
				t.Fatalf("%+v", o)
			}
		})
	}
}

func TestHangUpIsMeasuredOverTLS(t *testing.T) {
	t.Parallel()
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep := open("rules", "s", "hang")
			ep.Listener = &webhook.ListenerPolicy{TLS: true, H2: h2}
			e := newEdge(t, own(), ep)
			// It leaves when its request is on disk.
			ctx, leave := context.WithCancel(t.Context())
			var group sync.WaitGroup
			seen := e.store.Last()
			group.Go(func() {
				defer leave()
				if _, err := e.bell.Wait(ctx, seen); err != nil {
					t.Error(err)
				}
			})
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.hookURL(t, "rules"), strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := e.sender(t, h2).Do(req); err == nil {
				_ = resp.Body.Close()
				t.Error("answered")
			}
			group.Wait()
			o := e.captures(t, "rules", 1)[0].Outcome
			want := webhook.HangUpFIN
			if h2 {
				want = webhook.HangUpRST
			}
			if o.HungUp == nil || o.HungUpBy != want || *o.HungUp > 20*time.Second {
				t.Fatalf("%+v", o)
			}
		})
	}
}

func TestTwoSendersAtOnce(t *testing.T) {
	t.Parallel()
	e := newEdge(t, own(), open("rules", "s", "reset@acceptx20 200"))
	url := e.hookURL(t, "rules")
	var wg sync.WaitGroup
	for range 2 {
		client := e.sender(t, false)
		wg.Go(func() {
			for {
				if status, err := send(t, client, url, "x"); err == nil && status == 200 {
					return
				} else if !reset(err) {
					t.Errorf("%d, %v", status, err)
					return
				}
			}
		})
	}
	wg.Wait()
	faults := 0
	for _, c := range e.connections(t, "rules", 22) {
		if c.Fault == webhook.ResetAccept {
			faults++
		}
	}
	if faults != 20 {
		t.Fatalf("%d resets", faults)
	}
}

func TestWhatCurlAndNodeSee(t *testing.T) {
	t.Parallel()
	const script = `fetch(process.argv[1],{method:"POST",body:"x",signal:AbortSignal.timeout(1000*process.argv[2])}).then(r=>console.log(r.status),` +
		`e=>console.log(e.name=="TimeoutError"?e.name:(e.cause&&e.cause.code)||e.message))`
	for respond, want := range map[string]struct{ curl, node string }{
		"200":                         {"0", "200"},
		"refuse":                      {"7", "ECONNREFUSED"},
		"close@acceptx9":              {"52|28" /* its promise may never settle */, "|TimeoutError|UND_ERR_SOCKET"},
		"reset@accept":                {"7|55|56", "|ECONNRESET|EPIPE|UND_ERR_SOCKET"},
		"tls-alert":                   {"35", "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR"},
		"tls-reset":                   {"35", "ECONNRESET"},
		"tls-badcert":                 {"60", "DEPTH_ZERO_SELF_SIGNED_CERT"},
		"tls-badcert/cert=expired":    {"60", "CERT_HAS_EXPIRED"},
		"tls-badcert/cert=wrong-name": {"60", "ERR_TLS_CERT_ALTNAME_INVALID"},
		"blackhole":                   {"28", "TimeoutError|UND_ERR_CONNECT_TIMEOUT"},
	} {
		t.Run(respond, func(t *testing.T) {
			t.Parallel()
			ep := open("rules", "s", respond)
			ep.Listener = &webhook.ListenerPolicy{TLS: respond == "200"}
			e := newEdge(t, own(), ep)
			url := e.hookURL(t, "rules")
			ca := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(ca, e.authority(t), 0o600); err != nil {
				t.Fatal(err)
			}
			curl, err := exec.LookPath("curl")
			if err != nil {
				t.Skip("curl is not installed")
			}
			patience := "60"
			if strings.Contains(want.node, "TimeoutError") {
				patience = "2"
			}
			cmd := exec.CommandContext(t.Context(), curl, "-s", "-o", os.DevNull, "-m", patience, "--cacert", ca, "-d", "x", url)
			_ = cmd.Run()
			if got := fmt.Sprint(cmd.ProcessState.ExitCode()); !slices.Contains(strings.Split(want.curl, "|"), got) {
				t.Errorf("curl ended with %s, want %s", got, want.curl)
			}
			node, err := exec.LookPath("node")
			if err != nil {
				t.Skip("node is not installed")
			}
			cmd = exec.CommandContext(t.Context(), node, "-e", script, url, patience)
			cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
			said, err := cmd.CombinedOutput()
			if got := strings.TrimSpace(string(said)); err != nil || !slices.Contains(strings.Split(want.node, "|"), got) {
				t.Errorf("node says %q, %v; want %s", got, err, want.node)
			}
			if strings.Contains(respond, "@accept") {
				for _, c := range e.connections(t, "rules", 2) {
					if text, _, _ := strings.Cut(respond, "x9"); string(c.Fault) != text {
						t.Errorf("the connection's fault is %q", c.Fault)
					}
				}
			}
		})
	}
}

func TestCheckRespondWithListeners(t *testing.T) {
	t.Parallel()
	s := receiver.New(own())
	countable, _ := s.Countable()
	for text, ok := range map[string]bool{
		"": true, "refuse": true, "refuse/for=2s 200": true, "tls-alert 200": true, "h2-goaway 200": true, "refuse 200": countable, "refusex2 200": countable,
	} {
		if err := s.CheckRespond(text); (err == nil) != ok || err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatScriptsAsk(t *testing.T) {
	t.Parallel()
	e := newEdge(t, own(), open("rules", "s", "200/after=10m refuse"))
	if shut := e.server.Shut("rules"); shut != "" {
		t.Fatalf("shut by %s before the first request", shut)
	}
	url := e.hookURL(t, "rules")
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	client := e.sender(t, false)
	go func() {
		resp, err := client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		done <- err
	}()
	for e.store.Last() < 1 {
		if _, err = e.bell.Wait(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	// The gate is shut while the answer waits, and the connection of that answer stays.
	if shut := e.server.Shut("rules"); shut != webhook.Refuse {
		t.Errorf("shut by %q", shut)
	}
	if list := e.server.Open("rules"); len(list) != 1 || list[0].Requests != 1 || list[0].Ended != nil {
		t.Errorf("open: %+v", list)
	}
	hangUp()
	if err = <-done; err == nil {
		t.Error("answered")
	}
	if c := e.connections(t, "rules", 1)[0]; c.EndedBy != webhook.HangUpFIN || c.Requests != 1 {
		t.Errorf("%+v", c)
	}
	if list := e.server.Open("rules"); len(list) != 0 {
		t.Errorf("still open: %+v", list)
	}
	plain := receiver.New(receiver.Config{})
	for i, test := range []struct {
		server *receiver.Server
		policy *webhook.ListenerPolicy
		ok     bool
	}{
		{plain, nil, true},
		{plain, &webhook.ListenerPolicy{}, false},
		{e.server, &webhook.ListenerPolicy{TLS: true}, true},
		{e.server, &webhook.ListenerPolicy{Port: 20500}, true},
		{e.server, &webhook.ListenerPolicy{Port: 70000}, false},
	} {
		if err = test.server.CheckListener(&webhook.Endpoint{Name: "rules", Listener: test.policy}); (err == nil) != test.ok || err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
