package scripts

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/hookrange/hookrange/scripts/result"
)

var linesForm = regexp.MustCompile(`^([1-9][0-9]*)(?:-([1-9][0-9]*))?$`)

// pointAt puts the lines of line= into the address of a requirement's source, as forges of code have them.
func pointAt(r *result.Requirement, lines string, source *url.URL) error {
	if lines == "" {
		return nil
	}
	found := linesForm.FindStringSubmatch(lines)
	switch {
	case found == nil:
		return &lexError{"line=" + lines, "want a line or lines, such as 130 or 130-134"}
	case r.Source == "" || source.Fragment != "":
		return &lexError{"line=" + lines, "goes with spec=URL that has no #fragment of its own"}
	}
	r.Source += "#L" + found[1]
	if found[2] != "" {
		r.Source += "-L" + found[2]
	}
	return nil
}

// measured says what a case is about where no document says it.
func (c *compiler) measured(st statement) error {
	about := &c.out.about.Requirement
	if about.Quote != "" {
		return &lexError{st.name, "the case has a quote: what is documented needs no measuring"}
	}
	date := about.Date
	if text, ok := st.opts["date"]; ok {
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return &lexError{"date=" + text, "want a day such as 2026-01-31"}
		}
		date = text
	}
	if date == "" {
		return &lexError{st.name, "give date= here, at the case or at the profile: what was measured is true of a day"}
	}
	about.Quote = "measured of " + st.args[0].text + " on " + date + ": " + st.args[1].text
	return nil
}

// set compiles set within a case: a value for the lines below, or what an expression makes of the evidence.
func (c *compiler) set(st statement) error {
	if err := checkSet(st); err != nil {
		return err
	}
	name := st.args[0].text
	if len(st.args) == 2 {
		c.out.vars[name] = st.args[1].text
		return nil
	}
	from := st.args[1].text
	if at := c.endpoints[from]; at == nil || !at.waited {
		return &lexError{from, "no such endpoint, or no wait for it comes before"}
	}
	program, err := expr.Compile(st.args[2].text, expr.Env(exprView{}), expr.MaxNodes(2000))
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return &lexError{st.args[2].text, line + "; an expression sees attempts, deliveries, gaps, body and vars"}
	}
	c.out.steps = append(c.out.steps, setStep{line: st.line, name: name, endpoint: from, program: program})
	return nil
}

// setStep keeps what an expression makes of an endpoint's evidence, as text, for the expressions below.
type setStep struct {
	line           int
	name, endpoint string
	program        *vm.Program
}

func (s setStep) run(_ context.Context, c *caseRun) {
	at := c.endpoints[s.endpoint]
	at.evidence.vars = c.vars
	value, err := expr.Run(s.program, at.evidence.view())
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		c.add(result.Check{
			Text: "set " + s.name, Line: s.line, Verdict: result.Inconclusive, Reason: "cannot be computed: " + at.Mask().String(line),
		})
		c.stop = true
		return
	}
	c.vars = maps.Clone(c.vars)
	c.vars[s.name] = fmt.Sprint(value)
}

func (c *compiler) sleep(st statement) error {
	d, err := time.ParseDuration(st.args[0].text)
	if err != nil || d <= 0 || d > time.Hour {
		return &lexError{st.args[0].text, "want a duration such as 500ms, 6s or 2m"}
	}
	c.out.about.Expected += d
	c.out.steps = append(c.out.steps, sleepStep(d))
	return nil
}

// sleepStep lets time pass.
type sleepStep time.Duration

func (s sleepStep) run(ctx context.Context, c *caseRun) {
	timer := time.NewTimer(scaled(time.Duration(s), c.config.Scale))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
