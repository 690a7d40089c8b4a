package payload

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxFormFields is how many fields of a form or parts of a multipart body are looked at.
const maxFormFields = 20

// looksLikeForm tells a form without a Content-Type: short, one line, name=value pairs only.
func looksLikeForm(body []byte) bool {
	const longest = 64 << 10
	if len(body) > longest || bytes.ContainsAny(body, " \t\r\n\"<{") || looksBinary(body) {
		return false
	}
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		if bytes.IndexByte(pair, '=') < 1 {
			return false
		}
	}
	return true
}

func (d *description) form() {
	d.out.Kind = webhook.PayloadForm
	if d.media == "" {
		d.problems.add(contentType, "", "The body looks like a form, but it was sent without a Content-Type.")
	}
	var names, pairs []string
	const most = 64 << 10
	more, rest := true, string(d.body[:min(len(d.body), most)])
	for more && len(names) < maxFormFields {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		rawName, rawValue, _ := strings.Cut(pair, "=")
		if pair == "" {
			continue
		}
		name, value := d.formText(rawName), d.formText(rawValue)
		names = append(names, name)
		pairs = append(pairs, name+"="+value)
	}
	d.out.Title = "form" + named(strings.Join(names[:min(len(names), 6)], ", "))
	d.out.Snippet = strings.Join(pairs, " ")
}

func (d *description) formText(raw string) string {
	raw = raw[:min(len(raw), 4*maxSnippet)]
	decoded, err := url.QueryUnescape(raw)
	if err != nil {
		d.problems.add(encoding, "", "The form has a percent sign that begins no escape: "+clip(raw, 40)+".")
		return raw
	}
	return decoded
}

func (d *description) multipart() {
	d.out.Kind = webhook.PayloadMultipart
	d.out.Title = "multipart"
	boundary := d.params["boundary"]
	if boundary == "" {
		d.problems.add(contentType, "", "The Content-Type is multipart, but it names no boundary.")
		return
	}
	parts := multipart.NewReader(bytes.NewReader(d.body), boundary)
	var names []string
	for len(names) < maxFormFields {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			d.problems.add(encoding, "", "The multipart body cannot be taken apart after "+plural(len(names), "part")+": "+clip(err.Error(), 80)+".")
			break
		}
		name := first(part.FormName(), "part "+strconv.Itoa(len(names)+1))
		if file := part.FileName(); file != "" {
			name += " (" + file + ")"
		}
		names = append(names, name)
	}
	count := plural(len(names), "part")
	if len(names) == maxFormFields {
		count = fmt.Sprintf("%d parts or more", maxFormFields)
	}
	d.out.Title = "multipart · " + count + named(first(names...))
	d.out.Snippet = strings.Join(names, ", ")
}

// opaque describes what has no structure known here: text if people can read it, binary otherwise.
func (d *description) opaque() {
	if looksBinary(d.body) {
		d.out.Kind = webhook.PayloadBinary
		d.out.Title = "binary, " + size(len(d.body))
		d.out.Snippet = strings.TrimSpace(clip(d.media, 80) + " " + hex.EncodeToString(d.body[:min(len(d.body), 24)]))
		return
	}
	d.out.Kind = webhook.PayloadText
	if !utf8.Valid(d.body) {
		d.problems.add(encoding, "", "The text is not UTF-8"+d.charset()+"; bytes that are no UTF-8 are shown as U+FFFD.")
	}
	start := string(bytes.TrimLeft(d.body[:min(len(d.body), 8*maxSnippet)], " \t\r\n"))
	line, rest, _ := strings.Cut(start, "\n")
	d.out.Title = first(line, "blank text")
	d.out.Snippet = rest
}

func (d *description) charset() string {
	if name := d.params["charset"]; name != "" {
		return " (the Content-Type says " + clip(name, 40) + ")"
	}
	return ""
}

// looksBinary is true for bytes that no text has, judged by the first 64 KiB: NUL and most other
// control characters, or many bytes that are no UTF-8.
func looksBinary(body []byte) bool {
	const sample = 64 << 10
	body = body[:min(len(body), sample)]
	broken, n := 0, 0
	for len(body) > 0 {
		r, width := utf8.DecodeRune(body)
		switch {
		case r == utf8.RuneError && width == 1:
			broken++
		case r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b\b", r):
			return true
		}
		n++
		body = body[width:]
	}
	// A text in an old one-byte encoding has some such bytes; compressed or random data has very many.
	const share = 4
	return broken*share > n
}

// size writes a number of bytes as a person reads it.
func size(n int) string {
	const step = 1000
	if n < step {
		return strconv.Itoa(n) + " B"
	}
	value, units := float64(n)/step, "kMGT"
	for value >= step && len(units) > 1 {
		value, units = value/step, units[1:]
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + units[:1] + "B"
}
