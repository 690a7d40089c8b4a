package payload_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/payload"
)

func seed(f *testing.F, add func(contentType string, body []byte)) {
	f.Helper()
	for _, v := range vectors(f) {
		if len(v.Body) < 10_000 {
			add(v.ContentType(), v.Body)
		}
	}
	for _, body := range []string{
		"", "[", "]", "{", `{"a":1,"a":2}`, "[1e5,-0.1E-7,0]", `"\u00e4\n"`, "nul", "-", "01", "1.", `{"a"}`, "[,]", "[1,]", `{"a":1,}`,
		`{"rule_id":"r","start_time":"s","end_time":"e","runs":[{"id":"1"},{"id":"\u0032"}]}`, `{"id":"\ud800","type":"\q"}`,
	} {
		add("text/plain", []byte(body))
	}
}

// FuzzKey compares the scanner with encoding/json, and the key with one made from what
// encoding/json reads.
func FuzzKey(f *testing.F) {
	seed(f, func(_ string, body []byte) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body []byte) {
		valid, deep := payload.Check(body)
		if want := json.Valid(body); valid != want && !deep {
			t.Fatalf("valid is %v, encoding/json says %v", valid, want)
		}
		sum := sha256.Sum256(body)
		got := payload.Key("POST", "/a", nil, body, sum)
		if want := expectedBy(body, deep); got.By != want {
			t.Fatalf("by %q, want %q", got.By, want)
		}
		if !valid || got.By == "body" {
			return
		}
		var spaced bytes.Buffer
		if err := json.Indent(&spaced, body, "", "  "); err != nil {
			t.Fatal(err)
		}
		if again := payload.Key("POST", "/a", nil, spaced.Bytes(), sum); again != got {
			t.Fatalf("with white space the key is %v, was %v", again, got)
		}
	})
}

// expectedBy says what a delivery should be recognised by, as encoding/json reads the body.
func expectedBy(body []byte, deep bool) string {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	// Unlike a struct, a map matches keys exactly and lets the last of equal keys win.
	var top map[string]json.RawMessage
	if deep || json.Unmarshal(body, &top) != nil || top == nil {
		return "body"
	}
	has := func(names ...string) bool {
		for _, name := range names {
			if !isText(top[name]) {
				return false
			}
		}
		return true
	}
	switch {
	case has("rule_id", "start_time", "end_time") && allRunsHaveIDs(top["runs"]):
		return "rule"
	case has("run_id", "status"):
		return "run"
	case has("id"):
		return "id"
	default:
		return "body"
	}
}

func isText(raw json.RawMessage) bool {
	return len(raw) > 2 && raw[0] == '"'
}

func allRunsHaveIDs(raw json.RawMessage) bool {
	var runs []json.RawMessage
	if json.Unmarshal(raw, &runs) != nil || runs == nil {
		return false
	}
	for _, run := range runs {
		var object map[string]json.RawMessage
		if json.Unmarshal(run, &object) != nil || !isText(object["id"]) {
			return false
		}
	}
	return true
}

// FuzzDescribe holds that any body is described, within bounds, in valid UTF-8.
func FuzzDescribe(f *testing.F) {
	seed(f, func(contentType string, body []byte) { f.Add(contentType, body) })
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		p := payload.Describe(contentType, body)
		if p.Kind == "" || p.Title == "" || !utf8.ValidString(p.Title) || !utf8.ValidString(p.Snippet) {
			t.Fatalf("kind %q, title %q, snippet %q", p.Kind, p.Title, p.Snippet)
		}
		if utf8.RuneCountInString(p.Title) > 120 || utf8.RuneCountInString(p.Snippet) > 160 || len(p.Problems) > 100 {
			t.Fatalf("out of bounds: %d, %d, %d", len(p.Title), len(p.Snippet), len(p.Problems))
		}
		if strings.ContainsAny(p.Title+p.Snippet, "\r\n") {
			t.Fatalf("more than one line: %q %q", p.Title, p.Snippet)
		}
		if p.Rule != nil && (len(p.Rule.Runs) > 250 || len(p.Rule.Runs) > p.Rule.RunCount) {
			t.Fatalf("%d runs of %d", len(p.Rule.Runs), p.Rule.RunCount)
		}
		if p.Run != nil {
			for _, raw := range []json.RawMessage{p.Run.Values, p.Run.Kwargs, p.Run.Metadata} {
				if raw != nil && !json.Valid(raw) {
					t.Fatalf("a part is no JSON: %q", raw)
				}
			}
		}
	})
}

// FuzzRefs holds that names are distinct, of the documented form, and MayHaveRefs never denies one.
func FuzzRefs(f *testing.F) {
	seed(f, func(_ string, body []byte) { f.Add(body) })
	form := regexp.MustCompile(`^runs\.\d+\.((inputs|outputs)(\..+)?|s3_urls\..+)$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		seen := make(map[string]bool)
		for _, ref := range payload.Refs(body) {
			if !form.MatchString(ref.Name) || seen[ref.Name] || ref.URL == "" {
				t.Fatalf("ref %+v, names so far %v", ref, seen)
			}
			seen[ref.Name] = true
		}
		if len(seen) > 0 && !payload.MayHaveRefs(body) {
			t.Fatal("MayHaveRefs denies them")
		}
	})
}

// FuzzText compares how escapes are resolved with encoding/json.
func FuzzText(f *testing.F) {
	for _, text := range []string{"", "a", `\u0041\"\\\/\b\f\n\r\t`, `\ud83d\ude00`, `\ud83d`, `\ud83d\u0041`, `\ude00\ud83d\ude00`, `\uFFFD\uabCD`, "\xff\\n\u00e4", `\ud83d\n`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = append(append([]byte(`"`), text...), '"')
		var want string
		if json.Unmarshal(text, &want) != nil {
			return
		}
		if got := payload.Text(text); got != want {
			t.Fatalf("%s is %q, want %q", text, got, want)
		}
	})
}
