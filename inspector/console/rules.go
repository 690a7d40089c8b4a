package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"

	"github.com/hookrange/hookrange/inspector/api"
)

// RuleSettings are the rules of an endpoint that a command line gives.
type RuleSettings struct {
	Rules  []byte   `help:"File with the rules, a YAML or JSON list of {name, off, match: [{part, name, op, value}], respond}; they replace those that are there." type:"filecontent" placeholder:"FILE"`
	Preset []string `help:"Answers to begin with, put before the rules that are there; see 'endpoint presets'." placeholder:"ID"`

	CORSOrigin      []string `name:"cors-origin" env:"HOOKRANGE_CORS_ORIGIN" help:"Origins whose pages may send, or *; an empty one ends that."`
	CORSMethod      []string `name:"cors-method" env:"HOOKRANGE_CORS_METHOD" help:"Methods that they may use; what is asked for by default."`
	CORSHeader      []string `name:"cors-header" env:"HOOKRANGE_CORS_HEADER" help:"Headers that they may use; what is asked for by default."`
	CORSMaxAge      *int64   `name:"cors-max-age" env:"HOOKRANGE_CORS_MAX_AGE" help:"Seconds for which a browser may remember that." placeholder:"SECONDS"`
	CORSCredentials *bool    `name:"cors-credentials" env:"HOOKRANGE_CORS_CREDENTIALS" help:"Let them send cookies."`
}

// put adds the settings to a change in JSON. Name is the endpoint's that is there already, or empty.
func (s *RuleSettings) put(ctx context.Context, c *Client, name string, body map[string]any) error {
	cors := map[string]any{}
	for key, list := range map[string][]string{"origins": s.CORSOrigin, "methods": s.CORSMethod, "headers": s.CORSHeader} {
		if list != nil {
			cors[key] = slices.DeleteFunc(slices.Clone(list), func(text string) bool { return text == "" })
		}
	}
	if s.CORSMaxAge != nil {
		cors["max_age_ms"] = *s.CORSMaxAge * 1000
	}
	set(cors, "credentials", s.CORSCredentials)
	if len(s.CORSOrigin) == 1 && s.CORSOrigin[0] == "" {
		cors = map[string]any{"origins": []string{}, "methods": []string{}, "headers": []string{}, "max_age_ms": 0, "credentials": false}
	}
	if len(cors) > 0 {
		body["cors"] = cors
	}
	if s.Rules == nil && len(s.Preset) == 0 {
		return nil
	}
	rules, err := s.rules(ctx, c, name)
	if err != nil {
		return err
	}
	if len(s.Preset) == 0 {
		body["rules"] = rules
		return nil
	}
	var list api.Presets
	if err = c.do(ctx, call{method: http.MethodGet, path: "/api/v1/presets"}, &list); err != nil {
		return err
	}
	var added []api.AnswerRule
	for _, id := range s.Preset {
		i := slices.IndexFunc(list.Presets, func(p api.Preset) bool { return p.ID == id })
		if i < 0 {
			return &Error{text: "no preset is called " + plain(id), hint: "run 'hookrange endpoint presets'"}
		}
		if p := list.Presets[i]; p.Respond != "" {
			body["respond"] = p.Respond
		}
		added = append(added, list.Presets[i].Rules...)
	}
	body["rules"] = merged(added, rules)
	return nil
}

// rules returns those of the file or, without one, those that the endpoint has.
func (s *RuleSettings) rules(ctx context.Context, c *Client, name string) ([]api.AnswerRule, error) {
	if s.Rules != nil {
		return readRules(s.Rules)
	}
	if name == "" {
		return []api.AnswerRule{}, nil
	}
	var ep api.Endpoint
	err := c.do(ctx, call{method: http.MethodGet, path: endpointPath(name)}, &ep)
	return ep.Rules, err
}

func readRules(text []byte) ([]api.AnswerRule, error) {
	hint := "give a YAML or JSON list, such as [{name: all, match: [], respond: 503x2 200}]"
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, &Error{text: "the rules are neither YAML nor JSON: " + plain(line), hint: hint, err: err}
	}
	rules := []api.AnswerRule{}
	if err = api.Decode(asJSON, &rules); err != nil {
		return nil, &Error{text: "the rules: " + plain(err.Error()), hint: hint, err: err}
	}
	return rules, nil
}

// merged returns two lists as one; a rule of the second whose name the first has goes.
func merged(first, second []api.AnswerRule) []api.AnswerRule {
	out := slices.Clone(first)
	for _, r := range second {
		if !slices.ContainsFunc(first, func(f api.AnswerRule) bool { return f.Name == r.Name }) {
			out = append(out, r)
		}
	}
	return out
}

// Presets prints the answers to begin with.
func Presets(ctx context.Context, c *Client, asJSON bool, out io.Writer) error {
	var list api.Presets
	if err := c.do(ctx, call{method: http.MethodGet, path: "/api/v1/presets"}, &list); err != nil {
		return err
	}
	if asJSON {
		return printEach(out, list.Presets)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := range list.Presets {
		fmt.Fprintf(table, "%s\t%s\n", list.Presets[i].ID, list.Presets[i].Says)
	}
	return table.Flush()
}

// ImportOptions are those of Import.
type ImportOptions struct {
	Endpoint string
	Format   string
	Text     []byte
	// On leaves rules on that the document does not switch off itself; otherwise all are off.
	On bool
	// Look saves nothing.
	Look bool
	JSON bool
}

// Import makes rules of a document, prints them with what was left out, and puts them behind the endpoint's rules.
func Import(ctx context.Context, c *Client, opts ImportOptions, out io.Writer) error {
	var got api.Imported
	in := call{method: http.MethodPost, path: "/api/v1/import", body: api.ImportInput{Format: opts.Format, Text: string(opts.Text)}}
	if err := c.do(ctx, in, &got); err != nil {
		return err
	}
	for i := range got.Rules {
		got.Rules[i].Off = got.Rules[i].Off || !opts.On
	}
	if !opts.Look {
		var ep api.Endpoint
		path := endpointPath(opts.Endpoint)
		if err := c.do(ctx, call{method: http.MethodGet, path: path}, &ep); err != nil {
			return err
		}
		// A rule of a name that is there already takes its place.
		kept := merged(got.Rules, ep.Rules)[len(got.Rules):]
		body := map[string]any{"rules": append(slices.Clone(kept), got.Rules...)}
		if err := c.do(ctx, call{method: http.MethodPatch, path: path, body: body}, &ep); err != nil {
			return err
		}
	}
	if opts.JSON {
		return printJSON(out, got)
	}
	for i := range got.Rules {
		if err := printLine(out, ruleLine(&got.Rules[i])); err != nil {
			return err
		}
	}
	for i := range got.Examples {
		if err := printLine(out, exampleLine(&got.Examples[i])); err != nil {
			return err
		}
	}
	for _, l := range got.LeftOut {
		if err := printLine(out, "left out: "+strings.TrimPrefix(plain(l.At)+": ", ": ")+plain(l.Why)); err != nil {
			return err
		}
	}
	return nil
}

// exampleLine shows an example with the name that hookrange send --example takes.
func exampleLine(e *api.Example) string {
	text := fmt.Sprintf("example %q: %d bytes", plain(e.Name), len(e.Body))
	if e.Made {
		text += ", made of the schema"
	}
	return text
}

func ruleLine(r *api.AnswerRule) string {
	var match []string
	for _, m := range r.Match {
		match = append(match, matcherText(m))
	}
	state := ""
	if r.Off {
		state = " (off)"
	}
	when := strings.Join(match, " and ")
	if when == "" {
		when = "every request"
	}
	respond := r.Respond
	if respond == "" {
		respond = "200"
	}
	return plain(r.Name) + state + ": " + when + " -> " + shorten(plain(respond), 80)
}

func matcherText(m api.Matcher) string {
	return plain(strings.Join(strings.Fields(m.Part+" "+m.Name+" "+m.Op+" "+m.Value), " "))
}

// TryOptions are those of Try.
type TryOptions struct {
	Endpoint string
	// Capture to try with; none makes a request of the fields below.
	Capture            api.CaptureRef
	Method, Path, Body string
	Headers            []string
	Attempt            int
	// Rules is a file's text, nil for the endpoint's rules; so is Respond.
	Rules        []byte
	Respond      *string
	Reveal, JSON bool
}

// Try prints what the endpoint would answer, and why. Nothing is saved or sent.
func Try(ctx context.Context, c *Client, opts TryOptions, out io.Writer) error {
	form := map[string]any{}
	if opts.Capture != 0 {
		form["capture"] = opts.Capture
	} else {
		request := api.TrialRequest{Method: opts.Method, Path: opts.Path, Body: opts.Body, Headers: []api.Pair{}}
		for _, line := range opts.Headers {
			name, value, _ := strings.Cut(line, ":")
			request.Headers = append(request.Headers, api.Pair{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
		form["request"] = request
	}
	if opts.Attempt != 0 {
		form["attempt"] = opts.Attempt
	}
	set(form, "respond", opts.Respond)
	if opts.Rules != nil {
		rules, err := readRules(opts.Rules)
		if err != nil {
			return err
		}
		form["rules"] = rules
	}
	var got api.DryRun
	in := call{
		method: http.MethodPost, path: endpointPath(opts.Endpoint) + "/dry-run", query: revealing(opts.Reveal), body: form,
	}
	if err := c.do(ctx, in, &got); err != nil {
		return err
	}
	return printOne(out, opts.JSON, got, strings.Join(trialLines(&got), "\n"))
}

func trialLines(got *api.DryRun) []string {
	var lines []string
	for _, r := range got.Rules {
		lines = append(lines, plain(r.Name)+": "+map[string]string{
			"answers": "answers", "differs": "does not match", "behind": "matches too, but comes later", "off": "off",
		}[r.State])
		for _, m := range r.Match {
			mark, actual := "✓", ""
			if !m.Holds {
				mark = "✗"
				if actual = ", it is " + plain(m.Actual); !m.Present {
					actual = ", it is not there"
				}
			}
			if m.Part == "when" {
				actual = ""
			}
			lines = append(lines, "  "+mark+" "+matcherText(m.Matcher)+actual)
		}
	}
	switch {
	case got.Refused != "":
		lines = append(lines, "refused before any rule: "+plain(got.Refused))
	case got.Plan.Rule == "":
		lines = append(lines, "no rule matches: the endpoint's own answers apply")
	}
	lines = append(lines, "", plain(got.Plan.Text))
	if got.Trouble != "" {
		lines = append(lines, plain(got.Trouble))
	}
	if got.Plan.Status == 0 {
		return lines
	}
	lines = append(lines, fmt.Sprintf("HTTP %d", got.Plan.Status))
	for _, pair := range got.Plan.Headers {
		lines = append(lines, plain(pair[0])+": "+plain(pair[1]))
	}
	if got.Plan.Body != "" {
		lines = append(lines, "")
		for line := range strings.SplitSeq(strings.TrimRight(got.Plan.Body, "\n"), "\n") {
			lines = append(lines, plain(line))
		}
	}
	return lines
}
