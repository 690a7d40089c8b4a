package secret

import (
	"bytes"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// header proves a sender by the value of one header field.
type header struct {
	name    string
	digests digests
}

func newHeader(p webhook.SecretPolicy) *header {
	secrets := make([]string, len(p.Secrets))
	for i, s := range p.Secrets {
		secrets[i] = string(bearer(p.Header, []byte(s)))
	}
	return &header{name: p.Header, digests: newDigests(secrets)}
}

func (h *header) verify(req *webhook.Request, _ time.Time) webhook.Reason {
	f := find(req.Head, h.name)
	value := bearer(h.name, f.value)
	right := h.digests.match(value)
	switch {
	case f.folded:
		return webhook.SecretMalformed
	case f.count > 1:
		return webhook.SecretRepeated
	case len(value) == 0:
		return webhook.SecretMissing
	case !right:
		return webhook.SecretWrong
	default:
		return ""
	}
}

// bearer cuts the scheme word "Bearer", in any case, off the value of an Authorization field.
func bearer(name string, value []byte) []byte {
	const word = "Bearer"
	if !strings.EqualFold(name, "Authorization") || len(value) < len(word) ||
		!strings.EqualFold(string(value[:len(word)]), word) {
		return value
	}
	if len(value) > len(word) && value[len(word)] != ' ' && value[len(word)] != '\t' {
		return value
	}
	return bytes.Trim(value[len(word):], " \t")
}

// found is what a head holds under one field name.
type found struct {
	// value of the first such field, without the white space around it.
	value []byte
	count int
	// folded is true when one of them goes on in the next line, where readers differ about its value.
	folded bool
}

// find looks a header field up in a raw head, without regard to the name's case.
func find(head []byte, name string) found {
	var f found
	_, head, _ = bytes.Cut(head, []byte("\n"))
	last := false
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			f.folded = f.folded || last
			continue
		}
		last = len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name)
		if !last {
			continue
		}
		if f.count == 0 {
			f.value = bytes.Trim(line[len(name)+1:], " \t")
		}
		f.count++
	}
	return f
}
