package secret

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxRewrite bounds a body that is written anew as JSON.
const maxRewrite = 512 << 10

// variant is one way to get a part of what is signed wrong. Its code is empty for the right way.
type variant struct {
	code, detail string
	bytes        []byte
}

// variants are unlike one another: of two with the same bytes the first, which is the likelier one, stays.
type variants struct{ list []variant }

func (v *variants) add(code, detail string, value []byte) {
	if value == nil || slices.ContainsFunc(v.list, func(have variant) bool { return bytes.Equal(have.bytes, value) }) {
		return
	}
	v.list = append(v.list, variant{code, detail, value})
}

// bodies returns what a sender may have signed in place of the bytes that came; those stand first.
func bodies(claim *webhook.Claim) []variant {
	raw, v := claim.Request.Body, &variants{}
	if raw == nil {
		raw = []byte{}
	}
	v.add("", "", raw)
	v.add("body_decoded", "", claim.Decoded)
	v.add("body_newline", "without the line break at the end", bytes.TrimRight(raw, "\r\n"))
	v.add("body_newline", "with a line feed at the end", append(bytes.Clone(raw), '\n'))
	v.add("body_newline", "with CRLF at the end", append(bytes.Clone(raw), "\r\n"...))
	v.add("body_lf", "", bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")))
	v.add("body_crlf", "", bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")))
	if text, found := bytes.CutPrefix(raw, []byte("\xef\xbb\xbf")); found {
		v.add("body_bom", "", text)
	}
	text := raw
	if claim.Decoded != nil {
		text = claim.Decoded
	}
	if len(text) <= maxRewrite {
		v.serialised(text)
	}
	v.add("body_empty", "", []byte{})
	return v.list
}

// serialised adds what other serialisers make of the same JSON value.
func (v *variants) serialised(text []byte) {
	if !json.Valid(text) {
		v.quoted(text)
		return
	}
	compact, spaced := &spacing{}, &spacing{" ", " "}
	v.add("body_compact", "", rewritten(text, compact, asIs))
	v.add("body_spaced", "", rewritten(text, spaced, asIs))
	for _, indent := range []struct{ says, text string }{{"2 spaces", "  "}, {"4 spaces", "    "}, {"a tab", "\t"}} {
		v.add("body_indented", indent.says, indented(text, indent.text))
	}
	for _, s := range []struct {
		says string
		*spacing
	}{{"the same white space", nil}, {"no white space", compact}, {"a space after : and ,", spaced}} {
		v.add("body_ascii", s.says, rewritten(text, s.spacing, asciiOnly))
		v.add("body_unescaped", s.says, rewritten(text, s.spacing, unescaped))
		v.add("body_html_escaped", s.says, rewritten(text, s.spacing, htmlSafe))
		v.add("body_slashes", s.says, rewritten(text, s.spacing, slashed))
	}
	if order := sorted(text); order != nil {
		for _, each := range []strung{asIs, asciiOnly} {
			v.add("body_sorted", "no white space", rewritten(order, compact, each))
			v.add("body_sorted", "a space after : and ,", rewritten(order, spaced, each))
		}
		v.add("body_sorted", "indented by 2 spaces", indented(order, "  "))
	}
	v.add("body_newline", "compact JSON with a line feed at the end", append(rewritten(text, compact, asIs), '\n'))
	v.quoted(text)
}

// quoted adds a body that went through a JSON serialiser as text.
func (v *variants) quoted(text []byte) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(string(text)) == nil {
		v.add("body_quoted", "", bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	}
}
