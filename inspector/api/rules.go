package api

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// AnswerRule is a named answer for the requests that it matches.
type AnswerRule struct {
	Name    string    `json:"name"`
	Off     bool      `json:"off"`
	Match   []Matcher `json:"match"`
	Respond string    `json:"respond"`
}

// Matcher is one condition of a rule; all must hold.
type Matcher struct {
	Part  string `json:"part"`
	Name  string `json:"name"`
	Op    string `json:"op"`
	Value string `json:"value"`
}

// CORS says which pages in a browser may send. Without origins it is off.
type CORS struct {
	Origins     []string `json:"origins"`
	Methods     []string `json:"methods"`
	Headers     []string `json:"headers"`
	MaxAge      Millis   `json:"max_age_ms"`
	Credentials bool     `json:"credentials"`
}

// CaptureRef names a capture of an endpoint: by its seq, or Latest. Zero names none.
type CaptureRef int64

// Latest is the newest capture of an endpoint, of whichever class.
const Latest CaptureRef = -1

const latestText = "latest"

// UnmarshalText reads a seq or "latest".
func (c *CaptureRef) UnmarshalText(text []byte) error {
	if string(text) == latestText {
		*c = Latest
		return nil
	}
	seq, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || seq < 1 {
		return fmt.Errorf("%w: capture %.40q: give a seq, which is a number from 1, or latest", webhook.ErrInvalid, text)
	}
	*c = CaptureRef(seq)
	return nil
}

// UnmarshalJSON reads a number or the text "latest"; 0 and null are none.
func (c *CaptureRef) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "null", "0":
		return nil
	case `"` + latestText + `"`:
		*c = Latest
		return nil
	default:
		// A number in quotes is no number.
		return c.UnmarshalText(text)
	}
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c CaptureRef) MarshalJSON() ([]byte, error) {
	if c == Latest {
		return []byte(`"` + latestText + `"`), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

// DryRunInput is what to try: rules and answers (the endpoint's where they are left out) with a capture or a request.
type DryRunInput struct {
	Rules   []AnswerRule  `json:"rules"`
	Respond *string       `json:"respond"`
	Capture CaptureRef    `json:"capture"`
	Request *TrialRequest `json:"request"`
	// Attempt is the capture's, or 1, where it is left out.
	Attempt int    `json:"attempt"`
	Seed    string `json:"seed"`
}

// TrialRequest is a made-up request, which is taken to prove its sender. Path follows /hooks/ENDPOINT and may have a
// query.
type TrialRequest struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Headers []Pair `json:"headers"`
	Body    string `json:"body"`
}

// DryRun is what would go out, and why. Refused is the reason of a refusal, which comes before the rules.
type DryRun struct {
	Refused string      `json:"refused"`
	Rules   []RuleTrial `json:"rules"`
	Plan    Plan        `json:"plan"`
	Trouble string      `json:"trouble"`
}

// RuleTrial is what became of a rule: State is answers, differs, behind or off.
type RuleTrial struct {
	Name  string         `json:"name"`
	State string         `json:"state"`
	Match []MatcherTrial `json:"match"`
}

// MatcherTrial is a matcher beside what the request has.
type MatcherTrial struct {
	Matcher
	Holds   bool   `json:"holds"`
	Present bool   `json:"present"`
	Actual  string `json:"actual"`
}

// Preset is an answer to begin with: rules to add, or Respond for the endpoint's own answers.
type Preset struct {
	ID      string       `json:"id"`
	Title   string       `json:"title"`
	Says    string       `json:"says"`
	Respond string       `json:"respond"`
	Rules   []AnswerRule `json:"rules"`
}

// Presets is the answer of the list of presets.
type Presets struct {
	Presets []Preset `json:"presets"`
}

// ImportInput is a document to make rules of. Format is openapi or har; empty finds out.
type ImportInput struct {
	Format string `json:"format"`
	Text   string `json:"text"`
}

// Imported are the rules and the requests of a document; nothing is saved.
type Imported struct {
	Format   string       `json:"format"`
	Rules    []AnswerRule `json:"rules"`
	Examples []Example    `json:"examples"`
	LeftOut  []LeftOut    `json:"left_out"`
}

// Example is a request of a document. Path follows the URL that it is sent to.
type Example struct {
	Name    string `json:"name"`
	At      string `json:"at"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	Headers []Pair `json:"headers"`
	Body    string `json:"body"`
	// Made is true for a body that was made of a schema.
	Made bool `json:"made"`
}

// LeftOut says what of a document is in no rule, and why.
type LeftOut struct {
	At  string `json:"at"`
	Why string `json:"why"`
}

//go:embed presets.yaml
var presets []byte

// ReadPresets returns the presets that are part of the program.
func ReadPresets() (Presets, error) {
	text, err := yaml.YAMLToJSON(presets)
	if err != nil {
		return Presets{}, fmt.Errorf("presets: %w", err)
	}
	var out Presets
	if err = Decode(text, &out); err != nil {
		return out, fmt.Errorf("presets: %w", err)
	}
	for i := range out.Presets {
		out.Presets[i].Rules = withLists(out.Presets[i].Rules)
	}
	return out, nil
}

// withLists puts empty lists where there are none.
func withLists(rules []AnswerRule) []AnswerRule {
	if rules == nil {
		return []AnswerRule{}
	}
	for i := range rules {
		if rules[i].Match == nil {
			rules[i].Match = []Matcher{}
		}
	}
	return rules
}

// AnswerRules returns the JSON form of rules.
func (v View) AnswerRules(rules []webhook.AnswerRule) []AnswerRule {
	out := make([]AnswerRule, 0, len(rules))
	for i := range rules {
		r := &rules[i]
		form := AnswerRule{Name: v.Mask.String(r.Name), Off: r.Off, Match: []Matcher{}, Respond: v.Mask.String(r.Respond)}
		for _, m := range r.Match {
			form.Match = append(form.Match, v.matcher(m))
		}
		out = append(out, form)
	}
	return out
}

func (v View) matcher(m webhook.Matcher) Matcher {
	return Matcher{Part: string(m.Part), Name: v.Mask.String(m.Name), Op: string(m.Op), Value: v.Mask.String(m.Value)}
}

func cors(p *webhook.CORSPolicy) CORS {
	if p == nil {
		p = &webhook.CORSPolicy{}
	}
	return CORS{Origins: list(p.Origins), Methods: list(p.Methods), Headers: list(p.Headers), MaxAge: Millis(p.MaxAge), Credentials: p.Credentials}
}

// DryRun returns the JSON form of a trial's result.
func (v View) DryRun(got *webhook.TrialResult) DryRun {
	out := DryRun{Refused: string(got.Refused), Rules: []RuleTrial{}, Plan: v.plan(&got.Plan), Trouble: v.Mask.String(got.Plan.Trouble)}
	for i := range got.Rules {
		r := &got.Rules[i]
		trial := RuleTrial{Name: v.Mask.String(r.Name), State: string(r.State), Match: []MatcherTrial{}}
		for k := range r.Matchers {
			m := &r.Matchers[k]
			trial.Match = append(trial.Match, MatcherTrial{
				Matcher: v.matcher(m.Matcher), Holds: m.Holds, Present: m.Present, Actual: v.actual(m),
			})
		}
		out.Rules = append(out.Rules, trial)
	}
	return out
}

// actual masks a part as the line or the parameter that it stands in, because some values are secret by their name.
func (v View) actual(m *webhook.MatcherTrial) string {
	switch m.Matcher.Part {
	case webhook.PartHeader:
		return v.value(webhook.Field{Name: m.Matcher.Name, Value: m.Actual})
	case webhook.PartQuery:
		lead := "/?" + m.Matcher.Name + "="
		shown, found := strings.CutPrefix(v.Mask.String(lead+m.Actual), lead)
		if !found {
			return Hidden
		}
		return shown
	default:
		return v.Mask.String(m.Actual)
	}
}

// rules takes over the rules of a form. A text that is as shown in the rule of that name, or at that place, is kept as it
// is stored.
func (m *merger) rules(forms []AnswerRule) []webhook.AnswerRule {
	var out []webhook.AnswerRule
	for i := range forms {
		f := &forms[i]
		var shown AnswerRule
		var stored webhook.AnswerRule
		for k := range m.shown.Rules {
			if k < len(m.stored.Rules) && (m.shown.Rules[k].Name == f.Name || shown.Name == "" && k == i) {
				shown, stored = m.shown.Rules[k], m.stored.Rules[k]
			}
		}
		field := "rules." + strconv.Itoa(i) + "."
		rule := webhook.AnswerRule{
			Name: m.text(field+"name", f.Name, shown.Name, stored.Name), Off: f.Off,
			Respond: m.text(field+"respond", f.Respond, shown.Respond, stored.Respond),
		}
		for k, form := range f.Match {
			var seen Matcher
			var kept webhook.Matcher
			if k < len(shown.Match) && k < len(stored.Match) {
				seen, kept = shown.Match[k], stored.Match[k]
			}
			at := field + "match." + strconv.Itoa(k) + "."
			rule.Match = append(rule.Match, webhook.Matcher{
				Part: webhook.Part(form.Part), Name: m.text(at+"name", form.Name, seen.Name, kept.Name),
				Op: webhook.Op(form.Op), Value: m.text(at+"value", form.Value, seen.Value, kept.Value),
			})
		}
		out = append(out, rule)
	}
	return out
}

func (m *merger) cors(c CORS) *webhook.CORSPolicy {
	if len(c.Origins) == 0 {
		m.check(len(c.Methods) == 0 && len(c.Headers) == 0 && c.MaxAge == 0 && !c.Credentials,
			"cors.origins: give the origins that may send, or * for any; without them CORS is off")
		return nil
	}
	return &webhook.CORSPolicy{
		Origins: c.Origins, Methods: c.Methods, Headers: c.Headers, MaxAge: c.MaxAge.Duration(), Credentials: c.Credentials,
	}
}
