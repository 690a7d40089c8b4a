package command

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// Screen prints a run as it goes on. Its calls come one at a time.
type Screen struct {
	out  io.Writer
	json bool
	// said is what a person was last told to do.
	said string
	// failed is the first error of printing.
	failed error
}

// NewScreen returns one that prints for people, or JSON.
func NewScreen(out io.Writer, asJSON bool) *Screen { return &Screen{out: out, json: asJSON} }

// Progress prints a case that has ended.
func (s *Screen) Progress(c result.Case) {
	if c.State != "ended" {
		return
	}
	if s.json {
		s.encode(c)
		return
	}
	fmt.Fprintf(s.out, "%-12s  %-26s %s  %s\n", c.Verdict, c.ID, OneLine(c.Title), took(c))
	told := false
	for _, check := range c.Checks {
		switch check.Verdict {
		case result.Pass, "":
		default:
			s.check(&c, check)
			told = true
		}
	}
	judged := c.Verdict == result.Warning || c.Verdict == result.Inconclusive || c.Verdict == result.Fail
	if told && judged && c.Requirement.Quote != "" {
		fmt.Fprintf(s.out, "    %s: %q\n        %s\n", c.Requirement.Level, c.Requirement.Quote,
			strings.TrimSpace(c.Requirement.Source+" "+c.Requirement.Date))
	}
}

// took is how long a case ran, and about how long it was to.
func took(c result.Case) string {
	return fmt.Sprintf("%s of about %s", shortTime(c.Ended.Sub(c.Started)), c.Expected.Round(100*time.Millisecond))
}

// check prints one check that did not simply pass.
func (s *Screen) check(c *result.Case, check result.Check) {
	fmt.Fprintf(s.out, "    %s:%d: %s: %s\n", c.File, check.Line, check.Verdict, OneLine(check.Text))
	for _, line := range []struct{ name, text string }{
		{"expected", check.Expected}, {"actual", check.Actual}, {"reason", check.Reason},
	} {
		if line.text != "" {
			fmt.Fprintf(s.out, "        %-9s %s\n", line.name+":", OneLine(line.text))
		}
	}
	if check.Verdict == result.Info {
		return
	}
	for _, line := range []struct {
		name  string
		proof []string
	}{{"captures", captureLines(c, check)}, {"connections", connectionLines(check)}} {
		if len(line.proof) > 0 {
			fmt.Fprintf(s.out, "        %-9s %s\n", line.name+":", strings.Join(line.proof, "; "))
		}
	}
}

// captureLines are the captures that prove a check.
func captureLines(c *result.Case, check result.Check) []string {
	var shown []string
	for _, ep := range c.Endpoints {
		for _, d := range ep.Deliveries {
			for i := range d.Attempts {
				if a := &d.Attempts[i]; slices.Contains(check.Captures, a.Seq) {
					shown = append(shown, attemptLine(a))
				}
			}
		}
	}
	return shown
}

// connectionLines are the connections that prove a check.
func connectionLines(check result.Check) []string {
	const most = 20
	var shown []string
	for i, one := range check.Connections {
		if i == most {
			return append(shown, fmt.Sprintf("and %d more", len(check.Connections)-most))
		}
		text := one.At.Format("15:04:05.000")
		if one.Seq != 0 {
			text = fmt.Sprintf("seq %d %s", one.Seq, text)
		}
		if one.Fault != "" {
			text += " " + string(one.Fault) + ":"
		}
		shown = append(shown, OneLine(text+" "+one.Note))
	}
	return shown
}

func attemptLine(a *result.Attempt) string {
	text := fmt.Sprintf("seq %d attempt %d %s", a.Seq, a.N, a.At.Format("15:04:05.000"))
	switch {
	case a.Class == webhook.Rejected:
		text += " rejected"
	case a.HungUp != nil:
		text += " hung up after " + shortTime(*a.HungUp)
	case a.Fault != "":
		text += " " + string(a.Fault)
	case a.Status != 0:
		text += fmt.Sprintf(" %d", a.Status)
	}
	return text
}

// end prints what came of the run.
func (s *Screen) end(run result.Run, stale []string) error {
	if s.json {
		s.encode(run)
		return s.failed
	}
	counts := map[result.Verdict]int{}
	for i := range run.Cases {
		v := run.Cases[i].Verdict
		if v == "" {
			v = result.Inconclusive
		}
		counts[v]++
	}
	var parts []string
	for _, v := range []result.Verdict{result.Pass, result.Info, result.Skip, result.Warning, result.Inconclusive, result.Fail, result.Error} {
		if counts[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[v], v))
		}
	}
	for _, entry := range stale {
		fmt.Fprintf(s.out, "stale: %s; take it off the list\n", OneLine(entry))
	}
	_, err := fmt.Fprintf(s.out, "%s: %s against %s: %s in %s\n", run.Verdict, run.Profile, OneLine(run.Sender),
		strings.Join(parts, ", "), shortTime(run.Ended.Sub(run.Started)))
	return err
}

func (s *Screen) encode(value any) {
	if err := json.NewEncoder(s.out).Encode(value); err != nil && s.failed == nil {
		s.failed = err
	}
}

// OneLine keeps a text to one line of a terminal.
func OneLine(s string) string {
	clean := []rune(s)
	for i, r := range clean {
		if r < ' ' || r == 0x7f {
			clean[i] = ' '
		}
	}
	return string(clean)
}
