package export

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/hookrange/hookrange/inspector/api"
)

// lines writes a JSON object a line: the capture as the API has it, with its body.
type lines struct {
	encoder *json.Encoder
	tally   Tally
}

// line is a capture with its body: as text where it is UTF-8, else in base64.
type line struct {
	*api.Capture
	Body       *string `json:"body,omitempty"`
	BodyBase64 *string `json:"body_base64,omitempty"`
}

func newLines(out io.Writer, _ About) Writer {
	l := &lines{encoder: json.NewEncoder(out)}
	l.encoder.SetEscapeHTML(false)
	return l
}

// Add writes one line.
func (l *lines) Add(e *Entry) error {
	one := line{Capture: e.Capture}
	if text := string(e.Body); utf8.Valid(e.Body) {
		one.Body = &text
	} else {
		one.BodyBase64 = new(base64.StdEncoding.EncodeToString(e.Body))
	}
	l.tally.Written++
	return l.encoder.Encode(one)
}

// Close has nothing left to write.
func (*lines) Close() error { return nil }

// Tally says what was written.
func (l *lines) Tally() Tally { return l.tally }
