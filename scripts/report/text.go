package report

import (
	"io"
	"strings"

	"github.com/hookrange/hookrange/scripts/result"
)

// Text writes a line for each case, the failing ones first, with expected, actual and the captures or connections of
// every check that made a case anything but a pass.
func Text(w io.Writer, runs []result.Run, o Options) error {
	p := &printer{w: w}
	for i, run := range runs {
		if i > 0 {
			p.linef("")
		}
		p.linef("%s", title(run))
		for _, c := range ordered(run.Cases, o) {
			textCase(p, c, o)
		}
		for _, note := range run.Notes {
			p.linef("note: %s", short(note))
		}
		verdict := string(run.Verdict)
		if verdict == "" {
			verdict = "not ended"
		}
		if d := took(run.Started, run.Ended); d > 0 {
			verdict += " in " + span(d)
		}
		p.linef("%s: %s", verdict, tally(run.Cases))
		if run.Reproduce != "" {
			p.linef("again: %s", clean(run.Reproduce, longLength, false))
		}
	}
	return p.err
}

func textCase(p *printer, c result.Case, o Options) {
	line := pad(word(c), 12) + "  " + short(c.ID) + "  " + short(c.Title)
	if d := took(c.Started, c.Ended); d > 0 {
		line += "  (" + span(d) + ")"
	}
	p.linef("%s", line)
	if endOf(c, o) == passed {
		return
	}
	if q := c.Requirement; q.Quote != "" {
		p.linef("    %s: \"%s\" %s %s", q.Level, short(q.Quote), short(q.Source), short(q.Date))
	}
	for _, k := range telling(c) {
		textCheck(p, c, k)
	}
	if c.Trigger != "" && endOf(c, o) <= unmeasured {
		p.linef("    the sender's command said:")
		for line := range strings.Lines(long(c.Trigger)) {
			p.linef("        | %s", strings.TrimSuffix(line, "\n"))
		}
	}
}

func textCheck(p *printer, c result.Case, k result.Check) {
	at := place(c, k.Line)
	if at != "" {
		at += ": "
	}
	p.linef("    %s%s", at, short(k.Text))
	for _, row := range [][2]string{
		{"expected", short(k.Expected)},
		{"actual", short(k.Actual)},
		{"reason", short(k.Reason)},
		{"captures", sequence(k.Captures)},
		{"connections", strings.Join(tries(c, k.Connections), "; ")},
	} {
		if row[1] != "" {
			p.linef("        %s %s", pad(row[0], 9), row[1])
		}
	}
}

// pad fills a word up with blanks.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len(s)))
}
