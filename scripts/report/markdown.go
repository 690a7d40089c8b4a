package report

import (
	"io"
	"strings"

	"github.com/hookrange/hookrange/scripts/result"
)

// mostDetails bounds the cases that Markdown explains, for a summary on GitHub may have 1 MiB.
const mostDetails = 60

// Markdown writes a summary, as for GITHUB_STEP_SUMMARY: the verdict of each run, and a table of the cases that are
// anything but a pass.
func Markdown(w io.Writer, runs []result.Run, o Options) error {
	p := &printer{w: w}
	for _, run := range runs {
		verdict := string(run.Verdict)
		if verdict == "" {
			verdict = "not ended"
		}
		p.linef("### %s %s\n", mark(run.Verdict), escapeMarkdown(title(run)))
		p.linef("**%s**: %s", verdict, tally(run.Cases))
		if d := took(run.Started, run.Ended); d > 0 {
			p.linef("in %s", span(d))
		}
		p.linef("")
		markdownTable(p, run, o)
		for _, note := range run.Notes {
			p.linef("> %s\n", escapeMarkdown(short(note)))
		}
		if run.Reproduce != "" {
			p.linef("Again: %s\n", escapeMarkdown(clean(run.Reproduce, longLength, false)))
		}
	}
	return p.err
}

func markdownTable(p *printer, run result.Run, o Options) {
	shown := 0
	for _, c := range ordered(run.Cases, o) {
		if endOf(c, o) == passed {
			continue
		}
		if shown == mostDetails {
			p.linef("| | | | and more |")
			break
		}
		if shown == 0 {
			p.linef("| | case | level | why |")
			p.linef("|---|---|---|---|")
		}
		shown++
		p.linef("| %s %s | %s %s | %s | %s |", mark(c.Verdict), word(c), escapeMarkdown(short(c.ID)), escapeMarkdown(short(c.Title)),
			escapeMarkdown(string(c.Requirement.Level)), escapeMarkdown(gist(c)))
	}
	if shown > 0 {
		p.linef("")
	}
}

// mark is a verdict's sign.
func mark(v result.Verdict) string {
	switch v {
	case result.Pass:
		return "✅"
	case result.Fail:
		return "❌"
	case result.Error:
		return "💥"
	case result.Warning:
		return "⚠️"
	case result.Inconclusive:
		return "❔"
	case result.Skip:
		return "⏭️"
	case result.Info:
		return "ℹ️"
	default:
		return "⏳"
	}
}

// escapeMarkdown makes text of one line mean nothing to Markdown or HTML. A backslash before any ASCII punctuation
// does that, but not inside of what GitHub makes a link or a mention by itself: these are broken up.
func escapeMarkdown(s string) string {
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == '<':
			out.WriteString("&lt;")
		case r == '>':
			out.WriteString("&gt;")
		case r == '&':
			out.WriteString("&amp;")
		case r == '@':
			out.WriteString("&#64;")
		case r < 0x80 && strings.ContainsRune("!\"#$%'()*+,-./:;=?[\\]^_`{|}~", r):
			out.WriteByte('\\')
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
