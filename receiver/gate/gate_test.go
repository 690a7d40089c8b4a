package gate_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookrange/hookrange/receiver/gate"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatTheGoClientSees(t *testing.T) {
	t.Parallel()
	for respond, want := range map[string][]string{
		"200":                             {"answered", "answered"},
		"close@acceptx2 200":              {"eof", "eof", "answered"},
		"503 close@accept 200":            {"answered", "eof", "answered"},
		"reset@acceptx2 200":              {"reset", "reset", "answered"},
		"reset@accept close@accept 200":   {"reset", "eof", "answered"},
		"tls-alert 200":                   {"alert", "answered"},
		"tls-reset 200":                   {"reset", "answered"},
		"tls-badcert 200":                 {"unknown authority", "answered"},
		"tls-badcert/cert=expired 200":    {"expired", "answered"},
		"tls-badcert/cert=wrong-name 200": {"wrong name", "answered"},
		"503 tls-reset tls-badcert 200":   {"answered", "reset", "unknown authority", "answered"},
		"reset@accept/after=10ms close@accept/after=10ms tls-alert/after=10ms 200": {"reset", "eof", "alert", "answered"},
		"close@accept/p=1 reset@accept/p=1":                                        {"eof", "eof"},
		"reset@accept/p=0 tls-alert/p=0.5 200":                                     {""},
	} {
		t.Run(respond, func(t *testing.T) {
			t.Parallel()
			var change []setting
			if strings.Contains(respond, "tls-") {
				change = append(change, withTLS(false))
			}
			r := newRig(t, respond, change...)
			for i, expected := range want {
				_, err := post(t, r.client(t, false), r.url())
				got := kind(err)
				if got == "ended" && (expected == "reset" || expected == "eof") {
					continue
				}
				if expected != "" && got != expected {
					t.Fatalf("attempt %d: %s, want %s (%v)", i+1, got, expected, err)
				}
			}
			list := r.connections(t, len(want))
			if len(list) != len(want) {
				t.Fatalf("%d connections for %d attempts: %+v", len(list), len(want), list)
			}
			slices.SortFunc(list, func(a, b webhook.Connection) int { return a.At.Compare(b.At) })
			for i, c := range list {
				if c.Reached != webhook.ConnAccepted || c.Ended == nil || c.Peer.Port() == 0 || c.Endpoint != t.Name() {
					t.Errorf("connection %d: %+v", i, c)
				}
				if answered := want[i] == "answered"; want[i] != "" && (answered != (c.Fault == "") || answered != (c.Requests == 1)) {
					t.Errorf("connection %d (%s): fault %q, %d requests", i, want[i], c.Fault, c.Requests)
				}
			}
		})
	}
}

func TestRefusalEndsByTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, "refuse/for=300ms 200")
	client := r.client(t, false)
	start, refused := time.Now(), 0
	for {
		_, err := post(t, client, r.url())
		if err == nil {
			break
		}
		if kind(err) != "refused" {
			t.Fatalf("%s: %v", kind(err), err)
		}
		refused++
	}
	if took := time.Since(start); refused == 0 || took > 20*time.Second {
		t.Fatalf("open after %v and %d refusals", took, refused)
	}
	if place, err := post(t, client, r.url()); err != nil || place != "2" {
		t.Fatalf("place %s, %v", place, err)
	}
	if ok, _ := r.Countable(); !ok {
		return
	}
	list := r.connections(t, refused+2)
	counted := 0
	for _, c := range list {
		if c.Reached == webhook.ConnRefused {
			counted++
			if c.Fault != webhook.Refuse || c.Step != "refuse/for=300ms" || !c.Peer.IsValid() {
				t.Errorf("%+v", c)
			}
		}
	}
	if counted != refused || len(list) != refused+2 {
		t.Fatalf("%d refused tries counted and %d made, of %d connections", counted, refused, len(list))
	}
}

// stolen checks that nobody can take the port of a gate that is shut.
func stolen(t *testing.T, address string) {
	t.Helper()
	ln, err := net.Listen("tcp", address) // with SO_REUSEADDR
	if err == nil {
		_ = ln.Close()
		t.Fatal("the port of a shut gate could be taken")
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatal(err)
	}
}

func TestRefusalEndsByTries(t *testing.T) {
	t.Parallel()
	countable(t)
	r := newRig(t, "503 refusex3 200")
	client := r.client(t, false)
	var got []string
	for range 6 {
		_, err := post(t, client, r.url())
		got = append(got, kind(err))
		if kind(err) == "refused" {
			n := strings.Count(strings.Join(got, " "), "refused")
			r.connections(t, n+1)
			if n < 3 { // the gate opens after the third
				stolen(t, r.address)
			}
			opened(t, r, n == 3)
		}
	}
	if text := strings.Join(got, " "); text != "answered"+strings.Repeat(" refused", 3)+strings.Repeat(" answered", 2) {
		t.Fatal(text)
	}
	if list := r.connections(t, 6); len(list) != 6 {
		t.Fatalf("%d connections", len(list))
	}
}

// opened waits until the gate is open, if it is to be.
func opened(t *testing.T, r *rig, open bool) {
	t.Helper()
	if !open {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for r.Shut() != "" {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the gate stays shut")
		}
	}
}

// TestCountingOverBothFamilies refuses over IPv4 and IPv6, on one address and on all, and counts a try only at the gate
// that it was for.
func TestCountingOverBothFamilies(t *testing.T) {
	t.Parallel()
	countable(t)
	for listen, tries := range map[string][]string{
		"127.0.0.1": {"127.0.0.1"}, "0.0.0.0": {"127.0.0.1", "127.0.0.2"}, "::1": {"::1"}, "::": {"::1", "127.0.0.1"}, "127.0.0.3": {"127.0.0.3"},
	} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "refuse", func(c *gate.Config) { c.Addr = netip.AddrPortFrom(netip.MustParseAddr(listen), 0) })
			_, port, err := net.SplitHostPort(r.address)
			if err != nil {
				t.Fatal(err)
			}
			for i, host := range tries {
				for range 3 {
					if _, err = net.Dial("tcp", net.JoinHostPort(host, port)); !errors.Is(err, syscall.ECONNREFUSED) {
						t.Fatal(err)
					}
				}
				list := r.connections(t, 3*(i+1))
				if last := list[len(list)-1]; len(list) != 3*(i+1) || last.Reached != webhook.ConnRefused || !last.Peer.Addr().IsLoopback() {
					t.Fatalf("%d tries, the last %+v", len(list), last)
				}
			}
			if listen == "127.0.0.1" || listen == "::1" {
				// A try at another address of the same port is none of ours.
				_, _ = net.Dial("tcp", net.JoinHostPort("127.0.0.9", port))
				if _, err = net.Dial("tcp", r.address); err == nil {
					t.Fatal("not refused")
				}
				if list := r.connections(t, 4); len(list) != 4 {
					t.Fatalf("%d tries, want 4", len(list))
				}
			}
		})
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for ports, ok := range map[gate.Ports]bool{
		{}: false, {First: 20000, Last: 20999}: true, {First: 20999, Last: 20000}: false, {First: 1, Last: 65536}: false,
		{First: 30000, Last: 40000}: runtime.GOOS != "linux",
	} {
		if err := ports.Check(); (err == nil) != ok || err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%v: %v", ports, err)
		}
	}
	config := gate.Config{
		Endpoint: "e", Addr: netip.MustParseAddrPort("127.0.0.1:0"), Steps: program(t, "200"), Log: slog.New(slog.DiscardHandler),
		Record: func(webhook.Connection) {},
	}
	two := gate.Ports{First: 21998, Last: 21999}
	var open []*gate.Gate
	for range 2 {
		g, err := two.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, g)
	}
	if g, err := two.Open(config); !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("a third gate on two ports: %v, %v", g, err)
	}
	for _, g := range open {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAuthorityIsKept(t *testing.T) {
	t.Parallel()
	made, err := gate.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := made.Keep()
	if err != nil {
		t.Fatal(err)
	}
	again, err := gate.ParseAuthority(kept)
	if err != nil || string(again.PEM()) != string(made.PEM()) {
		t.Fatalf("%v, %s", err, again.PEM())
	}
	if _, err = gate.ParseAuthority(made.PEM()); err == nil {
		t.Error("an authority without its key")
	}
}

func TestBlackhole(t *testing.T) {
	t.Parallel()
	if !gate.CanDrop {
		t.Skip("this system cannot drop SYNs")
	}
	r := newRig(t, "blackhole/for=4s 200")
	dialer := net.Dialer{Timeout: 250 * time.Millisecond}
	if conn, err := dialer.Dial("tcp", r.address); err == nil {
		_ = conn.Close()
		t.Fatal("connected to a black hole")
	} else if !isTimeout(err) {
		t.Fatal(err)
	}
	stolen(t, r.address)
	opened(t, r, true)
	if _, err := post(t, r.client(t, false), r.url()); err != nil {
		t.Fatal(err)
	}
	if ok, _ := r.Countable(); !ok {
		return
	}
	list := r.connections(t, 2)
	if len(list) != 2 || list[0].Reached != webhook.ConnDropped || list[0].Fault != webhook.Blackhole || list[1].Requests != 1 {
		t.Fatalf("%+v", list)
	}
}

func TestRetransmissionsAreOneTry(t *testing.T) {
	t.Parallel()
	countable(t)
	r := newRig(t, "blackhole")
	// The kernel sends the SYN again after 1 s.
	dialer := net.Dialer{Timeout: 1500 * time.Millisecond}
	for range 2 {
		if conn, err := dialer.Dial("tcp", r.address); !isTimeout(err) {
			t.Fatalf("%v, %v", conn, err)
		}
	}
	if list := r.connections(t, 2); len(list) != 2 || list[0].Peer == list[1].Peer || list[1].At.Sub(list[0].At) < time.Second {
		t.Fatalf("%+v", list)
	}
}
