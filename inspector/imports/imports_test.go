package imports_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/imports"
	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const petstore = `
openapi: 3.1.0
info: {title: Pets, version: "1"}
paths:
  /pets/{petId}:
    parameters: [{name: petId, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        default: {description: trouble, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
        '404': {$ref: '#/components/responses/Missing'}
        '200':
          description: a pet
          headers: {X-Rate: {schema: {type: integer, example: 7}}, Content-Length: {example: 1}}
          content:
            application/json:
              examples:
                cat: {value: {id: 1, name: Tom}}
                dog: {$ref: '#/components/examples/dog'}
    delete: {responses: {'204': {description: gone}}}
  /pets/mine:
    get: {responses: {2XX: {description: ok, content: {text/plain: {example: two pets}, text/xml: {}}}}}
  /far: {$ref: 'other.yaml#/x'}
  /round: {get: {responses: {'200': {$ref: '#/components/responses/Round'}, '100': {description: x}}, callbacks: {x: {}}}}
webhooks:
  paid:
    post:
      requestBody: {content: {application/json: {schema: {properties: {event: {const: order.paid}, kind: {enum: [one]}, id: {type: string}}}}}}
      responses: {'202': {description: taken}}
components:
  examples: {dog: {value: {id: 2}}}
  schemas:
    Error: {type: object, properties: {code: {type: integer}, next: {$ref: '#/components/schemas/Error'}, at: {type: string, format: date}, tags: {type: array, items: {enum: [a]}}}}
  responses:
    Missing: {description: no, content: {application/problem+json: {example: {detail: none}}}}
    Round: {$ref: '#/components/responses/Round'}
`

type line struct {
	Name, Match, Respond string
	Off                  bool
}

func lines(rules []webhook.AnswerRule) []line {
	var out []line
	for _, r := range rules {
		var match []string
		for _, m := range r.Match {
			match = append(match, strings.TrimSpace(string(m.Part)+" "+m.Name)+" "+string(m.Op)+" "+m.Value)
		}
		respond := r.Respond
		if len(respond) > 90 {
			respond = respond[:90]
		}
		out = append(out, line{r.Name, strings.Join(match, ", "), respond, r.Off})
	}
	return out
}

func read(t *testing.T, format, text string) imports.Result {
	t.Helper()
	got, err := imports.Read(format, []byte(text), plan.Write)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := plan.Parse("")
	if err == nil {
		_, err = whole.WithRules(got.Rules)
	}
	if err != nil {
		t.Errorf("what was made cannot be saved: %v", err)
	}
	return got
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	got := read(t, "", petstore)
	const pet = `path matches ^/pets/[^/]+$`
	want := []line{
		{"GET /pets/mine", "method equals GET, path equals /pets/mine", `200/header.Content-Type=text/plain/body="two pets"`, false},
		{"GET /pets/{petId} (500)", "method equals GET, " + pet, "", true},
		{"GET /pets/{petId} (404)", "method equals GET, " + pet, `404/header.Content-Type=application/problem+json/body={"detail":"none"}`, true},
		{"GET /pets/{petId} (200 dog)", "method equals GET, " + pet, `200/header.X-Rate=7/json={"id":2}`, true},
		{"GET /pets/{petId}", "method equals GET, " + pet, `200/header.X-Rate=7/json={"id":1,"name":"Tom"}`, false},
		{"DELETE /pets/{petId}", "method equals DELETE, " + pet, "204", false},
		{"POST paid", "method equals POST, json event equals order.paid, json kind equals one", `202/body=""`, false},
	}
	lined := lines(got.Rules)
	if len(lined) > 1 {
		if !strings.HasPrefix(lined[1].Respond, `500/json={"at":"2026-01-01","code":0,"next":{"at":`) {
			t.Errorf("made of a schema: %s", lined[1].Respond)
		}
		lined[1].Respond = ""
	}
	if diff := cmp.Diff(want, lined); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	left := map[string]bool{}
	for _, l := range got.LeftOut {
		left[l.At] = l.Why != ""
	}
	if diff := cmp.Diff(map[string]bool{"paths./far": true, "paths./round.get": true, "paths./round.get.callbacks": true, "paths./round.get.responses.100": true, "paths./round.get.responses.200": true}, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

func TestHAR(t *testing.T) {
	t.Parallel()
	entry := func(method, url, response string) string {
		return fmt.Sprintf(`{"request":{"method":%q,"url":%q},"response":%s}`, method, url, response)
	}
	har := `{"log":{"version":"1.2","entries":[` + strings.Join([]string{
		entry("GET", "https://a.test/v1/x?b=c%20d&secret=s", `{"status":200,"headers":[{"name":"Content-Type","value":"application/json"},{"name":"transfer-encoding","value":"chunked"},{"name":"X-A","value":"1"}],"content":{"text":"{\"a\":1}"}}`),
		entry("GET", "https://a.test/v1/x?b=c%20d&token=t", `{"status":500,"headers":[],"content":{}}`),
		entry("POST", "http://127.0.0.1:8080/hooks/default/sub?secret=s", `{"status":201,"headers":[],"content":{"mimeType":"image/png","text":"AP8=","encoding":"base64"}}`),
		entry("PUT", "https://a.test", `{"status":204,"headers":[{"name":"Set-Cookie","value":"a=b"}],"content":{"text":""}}`),
		entry("PUT", "https://a.test/gone", `{"status":0,"headers":[],"content":{}}`),
		entry("PUT", "https://a.test/large", `{"status":200,"headers":[],"content":{"text":"`+strings.Repeat("x", 70_000)+`"}}`),
		entry("PUT", "https://a.test/cut", `{"status":200,"headers":[],"content":{"size":10}}`),
		entry("PUT", "https://a.test/odd", `{"status":200,"headers":[],"content":{"text":"x","encoding":"base64"}}`),
	}, ",") + `]}}`
	got := read(t, "", har)
	want := []line{
		{"GET /v1/x", "method equals GET, path equals /v1/x, query b equals c d", `200/header.X-A=1/json={"a":1}`, false},
		{"POST /sub", "method equals POST, path equals /sub", `201/header.Content-Type=image/png/body="\x00\xff"`, false},
		{"PUT /", "method equals PUT, path equals /", "204/header.Set-Cookie=a=b", false},
	}
	if diff := cmp.Diff(want, lines(got.Rules)); diff != "" || got.Format != imports.HAR {
		t.Errorf("%s: rules (-want +got):\n%s", got.Format, diff)
	}
	var left []string
	for _, l := range got.LeftOut {
		left = append(left, l.At+": "+l.Why[:8])
	}
	if diff := cmp.Diff([]string{"log.entries.1: the same", "log.entries.4: status 0", "log.entries.5: respond:", "log.entries.6: the arch", "log.entries.7: the body"}, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

func TestManyEntries(t *testing.T) {
	t.Parallel()
	var entries []string
	for i := range 500 {
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"GET","url":"https://a.test/%d"},"response":{"status":200}}`, i))
	}
	got := read(t, imports.HAR, `{"log":{"entries":[`+strings.Join(entries, ",")+`]}}`)
	if len(got.Rules) != plan.MaxRules || len(got.LeftOut) != 201 || got.LeftOut[200].Why != "and 100 more" {
		t.Errorf("%d rules, %d left out, at last %+v", len(got.Rules), len(got.LeftOut), got.LeftOut[len(got.LeftOut)-1])
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ format, text, want string }{
		"swagger":       {"", `{"swagger":"2.0"}`, "Swagger 2"},
		"other":         {"", "a: b", "not an OpenAPI 3 document"},
		"text":          {"", "hello", "it is no map"},
		"broken":        {"", "a: [", "neither JSON nor YAML"},
		"empty":         {"", "openapi: 3.0.0", "neither paths nor webhooks"},
		"a loop":        {"", "openapi: 3.0.0\na: &a {b: [*a]}", `line 2: the YAML alias "a" stands for a part that holds it`},
		"no anchor":     {"", "openapi: 3.0.0\nb: *a", "neither JSON nor YAML"},
		"many laughs":   {"", laughs(9, "[*%[1]s, *%[1]s, *%[1]s, *%[1]s, *%[1]s, *%[1]s, *%[1]s, *%[1]s, *%[1]s]"), "with its YAML aliases written out"},
		"many aliases":  {"", laughs(8000, "[*%[1]s]") + strings.Repeat("#", 256<<10), "are read of YAML with aliases"},
		"many merges":   {"", laughs(30, "{a: {<<: *%[1]s}, b: {<<: *%[1]s}}"), "with its YAML aliases written out"},
		"deep":          {"", "openapi: " + strings.Repeat("[", 100_000), "nests too deep"},
		"deep dashes":   {"", "openapi:\n" + strings.Repeat("- ", 100_000), "nests too deep"},
		"no HAR":        {"har", `{"entries":[]}`, "there is no log"},
		"broken HAR":    {"har", `{"log":`, "not a HAR"},
		"format":        {"raml", "{}", "use openapi or har"},
		"not UTF-8":     {"", "\xff", "not UTF-8"},
		"too large":     {"openapi", strings.Repeat(" ", 1<<20+1), "at most 1048576 are read of YAML"},
		"a wrong types": {"", `{"openapi":3,"paths":[]}`, "not an OpenAPI 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := imports.Read(test.format, []byte(test.text), plan.Write)
			if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// laughs returns a document whose parts each hold the one before more than once.
func laughs(parts int, each string) string {
	text := "openapi: 3.0.0\npart0: &part0 {lol: lol}\n"
	for i := range parts {
		text += fmt.Sprintf("part%d: &part%[1]d %s\n", i+1, fmt.Sprintf(each, fmt.Sprint("part", i)))
	}
	return text + "paths: {/: {get: {responses: {'200': {content: {application/json: {example: *part" + fmt.Sprint(parts) + "}}}}}}}\n"
}

// TestAliases reads parts that stand at several places.
func TestAliases(t *testing.T) {
	t.Parallel()
	text := `
openapi: 3.1.0
paths:
  /a: {get: {responses: {'200': &ok {description: ok, content: {application/json: {example: {said: yes, times: 1}}}}}}}
  /b: {get: {responses: {'200': *ok}}}
  /c: {get: {responses: {'200': {<<: *ok, description: merged}}}}
`
	got, err := imports.Read("", []byte(text), plan.Write)
	if err != nil || len(got.Rules) != 3 || len(got.LeftOut) > 0 {
		t.Fatalf("%d rules, left out %v: %v", len(got.Rules), got.LeftOut, err)
	}
	for _, rule := range got.Rules[1:] {
		if diff := cmp.Diff(got.Rules[0].Respond, rule.Respond); diff != "" {
			t.Errorf("%s (-the first +this):\n%s", rule.Name, diff)
		}
	}
}

// TestOwnContract reads the contract of the inspector itself, which is large and has aliases.
func TestOwnContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "api", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := imports.Read("", text, plan.Write)
	if err != nil || len(got.Rules) < 50 || len(got.Examples) < 20 {
		t.Errorf("%d rules, %d examples: %v", len(got.Rules), len(got.Examples), err)
	}
}

// FuzzRead reads any document: what is made of it can be saved.
func FuzzRead(f *testing.F) {
	f.Add("", petstore)
	f.Add("", orders)
	f.Add("", laughs(3, "{a: *%[1]s, <<: *%[1]s}"))
	f.Add("har", `{"log":{"entries":[{"request":{"method":"GET","url":"https://a/b?c=d"},"response":{"status":200,"content":{"text":"x"}}}]}}`)
	f.Fuzz(func(t *testing.T, format, text string) {
		got, err := imports.Read(format, []byte(text), plan.Write)
		if err != nil {
			if !errors.Is(err, webhook.ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		checkExamples(t, got.Examples)
		for _, r := range got.Rules {
			if _, err := plan.Parse(r.Respond); err != nil {
				t.Errorf("%+v: %v", r, err)
			}
		}
	})
}
