package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of rules.
const (
	// MaxRules bounds the rules of an endpoint.
	MaxRules = 200
	// MaxMatchers bounds the matchers of a rule.
	MaxMatchers = 20
	// MaxRuleText bounds all texts of the rules of an endpoint together, in bytes.
	MaxRuleText = 512 << 10
	maxRuleName = 100
	maxValue    = 2 << 10
	maxActual   = 1 << 10
)

// namedRule is a webhook.AnswerRule made ready.
type namedRule struct {
	rule       webhook.AnswerRule
	conditions []*condition
	answers    *Program
}

// WithRules returns the program with rules before it. It returns an ErrInvalid that begins with the field at fault, such
// as rules.0.match.1.value, counted from 0; rules that are off are checked too.
func (p *Program) WithRules(rules []webhook.AnswerRule) (*Program, error) {
	if len(rules) > MaxRules {
		return nil, fmt.Errorf("%w: rules: there are %d; at most %d are accepted", webhook.ErrInvalid, len(rules), MaxRules)
	}
	out := *p
	out.named = make([]namedRule, 0, len(rules))
	names, size := map[string]bool{}, 0
	for i := range rules {
		one, field, err := newRule(&rules[i])
		if err != nil {
			return nil, wrong("rules."+strconv.Itoa(i)+"."+field, err)
		}
		if names[one.rule.Name] {
			return nil, wrong("rules."+strconv.Itoa(i)+".name", fmt.Errorf("another rule is called %q too", one.rule.Name))
		}
		names[one.rule.Name] = true
		if size += one.size(); size > MaxRuleText {
			return nil, wrong("rules", fmt.Errorf("they take more than %d bytes together; take some out", MaxRuleText))
		}
		out.named = append(out.named, one)
	}
	return &out, nil
}

// wrong makes an ErrInvalid for a field; one of the language is not said to be invalid twice.
func wrong(field string, err error) error {
	return fmt.Errorf("%w: %s: %s", webhook.ErrInvalid, field, strings.TrimPrefix(err.Error(), webhook.ErrInvalid.Error()+": "))
}

func (r *namedRule) size() int {
	size := len(r.rule.Name) + len(r.rule.Respond)
	for _, m := range r.rule.Match {
		size += len(m.Name) + len(m.Value)
	}
	return size
}

// newRule checks a rule; field is where its error is.
func newRule(rule *webhook.AnswerRule) (out namedRule, field string, err error) {
	out.rule = *rule
	if rule.Name == "" || len(rule.Name) > maxRuleName || !utf8.ValidString(rule.Name) || strings.ContainsFunc(rule.Name, isControl) ||
		strings.TrimSpace(rule.Name) != rule.Name {
		return out, "name", fmt.Errorf("%q: a name has 1 to %d bytes, no control characters and no blanks at its ends", clip(rule.Name, 60), maxRuleName)
	}
	if len(rule.Match) > MaxMatchers {
		return out, "match", fmt.Errorf("there are %d matchers; at most %d are accepted", len(rule.Match), MaxMatchers)
	}
	for i, m := range rule.Match {
		text, wrongField, fault := expression(m)
		var c *condition
		if fault == nil {
			if c, fault = compile(0, text); fault != nil && m.Part == webhook.PartWhen {
				wrongField = "value"
			}
		}
		if fault != nil {
			return out, strings.TrimSuffix("match."+strconv.Itoa(i)+"."+wrongField, "."), fault
		}
		out.conditions = append(out.conditions, c)
	}
	if out.answers, err = Parse(rule.Respond); err != nil {
		return out, "respond", err
	}
	if out.answers.NeedsListener() {
		return out, "respond", fmt.Errorf("%q has a fault before HTTP, where there is no request that a rule could match; "+
			"give it to the endpoint's own answers", clip(rule.Respond, 60))
	}
	return out, "", nil
}

// answering returns the index of the rule that answers, or -1.
func (p *Program) answering(in Arrival) int {
	seen := view{in: in}
	for i := range p.named {
		if r := &p.named[i]; !r.rule.Off && r.holds(&seen) {
			return i
		}
	}
	return -1
}

func (r *namedRule) holds(seen *view) bool {
	for _, c := range r.conditions {
		if !c.holds(seen) {
			return false
		}
	}
	return true
}

// byRule returns the plan of a rule that answers.
func (p *Program) byRule(i int, in Arrival) webhook.Plan {
	next := p.at(in.Step + 1)
	in.Step = in.RuleStep
	out := p.named[i].answers.unruled(in)
	out.Rule = p.named[i].rule.Name
	if next >= 0 {
		out.Close = out.Close || natureOf(p.steps[next].plan.Fault).connects
	}
	out.Close = out.Close || p.closing
	return out
}

// Explain returns the plan of For with what became of each rule.
func (p *Program) Explain(in Arrival) ([]webhook.RuleTrial, webhook.Plan) {
	seen := view{in: in}
	trials := make([]webhook.RuleTrial, 0, len(p.named))
	answered := false
	for i := range p.named {
		r := &p.named[i]
		trial := webhook.RuleTrial{Name: r.rule.Name, State: webhook.RuleOff}
		if !r.rule.Off {
			trial.State = webhook.RuleAnswers
			for k, m := range r.rule.Match {
				one := webhook.MatcherTrial{Matcher: m, Holds: r.conditions[k].holds(&seen)}
				one.Actual, one.Present = seen.actual(m)
				trial.Matchers = append(trial.Matchers, one)
				if !one.Holds {
					trial.State = webhook.RuleDiffers
				}
			}
			if trial.State == webhook.RuleAnswers && answered {
				trial.State = webhook.RuleBehind
			}
			answered = answered || trial.State == webhook.RuleAnswers
		}
		trials = append(trials, trial)
	}
	return trials, p.For(in)
}

// expression returns a matcher in the language of when; field is where its error is.
func expression(m webhook.Matcher) (text, field string, err error) {
	if len(m.Value) > maxValue || len(m.Name) > maxValue || !utf8.ValidString(m.Value) || !utf8.ValidString(m.Name) {
		return "", "value", fmt.Errorf("a matcher's name and value are UTF-8 and take at most %d bytes each", maxValue)
	}
	if m.Part == webhook.PartWhen {
		if m.Op != "" || m.Name != "" {
			return "", "op", fmt.Errorf("when takes an expression as its value, and neither a name nor an op")
		}
		return m.Value, "", nil
	}
	operand, present, err := operandOf(m)
	if err != nil {
		return "", "name", err
	}
	return compare(m, operand, present)
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")

// operandOf returns the expressions for a part and for its presence.
func operandOf(m webhook.Matcher) (operand, present string, err error) {
	plain := map[webhook.Part]string{
		webhook.PartMethod: "method", webhook.PartPath: "subpath", webhook.PartBody: "raw", webhook.PartAttempt: "attempt",
	}
	if operand = plain[m.Part]; operand != "" {
		if m.Name != "" {
			return "", "", fmt.Errorf("%q: %s has no name", clip(m.Name, 60), m.Part)
		}
		return operand, operand + ` != ""`, nil
	}
	name := literal(m.Name)
	switch m.Part {
	case webhook.PartHeader:
		if !headerName.MatchString(m.Name) {
			return "", "", fmt.Errorf("%q is no header name", clip(m.Name, 60))
		}
		name = literal(strings.ToLower(m.Name))
		return "header[" + name + "]", name + " in header", nil
	case webhook.PartQuery:
		if m.Name == "" {
			return "", "", fmt.Errorf("give the name of a query parameter")
		}
		return "query[" + name + "]", name + " in query", nil
	case webhook.PartJSON:
		if fault := checkPath(m.Name); fault != "" {
			return "", "", fmt.Errorf("%q: %s", clip(m.Name, 60), fault)
		}
		return "at(" + name + ")", "has(" + name + ")", nil
	default:
		return "", "", fmt.Errorf("part %q: use method, path, header, query, json, body, attempt or when", clip(string(m.Part), 60))
	}
}

// literal is text as a string of the expression language.
func literal(text string) string {
	var out bytes.Buffer
	// A string always has a JSON form.
	_ = json.NewEncoder(&out).Encode(text)
	return strings.TrimSpace(out.String())
}

const opUsage = "use equals, differs, contains, starts, ends, matches, exists, absent, <, <=, > or >="

func compare(m webhook.Matcher, operand, present string) (text, field string, err error) {
	if m.Part == webhook.PartAttempt {
		return compareAttempt(m)
	}
	words := map[webhook.Op]string{
		webhook.OpEquals: "==", webhook.OpDiffers: "!=", webhook.OpContains: "contains", webhook.OpStarts: "startsWith",
		webhook.OpEnds: "endsWith", webhook.OpMatches: "matches",
	}
	switch m.Op {
	case webhook.OpExists, webhook.OpAbsent:
		if m.Value != "" {
			return "", "value", fmt.Errorf("%s takes no value", m.Op)
		}
		if m.Op == webhook.OpAbsent {
			present = "not (" + present + ")"
		}
		return present, "", nil
	case webhook.OpLess, webhook.OpMost, webhook.OpMore, webhook.OpLeast:
		n, fault := strconv.ParseFloat(m.Value, 64)
		if fault != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return "", "value", fmt.Errorf("%q: %s compares numbers; give one", clip(m.Value, 60), m.Op)
		}
		return "float(" + operand + ") " + string(m.Op) + " " + strconv.FormatFloat(n, 'f', -1, 64), "", nil
	case webhook.OpMatches:
		if _, fault := regexp.Compile(m.Value); fault != nil {
			return "", "value", fmt.Errorf("%q is no regular expression (RE2): %s", clip(m.Value, 60),
				strings.TrimPrefix(fault.Error(), "error parsing regexp: "))
		}
	default:
	}
	word, known := words[m.Op]
	if !known {
		return "", "op", fmt.Errorf("op %q: %s", clip(string(m.Op), 60), opUsage)
	}
	return operand + " " + word + " " + literal(m.Value), "", nil
}

func compareAttempt(m webhook.Matcher) (text, field string, err error) {
	word := string(m.Op)
	switch m.Op {
	case webhook.OpEquals:
		word = "=="
	case webhook.OpDiffers:
		word = "!="
	case webhook.OpLess, webhook.OpMost, webhook.OpMore, webhook.OpLeast:
	default:
		return "", "op", fmt.Errorf("op %q: an attempt is a number; use equals, differs, <, <=, > or >=", clip(word, 60))
	}
	n, fault := strconv.Atoi(m.Value)
	if fault != nil || n < 0 {
		return "", "value", fmt.Errorf("%q: attempts are counted from 1; give a whole number", clip(m.Value, 60))
	}
	return "attempt " + word + " " + strconv.Itoa(n), "", nil
}
