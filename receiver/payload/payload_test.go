package payload_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const roomy = 64 << 20

func vectors(tb testing.TB) []fixtures.Vector {
	tb.Helper()
	all, err := fixtures.All()
	if err != nil {
		tb.Fatal(err)
	}
	return append(all, load(tb, fixtures.BatchName))
}

func load(tb testing.TB, name string) fixtures.Vector {
	tb.Helper()
	v, err := fixtures.Load(name)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func key(v fixtures.Vector, body []byte) webhook.DeliveryKey {
	path, _, _ := strings.Cut(v.Target, "?")
	return payload.Key(v.Method, path, v.Fields(), body, sha256.Sum256(body))
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			body, err := payload.Decode(v.Fields(), v.Body, roomy)
			if err != nil {
				t.Fatal(err)
			}
			p := payload.Describe(v.ContentType(), body)
			if p.Kind != v.ExpectKind || p.Variant != v.ExpectVariant || p.Title != v.ExpectTitle {
				t.Errorf("described as %s %q %q, want %s %q %q", p.Kind, p.Variant, p.Title, v.ExpectKind, v.ExpectVariant, v.ExpectTitle)
			}
			var codes []string
			for _, problem := range p.Problems {
				codes = append(codes, strings.TrimSuffix(problem.Code+":"+problem.Path, ":"))
				if !strings.HasSuffix(problem.Message, ".") {
					t.Errorf("the message %q is no sentence", problem.Message)
				}
			}
			sort.Strings(codes)
			want := slices.Sorted(slices.Values(v.ExpectProblems))
			if diff := cmp.Diff(want, codes); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if got := key(v, v.Body).By; got != v.ExpectKey {
				t.Errorf("the delivery is recognised by %q, want %q", got, v.ExpectKey)
			}
			var names []string
			for _, ref := range payload.Refs(body) {
				names = append(names, ref.Name)
			}
			if diff := cmp.Diff(v.ExpectRefs, names); diff != "" {
				t.Errorf("refs (-want +got):\n%s", diff)
			}
			if len(names) > 0 && !payload.MayHaveRefs(body) {
				t.Error("MayHaveRefs denies them")
			}
		})
	}
}

func TestFreshVectorsAreNewDeliveries(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, v := range vectors(t) {
		if v.ExpectKey == "body" || v.Name == "json-duplicate-keys" || v.Name == "json-not-utf8" {
			continue
		}
		fresh, err := fixtures.Fresh(v.Name, now, random())
		if err != nil {
			t.Fatal(err)
		}
		old, again := key(v, v.Body), key(fresh, fresh.Body)
		if old == again || old.By != again.By {
			t.Errorf("%s: old %v, fresh %v: want other ids of the same sort", v.Name, old, again)
		}
	}
}

func TestDescribeRule(t *testing.T) {
	t.Parallel()
	v := load(t, "langsmith-rule-costs")
	p := payload.Describe("application/json", v.Body)
	latency := func(d time.Duration) *time.Duration { return &d }
	count := func(n int64) *int64 { return &n }
	if p.Rule == nil || len(p.Rule.Runs) != 2 {
		t.Fatalf("rule is %+v", p.Rule)
	}
	want := webhook.Run{
		ID: "6ab80f10-d79c-4fa2-b441-922ed6feb630", Name: "ChatPipeline", Type: "chain", Status: "success",
		TraceID:     "6ab80f10-d79c-4fa2-b441-922ed6feb630",
		DottedOrder: "20240405T012854085646Z6ab80f10-d79c-4fa2-b441-922ed6feb630",
		Session:     "6a3be6a2-9a8c-4fc8-b4c6-a8983b286cc5",
		StartTime:   "2024-04-05T01:28:54.085646", EndTime: "2024-04-05T01:28:55.585646",
		Latency: latency(1500 * time.Millisecond), TotalTokens: count(1234), TotalCost: "0.0031415",
		Inputs:  json.RawMessage(`{"question": "What is a webhook?"}`),
		Outputs: json.RawMessage(`{"answer": "A POST that somebody else makes."}`),
	}
	got := p.Rule.Runs[0]
	want.AppPath = got.AppPath
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first run (-want +got):\n%s", diff)
	}
	if want := "ChatPipeline, ChatOpenAI · error: RateLimitError: slow down"; p.Snippet != want {
		t.Errorf("snippet is %q, want %q", p.Snippet, want)
	}
	if p.Rule.ID != "d75d7417-0c57-4655-88fe-1db3cda3a47a" || p.Rule.Start != "2024-04-05T01:28:54.734491+00:00" || p.Rule.RunCount != 2 {
		t.Errorf("rule is %+v", p.Rule)
	}
}

func TestDescribeFeedbackInEitherPlace(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ top, run bool }{
		"langsmith-rule":                 {},
		"langsmith-rule-feedback-top":    {top: true},
		"langsmith-rule-feedback-run":    {run: true},
		"langsmith-rule-feedback-null":   {run: true},
		"langsmith-rule-feedback-absent": {},
	} {
		rule := payload.Describe("application/json", load(t, name).Body).Rule
		if got := rule.Feedback != nil; got != want.top {
			t.Errorf("%s: feedback at the top is %s", name, rule.Feedback)
		}
		if got := rule.Runs[0].Feedback != nil; got != want.run {
			t.Errorf("%s: feedback of the run is %s", name, rule.Runs[0].Feedback)
		}
	}
}

func TestDescribeCapsRuns(t *testing.T) {
	t.Parallel()
	v, err := fixtures.Batch(260, 2)
	if err != nil {
		t.Fatal(err)
	}
	p := payload.Describe("application/json", v.Body)
	if len(p.Rule.Runs) != 250 || p.Rule.RunCount != 260 || len(p.Problems) != 0 {
		t.Errorf("%d runs of %d, %d problems", len(p.Rule.Runs), p.Rule.RunCount, len(p.Problems))
	}
}

func TestDescribeAgentRun(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		failure, values, snippet string
		duration                 time.Duration
	}{
		"agent-server-js-error":               {"boom: kaput", `{"mode":"error","text":"kaput"}`, "error: boom: kaput", 969 * time.Millisecond},
		"agent-server-js-wait-stateless":      {"", "", "thread 01a200b7-e635-72cb-beaa-4a3fcb5bfbe3", 28 * time.Millisecond},
		"agent-server-python-error":           {"ValueError: boom: kaput", `{"mode":"error"`, "error: ValueError: boom: kaput", 21064 * time.Microsecond},
		"agent-server-python-error-text":      {"boom: kaput", `{"messages":`, "error: boom: kaput", 415884 * time.Microsecond},
		"agent-server-python-error-stateless": {"ValueError: boom: kaput", "", "error: ValueError: boom: kaput", 18182 * time.Microsecond},
		"agent-server-js-create-run":          {"", `{"mode":"ok"`, `{"mode":"ok","text":"hello","reply":"echo:hello"}`, 415 * time.Millisecond},
		"agent-server-python-no-status":       {"", "", "thread 7b1f3a64-90c2-4f0b-9a55-0c6b3a0d1e77", 0},
		"agent-server-js-stream-stateless":    {"", "", "thread 01a200b7-e415-77fe-983e-cfbd478ba10b", 30 * time.Millisecond},
	} {
		p := payload.Describe("", load(t, name).Body)
		if p.Run == nil {
			t.Fatalf("%s: no run", name)
		}
		if p.Run.Error != want.failure || p.Snippet != want.snippet || !strings.HasPrefix(string(p.Run.Values), want.values) {
			t.Errorf("%s: error %q, snippet %q, values %s", name, p.Run.Error, p.Snippet, p.Run.Values)
		}
		if want.duration == 0 && p.Run.Duration != nil || want.duration != 0 && (p.Run.Duration == nil || *p.Run.Duration != want.duration) {
			t.Errorf("%s: duration %v, want %v", name, p.Run.Duration, want.duration)
		}
		if name != "agent-server-python-no-status" && p.Run.GraphID != "agent" {
			t.Errorf("%s: graph is %q", name, p.Run.GraphID)
		}
	}
}

func TestDescribeOther(t *testing.T) {
	t.Parallel()
	deep := fixtures.Nested(1001)
	long := strings.Repeat("é", 500)
	for _, test := range []struct {
		name, contentType, body string
		kind                    webhook.PayloadKind
		title                   string
		problems                string
	}{
		{"nothing", "application/json", "", webhook.PayloadEmpty, "empty", ""},
		{"white space", "", " \n", webhook.PayloadText, "blank text", ""},
		{"at the depth", "application/json", string(fixtures.Nested(1000)), webhook.PayloadJSON, "JSON array of 1 item", ""},
		{"too deep", "application/json", string(deep), webhook.PayloadJSON, "JSON, nested too deep", "too_deep"},
		{"too deep as text", "text/plain", string(deep), webhook.PayloadJSON, "JSON, nested too deep", "content_type too_deep"},
		{"a number", "application/json", "12.5", webhook.PayloadJSON, "JSON number", ""},
		{"a number as text", "text/plain", "12.5", webhook.PayloadText, "12.5", ""},
		{"a log line", "text/plain", "[INFO] started", webhook.PayloadText, "[INFO] started", ""},
		{"a template", "text/plain", "{{name}} came", webhook.PayloadText, "{{name}} came", ""},
		{"cut as text", "text/plain", `{"a": `, webhook.PayloadJSON, "invalid JSON", "content_type invalid_json"},
		{"problem+json", "application/problem+json", `{}`, webhook.PayloadJSON, "JSON", ""},
		{"a broken type", "application/json; =", `{}`, webhook.PayloadJSON, "JSON", ""},
		{"form without a type", "", "a=1&b=2", webhook.PayloadForm, "form · a, b", "content_type"},
		{"pairs as text", "text/plain", "a=1&b=2", webhook.PayloadText, "a=1&b=2", ""},
		{"a bad escape", "application/x-www-form-urlencoded", "a=%zz", webhook.PayloadForm, "form · a", "encoding"},
		{"no boundary", "multipart/form-data", "x", webhook.PayloadMultipart, "multipart", "content_type"},
		{"cut multipart", "multipart/form-data; boundary=x", "--x\r\nContent-", webhook.PayloadMultipart, "multipart · 0 parts", "encoding"},
		{"zero bytes", "", "\x00\x01", webhook.PayloadBinary, "binary, 2 B", ""},
		{"kilobytes", "", strings.Repeat("\x00", 12400), webhook.PayloadBinary, "binary, 12.4 kB", ""},
		{"a long line", "text/plain", long, webhook.PayloadText, strings.Repeat("é", 119) + "…", ""},
		{"bidi controls stay", "text/plain", "a\u202eb", webhook.PayloadText, "a\u202eb", ""},
		{"surrogates", "application/json", `{"type":"\ud800"}`, webhook.PayloadJSON, "\ufffd", ""},
		{"run by two hints", "application/json", `{"run_id":"r","thread_id":"t","kwargs":{},"status":"error"}`, webhook.PayloadRun, "run error", ""},
		{"run id alone", "application/json", `{"run_id":"r","status":"error"}`, webhook.PayloadJSON, "JSON · run_id, status", ""},
		{"rule without runs", "application/json", `{"rule_id":"r","start_time":"a","end_time":"b"}`, webhook.PayloadRule, "rule r · 0 runs", "missing_field:runs"},
		{"issue without object", "application/json", `{"type":"issue.created"}`, webhook.PayloadJSON, "issue.created", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := payload.Describe(test.contentType, []byte(test.body))
			var problems []string
			for _, problem := range p.Problems {
				problems = append(problems, strings.TrimSuffix(problem.Code+":"+problem.Path, ":"))
			}
			if got := strings.Join(problems, " "); p.Kind != test.kind || p.Title != test.title || got != test.problems {
				t.Errorf("got %s, %q, %q; want %s, %q, %q", p.Kind, p.Title, got, test.kind, test.title, test.problems)
			}
		})
	}
}

func TestDescribePointsAtTheFault(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"{\"a\": 1,\n \"b\": x}": "from byte 15 on (line 2, column 7): a value should stand here.",
		`{"a": 1`:                "from byte 7 on (line 1, column 8): the text ends before the value does.",
		`{"a": 1} 2`:             "from byte 9 on (line 1, column 10): there is more after the value.",
		`{"a": "\q"}`:            "from byte 7 on (line 1, column 8): this backslash begins no escape.",
		"{\"a\": \"\n\"}":        "from byte 7 on (line 1, column 8): a control character stands inside a string.",
		`{"a" 1}`:                "from byte 5 on (line 1, column 6): a colon should stand here.",
		`{"a": 01}`:              "from byte 7 on (line 1, column 8): a comma or a closing brace should stand here.",
		`{"a": [1}`:              "from byte 8 on (line 1, column 9): a comma or a closing bracket should stand here.",
		`{"a": 1,}`:              "from byte 8 on (line 1, column 9): a key in double quotes should stand here.",
		`{"a": 1.}`:              "from byte 8 on (line 1, column 9): a digit should follow the point.",
		`{"a": 1e+}`:             "from byte 9 on (line 1, column 10): a digit should stand in the exponent.",
		`{"a": "b`:               "from byte 8 on (line 1, column 9): the text ends inside a string.",
	} {
		p := payload.Describe("application/json", []byte(body))
		if len(p.Problems) != 1 || !strings.HasSuffix(p.Problems[0].Message, want) {
			t.Errorf("%q: problems are %v, want %q", body, p.Problems, want)
		}
	}
}

func TestDescribeIsBounded(t *testing.T) {
	t.Parallel()
	var many bytes.Buffer
	many.WriteString(`{"rule_id":"r","start_time":"a","end_time":"b","runs":[`)
	for i := range 3000 {
		if i > 0 {
			many.WriteByte(',')
		}
		many.WriteString(`{"` + strings.Repeat("k", 300) + `":1}`)
	}
	many.WriteString("]}")
	p := payload.Describe("application/json", many.Bytes())
	if len(p.Problems) != 100 || p.Rule.RunCount != 3000 || len(p.Rule.Runs) != 250 {
		t.Errorf("%d problems, %d of %d runs", len(p.Problems), len(p.Rule.Runs), p.Rule.RunCount)
	}
	for _, problem := range p.Problems {
		if n := utf8.RuneCountInString(problem.Message); n > 300 {
			t.Errorf("a message has %d runes", n)
		}
	}
}

func TestTablesAgreeWithSchemas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		schema, of string
		fields     []payload.Field
	}{
		{"langsmith-rule", "", payload.RuleFields()},
		{"langsmith-rule", "run", payload.RuleRunFields()},
		{"agent-server-run", "", payload.AgentRunFields()},
	} {
		t.Run(test.schema+" "+test.of, func(t *testing.T) {
			t.Parallel()
			raw, err := fixtures.Schema(test.schema)
			if err != nil {
				t.Fatal(err)
			}
			var root schema
			if err := json.Unmarshal(raw, &root); err != nil {
				t.Fatal(err)
			}
			got := make(map[string]payload.Field)
			for _, f := range test.fields {
				got[f.Name] = f
			}
			if diff := cmp.Diff(root.fields(test.of), got); diff != "" {
				t.Errorf("known fields (-schema +table):\n%s", diff)
			}
		})
	}
}

// schema is as much of JSON Schema as the tables have to agree with.
type schema struct {
	Type       any               `json:"type"`
	Ref        string            `json:"$ref"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Defs       map[string]schema `json:"$defs"`
}

func (s schema) fields(of string) map[string]payload.Field {
	object := s
	if of != "" {
		object = s.Defs[of]
	}
	fields := make(map[string]payload.Field)
	for name, p := range object.Properties {
		if p.Ref != "" {
			p = s.Defs[strings.TrimPrefix(p.Ref, "#/$defs/")]
		}
		f := payload.Field{Name: name, Required: slices.Contains(object.Required, name)}
		switch types := p.Type.(type) {
		case nil:
			f.Types = []string{"array", "boolean", "integer", "null", "number", "object", "string"}
		case string:
			f.Types = []string{types}
		case []any:
			for _, typ := range types {
				f.Types = append(f.Types, typ.(string))
			}
			sort.Strings(f.Types)
		}
		fields[name] = f
	}
	return fields
}
