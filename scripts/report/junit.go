package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/scripts/result"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Time     string       `xml:"time,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Package    string          `xml:"package,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Time    string     `xml:"time,attr"`
	Skipped *junitText `xml:"skipped"`
	Error   *junitText `xml:"error"`
	Failure *junitText `xml:"failure"`
	Out     string     `xml:"system-out,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes a suite for each run, named after its sender. A fail is a failure. An error is an error, and so is what
// was not measured or has not ended, whose type says inconclusive or not ended: CI systems show what is skipped as
// neither good nor bad and let the build go on, but such a run proves nothing and exits with 3. What was skipped or is
// known is skipped with the reason in its message; a warning passes, unless Strict, and says so in system-out.
func JUnit(w io.Writer, runs []result.Run, o Options) error {
	all := junitSuites{Name: "hookrange"}
	var total time.Duration
	for _, run := range runs {
		suite := junitRun(run, o)
		total += took(run.Started, run.Ended)
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Errors += suite.Errors
		all.Suites = append(all.Suites, suite)
	}
	all.Time = seconds(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	out := xml.NewEncoder(w)
	out.Indent("", "  ")
	if err := out.Encode(all); err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}

func junitRun(run result.Run, o Options) junitSuite {
	suite := junitSuite{
		Name: short(run.Sender), Package: short(run.Profile), Time: seconds(took(run.Started, run.Ended)), Tests: len(run.Cases),
		Properties: []junitProperty{
			{"profile", short(run.Profile)},
			{"version", short(run.Version)},
			{"platform", short(run.Platform)},
			{"verdict", string(run.Verdict)},
			{"reproduce", clean(run.Reproduce, longLength, false)},
		},
	}
	if !run.Started.IsZero() {
		suite.Timestamp = run.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for i, note := range run.Notes {
		suite.Properties = append(suite.Properties, junitProperty{"note." + strconv.Itoa(i+1), short(note)})
	}
	for _, c := range run.Cases {
		testcase := junitCase{Name: short(c.ID) + " " + short(c.Title), Class: short(run.Profile), Time: seconds(took(c.Started, c.Ended))}
		text := &junitText{Message: gist(c), Type: word(c), Text: details(c)}
		switch endOf(c, o) {
		case failed:
			suite.Failures++
			testcase.Failure = text
		case errored:
			suite.Errors++
			testcase.Error = text
		case unmeasured, unended:
			suite.Errors++
			text.Message = word(c) + ": " + text.Message
			testcase.Error = text
		case skipped, known:
			suite.Skipped++
			text.Message = word(c) + ": " + text.Message
			testcase.Skipped = text
		case warned, passed:
			if c.Verdict != result.Pass {
				testcase.Out = text.Type + ": " + text.Message + "\n" + text.Text
			}
		}
		suite.Cases = append(suite.Cases, testcase)
	}
	return suite
}

// details is what Text says below a case's line.
func details(c result.Case) string {
	var text strings.Builder
	// A strings.Builder returns no error.
	p := &printer{w: &text}
	if q := c.Requirement; q.Quote != "" {
		p.linef("%s: \"%s\" %s", q.Level, short(q.Quote), short(q.Source))
	}
	for _, k := range telling(c) {
		textCheck(p, c, k)
	}
	if c.Trigger != "" {
		p.linef("the sender's command said:\n%s", long(c.Trigger))
	}
	return text.String()
}

// seconds writes a duration as the schema has it, with at most three decimals.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 3, 64)
}
