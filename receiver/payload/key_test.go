package payload_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func random() *rand.Rand {
	return rand.New(rand.NewPCG(5, 6))
}

func keyOf(body string, head ...webhook.Field) webhook.DeliveryKey {
	return payload.Key("POST", "/hooks/a", head, []byte(body), sha256.Sum256([]byte(body)))
}

func TestKeySameDelivery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, by, a, b string }{
		{
			"rule: other order and white space", "rule",
			`{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1","x":2},{"id":"2"}]}`,
			"{ \"runs\": [ {\"x\": [{\"id\":\"no\"}], \"id\": \"1\"},\n{\"id\":\"2\"} ], \"end_time\":\"e\", \"start_time\":\"s\", \"rule_id\":\"r\", \"feedback_stats\":{}}",
		},
		{"rule: no runs", "rule", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[ ],"id":"x"}`},
		{"rule: escaped", "rule", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"}]}`, `{"\u0072ule_id":"\u0072","start_time":"s","end_time":"e","runs":[{"\u0069d":"\u0031"}]}`},
		{
			"rule: the last of equal keys", "rule",
			`{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"}]}`,
			`{"rule_id":"q","runs":[{"id":"9"},7],"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"0","id":"1"}]}`,
		},
		{"run: sent at another time", "run", `{"run_id":"1","status":"error","webhook_sent_at":"a"}`, `{"webhook_sent_at":"b","status":"error","run_id":"1","values":null}`},
		{"id alone", "id", `{"id":"1","n":1}`, `{"n":2,"id":"1"}`},
		{"id and type", "id", `{"id":"1","type":"t","n":1}`, `{"type":"t","n":2,"id":"1"}`},
		{"a byte order mark", "id", `{"id":"1","type":"t"}`, "\ufeff" + `{"id":"1","type":"t"}`},
	} {
		a, b := keyOf(test.a), keyOf(test.b)
		if a != b || a.By != test.by {
			t.Errorf("%s: %v and %v, want the same by %s", test.name, a, b, test.by)
		}
	}
}

func TestKeyOtherDelivery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, by, a, b string }{
		{"rule: other run", "rule", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"}]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"2"}]}`},
		{"rule: one more run", "rule", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"}]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"},{"id":"1"}]}`},
		{"rule: ids that join up alike", "rule", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"12"},{"id":"3"}]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"},{"id":"23"}]}`},
		{"rule: other window", "rule", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[]}`, `{"rule_id":"r","start_time":"s","end_time":"f","runs":[]}`},
		{"run: other status", "run", `{"run_id":"1","status":"error"}`, `{"run_id":"1","status":"success"}`},
		{"id: other type", "id", `{"id":"1","type":"t"}`, `{"id":"1","type":"u"}`},
		{"id is a number", "body", `{"id":1,"type":"t"}`, `{"id":1,"type":"t" }`},
		{"a later null", "body", `{"id":"1","type":"t","id":null}`, `{"id":"1","type":"t","id":null }`},
		{"empty ids", "body", `{"id":"","type":"t"}`, `{"id":"","type":"t" }`},
		{"a run without id", "body", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{}]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[{} ]}`},
		{"a run that is a number", "body", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[1]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[2]}`},
		{"a run that is an array", "body", `{"rule_id":"r","start_time":"s","end_time":"e","runs":[[]]}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":[[1]]}`},
		{"runs is an object", "body", `{"rule_id":"r","start_time":"s","end_time":"e","runs":{"a":{"id":"1"}}}`, `{"rule_id":"r","start_time":"s","end_time":"e","runs":{"a":{"id":"2"}}}`},
		{"invalid", "body", `{"id":"1","type":"t"`, `{"id":"1","type":"t",`},
		{"rubbish before", "body", `x{"id":"1","type":"t"}`, `y{"id":"1","type":"t"}`},
		{"not at the top", "body", `{"a":{"id":"1","type":"t"}}`, `{"b":{"id":"1","type":"t"}}`},
		{"in an array", "body", `[{"id":"1","type":"t"}]`, `[{"id":"1","type":"t"},1]`},
		{"text", "body", `hello`, `hello!`},
	} {
		a, b := keyOf(test.a), keyOf(test.b)
		if a.Sum == b.Sum || a.By != test.by || b.By != test.by {
			t.Errorf("%s: %v and %v, want different ones by %s", test.name, a, b, test.by)
		}
	}
}

func TestKeyHeaderMethodPath(t *testing.T) {
	t.Parallel()
	id := webhook.Field{Name: "Webhook-ID", Value: " m1 "}
	if a, b := keyOf("one", id), keyOf("two", webhook.Field{Name: "webhook-id", Value: "m1"}); a != b || a.By != "webhook-id" {
		t.Errorf("the same webhook-id gives %v and %v", a, b)
	}
	if a := keyOf("one", webhook.Field{Name: "X-GitHub-Delivery", Value: "g1"}); a.By != "webhook-id" {
		t.Errorf("X-GitHub-Delivery gives %v", a)
	}
	if a := keyOf("one", webhook.Field{Name: "webhook-id", Value: " "}); a.By != "body" {
		t.Errorf("an empty webhook-id gives %v", a)
	}
	seen := make(map[[16]byte]string)
	for _, body := range []string{"", "{}", `{"id":"1","type":"t"}`, `{"run_id":"1","status":"t"}`} {
		for _, method := range []string{"POST", "PUT"} {
			for _, path := range []string{"/hooks/a", "/hooks/b"} {
				k := payload.Key(method, path, nil, []byte(body), sha256.Sum256([]byte(body)))
				name := method + path + body
				if other, again := seen[k.Sum]; again {
					t.Errorf("%q and %q have the same key", other, name)
				}
				seen[k.Sum] = name
			}
		}
	}
}

// hostile are bodies of about that size that have killed or stalled parsers. Those that only open are
// always large: they cost nothing unless something recurses.
func hostile(size int) map[string][]byte {
	const large = 10 << 20
	keys := `{"k":1` + strings.Repeat(`,"k":1`, size/6) + `}`
	return map[string][]byte{
		"open arrays":     bytes.Repeat([]byte("["), large),
		"open objects":    bytes.Repeat([]byte(`{"a":`), large/5),
		"closed deep":     fixtures.Nested(500_000),
		"at the depth":    []byte("[" + strings.TrimSuffix(strings.Repeat(string(fixtures.Nested(999))+",", size/2000), ",") + "]"),
		"flat arrays":     []byte("[" + strings.Repeat("[],", size/3) + "1]"),
		"flat numbers":    []byte("[" + strings.Repeat("1,", size/2) + "1]"),
		"equal keys":      []byte(keys),
		"runs":            []byte(`{"presigned_url":1,"rule_id":"r","start_time":"s","end_time":"e","runs":[{}` + strings.Repeat(",{}", size/3) + `]}`),
		"runs with refs":  []byte(`{"rule_id":"r","start_time":"s","end_time":"e","runs":[1` + strings.Repeat(`,{"id":"1","inputs_s3_urls":{"ROOT":{"presigned_url":"u"}}}`, size/58) + `]}`),
		"runs of runs":    []byte(`{"presigned_url":1,"runs":` + strings.Repeat(`[{"runs":`, 400) + "[" + strings.Repeat("1,", size/2) + "1]" + strings.Repeat("}]", 400) + `}`),
		"escaped keys":    []byte(`{` + strings.Repeat(`"\u0069d":"\u0061",`, size/19) + `"a":1}`),
		"escaped ids":     []byte(`{"rule_id":"r","start_time":"s","end_time":"e","runs":[` + strings.Repeat(`{"id":"\u0061"},`, size/16) + `{"id":"1"}]}`),
		"empty entries":   []byte(`{"runs":[{"s3_urls":{` + strings.Repeat(`"a":{"presigned_url":""},`, size/25) + `"a":{"presigned_url":"u"}}}]}`),
		"equal entries":   []byte(`{"runs":[{"s3_urls":{` + strings.Repeat(`"a":{"presigned_url":"u"},`, size/26) + `"a":{"presigned_url":"u"}}}]}`),
		"equal places":    []byte(`{"runs":[{` + strings.Repeat(`"s3_urls":{"a":{"presigned_url":"u"}},`, size/38) + `"s3_urls":{"a":{"presigned_url":"u"}}}]}`),
		"many entries":    manyEntries(size),
		"long string":     []byte(`{"a":"` + strings.Repeat("a", size) + `"}`),
		"escapes":         []byte(`{"type":"` + strings.Repeat(`\u0041`, size/6) + `"}`),
		"backslashes":     []byte(`{"a":"` + strings.Repeat(`\`, size)),
		"spaces":          bytes.Repeat([]byte(" "), size),
		"commas":          bytes.Repeat([]byte(","), size),
		"ampersands":      bytes.Repeat([]byte("&"), size),
		"near boundaries": []byte("--a\r\n\r\n" + strings.Repeat("\r\n--", size/4)),
		"part headers":    []byte("--a\r\n" + strings.Repeat("A: b\r\n", size/6)),
		"zeroes":          make([]byte, size),
	}
}

func manyEntries(size int) []byte {
	b := []byte(`{"runs":[{"s3_urls":{"":0`)
	for n := 0; len(b) < size; n++ {
		b = fmt.Appendf(b, `,"\u0061%d":{"presigned_url":"u"}`, n)
	}
	return append(b, "}}]}"...)
}

func TestHostileBodiesReturn(t *testing.T) {
	t.Parallel()
	for name, body := range hostile(1 << 20) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if k := keyOf(string(body)); k.By == "" {
				t.Error("no key")
			}
			for _, contentType := range []string{"application/json", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"} {
				if p := payload.Describe(contentType, body); p.Kind == "" || len(p.Problems) > 100 {
					t.Errorf("described as %+v", p)
				}
			}
			if refs := payload.Refs(body); len(refs) > 2000 {
				t.Errorf("%d refs", len(refs))
			}
		})
	}
}
