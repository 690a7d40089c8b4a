package plan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func ruled(tb testing.TB, rest string, rules ...webhook.AnswerRule) *plan.Program {
	tb.Helper()
	p, err := parse(tb, rest).WithRules(rules)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func request(body string) *webhook.Request {
	return &webhook.Request{
		Method: "POST", Target: "/hooks/a/orders/7?event=paid&secret=hush",
		Head: []byte("POST /hooks/a/orders/7?event=paid HTTP/1.1\r\nHost: h\r\nX-Kind: Order.Paid\r\nx-kind: second\r\nX-N: 12\r\n\r\n"),
		Body: []byte(body),
	}
}

func arrival(body string) plan.Arrival {
	return plan.Arrival{Attempt: 1, Request: request(body), Path: "/hooks/a/orders/7"}
}

func TestMatchers(t *testing.T) {
	t.Parallel()
	const body = `{"runs":[{"id":"r-1","n":3}],"ok":true,"none":null,"big":9007199254740993}`
	m := func(part webhook.Part, name string, op webhook.Op, value string) webhook.Matcher {
		return webhook.Matcher{Part: part, Name: name, Op: op, Value: value}
	}
	tests := map[string]struct {
		matcher webhook.Matcher
		body    string
		want    bool
	}{
		"method":                        {m("method", "", "equals", "POST"), body, true},
		"another method":                {m("method", "", "equals", "GET"), body, false},
		"path is below the endpoint":    {m("path", "", "equals", "/orders/7"), body, true},
		"path starts":                   {m("path", "", "starts", "/orders/"), body, true},
		"path matches":                  {m("path", "", "matches", `^/orders/[^/]+$`), body, true},
		"header without regard to case": {m("header", "x-KIND", "equals", "Order.Paid"), body, true},
		"header value has case":         {m("header", "X-Kind", "equals", "order.paid"), body, false},
		"header absent":                 {m("header", "X-Other", "absent", ""), body, true},
		"header not absent":             {m("header", "X-Kind", "absent", ""), body, false},
		"header exists":                 {m("header", "X-Kind", "exists", ""), body, true},
		"header number":                 {m("header", "X-N", ">=", "12"), body, true},
		"header that is no number":      {m("header", "X-Kind", "<", "1e9"), body, false},
		"query":                         {m("query", "event", "ends", "id"), body, true},
		"query that is not there":       {m("query", "other", "equals", ""), body, true},
		"json text":                     {m("json", "runs.0.id", "equals", "r-1"), body, true},
		"json number as text":           {m("json", "runs.0.n", "equals", "3"), body, true},
		"json large number":             {m("json", "big", "equals", "9007199254740993"), body, true},
		"json number":                   {m("json", "runs.0.n", "<", "3.5"), body, true},
		"json bool":                     {m("json", "ok", "equals", "true"), body, true},
		"json null is there":            {m("json", "none", "exists", ""), body, true},
		"json length":                   {m("json", "runs.#", "equals", "1"), body, true},
		"json query":                    {m("json", `runs.#(n==3).id`, "equals", "r-1"), body, true},
		"json absent":                   {m("json", "runs.1", "absent", ""), body, true},
		"json of what is none":          {m("json", "runs", "exists", ""), "runs", false},
		"json of what is too deep":      {m("json", "#", "exists", ""), strings.Repeat("[", 1001) + strings.Repeat("]", 1001), false},
		"json differs where absent":     {m("json", "nothing", "differs", "x"), body, true},
		"body":                          {m("body", "", "contains", `"r-1"`), body, true},
		"a quote in a value":            {m("body", "", "contains", "\"\\\n</script>\u2028😀"), "\"\\\n</script>\u2028😀", true},
		"attempt":                       {m("attempt", "", "equals", "1"), body, true},
		"attempt first to nth":          {m("attempt", "", "<=", "3"), body, true},
		"later attempts":                {m("attempt", "", ">", "1"), body, false},
		"expression":                    {m("when", "", "", `method == "POST" and at("runs.0.n") == "3" and has("ok")`), body, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ruled(t, "200", webhook.AnswerRule{Name: "it", Match: []webhook.Matcher{test.matcher}, Respond: "418"})
			if got := p.For(arrival(test.body)).Status == 418; got != test.want {
				t.Errorf("%+v holds: %v, want %v", test.matcher, got, test.want)
			}
			trials, _ := p.Explain(arrival(test.body))
			if trials[0].Matchers[0].Holds != test.want {
				t.Errorf("explained %+v", trials)
			}
			if got := p.For(plan.Arrival{Attempt: 7}); got.Status == 0 {
				t.Errorf("no request: %+v", got)
			}
		})
	}
}

func TestRulesAnswerInOrder(t *testing.T) {
	t.Parallel()
	post := []webhook.Matcher{{Part: "method", Op: "equals", Value: "POST"}}
	p := ruled(t, "204",
		webhook.AnswerRule{Name: "off", Off: true, Match: post, Respond: "500"},
		webhook.AnswerRule{Name: "other", Match: []webhook.Matcher{{Part: "json", Name: "kind", Op: "equals", Value: "x"}}, Respond: "502"},
		webhook.AnswerRule{Name: "flaky", Match: post, Respond: "503x2/after=1s 200"},
		webhook.AnswerRule{Name: "all", Respond: "400"},
	)
	type answer struct {
		Rule, Text string
		Step       int
	}
	var got []answer
	for step := range 3 {
		in := arrival(`{"kind":"y"}`)
		in.Step, in.RuleStep, in.Attempt = 9, step, step+1
		made := p.For(in)
		got = append(got, answer{made.Rule, made.Text, made.Step})
	}
	in := arrival("")
	in.Request.Method = "GET"
	made := p.For(in)
	got = append(got, answer{made.Rule, made.Text, made.Step})
	if diff := cmp.Diff([]answer{{"flaky", "503/after=1s", 0}, {"flaky", "503/after=1s", 0}, {"flaky", "200", 1}, {"all", "400", 0}}, got); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
	trials, would := p.Explain(arrival(`{"kind":"y"}`))
	want := []webhook.RuleTrial{
		{Name: "off", State: webhook.RuleOff},
		{Name: "other", State: webhook.RuleDiffers, Matchers: []webhook.MatcherTrial{
			{Matcher: webhook.Matcher{Part: "json", Name: "kind", Op: "equals", Value: "x"}, Present: true, Actual: "y"},
		}},
		{Name: "flaky", State: webhook.RuleAnswers, Matchers: []webhook.MatcherTrial{{Matcher: post[0], Holds: true, Present: true, Actual: "POST"}}},
		{Name: "all", State: webhook.RuleBehind},
	}
	if diff := cmp.Diff(want, trials); diff != "" || would.Rule != "flaky" {
		t.Errorf("explained as %q (-want +got):\n%s", would.Rule, diff)
	}
	if in := arrival("{}"); ruled(t, "200 reset@accept", webhook.AnswerRule{Name: "all"}).For(in).Close != true {
		t.Error("a rule's answer keeps a connection that the endpoint's next step must not find")
	}
}

func TestRulesRefused(t *testing.T) {
	t.Parallel()
	match := func(m webhook.Matcher) webhook.AnswerRule {
		return webhook.AnswerRule{Name: "a", Match: []webhook.Matcher{{Part: "method", Op: "equals"}, m}}
	}
	tests := map[string]struct {
		rules []webhook.AnswerRule
		want  string
	}{
		"no name":        {[]webhook.AnswerRule{{}}, "rules.0.name: "},
		"line in a name": {[]webhook.AnswerRule{{Name: "a\nb"}}, "rules.0.name: "},
		"twice":          {[]webhook.AnswerRule{{Name: "a"}, {Name: "a"}}, "rules.1.name: another rule"},
		"respond":        {[]webhook.AnswerRule{{Name: "a"}, {Name: "b", Respond: "2oo"}}, `rules.1.respond: respond: step 1, "2oo"`},
		"off too":        {[]webhook.AnswerRule{{Name: "a", Off: true, Respond: "2oo"}}, "rules.0.respond: "},
		"before HTTP":    {[]webhook.AnswerRule{{Name: "a", Respond: "refuse"}}, "rules.0.respond: \"refuse\" has a fault before HTTP"},
		"part":           {[]webhook.AnswerRule{match(webhook.Matcher{Part: "cookie", Op: "exists"})}, `rules.0.match.1.name: part "cookie"`},
		"op":             {[]webhook.AnswerRule{match(webhook.Matcher{Part: "method", Op: "is"})}, `rules.0.match.1.op: op "is"`},
		"regexp":         {[]webhook.AnswerRule{match(webhook.Matcher{Part: "body", Op: "matches", Value: "(a"})}, "rules.0.match.1.value: \"(a\" is no regular expression"},
		"back reference": {[]webhook.AnswerRule{match(webhook.Matcher{Part: "body", Op: "matches", Value: `(a)\1`})}, "rules.0.match.1.value: "},
		"number":         {[]webhook.AnswerRule{match(webhook.Matcher{Part: "query", Name: "n", Op: "<", Value: "NaN"})}, "rules.0.match.1.value: "},
		"attempt":        {[]webhook.AnswerRule{match(webhook.Matcher{Part: "attempt", Op: "<", Value: "two"})}, "rules.0.match.1.value: "},
		"attempt op":     {[]webhook.AnswerRule{match(webhook.Matcher{Part: "attempt", Op: "contains", Value: "2"})}, "rules.0.match.1.op: "},
		"header name":    {[]webhook.AnswerRule{match(webhook.Matcher{Part: "header", Name: "a b", Op: "exists"})}, "rules.0.match.1.name: "},
		"modifier":       {[]webhook.AnswerRule{match(webhook.Matcher{Part: "json", Name: "a.@pretty", Op: "exists"})}, "rules.0.match.1.name: "},
		"expression":     {[]webhook.AnswerRule{match(webhook.Matcher{Part: "when", Value: "now()"})}, "rules.0.match.1.value: "},
		"not a boolean":  {[]webhook.AnswerRule{match(webhook.Matcher{Part: "when", Value: "1"})}, "rules.0.match.1.value: "},
		"too many":       {make([]webhook.AnswerRule, plan.MaxRules+1), "rules: there are 201"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(t, "").WithRules(test.rules)
			if !errors.Is(err, webhook.ErrInvalid) || !strings.HasPrefix(err.Error(), "invalid: "+test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestNoRulesCostNothing(t *testing.T) {
	p := ruled(t, "503 200")
	in := arrival("{}")
	if n := testing.AllocsPerRun(100, func() { p.For(in) }); n != 0 {
		t.Errorf("%v allocations without a rule", n)
	}
}

// FuzzRules puts any text into each place of a matcher: a rule that is accepted can be evaluated.
func FuzzRules(f *testing.F) {
	f.Add("json", "runs.0.id", "equals", "x", `{"runs":[]}`)
	f.Add("json", `#(a=="b")#.c`, "exists", "", `[{"a":"b"}]`)
	f.Add("header", "X-Kind", "matches", "^O.*$", "")
	f.Add("when", "", "", `body.a == "b" || at("a") matches "b"`, `{"a":1}`)
	f.Add("attempt", "", "<=", "3", "")
	f.Fuzz(func(t *testing.T, part, name, op, value, body string) {
		rule := webhook.AnswerRule{Name: "it", Match: []webhook.Matcher{{Part: webhook.Part(part), Name: name, Op: webhook.Op(op), Value: value}}, Respond: "418"}
		p, err := parse(t, "").WithRules([]webhook.AnswerRule{rule})
		if err != nil {
			if !errors.Is(err, webhook.ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		in := arrival(body)
		trials, would := p.Explain(in)
		if (trials[0].State == webhook.RuleAnswers) != (would.Status == 418) {
			t.Errorf("explained as %+v, but it gets %+v", trials, would)
		}
	})
}
