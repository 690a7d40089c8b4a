package secret

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxSecret        = 4096
	maxName          = 128
	defaultTolerance = 5 * time.Minute
	langSmithHeader  = "X-LangSmith-Signature"
	gitHubHeader     = "X-Hub-Signature-256"
)

// defaults fills in what the scheme fixes and what a policy leaves out.
func defaults(p webhook.SecretPolicy) webhook.SecretPolicy {
	if p.Scheme == "" {
		p.Scheme = webhook.SchemeQuery
	}
	if p.Param == "" {
		p.Param = "secret"
	}
	if p.Tolerance == 0 {
		p.Tolerance = defaultTolerance
	}
	switch p.Scheme {
	case webhook.SchemeHeader:
		if p.Header == "" {
			p.Header = "Authorization"
		}
	case webhook.SchemeLangSmith:
		p.Header, p.Prefix, p.Encoding, p.Hash, p.Timestamp = langSmithHeader, "sha256=", "hex", "sha256", ""
	case webhook.SchemeGitHub:
		p.Header, p.Prefix, p.Encoding, p.Hash, p.Timestamp = gitHubHeader, "sha256=", "hex", "sha256", ""
	case webhook.SchemeHMAC:
		if p.Encoding == "" {
			p.Encoding = "hex"
		}
		if p.Hash == "" {
			p.Hash = "sha256"
		}
	default:
	}
	return p
}

// Check returns an ErrInvalid that says what is wrong with a policy, or nil. Settings that the
// scheme does not use are not looked at, apart from the secrets. The text never holds a secret.
func Check(p webhook.SecretPolicy) error {
	p = defaults(p)
	if err := checkScheme(p); err != nil {
		return err
	}
	if p.Tolerance < 0 {
		return fmt.Errorf("%w: tolerance %v: use a positive time, such as 5m", webhook.ErrInvalid, p.Tolerance)
	}
	if len(p.Secrets) == 0 && p.Scheme != webhook.SchemeNone {
		return fmt.Errorf("%w: scheme %s needs a secret; use scheme none to check nothing", webhook.ErrInvalid, p.Scheme)
	}
	if len(p.Secrets) > 2 {
		return fmt.Errorf("%w: %d secrets: use the current and at most one previous", webhook.ErrInvalid, len(p.Secrets))
	}
	for i, s := range p.Secrets {
		which := [...]string{"secret", "previous secret"}[i]
		if err := checkSecret(p, which, s); err != nil {
			return err
		}
	}
	return nil
}

func checkScheme(p webhook.SecretPolicy) error {
	known := []webhook.Scheme{
		webhook.SchemeQuery, webhook.SchemeNone, webhook.SchemeHeader, webhook.SchemeHMAC, webhook.SchemeLangSmith,
		webhook.SchemeGitHub, webhook.SchemeStripe, webhook.SchemeSlack, webhook.SchemeStandard,
	}
	if !slices.Contains(known, p.Scheme) {
		names := make([]string, len(known))
		for i, s := range known {
			names[i] = string(s)
		}
		return fmt.Errorf("%w: scheme %q: use one of %s", webhook.ErrInvalid, p.Scheme, strings.Join(names, ", "))
	}
	switch p.Scheme {
	case webhook.SchemeQuery:
		if !isParam(p.Param) {
			return fmt.Errorf("%w: param %q: use 1 to %d of a-z, A-Z, 0-9 and -._~[]", webhook.ErrInvalid, p.Param, maxName)
		}
	case webhook.SchemeHeader:
		if !isToken(p.Header) {
			return fmt.Errorf("%w: header %q: use a header name such as Authorization", webhook.ErrInvalid, p.Header)
		}
	case webhook.SchemeHMAC:
		return checkSignature(p)
	default:
	}
	return nil
}

func checkSignature(p webhook.SecretPolicy) error {
	if p.Header == "" {
		return fmt.Errorf("%w: scheme hmac needs the name of the header that has the signature", webhook.ErrInvalid)
	}
	if !isToken(p.Header) {
		return fmt.Errorf("%w: header %q: use a header name such as X-Signature", webhook.ErrInvalid, p.Header)
	}
	if p.Timestamp != "" && (!isToken(p.Timestamp) || strings.EqualFold(p.Timestamp, p.Header)) {
		return fmt.Errorf("%w: timestamp header %q: use a header name such as X-Timestamp, other than the signature's",
			webhook.ErrInvalid, p.Timestamp)
	}
	if p.Encoding != "hex" && p.Encoding != "base64" {
		return fmt.Errorf("%w: encoding %q: use hex or base64", webhook.ErrInvalid, p.Encoding)
	}
	if newHash(p.Hash) == nil {
		return fmt.Errorf("%w: hash %q: use sha256, sha1 or sha512", webhook.ErrInvalid, p.Hash)
	}
	if len(p.Prefix) > maxName || hasControl(p.Prefix) || strings.TrimLeft(p.Prefix, " ") != p.Prefix {
		return fmt.Errorf("%w: prefix %q: use at most %d characters, such as sha256=", webhook.ErrInvalid, p.Prefix, maxName)
	}
	return nil
}

func checkSecret(p webhook.SecretPolicy, which, s string) error {
	switch {
	case s == "" && p.Scheme == webhook.SchemeNone:
	case s == "":
		return fmt.Errorf("%w: the %s is empty", webhook.ErrInvalid, which)
	case len(s) > maxSecret:
		return fmt.Errorf("%w: the %s has %d bytes: use at most %d", webhook.ErrInvalid, which, len(s), maxSecret)
	case !utf8.ValidString(s) || hasControl(s):
		return fmt.Errorf("%w: the %s has control characters or is not UTF-8", webhook.ErrInvalid, which)
	case strings.Contains(s, "•"):
		return fmt.Errorf("%w: the %s has a %q, which stands for a masked value: give the real one", webhook.ErrInvalid, which, "•")
	case p.Scheme == webhook.SchemeHeader && s != trim(s):
		return fmt.Errorf("%w: the %s begins or ends with a space, which a header value cannot", webhook.ErrInvalid, which)
	case p.Scheme == webhook.SchemeHeader && len(bearer(p.Header, []byte(s))) == 0:
		return fmt.Errorf("%w: the %s has nothing after Bearer", webhook.ErrInvalid, which)
	case p.Scheme == webhook.SchemeStandard && len(standardKey(s)) == 0:
		return fmt.Errorf("%w: the %s is not base64, with or without whsec_ before it, as scheme %s needs",
			webhook.ErrInvalid, which, p.Scheme)
	}
	return nil
}

func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0
}

func isParam(s string) bool {
	return s != "" && len(s) <= maxName && strings.IndexFunc(s, func(r rune) bool {
		return !isWord(r) && !strings.ContainsRune("-._~[]", r)
	}) < 0
}

// isToken tells whether s can be a header field's name.
func isToken(s string) bool {
	return s != "" && len(s) <= maxName && strings.IndexFunc(s, func(r rune) bool {
		return !isWord(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) < 0
}

func isWord(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// trim cuts the optional white space around a field value.
func trim(s string) string { return strings.Trim(s, " \t") }
