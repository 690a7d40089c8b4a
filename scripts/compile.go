package scripts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// Waits that a script does not give.
const (
	defaultQuiet   = 6 * time.Second
	defaultTimeout = 60 * time.Second
)

// step is one command of a case, ready to run.
type step interface {
	run(ctx context.Context, c *caseRun)
}

// scenario is one case, ready to run.
type scenario struct {
	script *Script
	about  result.Case
	vars   map[string]string
	needs  []string
	// payload is what the sender is given to send, header what it is told to send beside it.
	payload string
	header  []webhook.Field
	steps   []step
}

// compiler makes a scenario of one case.
type compiler struct {
	out *scenario
	// endpoints are the names so far, with how far each came.
	endpoints map[string]*stage
	level     result.Level
	// urls are the names of presign.
	urls []string
}

// stage is how far an endpoint came in the script.
type stage struct{ triggered, waited bool }

// Lint returns what is wrong with a script that Parse accepted, joined; each is a LineError. vars are a user's values.
func Lint(s *Script, vars map[string]string) error {
	_, err := s.scenarios(vars)
	return err
}

// Cases returns the cases of a script as they would be reported before they run.
func (s *Script) Cases(vars map[string]string) ([]result.Case, error) {
	all, err := s.scenarios(vars)
	if err != nil {
		return nil, err
	}
	out := make([]result.Case, len(all))
	for i, sc := range all {
		out[i] = sc.about
	}
	return out, nil
}

// scenarios makes every case of the script.
func (s *Script) scenarios(given map[string]string) ([]*scenario, error) {
	base := maps.Clone(s.vars)
	for name, value := range given {
		if _, ok := base[name]; ok {
			base[name] = value
		}
	}
	var all []*scenario
	var problems []error
	seen := map[string]int{}
	for i := range s.cases {
		b := &s.cases[i]
		for _, st := range b.each {
			if _, taken := base[st.args[0].text]; taken || !variableForm.MatchString("$"+st.args[0].text) {
				problems = append(problems, s.at(st.line, &lexError{st.args[0].text, "not a name for a variable, or taken by set"}))
			}
		}
		vars, ends := b.variants(base)
		if len(vars) > maxCases {
			problems = append(problems, s.at(b.head.line, fmt.Errorf("each makes more than %d cases", maxCases)))
			continue
		}
		for j := range vars {
			sc, err := s.compile(b, vars[j], ends[j])
			if err == nil && seen[sc.about.ID] != 0 {
				err = s.at(b.head.line, &lexError{sc.about.ID, fmt.Sprintf("line %d has a case of this id", seen[sc.about.ID])})
			}
			if err != nil {
				problems = append(problems, err)
				break // the other values have the same problem
			}
			seen[sc.about.ID] = b.head.line
			all = append(all, sc)
		}
	}
	return all, errors.Join(problems...)
}

// compile makes one case with the values of its variables.
func (s *Script) compile(b *block, vars map[string]string, end string) (*scenario, error) {
	c := &compiler{endpoints: map[string]*stage{}, out: &scenario{
		script: s, vars: maps.Clone(vars), payload: s.profile.opts["payload"],
	}}
	head, err := expandStatement(b.head, vars)
	if err == nil {
		err = c.head(s, head, end)
	}
	if err != nil {
		return nil, s.at(b.head.line, err)
	}
	var problems []error
	for _, raw := range b.body {
		st, err := expandStatement(raw, c.out.vars)
		if err == nil {
			err = c.statement(st)
		}
		if err != nil {
			problems = append(problems, s.at(raw.line, err))
		}
	}
	if len(problems) == 0 && !c.judges() {
		problems = append(problems, s.at(b.head.line, &lexError{c.out.about.ID, "the case checks nothing: it has no expect, require or skip"}))
	}
	return c.out, errors.Join(problems...)
}

// judges tells whether the case has a check.
func (c *compiler) judges() bool {
	return slices.ContainsFunc(c.out.steps, func(s step) bool {
		switch s := s.(type) {
		case *checkStep, fetchStep:
			return true
		case stopStep:
			return s.skips
		default:
			return false
		}
	})
}

// head takes over the case's own line.
func (c *compiler) head(s *Script, st statement, end string) error {
	about := &c.out.about
	about.ID = idOf(st.args[0].text + end)
	about.Title, about.File, about.Line, about.State = st.args[1].text, s.File, st.line, "waiting"
	level, err := levelOf(st.opts["level"])
	if err != nil {
		return err
	}
	level = cmp.Or(level, result.Must)
	c.level = level
	about.Requirement = result.Requirement{Level: level, Source: s.profile.opts["spec"], Date: s.profile.opts["date"]}
	if spec, ok := st.opts["spec"]; ok {
		about.Requirement.Source, about.Requirement.Date = spec, st.opts["date"]
	}
	if date := about.Requirement.Date; date != "" {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return &lexError{"date=" + date, "want a day such as 2026-01-31"}
		}
	}
	u, err := url.Parse(about.Requirement.Source)
	if err != nil || about.Requirement.Source != "" && u.Scheme == "" {
		return &lexError{"spec=" + about.Requirement.Source, "want a URL"}
	}
	return pointAt(&about.Requirement, st.opts["line"], u)
}

// idOf keeps an id to characters that names of files and tests can have.
func idOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._@-", r) {
			return r
		}
		return '_'
	}, text)
}

func levelOf(text string) (result.Level, error) {
	switch level := result.Level(strings.ToLower(text)); level {
	case "", result.Must, result.Should, result.Unstated:
		return level, nil
	default:
		return "", &lexError{"level=" + text, oneOf(text, []string{"must", "should", "unstated"})}
	}
}

// statement compiles one command of the body.
func (c *compiler) statement(st statement) error {
	switch st.name {
	case "quote":
		c.out.about.Requirement.Quote = st.args[0].text
	case "needs":
		return c.needs(st)
	case "payload":
		c.out.payload = st.args[0].text
	case "header-set":
		c.out.header = append(c.out.header, webhook.Field{Name: st.args[0].text, Value: st.args[1].text})
	case "endpoint", "replan":
		return c.endpoint(st)
	case "trigger":
		return c.trigger(st)
	case "wait":
		return c.wait(st)
	case "expect", "require":
		return c.check(st)
	default:
		return c.more(st)
	}
	return nil
}

// more compiles the rarer commands.
func (c *compiler) more(st statement) error {
	switch st.name {
	case "measured":
		return c.measured(st)
	case "set":
		return c.set(st)
	case "presign":
		return c.presign(st)
	case "sleep":
		return c.sleep(st)
	case "fetch":
		return c.fetch(st)
	case "cmp":
		return c.compare(st)
	case "note":
		c.out.steps = append(c.out.steps, noteStep{line: st.line, text: st.args[0].text})
	case "skip", "stop":
		c.out.steps = append(c.out.steps, stopStep{line: st.line, skips: st.name == "skip", why: st.args[0].text})
	default:
		return &lexError{st.name, "cannot stand here"}
	}
	return nil
}

func (c *compiler) needs(st statement) error {
	for _, w := range st.args {
		name, isVar := strings.CutPrefix(w.text, "var:")
		if _, known := needOf(w.text); !known && !isVar {
			return &lexError{w.text, "no such need; " + oneOf(w.text, needNames())}
		}
		if isVar {
			if _, ok := c.out.vars[name]; !ok {
				return noVariable(name, c.out.vars)
			}
		}
		c.out.needs = append(c.out.needs, w.text)
	}
	return nil
}

// endpoint compiles endpoint and replan.
func (c *compiler) endpoint(st statement) error {
	name := st.args[0].text
	if err := webhook.CheckName(name); err != nil {
		return &lexError{name, err.Error()}
	}
	opened := c.endpoints[name]
	if st.name == "replan" && opened == nil {
		return c.noEndpoint(name)
	}
	if st.name == "endpoint" && opened != nil {
		return &lexError{name, "the case has an endpoint of this name"}
	}
	spec := Spec{Name: name, Param: c.option(st, "param"), Secret: st.opts["secret"]}
	if spec.Secret != "" {
		c.out.needs = append(c.out.needs, "own-secret")
	}
	if per, ok := st.opts["per"]; ok && per != "delivery" {
		return &lexError{"per=" + per, "answers are always per delivery"}
	}
	spec.Scheme = cmp.Or(webhook.Scheme(c.option(st, "scheme")), webhook.SchemeQuery)
	if err := checkScheme(spec.Scheme); err != nil {
		return err
	}
	var steps []string
	for _, w := range st.args[1:] {
		switch w.text {
		case "tls":
			spec.TLS = true
			c.out.needs = append(c.out.needs, "tls")
		case "h2":
			spec.H2 = true
			c.out.needs = append(c.out.needs, "h2")
		default:
			steps = append(steps, w.raw)
		}
	}
	respond, err := c.answers(strings.Join(steps, " "))
	if err != nil {
		return err
	}
	spec.Respond = respond
	c.out.about.Expected += longestAfter(respond)
	for other, at := range c.endpoints {
		// Its URL goes out in an answer, so something may come there.
		at.triggered = at.triggered || strings.Contains(respond, "{"+other+"}")
	}
	if st.name == "replan" {
		c.out.steps = append(c.out.steps, replanStep{line: st.line, spec: spec})
		return nil
	}
	c.endpoints[name] = &stage{}
	c.out.steps = append(c.out.steps, endpointStep{line: st.line, spec: spec})
	return nil
}

// option returns a statement's option, or the profile's.
func (c *compiler) option(st statement, key string) string {
	if value, ok := st.opts[key]; ok {
		return value
	}
	return c.out.script.profile.opts[key]
}

func (c *compiler) noEndpoint(name string) error {
	return &lexError{name, "no such endpoint; " + oneOf(name, slices.Sorted(maps.Keys(c.endpoints)))}
}

func (c *compiler) trigger(st statement) error {
	at := c.endpoints[st.args[0].text]
	if at == nil {
		return c.noEndpoint(st.args[0].text)
	}
	times := 1
	if text, ok := st.opts["times"]; ok {
		var err error
		if times, err = strconv.Atoi(text); err != nil || times < 1 || times > 100 {
			return &lexError{"times=" + text, "want 1 to 100"}
		}
	}
	step := triggerStep{line: st.line, endpoint: st.args[0].text, times: times, input: st.opts["input"], manual: st.opts["manual"]}
	if len(st.args) > 1 {
		if len(st.args) != 3 || st.args[1].text != "manual" || step.manual != "" {
			return &lexError{st.args[1].text, "only manual 'what to do' can follow the endpoint"}
		}
		step.manual = st.args[2].text
	}
	if text, ok := st.opts["operation"]; ok {
		if !slices.Contains(Operations(), text) {
			return &lexError{"operation=" + text, "no such operation; " + oneOf(text, Operations())}
		}
		step.operation = text
		c.out.needs = append(c.out.needs, "operations")
	}
	if step.input != "" && !json.Valid([]byte(step.input)) {
		return &lexError{"input=" + step.input, "want JSON, perhaps in quotes: input='{\"text\": \"hello\"}'"}
	}
	at.triggered = true
	c.out.steps = append(c.out.steps, step)
	return nil
}

func (c *compiler) wait(st statement) error {
	at := c.endpoints[st.args[0].text]
	if at == nil {
		return c.noEndpoint(st.args[0].text)
	}
	if !at.triggered {
		return &lexError{st.args[0].text, "no trigger for this endpoint comes before"}
	}
	at.waited = true
	w := waitStep{line: st.line, endpoint: st.args[0].text, quiet: defaultQuiet, timeout: defaultTimeout}
	_, quiet := st.opts["quiet"]
	if text, ok := st.opts["attempts"]; ok {
		var err error
		if w.attempts, err = strconv.Atoi(text); err != nil || w.attempts < 1 {
			return &lexError{"attempts=" + text, "want 1 or more"}
		}
		w.enough = !quiet
	}
	for key, to := range map[string]*time.Duration{"quiet": &w.quiet, "timeout": &w.timeout} {
		if err := durationOption(st, key, to); err != nil {
			return err
		}
	}
	c.out.about.Expected += w.quiet + time.Duration(max(w.attempts-1, 0))*1500*time.Millisecond
	c.out.steps = append(c.out.steps, w)
	return nil
}

func durationOption(st statement, key string, to *time.Duration) error {
	text, ok := st.opts[key]
	if !ok {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > time.Hour {
		return &lexError{key + "=" + text, "want a duration such as 500ms, 6s or 2m"}
	}
	*to = d
	return nil
}

// check compiles expect and require.
func (c *compiler) check(st statement) error {
	name := st.args[0].text
	at := c.endpoints[name]
	if at == nil {
		return c.noEndpoint(name)
	}
	if !at.waited {
		return &lexError{name, "no wait for this endpoint comes before"}
	}
	level, err := levelOf(st.opts["level"])
	if err != nil {
		return err
	}
	if level == "" {
		level = c.level
	}
	kind := st.args[1].text
	judge, err := newCheck(c.out.script, kind, st)
	if err != nil {
		return err
	}
	c.out.steps = append(c.out.steps, &checkStep{
		line: st.line, text: st.raw, endpoint: name, kind: kind, level: level, stop: st.name == "require", check: judge,
	})
	return nil
}
