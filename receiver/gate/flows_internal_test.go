package gate

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// TestFlows has SYNs that are read late and stamped late, as happens until the kernel stamps each packet.
func TestFlows(t *testing.T) {
	t.Parallel()
	one, two := netip.MustParseAddrPort("127.0.0.1:40001"), netip.MustParseAddrPort("127.0.0.1:40002")
	late := time.Now().Add(time.Hour)
	shut := func(f *flows) { f.approach(); f.begin(webhook.ConnRefused) }
	for _, test := range []struct {
		name string
		do   func(f *flows)
		want []netip.AddrPort
	}{
		{"refused", func(f *flows) {
			shut(f)
			f.saw(syn{peer: one, seq: 1, at: late})
			f.saw(syn{peer: one, seq: 1, at: late})
			f.saw(syn{peer: two, seq: 1, at: late})
		}, []netip.AddrPort{one, two}},
		{"accepted while the gate is being shut", func(f *flows) {
			f.approach()
			f.accepted(one)
			f.begin(webhook.ConnRefused)
			f.saw(syn{peer: one, seq: 1, at: late})
			f.saw(syn{peer: two, seq: 1, at: late})
		}, []netip.AddrPort{two}},
		{"accepted long before, and again from the same port", func(f *flows) {
			f.saw(syn{peer: one, seq: 1, at: late})
			f.accepted(one)
			shut(f)
			f.saw(syn{peer: one, seq: 2, at: late})
		}, []netip.AddrPort{one}},
		{"accepted after the gate has been opened", func(f *flows) {
			shut(f)
			f.saw(syn{peer: one, seq: 1, at: late})
			f.saw(syn{peer: two, seq: 1, at: late})
			if !f.end() {
				t.Error("nothing is pending")
			}
			f.accepted(two)
		}, []netip.AddrPort{one}},
		{"shut again before that is known", func(f *flows) {
			shut(f)
			f.saw(syn{peer: one, seq: 1, at: late})
			f.end()
			f.accepted(one)
			shut(f)
		}, nil},
		{"our own", func(f *flows) {
			shut(f)
			f.mine(one)
			f.saw(syn{peer: one, seq: 1, at: late})
			f.approach()
			f.begin(webhook.ConnDropped)
			f.saw(syn{peer: one, seq: 2, at: late})
		}, []netip.AddrPort{one}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var f flows
			test.do(&f)
			var got []netip.AddrPort
			for _, try := range f.take(true) {
				got = append(got, try.peer)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("tries of %v, want %v", got, test.want)
			}
		})
	}
}
