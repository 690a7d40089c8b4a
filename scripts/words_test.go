package scripts_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// sample is a script that has a word, played to what the word means.
type sample struct {
	// script follows "profile p" and a case of level must, unless it begins with a profile of its own.
	script string
	tries  []try
	// want are the checks of the first case as KIND VERDICT, joined by commas.
	want   string
	change func(*scripts.Config)
	// also looks at more than the checks.
	also func(t *testing.T, p *played, c result.Case)
}

func (s sample) text() string {
	if strings.HasPrefix(s.script, "profile ") {
		return s.script
	}
	return "profile p\ncase A 'title' level=must\n" + s.script
}

// Lines that many samples have.
const (
	sent = "endpoint main 200\ntrigger main\nwait main quiet=3s timeout=100s\n"
	one  = "expect main attempts == 1\n"
	// skipped is what skip says of itself.
	skipped = "skip" + " skip"
)

// told says what was handed to the sender.
func told(want string, what func(scripts.TriggerInput) string) func(*testing.T, *played, result.Case) {
	return func(t *testing.T, p *played, _ result.Case) {
		t.Helper()
		if len(p.inputs) == 0 || what(p.inputs[0]) != want {
			t.Errorf("the sender was told %q of %d, want %q", fmt.Sprint(p.inputs), len(p.inputs), want)
		}
	}
}

// missing has a need that cannot be met.
func missing(need string) func(*scripts.Config) {
	return func(c *scripts.Config) { c.Missing = map[string]string{need: "not here"} }
}

// shelf is an object store whose URLs tell what is behind them.
type shelf map[string]string

func (s shelf) Presign(_ context.Context, name string, object []byte, expires time.Duration) (string, error) {
	url := fmt.Sprintf("http://store.test/%s?expires=%s&sig=1", name, expires)
	s[url] = string(object)
	return url, nil
}

func (s shelf) Fetch(_ context.Context, url string) (int, []byte, error) {
	if object, ok := s[url]; ok {
		return 200, []byte(object), nil
	}
	return 403, nil, nil
}

func stocked(c *scripts.Config) {
	s := shelf{}
	c.Objects, c.Fetcher = s, s
}

// alone keeps the cases of a script, which have endpoints of one name here, from each other.
func alone(c *scripts.Config) { c.Jobs, c.Case = 1, "A-1" }

func commandSamples() map[string][]sample {
	return map[string][]sample{
		"profile": {{
			script: "profile p 'title' payload=json-plain scheme=none\ncase A t level=must\n" + sent + one, tries: []try{{}}, want: "attempts pass",
			also: told("json-plain none", func(in scripts.TriggerInput) string { return in.Payload + " " + string(in.Scheme) }),
		}},
		"set": {
			{script: "profile p\nset n 2\ncase A t level=must\n" + sent + "expect main attempts == $n\n", tries: []try{{}, {}}, want: "attempts pass"},
			{script: "set n 3\n" + sent + "expect main attempts == $n\n", tries: []try{{}, {}}, want: "attempts fail"},
			{
				script: sent + "set first main 'body.id'\nexpect main expr 'vars.first == \"7\"'\nexpect main expr 'vars.first == \"8\"'\n",
				tries:  []try{{body: `{"id":7}`}}, want: "expr pass, expr fail",
			},
			{script: sent + "set first main 'body.id.deep.deeper + 1'\n" + one, tries: []try{{}}, want: "first inconclusive"},
		},
		"case": {{
			script: "profile p\ncase A.b 'title' level=should spec=https://x.test/a.md date=2026-01-31 line=130-134\n" + sent + "expect main attempts == 2\n",
			tries:  []try{{}}, want: "attempts warning",
			also: func(t *testing.T, _ *played, c result.Case) {
				t.Helper()
				want := result.Requirement{Source: "https://x.test/a.md#L130-L134", Date: "2026-01-31", Level: result.Should}
				if diff := cmp.Diff(want, c.Requirement); diff != "" || c.ID != "A.b" || c.Title != "title" {
					t.Errorf("case %s %q:\n%s", c.ID, c.Title, diff)
				}
			},
		}},
		"quote": {{script: "quote 'a sentence'\n" + sent + one, tries: []try{{}}, want: "attempts pass", also: quoted("a sentence")}},
		"measured": {{
			script: "measured 'package 1.5.1' 'one attempt, always' date=2026-11-22\n" + sent + one, tries: []try{{}}, want: "attempts pass",
			also: quoted("measured of package 1.5.1 on 2026-11-22: one attempt, always"),
		}},
		"each": {{script: "each n 1 2\n" + sent + "expect main attempts == $n\n", tries: []try{{}, {}}, change: alone, want: "attempts fail", also: func(
			t *testing.T, _ *played, c result.Case,
		) {
			t.Helper()
			if c.ID != "A-1" {
				t.Errorf("the first case is %s", c.ID)
			}
		}}},
		"needs":   {{script: "needs direct\n" + sent + one, change: missing("direct"), want: "direct inconclusive"}},
		"payload": {{script: "payload json-plain\n" + sent + one, tries: []try{{}}, want: "attempts pass", also: told("json-plain", payloadOf)}},
		"header-set": {{
			script: "header-set X-A b\n" + sent + "expect main header X-A b\n", tries: []try{{header: "X-A: b\r\n"}}, want: "header pass",
			also: told("X-A b", func(in scripts.TriggerInput) string { return in.Header[0].Name + " " + in.Header[0].Value }),
		}},
		"presign": {
			{
				script: "presign in object.json expires=60s\npayload p.json\n" + sent + one + "\n-- object.json --\n{}\n-- p.json --\n{\"url\":\"{in}\"}\n",
				tries:  []try{{}}, want: "attempts pass", change: stocked,
				also: told("{\"url\":\"http://store.test/A/in?expires=1m0s&sig=1\"}\n", func(in scripts.TriggerInput) string { return string(in.Body) }),
			},
			{script: "presign in object.json\n" + sent + one + "\n-- object.json --\n{}\n", want: "in inconclusive"},
		},
		"endpoint": {{script: "endpoint main 503/after=2s 200 scheme=none param=p secret='a b+c' h2\ntrigger main\nwait main quiet=1s\n" + one, tries: []try{{}}, want: "attempts pass", also: func(
			t *testing.T, p *played, _ result.Case,
		) {
			t.Helper()
			want := scripts.Spec{Case: "A", Name: "main", Respond: "503/after=2s 200", Scheme: webhook.SchemeNone, Param: "p", Secret: "a b+c", H2: true}
			if diff := cmp.Diff(want, p.lent[0]); diff != "" {
				t.Errorf("lent (-want +got):\n%s", diff)
			}
		}}},
		"trigger": {{
			script: "endpoint main 200\ntrigger main times=2 operation=wait-run input='[1]' manual='press it'\nwait main quiet=1s\nexpect main deliveries == 2\n",
			tries:  []try{{}}, want: "deliveries pass", also: told("wait-run [1] press it 1", func(in scripts.TriggerInput) string {
				return fmt.Sprint(in.Operation, " ", string(in.Input), " ", in.Manual, " ", in.N)
			}),
		}},
		"wait": {
			{script: "endpoint main 200\ntrigger main\nwait main attempts=2 timeout=50s\nexpect main attempts >= 2\n", tries: []try{{}, {gap: 9 * second}, {gap: second}}, want: "attempts pass", also: took(9 * second)},
			{script: "endpoint main 200\ntrigger main\nwait main quiet=30s timeout=5s\nexpect main attempts <= 2\n", tries: []try{{}}, want: "attempts inconclusive", also: took(5 * second)},
		},
		"replan": {{script: sent + "replan main 500\n" + one, tries: []try{{}}, want: "attempts pass", also: func(
			t *testing.T, p *played, _ result.Case,
		) {
			t.Helper()
			if got := p.open["main"].spec.Respond; got != "500" {
				t.Errorf("answers are %q", got)
			}
		}}},
		"sleep": {{script: sent + "sleep 1m30s\n" + one, tries: []try{{}}, want: "attempts pass", also: took(93 * second)}},
		"fetch": {
			{
				script: "presign in object.json\npayload p.json\n" + sent + "fetch main url json=yes sha256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n" +
					"fetch main url sha256=" + strings.Repeat("0", 64) + "\nfetch main url status=403\n-- object.json --\n{}\n-- p.json --\n{\"url\":\"{in}\"}\n",
				tries: []try{{body: `{"url":"http://store.test/A/in?expires=1h0m0s&sig=1"}`}}, change: stocked, want: "url pass, url fail, url fail",
			},
		},
		"cmp": {{
			script: sent + "cmp main runs.0 same.json\ncmp main runs.0 other.json\ncmp main runs.1 same.json level=should\n" +
				"-- same.json --\n{ \"b\": [1, null], \"a\": \"x\" }\n-- other.json --\n{\"a\":\"x\"}\n",
			tries: []try{{body: `{"runs":[{"a":"x","b":[1,null]}]}`}}, want: "runs.0 pass, runs.0 fail, runs.1 warning",
		}},
		"expect":  {{script: sent + "expect main attempts == 2\nexpect main method POST\n", tries: []try{{}}, want: "attempts fail, method pass"}},
		"require": {{script: sent + "require main attempts == 2\nexpect main method POST\n", tries: []try{{}}, want: "attempts fail"}},
		"note":    {{script: sent + "note 'by the way'\n" + one, tries: []try{{}}, want: "note info, attempts pass"}},
		"skip":    {{script: sent + one + "skip 'not for this one'\nexpect main method GET\n", tries: []try{{}}, want: "attempts pass, " + skipped}},
		"stop":    {{script: sent + one + "stop 'enough was seen'\nexpect main method GET\n", tries: []try{{}}, want: "attempts pass, stop info"}},
	}
}

func quoted(want string) func(*testing.T, *played, result.Case) {
	return func(t *testing.T, _ *played, c result.Case) {
		t.Helper()
		if c.Requirement.Quote != want {
			t.Errorf("quote %q, want %q", c.Requirement.Quote, want)
		}
	}
}

func payloadOf(in scripts.TriggerInput) string { return in.Payload }

func took(want time.Duration) func(*testing.T, *played, result.Case) {
	return func(t *testing.T, _ *played, c result.Case) {
		t.Helper()
		if got := c.Ended.Sub(c.Started); got != want {
			t.Errorf("took %s, want %s", got, want)
		}
	}
}

// checkSamples has what each kind of check says of tries that are as they should be, and of tries that are not.
func checkSamples() map[string][]sample {
	kind := func(check string, good, bad []try) []sample {
		name, _, _ := strings.Cut(check, " ")
		return []sample{
			{script: sent + "expect main " + check + "\n", tries: good, want: name + " pass"},
			{script: sent + "expect main " + check + "\n", tries: bad, want: name + " fail"},
		}
	}
	thrice := []try{{}, {gap: second}, {gap: 2 * second}}
	schema := func(of []sample) []sample {
		for i := range of {
			of[i].script += "-- s.json --\n{\"required\":[\"id\"]}\n"
		}
		return of
	}
	return map[string][]sample{
		"attempts":    kind("attempts == 3", thrice, []try{{}}),
		"deliveries":  kind("deliveries == 1", thrice, []try{{}, {message: "other"}}),
		"connections": kind("connections <= 1", []try{{connection: true}}, []try{{connection: true}, {connection: true}}),
		"spacing": slices.Concat(
			kind("spacing exponential factor=2 tolerance=10%", thrice, []try{{}, {gap: second}, {gap: second}}),
			kind("spacing growing", thrice, []try{{}, {gap: second}, {gap: second}}),
			kind("spacing constant", []try{{}, {gap: second}, {gap: second}}, thrice),
			[]sample{
				{script: sent + "expect main spacing any\n", tries: []try{{}, {gap: second}}, want: "spacing pass"},
				{script: sent + "expect main spacing any\n", tries: []try{{}}, want: "spacing inconclusive"},
			},
		),
		"gap":          kind("gap 1 min=500ms max=2s", thrice, []try{{}, {gap: 3 * second}}),
		"hangup":       kind("hangup after=5s attempt=1 early=20% late=5%", []try{{lasts: 5 * second, hung: true}}, []try{{lasts: 9 * second, hung: true}}),
		"answered":     kind("answered attempt=1 limit=9s", []try{{lasts: 4 * second}}, []try{{lasts: 3 * second, hung: true}}),
		"secret":       kind("secret", thrice, []try{{}, {reason: webhook.SecretMissing}}),
		"header":       kind("header X-A ~^b$$", []try{{header: "x-a: b\r\n"}}, []try{{header: "x-a: bc\r\n"}}),
		"query":        {{script: sent + "expect main query secret\nexpect main query token\n", tries: []try{{}}, want: "query pass, query fail"}},
		"method":       kind("method POST", []try{{}}, []try{{method: "GET"}}),
		"proto":        {{script: sent + "expect main proto HTTP/1.1\nexpect main proto HTTP/2.0\n", tries: []try{{}}, want: "proto pass, proto fail"}},
		"schema":       schema(kind("schema s.json", []try{{}}, []try{{body: "{}"}})),
		"json":         kind("json id 1", []try{{}}, []try{{body: `{"id":2}`}}),
		"same-payload": kind("same-payload", thrice, []try{{}, {body: "{}"}}),
		"expr":         kind("expr 'len(gaps) == 2'", thrice, []try{{}}),
	}
}

// needSamples has what becomes of a case whose need is not met.
func needSamples() map[string][]sample {
	out := map[string][]sample{}
	for _, need := range []string{"direct", "tls", "h2", "cap-net-raw", "connection-faults", "own-secret"} {
		out[need] = []sample{{script: "needs " + need + "\n" + sent + one, change: missing(need), want: need + " inconclusive"}}
	}
	for _, need := range []string{"custom-headers", "operations", "objects"} {
		out[need] = []sample{{script: "needs " + need + "\n" + sent + one, change: missing(need), want: need + " skip"}}
	}
	return out
}

// TestEveryWord holds that the samples have every word of the language, and plays them.
func TestEveryWord(t *testing.T) {
	t.Parallel()
	commands, checks, needed := scripts.Words()
	for what, group := range map[string]struct {
		words   []string
		samples map[string][]sample
		// begins is how the line begins that shows a word.
		begins []string
	}{
		"command": {commands, commandSamples(), []string{""}},
		"check":   {checks, checkSamples(), []string{"expect main "}},
		"need":    {needed, needSamples(), []string{"needs "}},
	} {
		for _, word := range group.words {
			if len(group.samples[word]) == 0 {
				t.Errorf("%s %s has no test", what, word)
			}
		}
		for word, samples := range group.samples {
			if !slices.Contains(group.words, word) {
				t.Errorf("%s %s has a test and is no word", what, word)
			}
			for i, s := range samples {
				t.Run(fmt.Sprint(what, " ", word, " ", i), func(t *testing.T) {
					t.Parallel()
					if !strings.Contains("\n"+s.text(), "\n"+group.begins[0]+word) {
						t.Fatalf("the script does not have it:\n%s", s.text())
					}
					p := &played{tries: s.tries}
					c := play(t, s.text(), p, s.change).Cases[0]
					if got := strings.Join(verdicts(c), ", "); got != s.want {
						t.Errorf("%s, want %s: %+v", got, s.want, c.Checks)
					}
					if s.also != nil {
						s.also(t, p, c)
					}
				})
			}
		}
	}
}

// TestEveryStep holds that scripts take every answer and fault of the plan language as it is.
func TestEveryStep(t *testing.T) {
	t.Parallel()
	for _, step := range []string{
		"503", "200/after=4.5s", "hang", "hang/for=8s", "drip/for=8s", "drip/size=10000000/rate=1000000", "200/size=10000000", "trickle-head", "truncate",
		"garbage", `200/body="<html>"`, `200/json={"a":1}`, "302/to=http://x.test/", "429/retry-after=2", "close@request", "reset@request", "reset@body",
		"close@accept", "reset@accept", "tls-alert", "tls-reset", "tls-badcert/cert=expired", "refuse/for=20s", "blackhole/for=20s", "h2-reset", "h2-goaway",
		"503x2 200", "503/p=0.5 200", `429/when="attempt > 2" 200`, "200/header.X-A=b",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			p := &played{tries: []try{{}}}
			run := play(t, "profile p\ncase A t level=must\nendpoint main "+step+"\ntrigger main\nwait main quiet=1s\nexpect main deliveries == 1\n", p, nil)
			want := strings.NewReplacer("drip/size=10000000/rate=1000000", "drip/rate=1000000/size=10000000").Replace(step)
			if run.Verdict != result.Pass || p.lent[0].Respond != want && !strings.ContainsAny(step, `"`) {
				t.Errorf("%s with answers %q: %+v", run.Verdict, p.lent[0].Respond, run.Cases[0].Checks)
			}
		})
	}
}

func TestProblemsOfWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"sleep soon":                                "want a duration",
		"sleep -1s":                                 "want a duration",
		"presign in none.json":                      "no such file in the script",
		"presign in f.json expires=200h":            "want 1s to 168h",
		"presign main f.json":                       "taken",
		"presign in f.json":                         "after a trigger",
		"cmp main id none.json":                     "no such file in the script",
		"cmp main id bad.json":                      "not JSON",
		"cmp other id f.json":                       "no such endpoint",
		"fetch main id sha256=12":                   "64 hexadecimal digits",
		"set N 1":                                   "a variable's name",
		"set n other 'body.id'":                     "no such endpoint",
		"set n main 'body.'":                        "an expression sees",
		"set n main":                                "",
		"stop":                                      "usage",
		"measured v what":                           "give date=",
		"measured v what date=soon":                 "want a day",
		"expect main spacing some":                  "there are: exponential",
		"case B t level=must line=3":                "goes with spec=URL",
		"case B t level=must spec=https://a line=x": "want a line",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			text := "profile p\ncase A t level=must\n" + sent + one + line + "\nskip why\n-- f.json --\n{}\n-- bad.json --\n{\n"
			script, err := scripts.Parse("f.txtar", []byte(text))
			if err == nil {
				err = scripts.Lint(script, nil)
			}
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		})
	}
}
