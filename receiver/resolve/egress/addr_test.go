package egress_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// mustBlock are addresses that no fetch may reach unless a policy opts in to its host, if then.
var mustBlock = []struct{ why, addr string }{
	{"this network", "0.0.0.0"},
	{"this network, host", "0.1.2.3"},
	{"private 10/8", "10.0.0.1"},
	{"private 10/8, end", "10.255.255.255"},
	{"CGNAT", "100.64.0.1"},
	{"CGNAT, end", "100.127.255.254"},
	{"Alibaba metadata", "100.100.100.200"},
	{"loopback", "127.0.0.1"},
	{"loopback, other", "127.255.255.254"},
	{"link-local", "169.254.0.1"},
	{"AWS, GCP, Azure metadata", "169.254.169.254"},
	{"ECS task credentials", "169.254.170.2"},
	{"EKS pod identity", "169.254.170.23"},
	{"private 172.16/12", "172.16.0.1"},
	{"private 172.16/12, end", "172.31.255.254"},
	{"IETF assignments", "192.0.0.1"},
	{"NAT64 discovery", "192.0.0.170"},
	{"Oracle metadata", "192.0.0.192"},
	{"documentation 1", "192.0.2.1"},
	{"AS112", "192.31.196.1"},
	{"AMT", "192.52.193.1"},
	{"6to4 relay", "192.88.99.1"},
	{"private 192.168/16", "192.168.1.1"},
	{"AS112 delegation", "192.175.48.1"},
	{"benchmarking", "198.18.0.1"},
	{"benchmarking, end", "198.19.255.255"},
	{"documentation 2", "198.51.100.1"},
	{"documentation 3", "203.0.113.1"},
	{"multicast", "224.0.0.1"},
	{"multicast, end", "239.255.255.255"},
	{"reserved", "240.0.0.1"},
	{"broadcast", "255.255.255.255"},
	{"Azure wire server", "168.63.129.16"},
	{"unspecified", "::"},
	{"loopback v6", "::1"},
	{"IPv4-compatible loopback", "::7f00:1"},
	{"IPv4-mapped loopback", "::ffff:127.0.0.1"},
	{"IPv4-mapped private", "::ffff:10.0.0.1"},
	{"IPv4-mapped metadata", "::ffff:169.254.169.254"},
	{"IPv4-translated loopback", "::ffff:0:7f00:1"},
	{"NAT64 loopback", "64:ff9b::7f00:1"},
	{"NAT64 metadata", "64:ff9b::a9fe:a9fe"},
	{"NAT64 local use", "64:ff9b:1::7f00:1"},
	{"discard only", "100::1"},
	{"dummy prefix", "100:0:0:1::1"},
	{"Teredo", "2001::1"},
	{"Teredo with loopback", "2001:0:4136:e378:8000:63bf:80ff:fffe"},
	{"benchmarking v6", "2001:2::1"},
	{"ORCHIDv2", "2001:20::1"},
	{"documentation v6", "2001:db8::1"},
	{"6to4 loopback", "2002:7f00:1::1"},
	{"6to4 private", "2002:a00:1::1"},
	{"6to4 metadata", "2002:a9fe:a9fe::1"},
	{"AS112 v6", "2620:4f:8000::1"},
	{"documentation 3fff", "3fff::1"},
	{"SRv6 SIDs", "5f00::1"},
	{"ULA", "fd00::1"},
	{"ULA fc", "fc00::1"},
	{"AWS metadata v6", "fd00:ec2::254"},
	{"ECS task v6", "fd00:ec2::23"},
	{"GCP metadata v6", "fd20:ce::254"},
	{"link-local v6", "fe80::1"},
	{"link-local with zone", "fe80::1%lo"},
	{"link-local ISATAP", "fe80::5efe:a00:1"},
	{"site-local", "fec0::1"},
	{"ISATAP under a public prefix", "2600:1f00::5efe:7f00:1"},
	{"ISATAP, universal bit", "2600:1f00::200:5efe:a9fe:a9fe"},
	{"multicast v6", "ff02::1"},
	{"multicast v6, global", "ff0e::1"},
	{"outside 2000::/3", "4000::1"},
}

const store = "bucket.s3.us-east-1.amazonaws.com"

func literal(addr string) string {
	if strings.Contains(addr, ":") {
		return "[" + strings.ReplaceAll(addr, "%", "%25") + "]"
	}
	return addr
}

func TestMustBlock(t *testing.T) {
	t.Parallel()
	if len(mustBlock) < 56 {
		t.Fatalf("only %d vectors", len(mustBlock))
	}
	for _, v := range mustBlock {
		t.Run(v.why, func(t *testing.T) {
			t.Parallel()
			var dialled sink
			c := egress.New(egress.Config{Resolver: always(v.addr), Dial: dialled.dial})
			for _, u := range []string{
				"https://" + literal(v.addr) + "/k", "http://" + literal(v.addr) + "/k", "https://" + literal(v.addr) + ":443/k",
			} {
				_, err := c.Get(t.Context(), egress.Request{URL: u})
				if got := code(t, err); !strings.HasPrefix(got, "blocked/") {
					t.Errorf("%s: %q, want blocked", u, got)
				}
			}
			_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
			if got := code(t, err); got != "blocked/address_not_allowed" {
				t.Errorf("by name: %q, want blocked/address_not_allowed", got)
			}
			for _, answers := range []names{always("52.216.0.1", v.addr), always(v.addr, "52.216.0.1")} {
				c := egress.New(egress.Config{Resolver: answers, Dial: dialled.dial})
				_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
				if got := code(t, err); got != "blocked/address_not_allowed" {
					t.Errorf("among public answers: %q, want blocked/address_not_allowed", got)
				}
			}
			if n := dialled.dials.Load(); n != 0 {
				t.Errorf("%d dials, want 0", n)
			}
		})
	}
}

func TestPublicAddressesAreDialled(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"52.216.0.1", "2600:1fa0:8000::1", "172.32.0.1", "100.128.0.1", "168.63.129.17"} {
		var dialled sink
		c := egress.New(egress.Config{Resolver: always(addr), Dial: dialled.dial})
		_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
		if got := code(t, err); got != "network/connect_failed" {
			t.Errorf("%s: %q, want network/connect_failed", addr, got)
		}
		want := net.JoinHostPort(addr, "443")
		if got := dialled.last.Load(); got != want {
			t.Errorf("dialled %v, want %s", got, want)
		}
	}
}

func TestOptInOpensPrivateButNeverMetadata(t *testing.T) {
	t.Parallel()
	policy := webhook.FetchPolicy{Private: []string{"minio.internal:9000"}}
	open := map[string]bool{
		"127.0.0.1": true, "10.0.0.1": true, "172.16.0.1": true, "192.168.1.1": true, "100.64.0.1": true,
		"::1": true, "fd00::1": true, "fc00::1": true,
	}
	// The rest of these ranges is open as well.
	inside := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("100.64.0.0/10"),
	}
	for _, v := range mustBlock {
		var dialled sink
		c := egress.New(egress.Config{Resolver: always(v.addr), Dial: dialled.dial})
		want := open[v.addr]
		addr := netip.MustParseAddr(v.addr).Unmap()
		for _, p := range inside {
			want = want || p.Contains(addr)
		}
		if strings.Contains(v.why, "metadata") {
			want = false
		}
		_, err := c.Get(t.Context(), egress.Request{URL: "http://minio.internal:9000/k", Policy: policy})
		if err == nil || (dialled.dials.Load() == 1) != want {
			t.Errorf("%s %s: %d dials (%v), want open %v", v.why, v.addr, dialled.dials.Load(), err, want)
		}
		_, err = c.Get(t.Context(), egress.Request{URL: "http://minio.internal:9001/k", Policy: policy})
		if got := code(t, err); !strings.HasPrefix(got, "blocked/") {
			t.Errorf("%s on another port: %q, want blocked", v.why, got)
		}
	}
}

func TestRebindingNeverConnects(t *testing.T) {
	t.Parallel()
	loop := listen(t)
	go loop.answer("")
	// Every other look-up gives loopback, the others a public address whose dial is then bent to
	// loopback, as if the name had been looked up again.
	turn := 0
	rebind := names(func(string) ([]netip.Addr, error) {
		turn++
		if turn%2 == 0 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("52.216.0.1")}, nil
	})
	bent := 0
	c := egress.New(egress.Config{
		Resolver: rebind,
		Dial: func(ctx context.Context, d *net.Dialer, _, _ string) (net.Conn, error) {
			bent++
			return d.DialContext(ctx, "tcp", loop.addr())
		},
	})
	for range 1000 {
		_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
		if got := code(t, err); got != "blocked/address_not_allowed" {
			t.Fatalf("got %q, want blocked/address_not_allowed", got)
		}
	}
	if bent != 500 {
		t.Errorf("%d dials reached the last check, want 500", bent)
	}
	if n := loop.accepted(t); n != 0 {
		t.Errorf("%d connections, want 0", n)
	}
}

func TestDialTriesTheNextAddress(t *testing.T) {
	t.Parallel()
	loop := listen(t)
	policy := webhook.FetchPolicy{Private: []string{"minio.internal:" + loop.port()}}
	c := egress.New(egress.Config{
		Resolver: always("::1", "127.0.0.2", "127.0.0.1"),
		Dial: func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
			if address != loop.addr() {
				return nil, errNoNetwork
			}
			return d.DialContext(ctx, network, address)
		},
	})
	go loop.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	resp, err := c.Get(t.Context(), egress.Request{URL: "http://minio.internal:" + loop.port() + "/k", Policy: policy})
	if err != nil || string(resp.Body) != "hi" {
		t.Fatalf("Get: %v, %v", resp, err)
	}
}

func TestNamesThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	many := make([]string, 65)
	for i := range many {
		many[i] = "52.216.0.1"
	}
	for name, resolver := range map[string]names{
		"no such name": func(string) ([]netip.Addr, error) { return nil, &net.DNSError{IsNotFound: true} },
		"no answers":   always(),
		"too many":     always(many...),
	} {
		c := egress.New(egress.Config{Resolver: resolver})
		_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
		if got := code(t, err); got != "network/dns_failed" {
			t.Errorf("%s: %q, want network/dns_failed", name, got)
		}
	}
	c := egress.New(egress.Config{Resolver: names(func(string) ([]netip.Addr, error) {
		return nil, &net.DNSError{IsTimeout: true}
	})})
	_, err := c.Get(t.Context(), egress.Request{URL: "https://" + store + "/k"})
	if got := code(t, err); got != "timeout/dns_timeout" {
		t.Errorf("slow name server: %q, want timeout/dns_timeout", got)
	}
}
