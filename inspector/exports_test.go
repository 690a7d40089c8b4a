package inspector_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const formulas = "=cmd|' /C calc'!A0"

// hostile captures are such as a sender could make to get something run where they are taken out to.
func hostile(t *testing.T, r *rig) []webhook.Capture {
	t.Helper()
	r.endpoint(t, "default")
	var all []webhook.Capture
	for i, one := range []struct{ method, target, head, body string }{
		{"POST", "/hooks/default?secret=" + hooked, "Content-Type: application/json\r\n", `{"a":"it's $(touch pwned) ` + "`id`" + ` \"q\" \\ • ü"}`},
		{"POST", "/hooks/default/a'b;$(touch%20pwned)//..%2F/{a,b}[1-2]?secret=" + hooked + "&x='&y=%zz", "X-Quote: '\"; touch pwned #\r\nX-Empty:\r\n", "@/etc/passwd"},
		{"PUT", "/hooks/default", "x-Two: 1\r\nX-two: 2\r\nX-Esc: a\x1b[31m\u202eb\\'c\r\nUser-Agent: " + formulas + "\r\n", "\x00\x01\xff\xfe\r\n'END'\nEND\n"},
		{"DELETE", "/hooks/default?q=%00", "Accept: */*\r\nCookie: a=b; c=\"d\"\r\n", ""},
		{"PATCH", "/hooks/default", "Content-Type: text/csv\r\nX-Latin: caf\xe9\r\n", strings.Repeat("\x80line\n", 30_000)},
		{"POST", "/hooks/default", "Content-Length: 0\r\n", ""},
		{"POST", "/hooks/default", "Content-Type: text/plain\r\n", "trailing newlines\n\n\n"},
		{"POST", "/hooks/default", "Content-Type: text/plain\r\n", "-\u2028\u0085\u200b\x7f"},
	} {
		head := one.method + " " + one.target + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + one.head + "\r\n"
		all = append(all, r.capture(t, "default", one.body, func(c *webhook.Capture) {
			c.Request.Method, c.Request.Target, c.Request.Head = one.method, one.target, []byte(head)
			if i == 4 {
				c.Plan = webhook.Plan{Status: 302, Header: []webhook.Field{{Name: "Location", Value: "https://a.example/"}}}
			}
		}))
	}
	r.settled(t)
	return all
}

func exported(t *testing.T, r *rig, query string) answer {
	t.Helper()
	a := r.call(t, "GET", "/api/v1/endpoints/default/export?"+query, "")
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s: answered %d: %s", query, a.StatusCode, a.text)
	}
	if !strings.Contains(query, "reveal") && bytes.Contains(a.text, []byte(hooked)) {
		t.Errorf("%s: the secret is shown", query)
	}
	return a
}

// TestExportHAR holds the archive against the schema that har-validator ships.
func TestExportHAR(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	files, err := filepath.Glob("export/testdata/har-schema/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("schemas %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		// The $id of each is relative and ends in "#", which is a reference and no identifier in later drafts.
		doc.(map[string]any)["$id"] = "mem://har/" + filepath.Base(file)
		if err = compiler.AddResource("mem://har/"+filepath.Base(file), doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile("mem://har/har.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"format=har", "format=har&reveal=true", "format=har&q=nothing-has-this"} {
		a := exported(t, r, query)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.text))
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if err = schema.Validate(value); err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
	var har struct {
		Log struct {
			Version string `json:"version"`
			Entries []struct {
				Request struct {
					Method   string `json:"method"`
					PostData *struct {
						Text     string `json:"text"`
						Encoding string `json:"_encoding"`
					} `json:"postData"`
				} `json:"request"`
				Response struct {
					RedirectURL string `json:"redirectURL"`
				} `json:"response"`
			} `json:"entries"`
		} `json:"log"`
	}
	if err = json.Unmarshal(exported(t, r, "format=har&reveal=true").text, &har); err != nil {
		t.Fatal(err)
	}
	if har.Log.Version != "1.2" || len(har.Log.Entries) != len(all) || har.Log.Entries[4].Response.RedirectURL != "https://a.example/" {
		t.Fatalf("%+v", har.Log)
	}
	for i, e := range har.Log.Entries {
		body := []byte{}
		if p := e.Request.PostData; p != nil {
			body = []byte(p.Text)
			if p.Encoding == "base64" {
				if body, err = base64.StdEncoding.DecodeString(p.Text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if e.Request.Method != all[i].Request.Method || !bytes.Equal(body, all[i].Request.Body) {
			t.Errorf("entry %d: %s with %d bytes", i, e.Request.Method, len(body))
		}
	}
}

// python runs a script with a file's path and returns its output as JSON.
func python(t *testing.T, script string, file []byte, out any) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), "python3", "-I", "-c", script, path).Output()
	if err != nil {
		t.Fatalf("python3: %v: %s", err, text)
	}
	if err = json.Unmarshal(text, out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// TestExportCSV reads the table with Python's reader.
func TestExportCSV(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	var rows []map[string]string
	python(t, `import csv,json,sys
print(json.dumps(list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8'), strict=True))))`,
		exported(t, r, "format=csv").text, &rows)
	if len(rows) != len(all) {
		t.Fatalf("%d rows, want %d", len(rows), len(all))
	}
	for i, row := range rows {
		if row["seq"] != fmt.Sprint(all[i].Seq) || row["method"] != all[i].Request.Method || row["body_size"] != fmt.Sprint(len(all[i].Request.Body)) {
			t.Errorf("row %d: %v", i, row)
		}
		for name, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+@|%\t\r") || strings.HasPrefix(cell, "-") && name != "gap_ms" {
				t.Errorf("row %d: the cell %s begins a formula: %q", i, name, cell)
			}
		}
	}
	if got := rows[2]["user_agent"]; got != "'"+formulas {
		t.Errorf("the formula is %q", got)
	}
	if head := exported(t, r, "format=csv&q=nothing-has-this").text; bytes.Count(head, []byte("\r\n")) != 1 {
		t.Errorf("an empty table: %q", head)
	}
}

func TestExportLines(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	a := exported(t, r, "format=jsonl&reveal=true")
	i := 0
	for text := range bytes.Lines(a.text) {
		var one struct {
			api.Capture
			Body       *string `json:"body"`
			BodyBase64 []byte  `json:"body_base64"`
		}
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		body := one.BodyBase64
		if one.Body != nil {
			body = []byte(*one.Body)
		}
		if one.Seq != int64(all[i].Seq) || !bytes.Equal(body, all[i].Request.Body) {
			t.Errorf("line %d: capture %d with %q", i, one.Seq, body)
		}
		i++
	}
	if i != len(all) || a.Trailer.Get("Hookrange-Exported") != fmt.Sprint(i) || a.Trailer.Get("Hookrange-Left-Out") != "0" {
		t.Errorf("%d lines, trailers %v", i, a.Trailer)
	}
}

// TestExportZip opens the bug report with Python's zipfile.
func TestExportZip(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	r.capture(t, "default", ruleBody, func(c *webhook.Capture) {
		c.Objects = []webhook.Object{{Ref: webhook.Ref{Name: "runs.0.inputs", URL: "https://b.example/k"}, State: webhook.Resolved, Data: []byte(`{"q":1}`), Size: 7}}
	})
	read := func(query string) map[string][]byte {
		var files map[string][]byte
		python(t, `import base64,json,sys,zipfile
z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None
print(json.dumps({n: base64.b64encode(z.read(n)).decode() for n in z.namelist()}))`, exported(t, r, query).text, &files)
		for name, data := range files {
			if !strings.Contains(query, "reveal") && bytes.Contains(data, []byte(hooked)) {
				t.Errorf("%s shows the secret", name)
			}
			if strings.Contains(name, "..") || strings.HasPrefix(name, "/") {
				t.Errorf("the name %s leaves the folder", name)
			}
		}
		return files
	}
	files := read("format=zip&reveal=true")
	for i := range all {
		if got, want := files[fmt.Sprintf("captures/%08d.http", all[i].Seq)], slices.Concat(all[i].Request.Head, all[i].Request.Body); !bytes.Equal(got, want) {
			t.Errorf("capture %d: %q, want %q", i, got, want)
		}
		if !json.Valid(files[fmt.Sprintf("captures/%08d.json", all[i].Seq)]) {
			t.Errorf("capture %d has no record", i)
		}
	}
	found := false
	for name, data := range files {
		found = found || strings.HasSuffix(name, "-runs.0.inputs") && string(data) == `{"q":1}`
	}
	if timeline := string(files["timeline.txt"]); !found || strings.Count(timeline, "\n") != len(all)+2 || strings.ContainsRune(timeline, 0x1b) {
		t.Errorf("resolved %v, timeline:\n%s", found, timeline)
	}
	var versions map[string]any
	if err := json.Unmarshal(read("format=zip")["versions.json"], &versions); err != nil || versions["hookrange"] != "test" || versions["masked"] != true {
		t.Errorf("versions %v, %v", versions, err)
	}
}

func TestExportDataset(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	rule := func(runs string) string {
		return `{"rule_id":"r1","start_time":"a","end_time":"b","runs":[` + runs + `]}`
	}
	run := func(id, rest string) string {
		return fmt.Sprintf(`{"id":%q,"name":"n","run_type":"chain","status":"success","trace_id":"t",%s}`, id, rest)
	}
	plain := rule(run("a", `"inputs":{"q":1},"outputs":{"a":2}`) + "," + run("b", `"inputs":"text","outputs":[1]`) + "," + run("none", `"inputs":null,"outputs":{"a":1}`))
	r.capture(t, "default", plain)
	r.capture(t, "default", plain) // a retry brings the same runs
	r.capture(t, "default", rule(run("c", `"inputs":null,"outputs":null,"inputs_s3_urls":{"ROOT":{"presigned_url":"https://b.s3.amazonaws.com/k"}}`)), func(c *webhook.Capture) {
		c.Objects = []webhook.Object{
			{Ref: webhook.Ref{Name: "runs.0.inputs", URL: "https://b.s3.amazonaws.com/k"}, State: webhook.Resolved, Data: []byte(`{"q":"` + hooked + `"}`)},
			{Ref: webhook.Ref{Name: "runs.0.outputs", URL: "https://b.s3.amazonaws.com/l"}, State: webhook.Expired},
		}
	})
	r.capture(t, "default", rule(run("d", `"inputs":{"q":1},"outputs":{"a":2},"feedback_stats":{"x":{"n":1},"y":{"n":1,"correction":{"label":"bug"}}}`)+","+
		run("e", `"inputs":{"q":1},"outputs":null,"feedback":[{"key":"k","correction":"right"}]`)))
	r.capture(t, "default", runBody)
	r.capture(t, "default", strings.Replace(runBody, `"webhook":`, `"input":{"messages":["hi"]},"webhook":`, 1))
	r.capture(t, "default", rule(run("forged", `"inputs":{"q":1},"outputs":{}`)), func(c *webhook.Capture) {
		c.Class, c.Reason = webhook.Rejected, webhook.SecretWrong
	})
	a := exported(t, r, "format=dataset")
	type example struct {
		Inputs   json.RawMessage `json:"inputs"`
		Outputs  json.RawMessage `json:"outputs"`
		Metadata map[string]any  `json:"metadata"`
	}
	got := map[string]string{}
	for text := range bytes.Lines(a.text) {
		var one example
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatal(err)
		}
		id := one.Metadata["run_id"].(string)
		if _, twice := got[id]; twice {
			t.Errorf("run %s is there twice", id)
		}
		from, _ := one.Metadata["outputs_from"].(string)
		got[id] = fmt.Sprintf("%s -> %s (%s)", one.Inputs, one.Outputs, from)
	}
	want := map[string]string{
		"a": `{"q":1} -> {"a":2} (payload)`,
		"b": `{"input":"text"} -> {"output":[1]} (payload)`,
		"c": `{"q":"•••"} -> null ()`,
		"d": `{"q":1} -> {"output":{"label":"bug"}} (correction)`,
		"e": `{"q":1} -> {"output":"right"} (correction)`,
		// The first attempt of this run had no input; a later one made it an example.
		"1ef": `{"messages":["hi"]} -> {"messages":[]} (payload)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("examples (-want +got):\n%s", diff)
	}
	if a.Trailer.Get("Hookrange-Exported") != fmt.Sprint(len(want)) || !strings.HasPrefix(a.Trailer.Get("Hookrange-Left-Out"), "1 (runs") {
		t.Errorf("trailers %v", a.Trailer)
	}
	if all := exported(t, r, "format=dataset&class=rejected").text; !bytes.Contains(all, []byte("forged")) {
		t.Errorf("rejected ones, when asked for: %s", all)
	}
}

func TestExportFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	r.capture(t, "default", "x", func(c *webhook.Capture) { c.Class, c.Reason = webhook.Rejected, webhook.SecretWrong })
	for query, want := range map[string]int{
		"":                                      len(all) + 1,
		"&class=rejected":                       1,
		"&q=method:PUT":                         1,
		"&q=trailing":                           1,
		"&limit=3":                              3,
		fmt.Sprintf("&after=%d", all[5].Seq):    3,
		fmt.Sprintf("&before=%d", all[2].Seq):   2,
		"&q=method:POST&class=accepted&limit=2": 2,
	} {
		a := exported(t, r, "format=jsonl"+query)
		if got := bytes.Count(a.text, []byte("\n")); got != want {
			t.Errorf("%q: %d captures, want %d", query, got, want)
		}
	}
	for _, query := range []string{"", "format=", "format=exe", "format=har&class=all", "format=har&q=size:huge", "format=har&limit=0"} {
		refused(t, r.call(t, "GET", "/api/v1/endpoints/default/export?"+query, ""), http.StatusBadRequest, "invalid")
	}
	refused(t, r.call(t, "GET", "/api/v1/endpoints/nobody/export?format=har", ""), http.StatusNotFound, "not_found")
	a := r.call(t, "HEAD", "/api/v1/endpoints/default/export?format=zip", "")
	if a.StatusCode != http.StatusOK || !strings.HasSuffix(a.Header.Get("Content-Disposition"), `.zip"`) || !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("HEAD: %d %v", a.StatusCode, a.Header)
	}
}

// TestExportLeavesOutTheDamaged exports beside a row that does not match its checksum.
func TestExportLeavesOutTheDamaged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	if err := r.store.DeleteCapture(t.Context(), "default", all[0].Seq); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a := exported(t, r, "format=jsonl")
	if got := bytes.Count(a.text, []byte("\n")); got != len(all)-1 || time.Since(start) > time.Minute {
		t.Errorf("%d captures after one was deleted", got)
	}
}
