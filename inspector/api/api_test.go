package api_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestMillis(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0", time.Second: "1000", 1500 * time.Microsecond: "1.5", 1234567 * time.Nanosecond: "1.235", -3 * time.Second: "-3000",
		499 * time.Nanosecond: "0", 90 * 24 * time.Hour: "7776000000",
	} {
		text, err := json.Marshal(api.Millis(d))
		if err != nil || string(text) != want {
			t.Errorf("%v: %s, %v; want %s", d, text, err, want)
		}
		var back api.Millis
		if err := json.Unmarshal(text, &back); err != nil || back.Duration() != d.Round(time.Microsecond) {
			t.Errorf("%s: back as %v, %v", text, back.Duration(), err)
		}
	}
	for _, bad := range []string{"1e-9", `"1s"`, "1e30", "[]", "true"} {
		if err := json.Unmarshal([]byte(bad), new(api.Millis)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	for head, want := range map[string][]webhook.Field{
		"": {}, "GET / HTTP/1.1": {}, "GET / HTTP/1.1\r\n\r\n": {},
		"GET / HTTP/1.1\r\nA: 1\r\na:  2 \r\nB:\r\n\r\nC: 3\r\n": {{Name: "A", Value: "1"}, {Name: "a", Value: "2"}, {Name: "B"}},
		"GET / HTTP/1.1\nA: 1\n\tmore\nnocolon\n\n":              {{Name: "A", Value: "1 more"}, {Name: "nocolon"}},
		"GET / HTTP/1.1\r\nA: b:c\r\n":                           {{Name: "A", Value: "b:c"}},
	} {
		if diff := cmp.Diff(want, webhook.Fields([]byte(head))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", head, diff)
		}
	}
}

func TestSplitTarget(t *testing.T) {
	t.Parallel()
	for target, want := range map[string][2]string{
		"/a?b=c?d": {"/a", "b=c?d"}, "/a//..%2F?": {"/a//..%2F", ""}, "*": {"*", ""}, "": {"", ""},
		"http://h:1/p?q": {"/p", "q"}, "http://h?q": {"/", "q"}, "/x://y": {"/x://y", ""}, "/r?u=http://h/p": {"/r", "u=http://h/p"},
	} {
		path, query := api.SplitTarget(target)
		if path != want[0] || query != want[1] {
			t.Errorf("%s: %q %q, want %q", target, path, query, want)
		}
	}
}

// numbers is a Masker that hides a number and so breaks JSON.
type numbers struct{ api.Exact }

func (numbers) Bytes(b []byte) []byte {
	return []byte(strings.ReplaceAll(string(b), "4242", "•••"))
}

func TestRawJSONStaysJSON(t *testing.T) {
	t.Parallel()
	v := api.View{Mask: numbers{}}
	p := v.Payload(&webhook.Payload{Run: &webhook.AgentRun{
		Values: json.RawMessage(`{"pin":4242}`), Kwargs: json.RawMessage("\"\xff4242\""), Metadata: nil,
	}})
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"values":"{\"pin\":•••}"`, `"kwargs":"` + "\uFFFD•••" + `"`, `"metadata":null`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestDeclaredEndpoints(t *testing.T) {
	t.Parallel()
	in, err := api.DecodeEndpoint([]byte(`{"name":"orders","secret":"s3cr3t-one","respond":"503x2 200","retention":{"accepted":{"count":7}}}`))
	if err != nil {
		t.Fatal(err)
	}
	ep, err := in.Apply(nil)
	if err != nil || ep.Name != "orders" || ep.Respond != "503x2 200" || ep.Retention.Accepted.Count != 7 || len(ep.Secret.Secrets) != 1 {
		t.Errorf("%+v, %v", ep, err)
	}
	// The file wins, but a secret that it leaves out is kept.
	in, err = api.DecodeEndpoint([]byte(`{"name":"orders"}`))
	if err != nil {
		t.Fatal(err)
	}
	again, err := in.Apply(&ep)
	if err != nil || again.Respond != "" || again.Retention.Accepted.Count != 0 || again.Secret.Secrets[0] != "s3cr3t-one" {
		t.Errorf("%+v, %v", again, err)
	}
	for _, bad := range []string{`{}`, `{"name":"A"}`, `{"name":"a","colour":1}`, `[]`, `{"name":"a"} x`} {
		if _, err := api.DecodeEndpoint([]byte(bad)); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
