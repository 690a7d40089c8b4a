package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// form is how a scheme puts a signature into a request.
type form struct {
	header, prefix string
	base64         bool
	// size of a digest in bytes.
	size int
	// stampField and idField are signed too; empty when the scheme has none. Stripe's stamp is in header.
	stampField, idField string
	layout              layout
}

// layout is what is signed, in words: "body", "timestamp", "id", "method", "target", "path" and "url" stand for
// themselves, anything else is literal.
type layout string

// formOf returns the form of a scheme that signs; ok is false for the others.
func formOf(p webhook.SecretPolicy) (f form, ok bool) {
	switch p.Scheme {
	case webhook.SchemeHMAC, webhook.SchemeGitHub, webhook.SchemeLangSmith:
		f = form{header: p.Header, prefix: p.Prefix, base64: p.Encoding == "base64", layout: "body"}
		if p.Timestamp != "" {
			f.stampField, f.layout = p.Timestamp, "timestamp.body"
		}
		f.size = newHash(p.Hash)().Size()
	case webhook.SchemeStripe:
		f = form{header: stripeHeader, prefix: "v1=", stampField: stripeHeader, layout: "timestamp.body", size: 32}
	case webhook.SchemeSlack:
		f = form{header: slackHeader, prefix: "v0=", stampField: slackStamp, layout: "v0:timestamp:body", size: 32}
	case webhook.SchemeStandard:
		f = form{
			header: standardHeader, prefix: "v1,", base64: true, stampField: standardStamp, idField: standardID,
			layout: "id.timestamp.body", size: 32,
		}
	default:
		return f, false
	}
	return f, true
}

// parts are the values that layouts name, apart from the body.
type parts struct {
	stamp, id            []byte
	method, target, path []byte
	url                  []byte
}

// message is what a layout makes of a body; nil when a part that it names is not there.
func (p *parts) message(l layout, body []byte) [][]byte {
	var out [][]byte
	rest := string(l)
	for rest != "" {
		word, literal := nextWord(rest)
		var value []byte
		switch word {
		case "body":
			out, rest = append(out, body), rest[len(word):]
			continue
		case "timestamp":
			value = p.stamp
		case "id":
			value = p.id
		case "method":
			value = p.method
		case "target":
			value = p.target
		case "path":
			value = p.path
		case "url":
			value = p.url
		default:
			value, word = []byte(literal), literal
		}
		if len(value) == 0 {
			return nil
		}
		out, rest = append(out, value), rest[len(word):]
	}
	return out
}

// seconds returns the same parts with the timestamp in seconds; ok is false when it is in seconds already.
func (p *parts) seconds() (*parts, bool) {
	n, unit, ok := inSeconds(p.stamp)
	if !ok || unit == "seconds" {
		return nil, false
	}
	other := *p
	other.stamp = strconv.AppendInt(nil, n, 10)
	return &other, true
}

// nextWord returns the word that a layout begins with, or the one literal character.
func nextWord(rest string) (word, literal string) {
	for _, w := range []string{"body", "timestamp", "id", "method", "target", "path", "url"} {
		if strings.HasPrefix(rest, w) {
			return w, ""
		}
	}
	return "", rest[:1]
}

// layouts are those of known schemes and of known mistakes; right comes first.
func layouts(right layout) []layout {
	out := []layout{right}
	for _, l := range []layout{
		"body", "timestamp.body", "timestamp:body", "timestampbody", "body.timestamp", "bodytimestamp", "timestamp\nbody",
		"v0:timestamp:body", "v1:timestamp:body", "id.timestamp.body", "id.body", "idtimestampbody", "timestamp.id.body",
		"methodtargetbody", "methodpathbody", "method target\nbody", "method\ntarget\nbody", "method\npath\nbody",
		"targetbody", "pathbody", "urlbody", "method.path.body", "timestampmethodpathbody", "timestampmethodtargetbody",
		"timestamp.method.path.body", "target", "timestamp",
	} {
		if l != right {
			out = append(out, l)
		}
	}
	return out
}

func (l layout) code(right layout) string {
	switch has := func(l layout, word string) bool { return strings.Contains(string(l), word) }; {
	case l == right:
		return ""
	case !has(l, "body"):
		return "signed_without_body"
	case has(l, "method"), has(l, "path"), has(l, "target"), has(l, "url"):
		return "signed_with_target"
	case has(right, "id") && !has(l, "id") && has(l, "timestamp"):
		return "signed_without_id"
	case has(right, "timestamp") && !has(l, "timestamp"):
		return "signed_without_timestamp"
	case has(l, "timestamp") && !has(right, "timestamp"):
		return "signed_with_timestamp"
	default:
		return "signed_other_layout"
	}
}

// received is one text in a request's head that may be a signature.
type received struct {
	// field is the header's name as sent.
	field string
	// prefix before the digest, and the digest's text.
	prefix, text string
	encoding     string
	sum          []byte
}

const maxReceived = 32

// receivedIn returns the digests in a head: those of the scheme's own field first.
func receivedIn(head []byte, f *form) []received {
	var own, others []received
	for _, field := range fieldsOf(head) {
		if strings.EqualFold(field.Name, f.header) {
			own = append(own, digestsIn(field)...)
		} else {
			others = append(others, digestsIn(field)...)
		}
	}
	out := append(own, others...)
	return out[:min(len(out), maxReceived)]
}

// digestsIn reads a field's value as one digest and as a list of digests, each with any short prefix.
func digestsIn(field webhook.Field) []received {
	var out []received
	add := func(prefix, text string) bool {
		sum, encoding := digestOf(text)
		if sum != nil {
			out = append(out, received{field.Name, prefix, text, encoding, sum})
		}
		return sum != nil
	}
	if add("", field.Value) {
		return out
	}
	for item := range strings.FieldsFuncSeq(field.Value, func(r rune) bool { return r == ' ' || r == ';' }) {
		if prefix, text, ok := cutPrefix(item); ok && add(prefix, text) {
			continue
		}
		for part := range strings.SplitSeq(item, ",") {
			if prefix, text, ok := cutPrefix(part); !ok || !add(prefix, text) {
				add("", part)
			}
		}
	}
	return out
}

// cutPrefix divides "sha256=TEXT", "v1,TEXT" and the like.
func cutPrefix(item string) (prefix, text string, ok bool) {
	i := strings.IndexAny(item, "=,:")
	if i <= 0 || i > 24 || i+1 == len(item) {
		return "", "", false
	}
	return item[:i+1], item[i+1:], true
}

// digestOf decodes the text of a SHA-1, SHA-256 or SHA-512 digest in any usual encoding.
func digestOf(text string) (sum []byte, encoding string) {
	if sum = decodeHex([]byte(text)); isDigest(sum) {
		if strings.ToLower(text) != text {
			return sum, "upper-case hex"
		}
		return sum, "hex"
	}
	sum = decodeBase64([]byte(text))
	if inner := decodeHex(sum); isDigest(inner) {
		return inner, "base64 of hex"
	}
	if !isDigest(sum) {
		return nil, ""
	}
	switch {
	case strings.ContainsAny(text, "-_"):
		return sum, "base64url"
	case !strings.HasSuffix(text, "="):
		return sum, "base64 without padding"
	default:
		return sum, "base64"
	}
}

func isDigest(sum []byte) bool { return len(sum) == 20 || len(sum) == 32 || len(sum) == 64 }

func encode(sum []byte, in64 bool) string {
	if in64 {
		return base64.StdEncoding.EncodeToString(sum)
	}
	return hex.EncodeToString(sum)
}

// fieldsOf returns the lines of a head as fields; a folded line belongs to none.
func fieldsOf(head []byte) []webhook.Field {
	var out []webhook.Field
	_, head, _ = bytes.Cut(head, []byte("\n"))
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		name, value, found := bytes.Cut(line, []byte(":"))
		if found && line[0] != ' ' && line[0] != '\t' {
			out = append(out, webhook.Field{Name: string(name), Value: trim(string(value))})
		}
	}
	return out
}

// partsOf returns what a request has to be signed beside its body. Fields that the scheme does not name are found by
// their usual names.
func partsOf(req *webhook.Request, f *form) parts {
	path, _, _ := strings.Cut(req.Target, "?")
	p := parts{method: []byte(req.Method), target: []byte(req.Target), path: []byte(path)}
	for _, field := range fieldsOf(req.Head) {
		name := strings.ToLower(field.Name)
		switch {
		case strings.EqualFold(name, f.stampField) && f.stampField != f.header:
			p.stamp = []byte(field.Value)
		case strings.EqualFold(name, f.idField):
			p.id = []byte(field.Value)
		case name == "host":
			p.url = []byte("https://" + field.Value + req.Target)
			if req.TLS == nil {
				p.url = []byte("http://" + field.Value + req.Target)
			}
		case p.stamp == nil && strings.Contains(name, "timestamp"):
			p.stamp = []byte(field.Value)
		case p.id == nil && (name == standardID || name == "svix-id" || name == "x-github-delivery"):
			p.id = []byte(field.Value)
		case strings.Contains(name, "signature") && (p.stamp == nil || strings.EqualFold(name, f.stampField)):
			p.stamp = itemOf(field.Value, "t")
		}
	}
	return p
}

// itemOf returns the value of the first item of a comma-separated list that has this name.
func itemOf(value, name string) []byte {
	for item := range strings.SplitSeq(value, ",") {
		if key, text, found := strings.Cut(trim(item), "="); found && key == name {
			return []byte(text)
		}
	}
	return nil
}

// inSeconds returns a timestamp of any unit in seconds, with the unit's name; ok is false for no number.
func inSeconds(stamp []byte) (seconds int64, unit string, ok bool) {
	n, err := strconv.ParseInt(string(stamp), 10, 64)
	switch {
	case err != nil:
		return 0, "", false
	case n >= 1e17:
		return n / 1e9, "nanoseconds", true
	case n >= 1e14:
		return n / 1e6, "microseconds", true
	case n >= 1e11:
		return n / 1e3, "milliseconds", true
	default:
		return n, "seconds", true
	}
}
