package imports_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/imports"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const orders = `
openapi: 3.1.0
paths:
  /orders/{orderId}/items:
    parameters:
      - {name: orderId, in: path, required: true, schema: {type: string}, example: "a/7"}
      - {name: dry, in: query, required: true, schema: {type: boolean}}
      - {name: page, in: query, schema: {type: integer}}
    post:
      parameters:
        - {name: dry, in: query, example: "no"}
        - {name: X-Tenant, in: header, schema: {type: string, example: acme}}
        - $ref: '#/components/parameters/Trace'
        - {name: Authorization, in: header, example: Bearer secret}
        - {name: session, in: cookie, required: true, example: x}
      requestBody:
        content:
          application/xml: {example: <a/>}
          application/json:
            examples:
              two: {value: {n: 2}}
              one: {$ref: '#/components/examples/One'}
              gone: {$ref: '#/components/examples/Gone'}
      responses: {'200': {description: ok}}
    put:
      requestBody: {$ref: '#/components/requestBodies/Far'}
      responses: {'204': {description: ok}}
    get: {responses: {'200': {description: ok}}}
webhooks:
  paid:
    post:
      requestBody: {content: {'text/plain': {example: paid}}}
      responses: {'200': {description: ok}}
  sent:
    post:
      requestBody: {content: {application/json: {schema: {properties: {event: {const: sent}, n: {type: integer}}}}}}
      responses: {'200': {description: ok}}
components:
  examples: {One: {value: {n: 1}}}
  parameters: {Trace: {name: X-Trace, in: header, required: true, schema: {type: string, format: uuid}}}
`

// sample is an example with its fields as one text each.
type sample struct {
	Name, At, Method, Path, Header, Body string
	Made                                 bool
}

func samples(examples []imports.Example) []sample {
	var out []sample
	for _, e := range examples {
		var fields []string
		for _, f := range e.Header {
			fields = append(fields, f.Name+": "+f.Value)
		}
		out = append(out, sample{e.Name, e.At, e.Method, e.Path, strings.Join(fields, ", "), string(e.Body), e.Made})
	}
	return out
}

func why(left []imports.LeftOut, at string) string {
	for _, l := range left {
		if l.At == at {
			return l.Why
		}
	}
	return ""
}

func TestExamplesOfOpenAPI(t *testing.T) {
	t.Parallel()
	got := read(t, "", orders)
	const (
		path   = "/orders/a%2F7/items?dry=no"
		at     = "paths./orders/{orderId}/items.post.requestBody"
		header = "Content-Type: application/json, X-Tenant: acme, X-Trace: 00000000-0000-4000-8000-000000000000"
	)
	want := []sample{
		{"POST /orders/{orderId}/items (one)", at, "POST", path, header, `{"n":1}`, false},
		{"POST /orders/{orderId}/items (two)", at, "POST", path, header, `{"n":2}`, false},
		{"POST paid", "webhooks.paid.post.requestBody", "POST", "", "Content-Type: text/plain", "paid", false},
		{"POST sent", "webhooks.sent.post.requestBody", "POST", "", "Content-Type: application/json", `{"event":"sent","n":0}`, true},
	}
	if diff := cmp.Diff(want, samples(got.Examples)); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
	if text := why(got.LeftOut, "paths./orders/{orderId}/items.put.requestBody"); !strings.Contains(text, "leads nowhere") {
		t.Errorf("left out %+v", got.LeftOut)
	}
}

func TestExamplesOfHAR(t *testing.T) {
	t.Parallel()
	const har = `{"log":{"entries":[
{"request":{"method":"POST","url":"https://a.test/v1/x?b=c%20d&secret=s","headers":[{"name":"content-type","value":"application/json"},
 {"name":"Cookie","value":"session=s"},{"name":"Authorization","value":"Bearer s"},{"name":"Host","value":"a.test"},{"name":"content-length","value":"7"},
 {"name":"X-Event","value":"paid"},{"name":"X-Broken","value":"a\nb"},{"name":":path","value":"/v1/x"}],
 "postData":{"mimeType":"text/plain","text":"{\"a\":1}"}},"response":{"status":200}},
{"request":{"method":"POST","url":"https://a.test/v1/x?b=c%20d","postData":{"mimeType":"application/json","text":"{}"}},"response":{"status":200}},
{"request":{"method":"PUT","url":"http://127.0.0.1:8080/hooks/default?secret=s","postData":{"mimeType":"image/png","text":"AP8=","encoding":"base64"}},"response":{"status":200}},
{"request":{"method":"POST","url":"https://a.test/form","postData":{"mimeType":"application/x-www-form-urlencoded","params":[{"name":"a b","value":"c&d"},{"name":"e"}]}},"response":{"status":0}},
{"request":{"method":"POST","url":"https://a.test/parts","postData":{"mimeType":"multipart/form-data","params":[{"name":"a"}]}},"response":{"status":200}},
{"request":{"method":"P T","url":"https://a.test/odd","postData":{"text":""}},"response":{"status":200}},
{"request":{"method":"POST","url":"https://a.test/b64","postData":{"text":"?","encoding":"base64"}},"response":{"status":200}},
{"request":{"method":"GET","url":"https://a.test/none"},"response":{"status":200}}]}}`
	got := read(t, "", har)
	want := []sample{
		{"POST /v1/x", "log.entries.0.request", "POST", "/v1/x?b=c%20d", "content-type: application/json, X-Event: paid", `{"a":1}`, false},
		{"POST /v1/x 2", "log.entries.1.request", "POST", "/v1/x?b=c%20d", "Content-Type: application/json", "{}", false},
		{"PUT /", "log.entries.2.request", "PUT", "", "Content-Type: image/png", "\x00\xff", false},
		{"POST /form", "log.entries.3.request", "POST", "/form", "Content-Type: application/x-www-form-urlencoded", "a+b=c%26d&e=", false},
	}
	if diff := cmp.Diff(want, samples(got.Examples)); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
	for at, text := range map[string]string{
		"log.entries.4.request": "body of a form", "log.entries.5.request": "is no method", "log.entries.6.request": "not base64",
	} {
		if !strings.Contains(why(got.LeftOut, at), text) {
			t.Errorf("%s: %q, want %q", at, why(got.LeftOut, at), text)
		}
	}
}

// checkExamples tells what no example may be.
func checkExamples(t *testing.T, examples []imports.Example) {
	t.Helper()
	taken := map[string]bool{}
	for _, e := range examples {
		credential := func(f webhook.Field) bool {
			return strings.EqualFold(f.Name, "Authorization") || strings.EqualFold(f.Name, "Cookie")
		}
		for _, f := range e.Header {
			if credential(f) || strings.ContainsAny(f.Name+f.Value, "\r\n") {
				t.Errorf("%s has the field %+v", e.Name, f)
			}
		}
		if taken[e.Name] || e.Name == "" || e.Method == "" || strings.ContainsAny(e.Method, " \r\n") {
			t.Errorf("name %q, method %q", e.Name, e.Method)
		}
		taken[e.Name] = true
	}
}
