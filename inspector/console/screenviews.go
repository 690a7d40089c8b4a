package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// view is one of the pictures of a screen, with its keys.
type view interface {
	press(ctx context.Context, s *screen, k key) error
	lines(s *screen) []line
}

// line is one line of plain text; how is the terminal's way to show it, such as "7" for inverse.
type line struct{ text, how string }

// appendTo writes the line, cut to a width. The text was made plain where it came from; what was forgotten there does not
// reach the terminal either.
func (l line) appendTo(buf []byte, columns int) []byte {
	if l.how != "" {
		buf = append(buf, "\x1b["+l.how+"m"...)
	}
	used := 0
	for _, r := range l.text {
		wide := 1
		if !strconv.IsPrint(r) {
			r = '?'
		}
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			wide = 2
		}
		if used += wide; used > columns {
			break
		}
		buf = append(buf, string(r)...)
	}
	if l.how != "" {
		// An inverse line reaches to the edge.
		for ; used < columns; used++ {
			buf = append(buf, ' ')
		}
		buf = append(buf, "\x1b[0m"...)
	}
	return buf
}

const (
	inverse = "7"
	bold    = "1"
	dim     = "2"
)

// listView is the list of captures.
type listView struct{}

func (listView) lines(s *screen) []line {
	l := &s.list
	endpoint := s.opts.Endpoint
	if endpoint == "" {
		endpoint = "all endpoints"
	}
	head := "hookrange tail  " + plain(endpoint)
	if !s.connected {
		head += "  not connected, trying again"
	}
	if l.filter != "" {
		head += "  /" + plain(l.filter)
	}
	if l.unseen > 0 {
		head += fmt.Sprintf("  %d new above (g)", l.unseen)
	}
	out := []line{{head, bold}}
	for _, c := range l.window(max(s.height-2, 1)) {
		how := ""
		if c.Seq == l.cursor {
			how = inverse
		}
		out = append(out, line{s.row(c), how})
	}
	if len(l.rows) == 0 {
		out = append(out, line{"  no captures", dim})
	}
	for len(out) < s.height-1 {
		out = append(out, line{})
	}
	foot := "j k select  enter details  r replay  / filter  p pin  ? help  q quit"
	if s.status != "" {
		foot = s.status
	}
	return append(out, line{foot, dim})
}

// row is a capture's line, with its pin, and with its endpoint where there are several.
func (s *screen) row(c *api.Capture) string {
	pin := " "
	if c.Note != nil && c.Note.Pinned {
		pin = "★"
	}
	if s.opts.Endpoint != "" {
		return pin + rowWithin(c, s.opts.Zone, s.width-len(" "))
	}
	const name = 12
	return fmt.Sprintf("%s%-*s %s", pin, name, shorten(plain(c.Endpoint), name), rowWithin(c, s.opts.Zone, s.width-len("  ")-name))
}

func (v *listView) press(ctx context.Context, s *screen, k key) error {
	l, page := &s.list, max(s.height-3, 1)
	switch {
	case k.is("q"):
		return errQuit
	case k.is("j"), k.name == keyDown:
		l.move(1)
	case k.is("k"), k.name == keyUp:
		l.move(-1)
	case k.is(" "), k.name == keyPageDown:
		l.move(page)
	case k.name == keyPageUp:
		l.move(-page)
	case k.is("g"), k.name == keyHome:
		l.move(-len(l.rows))
	case k.is("G"), k.name == keyEnd:
		l.move(len(l.rows))
	case k.is("?"):
		s.view = &textView{back: v, text: helpText()}
	case k.is("/"):
		s.view = &promptView{back: v, label: "filter: ", text: []rune(l.filter), done: s.search}
	case k.name == keyEscape && l.filter != "":
		s.search(ctx, "")
	default:
		s.act(ctx, k)
	}
	return nil
}

// act does what a key asks for the selected capture.
func (s *screen) act(ctx context.Context, k key) {
	c := s.list.selected()
	switch {
	case c == nil:
	case k.name == keyEnter:
		s.details(ctx, c)
	case k.is("p"):
		s.pin(ctx, c)
	case k.is("r"):
		s.view = &promptView{back: s.view, label: fmt.Sprintf("send capture %d to: ", c.Seq), text: []rune(s.target), done: func(ctx context.Context, url string) {
			s.replay(ctx, c, url)
		}}
	}
}

func helpText() []line {
	var out []line
	for _, pair := range [][2]string{
		{"j k ↓ ↑", "select the next or the previous capture"},
		{"space, page", "a page further"},
		{"g G", "the newest, and follow what comes; the oldest"},
		{"enter", "details: head, body, answer; scrolled with the same keys"},
		{"r", "send the capture on, from this machine, to a URL"},
		{"p", "pin, or unpin"},
		{"/", "filter, in the language of the page's search; empty shows all"},
		{"", "words  \"two words\"  -not  status:5xx  attempt:>1  class:rejected  body.a.b:x  header.X:y  after:-1h"},
		{"esc", "back; in the list, without the filter"},
		{"q", "back, or quit"},
	} {
		out = append(out, line{text: fmt.Sprintf("  %-12s %s", pair[0], pair[1])})
	}
	return append([]line{{"Keys", bold}, {}}, out...)
}

// pin pins a capture or takes its pin away; the row changes with the fact that comes of it.
func (s *screen) pin(ctx context.Context, c *api.Capture) {
	pinned := c.Note == nil || !c.Note.Pinned
	in := call{method: http.MethodPatch, path: capturePath(c.Endpoint, c.Seq) + "/note", body: api.NoteInput{Pinned: &pinned}}
	s.spawn(ctx, func(ctx context.Context) {
		if err := s.client.do(ctx, in, nil); err != nil {
			s.post(ctx, func() error { s.status = problem(err); return nil })
		}
	})
}

// replay sends a capture on from this machine and says in the last line what became of it.
func (s *screen) replay(ctx context.Context, c *api.Capture, target string) {
	if target = strings.TrimSpace(target); target == "" {
		return
	}
	s.target = target
	s.status = fmt.Sprintf("sending capture %d …", c.Seq)
	s.spawn(ctx, func(ctx context.Context) {
		said, err := s.resend(ctx, c, target)
		if err != nil {
			said = problem(err)
		}
		s.post(ctx, func() error { s.status = said; return nil })
	})
}

func (s *screen) resend(ctx context.Context, c *api.Capture, target string) (string, error) {
	var out bytes.Buffer
	o, err := newOnward(s.client, Sending{URL: target, Policy: "none", Relay: s.opts.Relay}, &out)
	if err != nil {
		return "", err
	}
	whole, err := o.exact(ctx, c.Endpoint, c.Seq)
	if err != nil {
		return "", err
	}
	_, err = o.send(ctx, webhook.Order{By: webhook.ByClient, Capture: whole}, func(webhook.Replay) bool { return true })
	tries := strings.Split(strings.TrimSpace(out.String()), "\n")
	return tries[len(tries)-1], err
}

// promptView asks for one line of text.
type promptView struct {
	back  view
	label string
	text  []rune
	done  func(ctx context.Context, text string)
}

func (v *promptView) lines(s *screen) []line {
	out := v.back.lines(s)
	text := v.label + string(v.text)
	// Of a long text its end is in sight, where it is written.
	if over := len([]rune(text)) - s.width + 2; over > 0 {
		text = "…" + string([]rune(text)[over:])
	}
	if len(out) > 0 {
		out[len(out)-1] = line{text + "▏", ""}
	}
	return out
}

func (v *promptView) press(ctx context.Context, s *screen, k key) error {
	switch {
	case k.name == keyEscape:
		s.view = v.back
	case k.name == keyEnter:
		s.view = v.back
		v.done(ctx, string(v.text))
	case k.name == keyBackspace:
		v.text = v.text[:max(len(v.text)-1, 0)]
	case k.name == keyKill:
		v.text = nil
	case k.name == "" && len(v.text) < 4096:
		v.text = append(v.text, k.char)
	}
	return nil
}
