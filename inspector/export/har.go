package export

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hookrange/hookrange/inspector/api"
)

// har writes an HTTP Archive 1.2. Fields that begin with "_" are our own, as the format allows.
type har struct {
	out   io.Writer
	about About
	begun bool
	tally Tally
}

func newHAR(out io.Writer, about About) Writer { return &har{out: out, about: about} }

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type harPost struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text"`
	// Encoding is "base64" for a body that is no text, as the format has it for answers.
	Encoding string `json:"_encoding,omitempty"`
}

type harRequest struct {
	Method      string    `json:"method"`
	URL         string    `json:"url"`
	HTTPVersion string    `json:"httpVersion"`
	Cookies     []harPair `json:"cookies"`
	Headers     []harPair `json:"headers"`
	QueryString []harPair `json:"queryString"`
	PostData    *harPost  `json:"postData,omitempty"`
	HeadersSize int       `json:"headersSize"`
	BodySize    int64     `json:"bodySize"`
}

type harContent struct {
	Size     int    `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
}

type harResponse struct {
	Status      int        `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harPair  `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int        `json:"bodySize"`
}

type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type harEntry struct {
	Started  string      `json:"startedDateTime"`
	Time     float64     `json:"time"`
	Request  harRequest  `json:"request"`
	Response harResponse `json:"response"`
	Cache    struct{}    `json:"cache"`
	Timings  harTimings  `json:"timings"`
	Comment  string      `json:"comment,omitempty"`
	Capture  harCapture  `json:"_hookrange"`
}

// harCapture is what the format has no place for.
type harCapture struct {
	Seq      int64        `json:"seq"`
	Class    string       `json:"class"`
	Reason   string       `json:"reason"`
	Delivery string       `json:"delivery"`
	Attempt  int          `json:"attempt"`
	Outcome  *api.Outcome `json:"outcome"`
}

// Add writes one entry.
func (h *har) Add(e *Entry) error {
	if err := h.begin(); err != nil {
		return err
	}
	separator := ",\n"
	if h.tally.Written == 0 {
		separator = "\n"
	}
	text, err := json.Marshal(h.entry(e))
	if err != nil {
		return err
	}
	h.tally.Written++
	_, err = fmt.Fprintf(h.out, "%s%s", separator, text)
	return err
}

func (h *har) begin() error {
	if h.begun {
		return nil
	}
	h.begun = true
	comment := "Captures of endpoint " + h.about.Endpoint + "."
	if h.about.Masked {
		comment += " Secrets are masked as " + api.Hidden + "."
	}
	head, err := json.Marshal(map[string]any{
		"version": "1.2", "creator": harCreator{"hookrange", h.about.Version}, "comment": comment,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(h.out, `{"log":%s,"entries":[`, head[:len(head)-1])
	return err
}

type harCreator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Close ends the list.
func (h *har) Close() error {
	if err := h.begin(); err != nil {
		return err
	}
	_, err := io.WriteString(h.out, "\n]}}\n")
	return err
}

// Tally says what was written.
func (h *har) Tally() Tally { return h.tally }

func (h *har) entry(e *Entry) harEntry {
	c := e.Capture
	out := harEntry{
		Started: c.ReceivedAt.Format(time.RFC3339Nano),
		Request: harRequest{
			Method: text(c.Method), URL: address(h.about.Base, c.Target), HTTPVersion: text(c.Proto), Cookies: cookies(field(c, "Cookie")),
			Headers: pairs(c.Headers), QueryString: parameters(c.Query), HeadersSize: -1, BodySize: c.BodySize,
		},
		Response: answered(c),
		Comment:  text(c.Payload.Title),
		Capture: harCapture{
			Seq: c.Seq, Class: c.Class, Reason: c.Reason, Delivery: c.Delivery, Attempt: c.Attempt, Outcome: c.Outcome,
		},
	}
	if !h.about.Masked {
		out.Request.HeadersSize = len(e.Head)
	}
	if len(e.Body) > 0 {
		out.Request.PostData = &harPost{MimeType: text(c.ContentType), Text: string(e.Body)}
		if !utf8.Valid(e.Body) {
			out.Request.PostData.Text, out.Request.PostData.Encoding = base64.StdEncoding.EncodeToString(e.Body), "base64"
		}
	}
	if o := c.Outcome; o != nil && o.Done != nil {
		out.Time = float64(o.Done.Duration().Microseconds()) / 1000
		out.Timings.Wait = out.Time
		if o.FirstByte != nil {
			out.Timings.Wait = float64(o.FirstByte.Duration().Microseconds()) / 1000
			out.Timings.Receive = max(0, out.Time-out.Timings.Wait)
		}
	}
	return out
}

// answered is the answer as it went out: status 0 where there was none.
func answered(c *api.Capture) harResponse {
	out := harResponse{HTTPVersion: "HTTP/1.1", Cookies: []harPair{}, Headers: []harPair{}, HeadersSize: -1, BodySize: -1}
	if c.Outcome == nil || c.Outcome.Status == 0 {
		return out
	}
	out.Status, out.StatusText = c.Outcome.Status, http.StatusText(c.Outcome.Status)
	if c.Outcome.Status != c.Plan.Status {
		return out
	}
	out.Headers = pairs(c.Plan.Headers)
	for _, f := range c.Plan.Headers {
		switch strings.ToLower(f[0]) {
		case "content-type":
			out.Content.MimeType = text(f[1])
		case "location":
			out.RedirectURL = text(f[1])
		}
	}
	out.Content.Size, out.Content.Text = len(c.Plan.Body), text(c.Plan.Body)
	return out
}

func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func pairs(fields []api.Pair) []harPair {
	out := make([]harPair, len(fields))
	for i, f := range fields {
		out[i] = harPair{text(f[0]), text(f[1])}
	}
	return out
}

func cookies(line string) []harPair {
	out := []harPair{}
	for part := range strings.SplitSeq(line, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && name != "" {
			out = append(out, harPair{text(name), text(value)})
		}
	}
	return out
}

// parameters reads a raw query in its order. What cannot be decoded stays as it is.
func parameters(query string) []harPair {
	out := []harPair{}
	decode := func(s string) string {
		if plain, err := url.QueryUnescape(s); err == nil {
			s = plain
		}
		return text(s)
	}
	for part := range strings.SplitSeq(query, "&") {
		if part != "" {
			name, value, _ := strings.Cut(part, "=")
			out = append(out, harPair{decode(name), decode(value)})
		}
	}
	return out
}

// address is a URL of plain ASCII for a request target as it was sent, whatever bytes that has.
func address(base, target string) string {
	base = strings.TrimRight(base, "/")
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		base = ""
	} else if !strings.HasPrefix(target, "/") {
		base += "/"
	}
	return base + escaped(target, `"<>\^`+"`{|}#[]")
}

// escaped percent-encodes the bytes that no URL can have, and those of more; a "%" that begins no escape is one of them.
func escaped(s, more string) string {
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		odd := c == '%' && (i+2 >= len(s) || !hexadecimal(s[i+1]) || !hexadecimal(s[i+2]))
		if c <= ' ' || c >= 0x7f || odd || strings.IndexByte(more, c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

func hexadecimal(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
