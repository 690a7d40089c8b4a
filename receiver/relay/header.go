package relay

import (
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// EndToEnd returns the fields that concern the message and not one connection (RFC 9110, 7.6.1): without Connection,
// what it names, the other hop-by-hop fields, Expect, and the marker of an earlier replay. The order stays.
func EndToEnd(header []webhook.Field) []webhook.Field {
	dropped := map[string]bool{
		"connection": true, "proxy-connection": true, "keep-alive": true, "te": true, "trailer": true, "transfer-encoding": true,
		"upgrade": true, "expect": true, "proxy-authenticate": true, "proxy-authorization": true, "http2-settings": true,
		strings.ToLower(webhook.ReplayMarker): true,
	}
	for _, f := range header {
		if !strings.EqualFold(f.Name, "Connection") {
			continue
		}
		for name := range strings.SplitSeq(f.Value, ",") {
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "host", "content-length", "content-type":
				// A sender that names these is mistaken, and without them the message would be another.
			default:
				dropped[name] = true
			}
		}
	}
	out := make([]webhook.Field, 0, len(header)+1)
	for _, f := range header {
		if !dropped[strings.ToLower(f.Name)] {
			out = append(out, f)
		}
	}
	return out
}
