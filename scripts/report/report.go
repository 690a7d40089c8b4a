// Package report writes what conformance runs say, for people and for other programs.
//
// Each writer takes several runs, of one sender or of many, and shows what result.Run holds: whoever fills it in
// masks secrets. Text that a sender chose is escaped for where it is shown, and cut where it is long.
package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// Writer writes runs in one format. It returns w's errors.
type Writer func(w io.Writer, runs []result.Run, o Options) error

// Options of a report.
type Options struct {
	// Strict counts a warning as a failure.
	Strict bool
}

// Formats returns the names that Named knows.
func Formats() []string {
	return []string{"text", "json", "junit", "tap", "markdown", "html"}
}

// Named returns the writer of a format, or an error that lists the formats there are.
func Named(format string) (Writer, error) {
	switch format {
	case "text":
		return Text, nil
	case "json":
		return JSON, nil
	case "junit":
		return JUnit, nil
	case "tap":
		return TAP, nil
	case "markdown":
		return Markdown, nil
	case "html":
		return HTML, nil
	default:
		return nil, fmt.Errorf("no report %q: use one of %s", format, strings.Join(Formats(), ", "))
	}
}

// end is what a case counts as, where there are fewer words than verdicts.
type end int

// The ends, from the one shown first.
const (
	errored end = iota
	failed
	unmeasured
	warned
	known
	unended
	skipped
	passed
)

// endOf tells what a case counts as.
func endOf(c result.Case, o Options) end {
	switch {
	case c.Verdict == "" || c.State != "" && c.State != ended:
		return unended
	case c.Known:
		return known
	}
	switch c.Verdict {
	case result.Error:
		return errored
	case result.Fail:
		return failed
	case result.Inconclusive:
		return unmeasured
	case result.Warning:
		if o.Strict {
			return failed
		}
		return warned
	case result.Skip:
		return skipped
	default:
		return passed
	}
}

// ended is the result.Case.State of a case that has a verdict.
const ended = "ended"

// word is how a case's end reads.
func word(c result.Case) string {
	switch endOf(c, Options{}) {
	case unended:
		return "not ended"
	case known:
		return "known"
	default:
		return string(c.Verdict)
	}
}

// ordered returns a run's cases with the failing ones first, else as they were.
func ordered(cases []result.Case, o Options) []result.Case {
	sorted := slices.Clone(cases)
	slices.SortStableFunc(sorted, func(a, b result.Case) int { return cmp.Compare(endOf(a, o), endOf(b, o)) })
	return sorted
}

// tally counts cases by their words, as in "2 fail, 1 warning, 9 pass".
func tally(cases []result.Case) string {
	words := []string{"error", "fail", "inconclusive", "warning", "known", "not ended", "skip", "info", "pass"}
	count := make(map[string]int, len(words))
	for _, c := range cases {
		count[word(c)]++
	}
	var parts []string
	for _, w := range words {
		if count[w] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[w], w))
		}
	}
	if parts == nil {
		return "no cases"
	}
	return strings.Join(parts, ", ")
}

// telling returns the checks that made a case what it is: all that are as bad as its worst.
func telling(c result.Case) []result.Check {
	var checks []result.Check
	for _, k := range c.Checks {
		if k.Verdict == c.Verdict {
			checks = append(checks, k)
		}
	}
	return checks
}

// gist says in one line why a case is what it is.
func gist(c result.Case) string {
	if endOf(c, Options{}) == unended {
		return "the run ended before the case did"
	}
	checks := telling(c)
	if len(checks) == 0 {
		return ""
	}
	k := checks[0]
	parts := []string{short(k.Text)}
	if k.Expected != "" {
		parts = append(parts, "expected "+short(k.Expected))
	}
	if k.Actual != "" {
		parts = append(parts, "actual "+short(k.Actual))
	}
	if k.Reason != "" {
		parts = append(parts, short(k.Reason))
	}
	text := strings.Join(parts, "; ")
	if more := len(checks) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// took is how long a case or run took, or 0 while it goes on.
func took(started, done time.Time) time.Duration {
	if started.IsZero() || done.Before(started) {
		return 0
	}
	return done.Sub(started)
}

// span writes a duration as people read it: 12.3 ms, 1.002 s, 3m4s.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.3f s", d.Seconds())
	default:
		return d.Round(100 * time.Millisecond).String()
	}
}

// title names a run.
func title(run result.Run) string {
	return short(run.Profile) + " against " + short(run.Sender)
}

// place is where the script has a line.
func place(c result.Case, line int) string {
	if c.File == "" {
		return ""
	}
	if line == 0 {
		line = c.Line
	}
	return fmt.Sprintf("%s:%d", short(c.File), line)
}

// most is how many captures or connections are named.
const most = 20

// tries writes connections: the number of each, when it came as counted from the start of the case, and what it came to.
func tries(c result.Case, all []result.Connection) []string {
	words := make([]string, 0, len(all))
	for i, one := range all {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		number := ""
		if one.Seq != 0 {
			number = fmt.Sprintf("#%d ", one.Seq)
		}
		words = append(words, strings.TrimSpace(number+since(c.Started, one.At)+" "+came(one)))
	}
	return words
}

// came says what a connection came to.
func came(c result.Connection) string {
	var what []string
	if c.Fault != "" {
		what = append(what, short(string(c.Fault)))
	}
	if c.Note != "" && c.Note != string(c.Fault) {
		what = append(what, short(c.Note))
	}
	return strings.Join(what, ": ")
}

// sequence writes the numbers of captures.
func sequence(all []webhook.Seq) string {
	words := make([]string, 0, len(all))
	for i, n := range all {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		words = append(words, fmt.Sprintf("#%d", n))
	}
	return strings.Join(words, " ")
}
