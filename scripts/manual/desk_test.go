package manual_test

import (
	"strings"
	"testing"

	"github.com/hookrange/hookrange/scripts/manual"
)

// TestNeeds: a run says before it begins whether its URL is an address of this machine.
func TestNeeds(t *testing.T) {
	t.Parallel()
	for host, direct := range map[string]bool{
		"127.0.0.1": true, "[::1]": true, "localhost": true, "127.8.8.8": true, "x.trycloudflare.com": false, "192.0.2.1": false, "[2001:db8::1]": false,
	} {
		needs := manual.Needs("https://" + host)
		if why := needs["direct"]; (why == "") != direct || !direct && !strings.Contains(why, host) {
			t.Errorf("%s: %q", host, why)
		}
		if needs["connection-faults"] == "" {
			t.Errorf("%s: one URL for all has a listener for each", host)
		}
	}
}
