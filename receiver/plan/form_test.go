package plan_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// checkForms holds that the canonical text and the JSON form mean the same program.
func checkForms(t *testing.T, p *plan.Program) {
	t.Helper()
	text := p.String()
	again, err := plan.Parse(text)
	if err != nil {
		t.Fatalf("canonical text %q: %v", text, err)
	}
	form, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("marshal %q: %v", text, err)
	}
	var read plan.Program
	if err := json.Unmarshal(form, &read); err != nil {
		t.Fatalf("JSON form %s of %q: %v", form, text, err)
	}
	if again.String() != text || read.String() != text {
		t.Fatalf("text %q\nparsed again %q\nby way of JSON %q", text, again, &read)
	}
	req := &webhook.Request{Method: "POST", Target: "/a?b=c", Head: []byte("POST / HTTP/1.1\r\nA: b\r\n\r\n"), Body: []byte("{}")}
	for i := range 5 {
		in := plan.Arrival{Step: i, Attempt: i + 1, Seed: uint64(i), Request: req, Path: "/a"}
		want := p.For(in)
		if diff := cmp.Diff(want, again.For(in)); diff != "" {
			t.Fatalf("plan %d of %q after parsing again:\n%s", i, text, diff)
		}
		if diff := cmp.Diff(want, read.For(in)); diff != "" {
			t.Fatalf("plan %d of %q after the JSON form:\n%s", i, text, diff)
		}
	}
}

func seeds() []string {
	return []string{
		"", "200", "503x2 200", "hangx3/for=90s", "302/to=https://x.test/a?b=c/d", `429/when=header["x-test"]=="limit" 503x2 200`,
		"503/p=0.3/retry-after=1.5s 200", `200/json={ "a" : [1, 2, "<&>\u003c\\u003c"] }/after=250ms`,
		`garbage/body="\x00\xff\r\n"`, `drip/rate=1KiB/s/body='it\'s "fine"'`, `200/header.X-A=/x/header.x-a="/after=1s"`,
		`200/body="x/after=1s"`, `200/when="attempt > 1 and any(body.a, # == ')')" 200/body=""`, "trickle-head/for=5s reset@body",
		`200/when=path=="/a b"&&(attempt < 3)/body=a`, "refuse/for=10s tls-badcert h2-reset tls-badcert/cert=expired/p=1", `200/json='"\u2028"'`,
		"200/body=\"\x01 ä\u2028\"", `500/when=method+"/p=1"=="x"`, "200/body=a/b=c/d", "200/rate=1/s", "204/after=0s",
		"200/size=10MB", "drip/size=64KiB/rate=1MiB/s 200/size=1/after=2s 500/size=3k/header.Content-Type=text/html",
		"200/template=on/json={\"a\":\"{{.Body.b | default `c`}}\"}/header.X={{uuid}}", `302/template=on/to="/{{.Path}}"`,
	}
}

func TestFormsAgree(t *testing.T) {
	t.Parallel()
	read := 0
	for _, text := range seeds() {
		p, err := plan.Parse(text)
		if err != nil {
			continue
		}
		read++
		checkForms(t, p)
	}
	if read < 20 {
		t.Errorf("only %d of the seeds were read", read)
	}
	checkForms(t, &plan.Program{})
}

// TestFormsAgreeAtRandom puts programs together from pieces that are hard to quote.
func TestFormsAgreeAtRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	pieces := []string{"a", " ", "/", "=", "/after=", "/header.x=", `"`, "'", `\`, "{", "]", "ä", "\n", "x2", "/p=", "\t"}
	for range 3000 {
		var steps []map[string]any
		for range 1 + random.IntN(3) {
			step := map[string]any{"answer": pick("200", "500", "302", "drip", "truncate")}
			value := func() string {
				var out strings.Builder
				for range random.IntN(6) {
					out.WriteString(pick(pieces...))
				}
				return out.String()
			}
			if random.IntN(2) == 0 {
				step["times"] = 1 + random.IntN(4)
			}
			if random.IntN(2) == 0 {
				step["after_ms"] = random.Float64() * 100
			}
			if random.IntN(2) == 0 {
				step["json"] = map[string]string{value(): value() + "<"}
			} else {
				step["body"] = value()
			}
			if random.IntN(2) == 0 {
				step["headers"] = [][2]string{{"X-A", strings.ReplaceAll(value(), "\n", "")}}
			}
			steps = append(steps, step)
		}
		form, err := json.Marshal(steps)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.ParseJSON(form)
		if err != nil {
			t.Fatalf("ParseJSON(%s): %v", form, err)
		}
		checkForms(t, p)
	}
}

func TestMarshalJSON(t *testing.T) {
	t.Parallel()
	p := parse(t, `503x2/after=1.5s/retry-after=3 drip/rate=2k/for=2s/header.X-A=b/json={"a": 1} 302/to=/x/p=0.5/when=attempt>1 503x1/p=0.5 garbage/body="\xff"`)
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"answer":"503","times":2,"after_ms":1500,"retry_after":3},` +
		`{"answer":"drip","for_ms":2000,"rate":2000,"headers":[["X-A","b"]],"json":{"a":1}},` +
		`{"answer":"302","p":0.5,"when":"attempt\u003e1","to":"/x"},` +
		`{"answer":"503","times":1,"p":0.5},` +
		`{"answer":"garbage","body_base64":"/w=="}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON form (-want +got):\n%s", diff)
	}
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		`[]`:   "200",
		`null`: "200",
		`[{"answer":503,"times":2},{"answer":"200"}]`:      "503x2 200",
		`[{"answer":"200","json":{"a":"<"}}]`:              `200/json={"a":"<"}`,
		`[{"answer":"200","json":null}]`:                   `200/json=null`,
		`[{"answer":"200","body":""}]`:                     `200/body=""`,
		`[{"answer":"hang","for_ms":0.5,"after_ms":0}]`:    "hang/for=500µs",
		`[{"answer":"503","retry_after":0,"p":0.25}]`:      "503/p=0.25/retry-after=0",
		`[{"answer":"drip","size":70000,"rate":9000}]`:     "drip/rate=9000/size=70000",
		`[{"answer":"200","json":"\u003c\\u003c"}]`:        `200/json="\"<\\\\u003c\""`,
		`[{"answer":"200","when":"attempt > 1 or false"}]`: `200/when="attempt > 1 or false"`,
	} {
		p, err := plan.ParseJSON([]byte(form))
		if err != nil {
			t.Errorf("ParseJSON(%s): %v", form, err)
			continue
		}
		if got := p.String(); got != want {
			t.Errorf("ParseJSON(%s) = %s, want %s", form, got, want)
		}
		checkForms(t, p)
	}
}

func TestParseJSONRefuses(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]string{
		``:                                          "array of steps",
		`{}`:                                        "array of steps",
		`[] x`:                                      "follows",
		`[{"answer":"200"}] []`:                     "follows",
		`[{"anwser":"200"}]`:                        `"anwser"`,
		`[{}]`:                                      "no such answer",
		`[null]`:                                    "no such answer",
		`[{"answer":true}]`:                         "no such answer",
		`[{"answer":"200"},{"answer":"hagn"}]`:      "step 2",
		`[{"answer":"200","times":0}]`:              "times",
		`[{"answer":"200","after_ms":-1}]`:          "after_ms",
		`[{"answer":"200","after_ms":1e300}]`:       "10m",
		`[{"answer":"hang","for_ms":0}]`:            "more than 0",
		`[{"answer":"drip","rate":0}]`:              "rate",
		`[{"answer":"200","p":-0.1}]`:               "chance",
		`[{"answer":"503","retry_after":-1}]`:       "seconds",
		`[{"answer":"200","when":""}]`:              "empty",
		`[{"answer":"200","when":"1"}]`:             "bool",
		`[{"answer":"200","size":0}]`:               "not a size",
		`[{"answer":"200","size":2000000000}]`:      "not a size",
		`[{"answer":"200","size":1,"json":1}]`:      "one of body, json and size",
		`[{"answer":"200","body":"","json":1}]`:     "one of",
		`[{"answer":"200","headers":[["a b",""]]}]`: "header name",
		`[` + strings.Repeat(`{"answer":"200"},`, 100) + `{"answer":"200"}]`: "100 steps",
		`[{"answer":"200","body":"` + strings.Repeat("a", 1<<17) + `"}]`:     "65536",
		strings.Repeat(" ", 1<<20): "524288",
	} {
		_, err := plan.ParseJSON([]byte(form))
		if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseJSON(%.80s) = %v, want ErrInvalid that says %q", form, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := plan.Parse(text)
		if err != nil {
			if !errors.Is(err, webhook.ErrInvalid) {
				t.Fatalf("Parse(%q): %v is not ErrInvalid", text, err)
			}
			return
		}
		checkForms(t, p)
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, text := range seeds() {
		if p, err := plan.Parse(text); err == nil {
			form, err := json.Marshal(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(form)
		}
	}
	f.Fuzz(func(t *testing.T, form []byte) {
		if p, err := plan.ParseJSON(form); err == nil {
			checkForms(t, p)
		}
	})
}
