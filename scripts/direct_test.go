package scripts_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// TestDirect: what came by a proxy or a tunnel proves nothing about the wire, whatever it looks like.
func TestDirect(t *testing.T) {
	t.Parallel()
	const needs = "needs direct\n" + sent + one
	const wire = sent + one + "expect main answered\nexpect main proto HTTP/1.1\n"
	for name, test := range map[string]struct {
		script, header, base, peer string
		want                       string
	}{
		"straight":                        {script: needs, want: "attempts pass"},
		"fields of the sender's own":      {script: needs, header: "User-Agent: cf-x\r\nTraceparent: 00-1\r\nX-Request-Id: 1\r\nForwarded-Y: 1\r\n", want: "attempts pass"},
		"Via":                             {script: needs, header: "Via: 1.1 squid\r\n", want: "direct inconclusive"},
		"Forwarded":                       {script: needs, header: "forwarded: for=192.0.2.1\r\n", want: "direct inconclusive"},
		"X-Forwarded-Proto":               {script: needs, header: "X-Forwarded-Proto: https\r\n", want: "direct inconclusive"},
		"Cloudflare":                      {script: needs, header: "Cf-Ray: 1\r\n", want: "direct inconclusive"},
		"ngrok":                           {script: needs, header: "ngrok-trace-id: 1\r\n", want: "direct inconclusive"},
		"from here to a public name":      {script: needs, base: "https://x.trycloudflare.test", peer: "127.0.0.1:9", want: "direct inconclusive"},
		"from afar to a public name":      {script: needs, base: "https://hooks.example.test", peer: "198.51.100.7:9", want: "attempts pass"},
		"from the network to the network": {script: needs, base: "http://10.0.0.5:8080", peer: "10.0.0.9:9", want: "attempts pass"},
		"checks of the wire":              {script: wire, header: "Via: 1.1 squid\r\n", want: "attempts pass, answered inconclusive, proto inconclusive"},
		"checks of the wire, straight":    {script: wire, want: "attempts pass, answered pass, proto pass"},
		"unstated":                        {script: "profile p\ncase A t level=unstated\n" + needs, header: "Via: 1.1 x\r\n", want: "direct skip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: []try{{header: test.header}}, base: test.base}
			if test.peer != "" {
				p.peer = netip.MustParseAddrPort(test.peer)
			}
			c := play(t, sample{script: test.script}.text(), p, nil).Cases[0]
			if got := strings.Join(verdicts(c), ", "); got != test.want {
				t.Errorf("%s, want %s: %+v", got, test.want, c.Checks)
			}
		})
	}
}

// TestIndirectIsToldBeforeTheRun: cases of which a part needs the wire are named as such.
func TestIndirectIsToldBeforeTheRun(t *testing.T) {
	t.Parallel()
	s, err := scripts.Parse("f", []byte("profile p\ncase A t level=must\n"+sent+"expect main answered\n"+one+"case B t level=must\n"+sent+one+
		"case C t level=must\nneeds direct\n"+sent+one))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Unmet(nil, map[string]string{"direct": "a tunnel"})
	if diff := cmp.Diff(map[string]string{"A": "answered only: a tunnel", "C": "direct: a tunnel"}, got); diff != "" || err != nil {
		t.Errorf("unmet, %v (-want +got):\n%s", err, diff)
	}
}

// TestProfilesSayWhatTheyAreAbout: each case that can fail names a sentence or a measuring, where and when it was read.
func TestProfilesSayWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	for _, name := range scripts.Profiles() {
		s, err := scripts.Profile(name)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := s.Cases(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			q := c.Requirement
			if q.Level != result.Unstated && (q.Quote == "" || !strings.HasPrefix(q.Source, "https://") || q.Date == "") {
				t.Errorf("%s %s is a %s and says %q of %q, %q", name, c.ID, q.Level, q.Quote, q.Source, q.Date)
			}
		}
	}
}
