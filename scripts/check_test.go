package scripts_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

const second = time.Second

// head begins each script of these tests: one endpoint, one trigger, one wait.
const head = "profile p\ncase A 'title' level=must\nendpoint main 200\ntrigger main\nwait main quiet=3s timeout=100s\n"

func TestChecks(t *testing.T) {
	t.Parallel()
	once := []try{{}}
	thrice := []try{{}, {gap: second}, {gap: 2 * second}}
	linear := []try{{}, {gap: second}, {gap: second}}
	tests := []struct {
		name   string
		expect string
		tries  []try
		want   result.Verdict
	}{
		{"count met", "attempts == 3", thrice, result.Pass},
		{"count not met", "attempts == 2", thrice, result.Fail},
		{"at most", "attempts <= 3", thrice, result.Pass},
		{"at least", "attempts >= 4", thrice, result.Fail},
		{"less", "attempts < 3", thrice, result.Fail},
		{"more", "attempts > 2", thrice, result.Pass},
		{"other", "attempts != 3", thrice, result.Fail},
		{"should", "attempts == 2 level=should", thrice, result.Warning},
		{"unstated", "attempts == 2 level=unstated", thrice, result.Info},
		{"unstated and not to be measured", "gap 5 min=1s level=unstated", thrice, result.Info},
		{"unstated and silent", "gap 5 min=1s level=unstated", nil, result.Inconclusive},
		{"unstated and met", "attempts == 3 level=unstated", thrice, result.Info},
		{"silence is no count", "attempts <= 3", nil, result.Inconclusive},
		{
			"a late fourth is seen: the quiet time follows the gaps", "attempts <= 3",
			append(append([]try{}, thrice...), try{gap: 4 * second}), result.Fail,
		},
		{"one that waits for the disk counts", "attempts == 2", []try{{}, {gap: second, unseen: true}}, result.Pass},
		{"deliveries", "deliveries == 1", thrice, result.Pass},
		{"deliveries by message", "deliveries == 1", []try{{}, {message: "other"}}, result.Fail},
		{"attempts of another message count as well", "attempts == 2", []try{{}, {message: "other"}}, result.Pass},
		{"connections", "connections == 2", []try{{connection: true}, {connection: true}}, result.Pass},
		{"too many connections", "connections <= 1", []try{{connection: true}, {connection: true}}, result.Fail},
		{"no connection says nothing", "connections <= 1", nil, result.Inconclusive},
		{"exponential", "spacing exponential", thrice, result.Pass},
		{"linear is not", "spacing exponential", linear, result.Fail},
		{"no wait is not", "spacing exponential", []try{{}, {}, {}}, result.Fail},
		{"growth by another factor is odd", "spacing exponential", []try{{}, {gap: second}, {gap: 2900 * time.Millisecond}}, result.Warning},
		{"factor", "spacing exponential factor=3", []try{{}, {gap: second}, {gap: 2900 * time.Millisecond}}, result.Pass},
		{"growing", "spacing growing", []try{{}, {gap: second}, {gap: 2900 * time.Millisecond}}, result.Pass},
		{"shrinking", "spacing growing", []try{{}, {gap: 2 * second}, {gap: second}}, result.Fail},
		{"constant", "spacing constant", linear, result.Pass},
		{"not constant", "spacing constant", thrice, result.Fail},
		{
			"no wait, then one, on a late machine", "spacing exponential",
			[]try{{unsure: 90 * time.Millisecond}, {gap: 2 * time.Millisecond, unsure: 90 * time.Millisecond}, {gap: 600 * time.Millisecond}},
			result.Warning,
		},
		{
			"a short wait on a late machine", "spacing exponential",
			[]try{{unsure: 90 * time.Millisecond}, {gap: 200 * time.Millisecond, unsure: 90 * time.Millisecond}, {gap: 600 * time.Millisecond}},
			result.Inconclusive,
		},
		{"two attempts show no growth", "spacing growing", []try{{}, {gap: second}}, result.Inconclusive},
		{
			"the time to answer is no gap", "spacing exponential",
			[]try{{lasts: second}, {gap: second, lasts: 3 * second}, {gap: 2 * second}},
			result.Pass,
		},
		{"gap", "gap 1 min=900ms max=1100ms", thrice, result.Pass},
		{"gap too short", "gap 1 min=1100ms", thrice, result.Fail},
		{"gap too long", "gap 2 max=1900ms", thrice, result.Fail},
		{"gap that may be shorter", "gap 1 max=500ms", []try{{unsure: 600 * time.Millisecond}, {gap: second}}, result.Inconclusive},
		{"gap that is too long all the same", "gap 1 max=300ms", []try{{unsure: 600 * time.Millisecond}, {gap: second}}, result.Fail},
		{"no such gap", "gap 3 max=1900ms", thrice, result.Inconclusive},
		{"hung up in time", "hangup after=5s", []try{{lasts: 5 * second, hung: true}}, result.Pass},
		{"hung up somewhat early", "hangup after=5s", []try{{lasts: 4100 * time.Millisecond, hung: true}}, result.Pass},
		{"hung up too early", "hangup after=5s", []try{{lasts: 3 * second, hung: true}}, result.Fail},
		{"hung up late", "hangup after=5s", []try{{lasts: 5300 * time.Millisecond, hung: true}}, result.Fail},
		{"did not hang up", "hangup after=5s", []try{{lasts: 12 * second, fault: webhook.Hang}}, result.Fail},
		{"the answer was over before", "hangup after=5s", []try{{lasts: second}}, result.Inconclusive},
		{"still waits", "hangup after=5s", []try{{lasts: time.Hour, fault: webhook.Hang}}, result.Fail},
		{"did not hang up once", "hangup after=5s", []try{{lasts: 12 * second, fault: webhook.Hang}, {lasts: 5 * second, hung: true}}, result.Fail},
		{"hang-up of the second", "hangup after=5s attempt=2", []try{{}, {lasts: 5 * second, hung: true}}, result.Pass},
		{"no second", "hangup after=5s attempt=2", once, result.Inconclusive},
		{"answered", "answered", []try{{lasts: 4 * second}}, result.Pass},
		{"not answered", "answered", []try{{lasts: 3 * second, hung: true}}, result.Fail},
		{"secret", "secret", once, result.Pass},
		{"secret missing on the retry", "secret", []try{{}, {reason: webhook.SecretMissing}}, result.Fail},
		{"a refused attempt hides the plan", "attempts == 1", []try{{reason: webhook.SecretWrong}}, result.Inconclusive},
		{"header", "header X-A b", []try{{header: "x-a: b\r\n"}}, result.Pass},
		{"header with another value", "header X-A c", []try{{header: "x-a: b\r\n"}}, result.Fail},
		{"header by form", "header X-A ~^[a-c]$", []try{{header: "x-a: b\r\n"}}, result.Pass},
		{"header missing on the retry", "header X-A", []try{{header: "x-a: b\r\n"}, {}}, result.Fail},
		{"query", "query secret", once, result.Pass},
		{"query missing", "query token", once, result.Fail},
		{"method", "method POST", once, result.Pass},
		{"other method", "method POST", []try{{method: "GET"}}, result.Fail},
		{"proto", "proto HTTP/1.1", once, result.Pass},
		{"other proto", "proto HTTP/2.0", once, result.Fail},
		{"json", "json id 1", once, result.Pass},
		{"json deep", "json runs.1.id b", []try{{body: `{"runs":[{"id":"a"},{"id":"b"}]}`}}, result.Pass},
		{"json missing", "json runs.2.id", []try{{body: `{"runs":[{"id":"a"},{"id":"b"}]}`}}, result.Fail},
		{"no json", "json id", []try{{body: "id=1"}}, result.Fail},
		{"schema", "schema own.json", once, result.Pass},
		{"schema not met", "schema own.json", []try{{body: `{"id":"one"}`}}, result.Fail},
		{"same payload", "same-payload", thrice, result.Pass},
		{"another payload", "same-payload", []try{{}, {body: "{}"}}, result.Fail},
		{"nothing to compare", "same-payload", once, result.Inconclusive},
		{"expression", "expr 'len(attempts) == 3 && gaps[1] / gaps[0] > 1.9 && body.id == 1'", thrice, result.Pass},
		{"expression false", "expr 'median(gaps) > 3'", thrice, result.Fail},
		{"expression without its field", "expr 'body.missing.more > 3'", once, result.Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			script := head + "expect main " + tt.expect + "\n-- own.json --\n" +
				`{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}` + "\n"
			run := play(t, script, &played{tries: tt.tries}, nil)
			check := run.Cases[0].Checks[0]
			if check.Verdict != tt.want {
				t.Errorf("verdict %s, want %s: %+v", check.Verdict, tt.want, check)
			}
			if check.Verdict == result.Inconclusive && check.Reason == "" {
				t.Errorf("inconclusive without a reason: %+v", check)
			}
			if check.Verdict == result.Fail && (check.Expected == "" || check.Actual == "") {
				t.Errorf("a fail without expected and actual: %+v", check)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		tries        []try
		want         []string
		verdict      result.Verdict
	}{
		{"require ends the case", head + "require main attempts == 2\nexpect main method GET\n", []try{{}}, []string{"attempts fail"}, result.Fail},
		{
			"require that holds does not", head + "require main attempts == 1\nexpect main method POST\n",
			[]try{{}},
			[]string{"attempts pass", "method pass"},
			result.Pass,
		},
		{"skip", head + "skip 'not for this one'\nexpect main method GET\n", []try{{}}, []string{"skip" + " skip"}, result.Skip},
		{"note", head + "note 'by the way'\nexpect main method POST\n", []try{{}}, []string{"note info", "method pass"}, result.Pass},
		{
			"the silence of an endpoint that nobody was told of", "profile p\ncase A t level=must\nendpoint landing 200\n" +
				"endpoint main 302/to={landing}\ntrigger main\nwait main quiet=1s\nwait landing quiet=1s\nexpect landing deliveries == 0\n",
			[]try{{}},
			[]string{"deliveries pass"},
			result.Pass,
		},
		{
			"something came there", "profile p\ncase A t level=must\nendpoint landing 200\n" +
				"endpoint main 302/to={landing}\ntrigger main\nwait main quiet=1s\nwait landing quiet=1s\nexpect landing deliveries == 0\n",
			[]try{{}, {to: "landing"}},
			[]string{"deliveries fail"},
			result.Fail,
		},
		{
			"its silence says nothing when all is silent", "profile p\ncase A t level=must\nendpoint landing 200\n" +
				"endpoint main 302/to={landing}\ntrigger main\nwait main quiet=1s\nwait landing quiet=1s\nexpect landing deliveries == 0\n",
			nil,
			[]string{"deliveries inconclusive"},
			result.Inconclusive,
		},
		{
			"replan", "profile p\ncase A t level=must\nendpoint main 200\ntrigger main\nwait main quiet=1s\nreplan main 500\nexpect main attempts == 1\n",
			[]try{{}},
			[]string{"attempts pass"},
			result.Pass,
		},
		{"fetch without a URL", head + "fetch main id\n", []try{{}}, []string{"id skip"}, result.Skip},
		{
			"fetch without a client", head + "fetch main runs.*.url\n",
			[]try{{body: `{"runs":[{"url":"http://x"}]}`}},
			[]string{"runs.*.url inconclusive"},
			result.Inconclusive,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := play(t, tt.script, &played{tries: tt.tries}, nil).Cases[0]
			if diff := cmp.Diff(tt.want, verdicts(c)); diff != "" {
				t.Errorf("checks (-want +got):\n%s", diff)
			}
			if c.Verdict != tt.verdict {
				t.Errorf("verdict %s, want %s", c.Verdict, tt.verdict)
			}
		})
	}
}

// TestEvidence looks at what a case keeps: masked requests, the watched time, what the sender said and was told.
func TestEvidence(t *testing.T) {
	t.Parallel()
	script := "profile p payload=langsmith-rule\ncase A 'title' level=must\nheader-set X-A b\nendpoint main 503 200\ntrigger main times=2\n" +
		"wait main attempts=2 quiet=3s\nexpect main attempts == 2\n"
	sender := &played{tries: []try{{lasts: second, status: 503}, {gap: second}}, fails: errPlayed}
	c := play(t, script, sender, nil).Cases[0]
	if c.Verdict != result.Pass || c.State != "ended" || !c.Ended.After(c.Started) {
		t.Errorf("case: %+v", c)
	}
	if strings.Contains(c.Trigger, "s3cret") || !strings.Contains(c.Trigger, "•••") {
		t.Errorf("what the sender said is not masked: %q", c.Trigger)
	}
	ep := c.Endpoints[0]
	if len(ep.Deliveries) != 2 || ep.Watched < 3*second || ep.Respond != "503 200" {
		t.Errorf("endpoint: %+v", ep)
	}
	second := ep.Deliveries[0].Attempts[1]
	if *second.Gap != time.Second || strings.Contains(second.Target, "s3cret") || second.N != 2 || second.Status != 200 {
		t.Errorf("second attempt: %+v", second)
	}
	if !strings.Contains(c.Checks[0].Actual, "2, 2, watched for 3s") {
		t.Errorf("a count without its watched time: %q", c.Checks[0].Actual)
	}
	in := sender.inputs[0]
	if len(sender.inputs) != 2 || in.Payload != "langsmith-rule" || in.Scale != 1 || in.Header[0] != (webhook.Field{Name: "X-A", Value: "b"}) {
		t.Errorf("trigger: %+v", in)
	}
}

// TestScale has all times of the script scaled, the plan's too.
func TestScale(t *testing.T) {
	t.Parallel()
	script := "profile p\ncase A t level=must\nendpoint main 503/after=6s hang/for=10s 200\ntrigger main\nwait main quiet=10s\n" +
		"expect main gap 1 min=900ms max=1100ms\nexpect main expr 'gaps[0] > 0.9 && gaps[0] < 1.1'\n"
	sender := &played{tries: []try{{}, {gap: second / 2}}}
	run := play(t, script, sender, func(c *scripts.Config) { c.Scale = 0.5 })
	if run.Verdict != result.Pass {
		t.Errorf("verdict %s: %+v", run.Verdict, run.Cases[0].Checks)
	}
	if got := sender.lent[0].Respond; got != "503/after=3s hang/for=5s 200" {
		t.Errorf("plan %q", got)
	}
	if got := run.Cases[0].Ended.Sub(run.Cases[0].Started); got != 5500*time.Millisecond {
		t.Errorf("took %s, want 5.5s", got)
	}
}

// stored answers for an object store.
type stored map[string]string

func (s stored) Fetch(_ context.Context, url string) (int, []byte, error) {
	body, ok := s[url]
	switch {
	case url == "http://store.test/away":
		return 0, nil, errPlayed
	case !ok:
		return 403, []byte("<Error/>"), nil
	default:
		return 200, []byte(body), nil
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	objects := stored{"http://store.test/a": "{}", "http://store.test/b": "not JSON"}
	tests := []struct {
		name, body, step string
		want             result.Verdict
	}{
		{"there", `{"runs":[{"url":"http://store.test/a"},{"url":null}]}`, "fetch main runs.*.url json=yes", result.Pass},
		{"one of two", `{"runs":[{"url":"http://store.test/a"},{"url":"http://store.test/c"}]}`, "fetch main runs.*.url", result.Fail},
		{"refused as it should be", `{"runs":[{"url":"http://store.test/c"}]}`, "fetch main runs.0.url status=403", result.Pass},
		{"no JSON", `{"runs":{"x":{"url":"http://store.test/b"}}}`, "fetch main runs.*.url json=yes", result.Fail},
		{"should", `{"url":"http://store.test/b"}`, "fetch main url json=yes level=should", result.Warning},
		{"by its other name", `{"url":"http://store.test/b"}`, "fetch main url-from=url json=yes level=should", result.Warning},
		{"of the only endpoint", `{"url":"http://store.test/b"}`, "fetch url json=yes level=should", result.Warning},
		{"both", `{"url":"http://store.test/b"}`, "fetch url-from=url json=yes level=should", result.Warning},
		{"not to be asked", `{"url":"http://store.test/away"}`, "fetch main url", result.Inconclusive},
		{"none named", `{"url":null}`, "fetch main url", result.Skip},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run := play(t, head+tt.step+"\n", &played{tries: []try{{body: tt.body}}}, func(c *scripts.Config) { c.Fetcher = objects })
			if got := run.Cases[0].Checks[0]; got.Verdict != tt.want {
				t.Errorf("verdict %s, want %s: %+v", got.Verdict, tt.want, got)
			}
		})
	}
}
