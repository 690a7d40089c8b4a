package throttle_test

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/throttle"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func trusting(tb testing.TB, networks ...string) throttle.Proxies {
	tb.Helper()
	proxies, err := throttle.ParseProxies(networks)
	if err != nil {
		tb.Fatal(err)
	}
	return proxies
}

func TestParseProxies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", " 192.0.2.7 ": "192.0.2.7/32", "2001:db8::1": "2001:db8::1/128", "2001:db8::/32": "2001:db8::/32",
		"::ffff:192.0.2.0/120": "192.0.2.0/24", "::ffff:192.0.2.7": "192.0.2.7/32", "fe80::1%eth0": "fe80::1/128", "0.0.0.0/0": "0.0.0.0/0",
		"": "", "localhost": "", "10.0.0.0/33": "", "10.0.0.0/-1": "", "10.0.0.1/8": "", "10.0.0.0/255.0.0.0": "", "2001:db8::1/32": "",
		"10.0.0.0/8,192.0.2.0/24": "", "::ffff:192.0.2.0/95": "", "10.0.0": "", "010.0.0.1": "", "[::1]": "", "127.0.0.1:80": "",
	} {
		got, err := throttle.ParseProxies([]string{"198.51.100.1", text})
		if want == "" {
			if !errors.Is(err, webhook.ErrInvalid) {
				t.Errorf("%q: %v, %v", text, got, err)
			}
			continue
		}
		if err != nil || got[1].String() != want {
			t.Errorf("%q: %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	trusted := trusting(t, "10.0.0.0/8", "192.0.2.1", "2001:db8:1::/48")
	const proxy = "10.0.0.1:4711"
	for _, test := range []struct {
		name, peer string
		lines      []string
		want       string
	}{
		{"no proxy", "203.0.113.9:1", nil, "203.0.113.9"},
		{"the header of one who is not trusted", "203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9"},
		{"no header", proxy, nil, "10.0.0.1"},
		{"a client", proxy, []string{"198.51.100.1"}, "198.51.100.1"},
		{"a client behind two proxies", proxy, []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"what the client itself wrote", proxy, []string{"127.0.0.1, 10.0.0.7, 198.51.100.1, 192.0.2.1"}, "198.51.100.1"},
		{"lines in order", proxy, []string{"203.0.113.1", "198.51.100.1,10.1.1.1", " 10.2.2.2"}, "198.51.100.1"},
		{"a last line without a proxy", proxy, []string{"10.1.1.1", "198.51.100.1"}, "198.51.100.1"},
		{"all are trusted", proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"garbage", proxy, []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"garbage behind a proxy", proxy, []string{"198.51.100.1, <script>, 10.0.0.2"}, "10.0.0.2"},
		{"garbage before a client", proxy, []string{"unknown, 198.51.100.1"}, "198.51.100.1"},
		{"an empty line", proxy, []string{"198.51.100.1", ""}, "10.0.0.1"},
		{"an empty item", proxy, []string{"198.51.100.1,,10.0.0.2"}, "10.0.0.2"},
		{"commas only", proxy, []string{strings.Repeat(",", 10_000)}, "10.0.0.1"},
		{"proxies only", proxy, []string{"10.0.0.6" + strings.Repeat(",10.0.0.5", 10_000)}, "10.0.0.6"},
		{"a host name", proxy, []string{"localhost"}, "10.0.0.1"},
		{"an octal address", proxy, []string{"0300.0.0.1"}, "10.0.0.1"},
		{"a number", proxy, []string{"3221225985"}, "10.0.0.1"},
		{"a network", proxy, []string{"198.51.100.0/24"}, "10.0.0.1"},
		{"several in quotes", proxy, []string{`"198.51.100.1"`}, "10.0.0.1"},
		{"a letter that looks like a digit", proxy, []string{"198.51.100.\uff11"}, "10.0.0.1"},
		{"a zero byte", proxy, []string{"198.51.100.1\x00"}, "10.0.0.1"},
		{"with a port", proxy, []string{"198.51.100.1:443"}, "198.51.100.1"},
		{"with a port that is none", proxy, []string{"198.51.100.1:99999"}, "10.0.0.1"},
		{"blanks", proxy, []string{"\t198.51.100.1  ,\t10.0.0.2 "}, "198.51.100.1"},
		{"IPv6", proxy, []string{"2001:db8:2::1"}, "2001:db8:2::1"},
		{"IPv6 in brackets", proxy, []string{"[2001:db8:2::1]"}, "2001:db8:2::1"},
		{"IPv6 with a port", proxy, []string{"[2001:db8:2::1]:443"}, "2001:db8:2::1"},
		{"IPv4 in brackets", proxy, []string{"[198.51.100.1]"}, "10.0.0.1"},
		{"half a bracket", proxy, []string{"[2001:db8:2::1"}, "10.0.0.1"},
		{"IPv6 with a zone", proxy, []string{"fe80::1%eth0"}, "fe80::1"},
		{"IPv4 as IPv6", proxy, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"a proxy's IPv4 as IPv6", proxy, []string{"198.51.100.1, ::ffff:10.0.0.2"}, "198.51.100.1"},
		{"a peer's IPv4 as IPv6", "[::ffff:10.0.0.1]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"a peer with a zone", "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"a proxy with IPv6", "[2001:db8:1::7]:1", []string{"198.51.100.1, 2001:db8:1:ffff::1"}, "198.51.100.1"},
		{"no peer", "@", []string{"198.51.100.1"}, ""},
	} {
		header := http.Header{}
		for _, line := range test.lines {
			header.Add("x-forwarded-for", line)
		}
		got := trusted.Client(test.peer, header)
		if want, _ := netip.ParseAddr(test.want); got != want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
	if got := throttle.Proxies(nil).Client(proxy, http.Header{"X-Forwarded-For": {"198.51.100.1"}}); got.String() != "10.0.0.1" {
		t.Errorf("nobody is trusted, and the client is %v", got)
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	same := func(a, b string) bool {
		key := func(text string) throttle.Key {
			addr, _ := netip.ParseAddr(text)
			return throttle.KeyOf(addr)
		}
		return key(a) == key(b)
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "::c000:201", false},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"::", "0.0.0.0", false},
		{"::", "", false},
		{"0.0.0.0", "", false},
		{"", "nothing", true},
	} {
		if got := same(test.a, test.b); got != test.want {
			t.Errorf("%s and %s are one client: %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

// FuzzClient reads any header: the client is the peer or one of the header's addresses, none that stands behind one who is
// not trusted, and what a client wrote in front of its address does not change it.
func FuzzClient(f *testing.F) {
	for _, line := range []string{
		"", ",", "198.51.100.1", "198.51.100.1, 10.0.0.2", "[2001:db8::1]:443, 10.0.0.2:80", "::ffff:10.0.0.2", "fe80::1%a,10.0.0.1", "a\n10.0.0.3",
		"10.0.0.1\n198.51.100.1, \n", "[[::1]]", "1.2.3.4:", "%,10.0.0.9",
	} {
		f.Add(line)
	}
	trusted := trusting(f, "10.0.0.0/8", "2001:db8:1::/48")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		header := http.Header{"X-Forwarded-For": lines}
		got := trusted.Client("10.0.0.1:1", header)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q: %v", lines, got)
		}
		if alone := trusted.Client("203.0.113.1:1", header); alone.String() != "203.0.113.1" {
			t.Fatalf("%q of one who is not trusted: %v", lines, alone)
		}
		if !trusted.Trusts(got) {
			longer := slices.Concat([]string{"10.0.0.9", "192.0.2.1"}, lines)
			longer[2] = "192.0.2.2, 10.0.0.9, " + longer[2]
			if diff := cmp.Diff(got.String(), trusted.Client("10.0.0.1:1", http.Header{"X-Forwarded-For": longer}).String()); diff != "" {
				t.Fatalf("%q: the client changed with what stands in front of it: %s", lines, diff)
			}
		}
		behind := append(slices.Clone(lines), "198.51.100.7", "10.0.0.2,10.0.0.3")
		if got = trusted.Client("10.0.0.1:1", http.Header{"X-Forwarded-For": behind}); got.String() != "198.51.100.7" {
			t.Fatalf("%q: what a client wrote made it %v", lines, got)
		}
	})
}
