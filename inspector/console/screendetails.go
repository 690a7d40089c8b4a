package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/hookrange/hookrange/inspector/api"
)

// maxDetailed bounds what is shown of a body.
const maxDetailed = 256 << 10

// textView is text that is scrolled.
type textView struct {
	back view
	text []line
	top  int
	// capture is what the text is about, or nil.
	capture *api.Capture
}

func (v *textView) lines(s *screen) []line {
	height := max(s.height-1, 1)
	folded := fold(v.text, s.width)
	v.top = max(min(v.top, len(folded)-height), 0)
	out := append([]line{}, folded[v.top:min(v.top+height, len(folded))]...)
	for len(out) < height {
		out = append(out, line{})
	}
	foot := "q back"
	if v.capture != nil {
		foot = "j k scroll  r replay  p pin  q back"
	}
	if s.status != "" {
		foot = s.status
	}
	return append(out, line{foot, dim})
}

// fold breaks lines that are too long, and counts each character as one column: wide ones are cut.
func fold(text []line, columns int) []line {
	var out []line
	for _, l := range text {
		runes := []rune(l.text)
		for len(runes) > columns {
			out = append(out, line{string(runes[:columns]), l.how})
			runes = runes[columns:]
		}
		out = append(out, line{string(runes), l.how})
	}
	return out
}

func (v *textView) press(ctx context.Context, s *screen, k key) error {
	page := max(s.height-2, 1)
	switch {
	case k.is("q"), k.name == keyEscape, k.name == keyEnter:
		s.view = v.back
	case k.is("j"), k.name == keyDown:
		v.top++
	case k.is("k"), k.name == keyUp:
		v.top--
	case k.is(" "), k.name == keyPageDown:
		v.top += page
	case k.name == keyPageUp:
		v.top -= page
	case k.is("g"), k.name == keyHome:
		v.top = 0
	case k.is("G"), k.name == keyEnd:
		v.top = len(v.text) * 1000
	case v.capture != nil && k.is("rp"):
		s.act(ctx, k)
	}
	return nil
}

// details loads a capture and shows it.
func (s *screen) details(ctx context.Context, c *api.Capture) {
	title := line{fmt.Sprintf("Capture %d", c.Seq), bold}
	v := &textView{back: s.view, capture: c, text: []line{title, {"loading …", dim}}}
	s.view = v
	zone := s.opts.Zone
	s.spawn(ctx, func(ctx context.Context) {
		var whole api.Capture
		err := s.client.do(ctx, call{method: http.MethodGet, path: capturePath(c.Endpoint, c.Seq)}, &whole)
		var body []byte
		if err == nil {
			body, err = s.client.bytes(ctx, call{method: http.MethodGet, path: capturePath(c.Endpoint, c.Seq) + "/body"})
		}
		text := []line{title, {text: problem(err)}}
		if err == nil {
			text = append([]line{{row(&whole, zone), bold}, {}}, detailed(&whole, body)...)
		}
		s.post(ctx, func() error { v.text = text; return nil })
	})
}

// detailed is a capture's head, its body and its answer, as a terminal may show them.
func detailed(c *api.Capture, body []byte) []line {
	out := []line{{plain(c.Method + " " + c.Target + " " + c.Proto), bold}}
	for _, h := range c.Headers {
		out = append(out, line{text: plain(h[0] + ": " + h[1])})
	}
	out = append(out, line{})
	out = append(out, bodyLines(body)...)
	out = append(out, line{}, line{"Answer  " + answered(c), bold})
	for _, h := range c.Plan.Headers {
		out = append(out, line{text: plain(h[0] + ": " + h[1])})
	}
	if c.Plan.Body != "" {
		out = append(append(out, line{}), bodyLines([]byte(c.Plan.Body))...)
	}
	about := fmt.Sprintf("capture %d of %s, attempt %d of delivery %s, from %s", c.Seq, c.Endpoint, c.Attempt, c.Delivery, c.RemoteAddr)
	out = append(out, line{}, line{plain(about), dim})
	for _, p := range c.Payload.Problems {
		out = append(out, line{plain(p.Message), dim})
	}
	return out
}

func bodyLines(body []byte) []line {
	if len(body) == 0 {
		return []line{{"no body", dim}}
	}
	rest := 0
	if len(body) > maxDetailed {
		rest = len(body) - maxDetailed
		body = body[:maxDetailed]
	} else if json.Valid(body) {
		var pretty bytes.Buffer
		if json.Indent(&pretty, body, "", "  ") == nil {
			body = pretty.Bytes()
		}
	}
	var out []line
	for text := range strings.SplitSeq(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n") {
		out = append(out, line{text: plain(strings.ReplaceAll(text, "\t", "    "))})
	}
	if rest > 0 {
		out = append(out, line{fmt.Sprintf("… and %d bytes more: hookrange export, or the page, has them", rest), dim})
	}
	return out
}
