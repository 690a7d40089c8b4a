package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
)

func TestDialIsDefaultDeny(t *testing.T) {
	t.Parallel()
	server := listen(t)
	own := netip.MustParseAddrPort(server.addr())
	for name, tt := range map[string]struct {
		url, address string
		resolver     egress.Resolver
		leave        egress.Leave
		want         string
	}{
		"public name":            {"https://a.example/x?y", "a.example:443", always("8.8.8.8"), egress.Leave{}, ""},
		"public name, http":      {"http://a.example:8080/", "a.example:8080", always("8.8.8.8"), egress.Leave{}, ""},
		"public literal":         {"http://8.8.8.8/", "8.8.8.8:80", nil, egress.Leave{}, ""},
		"loopback":               {"http://127.0.0.1:3000/", "127.0.0.1:3000", nil, egress.Leave{}, "blocked/address_not_allowed"},
		"IPv6 loopback":          {"http://[::1]:3000/", "[::1]:3000", nil, egress.Leave{}, "blocked/address_not_allowed"},
		"name of a private one":  {"https://in.example/", "in.example:443", always("10.0.0.8"), egress.Leave{}, "blocked/address_not_allowed"},
		"one of two is private":  {"https://in.example/", "in.example:443", always("8.8.8.8", "10.0.0.8"), egress.Leave{}, "blocked/address_not_allowed"},
		"opted in":               {"http://app.internal:3000/", "app.internal:3000", always("10.0.0.8"), egress.Leave{Private: []string{"app.internal:3000"}}, ""},
		"another port":           {"http://app.internal:3001/", "app.internal:3001", always("10.0.0.8"), egress.Leave{Private: []string{"app.internal:3000"}}, "blocked/address_not_allowed"},
		"metadata, opted in":     {"http://169.254.169.254/", "169.254.169.254:80", nil, egress.Leave{Private: []string{"169.254.169.254:80"}}, "blocked/address_not_allowed"},
		"our own":                {"http://" + server.addr() + "/hooks/a", server.addr(), nil, egress.Leave{Private: []string{server.addr()}, Own: func(a netip.AddrPort) bool { return a == own }}, "blocked/own_address"},
		"odd literal":            {"http://0x7f.1/", "0x7f.1:80", nil, egress.Leave{}, "blocked/host_malformed"},
		"no port":                {"http://a.example:0/", "a.example:0", nil, egress.Leave{}, "blocked/port_not_allowed"},
		"name that is not there": {"http://a.example/", "a.example:80", names(func(string) ([]netip.Addr, error) { return nil, errNoNetwork }), egress.Leave{}, "network/dns_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := &sink{}
			c := egress.New(egress.Config{Resolver: tt.resolver, Dial: out.dial})
			if got := code(t, c.Permit(t.Context(), tt.url, tt.leave)); got != tt.want {
				t.Errorf("permit says %q, want %q", got, tt.want)
			}
			want := tt.want
			if want == "" {
				want = "network/connect_failed"
			}
			if _, err := c.Dial(t.Context(), tt.address, tt.leave); code(t, err) != want {
				t.Errorf("dial says %v, want %q", err, want)
			}
			if dialled := out.dials.Load(); dialled != map[bool]int64{true: 1}[tt.want == ""] {
				t.Errorf("%d connections were tried", dialled)
			}
		})
	}
	for _, refused := range []string{"ftp://a.example/", "http://u:p@a.example/", "a.example", "http://a.example/\n", `http:\\a.example`} {
		if err := egress.New(egress.Config{}).Permit(t.Context(), refused, egress.Leave{}); code(t, err) == "" {
			t.Errorf("%q is permitted", refused)
		}
	}
}

// TestDialChecksTheAddressAtTheSocket has a dialer go elsewhere than it was told.
func TestDialChecksTheAddressAtTheSocket(t *testing.T) {
	t.Parallel()
	server := listen(t)
	own := netip.MustParseAddrPort(server.addr())
	dial := func(ctx context.Context, d *net.Dialer, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, server.addr())
	}
	c := egress.New(egress.Config{Resolver: always("8.8.8.8"), Dial: dial})
	if _, err := c.Dial(t.Context(), "a.example:"+server.port(), egress.Leave{}); code(t, err) != "blocked/address_not_allowed" {
		t.Errorf("rebound: %v", err)
	}
	leave := egress.Leave{Private: []string{server.addr()}}
	conn, err := c.Dial(t.Context(), server.addr(), leave)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	leave.Own = func(a netip.AddrPort) bool { return a == own }
	if _, err = c.Dial(t.Context(), server.addr(), leave); code(t, err) != "blocked/own_address" {
		t.Errorf("our own: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.Dial(ctx, server.addr(), leave); !errors.Is(err, context.Canceled) && code(t, err) == "" {
		t.Errorf("ended: %v", err)
	}
}
