package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/report"
	"github.com/hookrange/hookrange/scripts/result"
)

// TestConnections: the connections that prove a check are named where others name captures.
func TestConnections(t *testing.T) {
	t.Parallel()
	tries := []result.Connection{
		{Seq: 12, At: at(5 * ms), Peer: "127.0.0.1:50122", Note: "refused"},
		{Seq: 13, At: at(508 * ms), Peer: "127.0.0.1:50124", Fault: webhook.TLSAlert, Note: "accepted; TLS: alert sent"},
		{At: at(700 * ms), Peer: "127.0.0.1:50126", Note: "accepted"},
	}
	connect := func(all []result.Connection) []result.Run {
		c := ended("CONNECT-1", "a refused connection is tried again", result.Fail,
			result.Check{Text: "expect main connections <= 2", Line: 17, Verdict: result.Fail, Expected: "connections <= 2", Actual: "3", Connections: all})
		c.Endpoints = []result.Endpoint{{Name: "main", Respond: "refuse", Connections: all}}
		return []result.Run{{Profile: "p", Sender: "s", Started: at(0), Ended: at(s), Verdict: result.Fail, Cases: []result.Case{c}}}
	}
	said := "#12 +0.005 s refused; #13 +0.508 s tls-alert: accepted; TLS: alert sent; +0.700 s accepted"
	want := map[string]string{
		"text":  "\n        connections " + said + "\n",
		"junit": "connections " + said,
		"tap":   `      connections: ["#12 +0.005 s refused","#13 +0.508 s tls-alert: accepted; TLS: alert sent","+0.700 s accepted"]` + "\n",
		"html":  "<dt>connections</dt><dd>" + said + "</dd>",
		"json":  `"seq": 12,`,
	}
	for format, text := range want {
		got := strings.ReplaceAll(write(t, format, connect(tries), report.Options{}), "&#43;", "+")
		if !strings.Contains(got, text) {
			t.Errorf("%s has no %q:\n%s", format, text, got)
		}
	}
	var flood []result.Connection
	for n := range 25 {
		flood = append(flood, result.Connection{Seq: webhook.Seq(n + 1), At: at(0), Note: "refused"})
	}
	got := write(t, "text", connect(flood), report.Options{})
	if more := fmt.Sprintf("#20 +0.000 s refused; and %d more\n", len(flood)-20); !strings.Contains(got, more) {
		t.Errorf("a flood has no %q:\n%s", more, got)
	}
}
