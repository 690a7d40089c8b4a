package plan

import (
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// nature says what a fault is made of, and so which keys mean something on it.
type nature struct {
	// head and body: it sends a status line with header fields; it sends bytes that a user may give.
	head, body bool
	// lasts: for is understood. drips: rate is.
	lasts, drips bool
	// listener: it needs a listener of the endpoint's own. connects: it needs a new connection.
	listener, connects bool
	// certifies: cert is understood.
	certifies bool
}

// natureOf returns the nature of a fault; that of a plain answer for the empty fault.
func natureOf(fault webhook.Fault) nature {
	switch fault {
	case webhook.Hang:
		return nature{lasts: true}
	case webhook.Drip, webhook.TrickleHead:
		return nature{head: true, body: true, lasts: true, drips: true}
	case "", webhook.Truncate, webhook.ResetBody:
		return nature{head: true, body: true}
	case webhook.Garbage:
		return nature{body: true}
	case webhook.CloseAccept, webhook.ResetAccept, webhook.TLSAlert, webhook.TLSReset:
		return nature{listener: true, connects: true}
	case webhook.TLSBadCert:
		return nature{listener: true, connects: true, certifies: true}
	case webhook.Refuse, webhook.Blackhole:
		return nature{lasts: true, listener: true, connects: true}
	case webhook.H2Reset, webhook.H2GoAway:
		return nature{listener: true}
	default:
		return nature{}
	}
}

// faults returns the names that the language knows.
func faults() []string {
	return []string{
		string(webhook.Hang), string(webhook.Drip), string(webhook.TrickleHead), string(webhook.Truncate),
		string(webhook.Garbage), string(webhook.CloseRequest), string(webhook.ResetRequest),
		string(webhook.ResetBody), string(webhook.CloseAccept), string(webhook.ResetAccept),
		string(webhook.TLSAlert), string(webhook.TLSReset), string(webhook.TLSBadCert), string(webhook.Refuse),
		string(webhook.Blackhole), string(webhook.H2Reset), string(webhook.H2GoAway),
	}
}

// The keys of a step.
const (
	keyAfter      = "after"
	keyFor        = "for"
	keyRate       = "rate"
	keyChance     = "p"
	keyWhen       = "when"
	keyTo         = "to"
	keyRetryAfter = "retry-after"
	keyBody       = "body"
	keyJSON       = "json"
	keySize       = "size"
	keyCert       = "cert"
	keyTemplate   = "template"
	keyHeader     = "header."
)

// keys returns all of them as a user sees them.
func keys() []string {
	return []string{
		keyAfter, keyFor, keyRate, keyBody, keyJSON, keySize, keyHeader + "NAME", keyTo, keyRetryAfter, keyCert, keyTemplate, keyChance, keyWhen,
	}
}

// isKey reports whether name is a key of the language.
func isKey(name string) bool {
	return strings.HasPrefix(name, keyHeader) || slices.Contains(keys(), name)
}

// isNumeric reports whether a key's values are numbers or durations, which hold no "/".
func isNumeric(key string) bool {
	switch key {
	case keyAfter, keyFor, keyRate, keySize, keyChance, keyRetryAfter:
		return true
	default:
		return false
	}
}

// nearest returns ` did you mean "x"?` with the candidate that differs least from word, or "".
func nearest(word string, candidates []string) string {
	if len(word) > 32 {
		return ""
	}
	best, least := "", 3
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), c); d < least && d < len(c) {
			best, least = c, d
		}
	}
	if best == "" {
		return ""
	}
	return ` did you mean "` + best + `"?`
}

// distance is the number of single-character edits between two short words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			edit := diagonal
			if a[i] != b[j] {
				edit++
			}
			diagonal = row[j+1]
			row[j+1] = min(edit, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
