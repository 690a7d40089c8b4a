package secret

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const maxPlaces = 256

// place is where a request holds a text that may be a secret.
type place struct {
	name, value string
	// right is true for the place that the policy names.
	right bool
}

// shared says why a secret that is sent as it stands was refused. The values themselves are never told.
func shared(claim *webhook.Claim, p webhook.SecretPolicy, reason webhook.Reason) []webhook.Finding {
	switch reason {
	case webhook.SecretRepeated:
		return []webhook.Finding{finding("secret_repeated", "place", rightPlace(p))}
	case webhook.SecretMalformed:
		return []webhook.Finding{finding("secret_malformed", "place", rightPlace(p))}
	default:
	}
	own := newDigests(p.Secrets)
	places := placesOf(claim.Request, p)
	for _, right := range []bool{true, false} {
		for _, at := range places {
			if at.right != right {
				continue
			}
			for _, s := range spellings(at) {
				if own.match([]byte(s.text)) {
					return spelledAt(p, at, s.code)
				}
			}
		}
	}
	for _, at := range places {
		if which := otherSecret(claim, at.value); which != "" {
			return append([]webhook.Finding{finding("other_secret", "used", which)}, spelledAt(p, at, "")...)
		}
	}
	var out []webhook.Finding
	if scheme := otherScheme(claim, p); scheme != "" {
		out = append(out, finding("other_scheme", "scheme", string(scheme)))
	}
	if reason == webhook.SecretMissing {
		out = append(out, finding("secret_missing", "place", rightPlace(p)))
	}
	return out
}

func rightPlace(p webhook.SecretPolicy) string {
	if p.Scheme == webhook.SchemeHeader {
		return "header " + p.Header
	}
	return "query parameter " + p.Param
}

func spelledAt(p webhook.SecretPolicy, at place, code string) []webhook.Finding {
	var out []webhook.Finding
	if !at.right {
		out = append(out, finding("secret_in_other_place", "place", at.name, "expected place", rightPlace(p)))
	}
	if code != "" {
		out = append(out, finding(code, "place", at.name))
	}
	return out
}

// otherSecret returns in words whose secret a text is, or "".
func otherSecret(claim *webhook.Claim, text string) string {
	which, tried := "", 0
	for _, ep := range claim.Others {
		for i, s := range ep.Secret.Secrets {
			if tried++; tried > maxOthers {
				return which
			}
			d := newDigests([]string{s})
			if d.match([]byte(text)) && which == "" {
				which = fmt.Sprintf("the %s secret of endpoint %s", [...]string{"current", "previous"}[min(i, 1)], ep.Name)
			}
		}
	}
	return which
}

// placesOf returns the query's parameters, the header's values, and what stands in them after a scheme word.
func placesOf(req *webhook.Request, p webhook.SecretPolicy) []place {
	var out []place
	_, query, _ := strings.Cut(req.Target, "?")
	for pair := range strings.SplitSeq(query, "&") {
		key, raw, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		value, err2 := url.QueryUnescape(raw)
		if err != nil || err2 != nil {
			continue
		}
		out = append(out, place{"query parameter " + name, value, p.Scheme == webhook.SchemeQuery && name == p.Param})
	}
	for _, f := range fieldsOf(req.Head) {
		right := p.Scheme == webhook.SchemeHeader && strings.EqualFold(f.Name, p.Header)
		value := f.Value
		if right {
			value = string(bearer(p.Header, []byte(value)))
		}
		out = append(out, place{"header " + f.Name, value, right})
		word, rest, found := strings.Cut(f.Value, " ")
		if text, err := base64.StdEncoding.DecodeString(rest); strings.EqualFold(word, "Basic") && err == nil {
			user, password, _ := strings.Cut(string(text), ":")
			out = append(out, place{"Basic password in header " + f.Name, password, false},
				place{"Basic user in header " + f.Name, user, false})
		} else if found && !right {
			out = append(out, place{"header " + f.Name, trim(rest), false})
		}
	}
	return out[:min(len(out), maxPlaces)]
}

// spelling is what a sender may have meant by a text. Its code is empty for the text itself.
type spelling struct{ code, text string }

func spellings(at place) []spelling {
	value := at.value
	out := []spelling{
		{"", value}, {"secret_white_space", strings.TrimSpace(value)}, {"secret_quoted", strings.Trim(value, `"'`)},
	}
	if text, err := url.QueryUnescape(value); err == nil {
		out = append(out, spelling{"secret_escaped", text})
	}
	out = append(out, spelling{"secret_escaped", url.QueryEscape(value)},
		spelling{"secret_escaped", strings.ReplaceAll(value, " ", "+")})
	if word, rest, found := strings.Cut(value, " "); found && at.right && len(word) <= 16 {
		out = append(out, spelling{"secret_scheme_word", trim(rest)})
	}
	if text, err := base64.StdEncoding.DecodeString(value); err == nil {
		out = append(out, spelling{"secret_encoded", string(text)})
	}
	return append(out, spelling{"secret_case", strings.ToLower(value)}, spelling{"secret_case", strings.ToUpper(value)})
}
