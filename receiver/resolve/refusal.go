package resolve

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
)

const (
	maxErrorText = 64 << 10
	// maxSentence and maxWord bound what is shown of a store's own words; signatures are longer
	// words.
	maxSentence, maxWord = 160, 30
	// secretLen: parts of a URL at least this long are taken for secrets when they recur in an
	// answer.
	secretLen = 8
)

// refusal is what an object store says about why it does not serve an object. Its words are
// untrusted.
type refusal struct {
	// code is the store's own, or "http_403".
	code string
	// message is empty or one clean sentence without its full stop.
	message string
	// told: the store itself says that the URL's time has passed.
	told bool
}

// errorText has the fields of the XML errors of S3, GCS and Azure, and of those nested in another
// element.
type errorText struct {
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
	// Details is GCS's, Detail Azure's.
	Details string     `xml:"Details"`
	Detail  string     `xml:"AuthenticationErrorDetail"`
	Error   *errorText `xml:"Error"`
}

// read takes code and message from an answer: XML as object stores send it, or JSON as gateways do.
func read(resp *egress.Response, rawURL string) refusal {
	body := bytes.TrimSpace(bytes.TrimPrefix(resp.Body[:min(len(resp.Body), maxErrorText)], []byte("\xef\xbb\xbf")))
	var text errorText
	switch {
	case bytes.HasPrefix(body, []byte("<")):
		text = readXML(body)
	case bytes.HasPrefix(body, []byte("{")):
		text = readJSON(body)
	}
	if text.Code == "" {
		text.Code = resp.Header.Get("X-Ms-Error-Code")
	}
	r := refusal{code: "http_" + strconv.Itoa(resp.Status)}
	if codeForm.MatchString(text.Code) && !recurs(text.Code, rawURL) {
		r.code = text.Code
	}
	said := strings.ToLower(text.Message + " " + text.Details)
	switch r.code {
	case "ExpiredToken", "TokenExpired", "RequestExpired":
		r.told = true
	case "AuthenticationFailed":
		r.told = strings.Contains(strings.ToLower(text.Detail), "expir")
	}
	r.told = r.told || strings.Contains(said, "has expired") || strings.Contains(said, "token expired") ||
		strings.Contains(said, "signature expired")
	r.message = sentence(text.Message, rawURL)
	return r
}

var codeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

func readXML(body []byte) errorText {
	var text errorText
	if xml.Unmarshal(body, &text) != nil {
		return errorText{}
	}
	if text.Code == "" && text.Error != nil {
		return *text.Error
	}
	return text
}

// readJSON understands {"detail": ...}, {"error": ...} and {"code", "message"}; the first two may
// hold a text or an object with the last two.
func readJSON(body []byte) errorText {
	var outer struct {
		Detail  json.RawMessage `json:"detail"`
		Error   json.RawMessage `json:"error"`
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return errorText{}
	}
	text := errorText{Code: str(outer.Code), Message: str(outer.Message)}
	for _, inner := range []json.RawMessage{outer.Detail, outer.Error} {
		if text.Message == "" {
			text.Message = str(inner)
		}
		var fields struct {
			Code    json.RawMessage `json:"code"`
			Status  json.RawMessage `json:"status"`
			Message json.RawMessage `json:"message"`
		}
		if json.Unmarshal(inner, &fields) != nil {
			continue
		}
		for _, code := range []json.RawMessage{fields.Code, fields.Status} {
			if text.Code == "" {
				text.Code = str(code)
			}
		}
		if text.Message == "" {
			text.Message = str(fields.Message)
		}
	}
	return text
}

// str is a JSON string's text; empty for anything else.
func str(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// expired says whether the refusal is about time. past is true when the URL's own time has passed.
func (r refusal) expired(past bool) bool {
	return r.told || past && (r.code == "AuthenticationFailed" || r.code == "AccessDenied")
}

// unknownSigner tells a 404 about the signer from one about the object.
func (r refusal) unknownSigner() bool {
	return strings.HasPrefix(r.code, "XAdmin") || r.code == "InvalidAccessKeyId" || r.code == "NoSuchUser"
}

// sentence is what happened, with the store's own words where they may be shown.
func (r refusal) sentence(what string) string {
	if r.message == "" {
		return what
	}
	return what + ": " + r.message
}

// sentence is the first sentence of a store's message, or nothing where it is not plain words or
// repeats a part of the URL.
func sentence(text, rawURL string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text, _, _ = strings.Cut(text, ". ")
	text = strings.TrimRight(strings.TrimSpace(text), ".")
	if len(text) > maxSentence || strings.Contains(text, "://") || recurs(text, rawURL) {
		return ""
	}
	for word := range strings.FieldsSeq(text) {
		if len(word) > maxWord {
			return ""
		}
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(`<>{}=&?%@\`, c) >= 0 {
			return ""
		}
	}
	return text
}

// recurs says whether text repeats a value of the URL's query.
func recurs(text, rawURL string) bool {
	_, query, _ := strings.Cut(rawURL, "?")
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = value
		}
		if len(plain) >= secretLen && strings.Contains(text, plain) || len(value) >= secretLen && strings.Contains(text, value) {
			return true
		}
	}
	return false
}
