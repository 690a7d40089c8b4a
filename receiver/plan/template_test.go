package plan_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/plan"
)

func templated(body string) plan.Arrival {
	in := arrival(body)
	in.At, in.Delivery, in.Seed = time.Date(2026, 11, 22, 12, 0, 0, 5e6, time.UTC), "d-1", 7
	return in
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	const body = `{"rule_id":"r","runs":[{"id":"one","n":3},{"id":"two","n":4.5}],"big":9007199254740993,"q":"say \"hi\"\n","none":null}`
	tests := map[string]struct{ template, want string }{
		"facts":              {"{{.Method}} {{.Path}} {{.Query.event}} {{.Attempt}} {{.Delivery}} {{.Now}}", "POST /orders/7 paid 1 d-1 2026-11-22T12:00:00.005Z"},
		"header with dashes": {"{{.Header.X-Kind}}|{{.Header.x-kind}}|{{.Header.X-None}}", "Order.Paid|Order.Paid|"},
		"body":               {"{{.Body.rule_id}} {{.Body.runs.1.id}} {{.Body.runs.9.id}}{{.Body.none.x}}", "r two "},
		"numbers":            {"{{.Body.big}} {{.Body.runs.1.n}}", "9007199254740993 4.5"},
		"loop":               {"{{range $i, $r := .Body.runs}}{{if $i}},{{end}}{{$r.id}}={{.n}}{{end}}", "one=3,two=4.5"},
		"loop over a number": {"{{range 3}}x{{end}}", "xxx"},
		"compare":            {`{{if and (gt .Body.runs.0.n 2) (eq .Method "PUT" "POST")}}yes{{else}}no{{end}}`, "yes"},
		"json":               {"{{json .Body.runs.0}} {{.Body.runs.0}}", `{"id":"one","n":3} {"id":"one","n":3}`},
		"default":            {"{{.Body.nothing | default \"d\"}} {{default 1 .Body.big}}", "d 9007199254740993"},
		"case":               {"{{upper .Body.rule_id}}{{.Method | lower}}", "Rpost"},
		"date":               {`{{date "2006-01-02"}} {{date "http"}} {{unix}} {{date "15h" "2020-01-01T09:00:00+01:00"}}`, "2026-11-22 Sun, 22 Nov 2026 12:00:00 GMT 1795348800 09h"},
		"hmac":               {`{{hmac "key" "The quick brown fox jumps over the lazy dog"}}`, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"},
		"raw":                {"{{len .Raw}}", strconv.Itoa(len(body))},
		"dollar":             {"{{with .Body}}{{$.Method}}{{.rule_id}}{{$.Body.runs.0.id}}{{end}}", "POSTrone"},
		"trim and comment":   {"a {{- /* }} .x */ -}} b {{- .Method -}} c", "abPOSTc"},
		"strings have dots":  {`{{"a.b.0"}}{{'.' | default "x"}}`, "a.b.046"},
		"at":                 {`{{at .Body "runs" 0 "id"}}{{(at .Body.runs 1) | len}}`, "one2"},
		"markup stays":       {"<b>{{.Body.q}}</b>", "<b>say \"hi\"\n</b>"},
		"urlquery":           {"{{urlquery .Body.q}}", "say+%22hi%22%0A"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parse(t, "201/template=on/body="+strconv.Quote(test.template)).For(templated(body))
			if got.Status != 201 || string(got.Body) != test.want {
				t.Errorf("%q makes %d %q (%s), want %q", test.template, got.Status, got.Body, got.Trouble, test.want)
			}
		})
	}
}

func TestTemplatesAreOptIn(t *testing.T) {
	t.Parallel()
	if got := parse(t, `200/body="{{.Method}}"/header.X-A={{.Method}}`).For(templated("")); string(got.Body) != "{{.Method}}" || got.Header[0].Value != "{{.Method}}" {
		t.Errorf("%q, %v", got.Body, got.Header)
	}
}

func TestTemplateInJSONAndHeader(t *testing.T) {
	t.Parallel()
	p := parse(t, `302/template=on/to="https://x.test/{{.Body.id}}"/header.X-Id="{{uuid}}"/json={"id":"{{.Body.id}}","d":"{{.Body.x | default \"<n>\"}}","n":1}`)
	got := p.For(templated(`{"id":"a\"b\\c"}`))
	var body struct {
		ID string `json:"id"`
		D  string `json:"d"`
	}
	if err := json.Unmarshal(got.Body, &body); err != nil || body.ID != `a"b\c` || body.D != "<n>" {
		t.Errorf("body %s: %v (%s)", got.Body, err, got.Trouble)
	}
	if got.Header[1].Value != `https://x.test/a"b\c` {
		t.Errorf("fields %v", got.Header)
	}
	id := got.Header[2].Value
	if again := p.For(templated(`{"id":""}`)).Header[2].Value; len(id) != 36 || id[14] != '4' || again != id {
		t.Errorf("id %q, and again %q: want one UUID for one seed", id, again)
	}
	if text := p.String(); parse(t, text).String() != text || !strings.Contains(text, "template=on") {
		t.Errorf("the text does not read back: %s", text)
	}
}

func TestTemplateFails(t *testing.T) {
	t.Parallel()
	many := "[" + strings.Repeat("0,", 20_000) + "0]"
	tests := map[string]struct{ respond, body, want string }{
		"line break in a header": {`200/template=on/header.X-A={{.Body.a}}`, `{"a":"x\r\nSet-Cookie: b"}`, "header X-A: a header value holds no line break"},
		"too long":               {`200/template=on/body="{{range .Body}}{{$.Raw}}{{end}}"`, many, "makes more than 262144 bytes"},
		"too many turns":         {`200/template=on/body="{{range .Body}}{{range $.Body}}{{range $.Body}}{{end}}{{end}}{{end}}"`, many, "more than 10000 turns"},
		"a large number":         {`200/template=on/body="{{range 1000000000}}{{end}}"`, "", "more than 10000 turns"},
		"too much work":          {`200/template=on/body="{{range 9000}}{{if json $.Body}}{{end}}{{end}}"`, `"` + strings.Repeat("x", 50_000) + `"`, "more than 4194304 bytes"},
		"sorting":                {`200/template=on/body="{{range 9000}}{{range $.Body}}{{break}}{{end}}{{end}}"`, many, "more than 4194304 bytes"},
		"not comparable":         {`200/template=on/body="\n{{lt .Body 1}}"`, many, "line 2: "},
		"half JSON":              {`200/template=on/json={"a":["{{if .Raw}}"],"b":"{{end}}"}`, "", "not valid JSON"},
		"large body":             {`200/template=on/body="{{.Raw}}"`, strings.Repeat("x", 1<<20+1), "at most 1048576"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := parse(t, test.respond).For(templated(test.body))
			if got.Status != 500 || !strings.Contains(got.Trouble, test.want) || !strings.Contains(string(got.Body), "template") || len(got.Header) != 1 {
				t.Errorf("%d %.80s, trouble %q, want %q", got.Status, got.Body, got.Trouble, test.want)
			}
		})
	}
}

func TestTemplateRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ template, want string }{
		"not closed":     {"a\n{{.Method", "line 2: unclosed action"},
		"no end":         {"{{if .Method}}", "line 1: unexpected EOF"},
		"no function":    {"\n\n{{exec 1}}", `line 3: function "exec" not defined`},
		"printf":         {`{{printf "%1000000d" 1}}`, `line 1: "printf" is not accepted`},
		"call":           {"{{call .Method}}", `"call" is not accepted`},
		"index":          {`{{index .Body "a"}}`, `"index" is not accepted`},
		"html":           {"{{.Raw | html}}", `"html" is not accepted`},
		"inner name":     {"{{_put 1}}", `"_put" is not accepted`},
		"define":         {`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, "define, block and template are not accepted"},
		"template":       {`{{template "a"}}`, "is not accepted"},
		"block":          {`{{block "a" .}}{{end}}`, "not accepted"},
		"chain of paren": {"{{(at . \"Body\").x}}", `line 1: ".x": put a blank`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, text := range []string{"200/template=on/body=" + strconv.Quote(test.template), "500/when=false/template=on/body=" + strconv.Quote(test.template)} {
				if _, err := plan.Parse(text); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: error %v, want %q", text, err, test.want)
				}
			}
		})
	}
	for _, text := range []string{"200/template=off", "hang/template=on", "garbage/template=on/body=x"} {
		if _, err := plan.Parse(text); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// FuzzTemplate gives any template to any body: what is accepted makes a whole answer, or a 500 that says why.
func FuzzTemplate(f *testing.F) {
	f.Add(`{{.Body.a.0.b}}{{range $k, $v := .Body}}{{$k}}={{json $v}}{{end}}`, `{"a":[{"b":1}]}`)
	f.Add(`{{with $x := .Header.X-A}}{{$x.y}}{{else}}{{uuid}}{{end}}{{- /* c */ -}}`, "")
	f.Add("{{date `2006` .Now}}{{hmac .Raw 1}}{{len (at . \"Query\")}}", "[]")
	f.Fuzz(func(t *testing.T, text, body string) {
		for _, answer := range []string{"body", "header.X-A"} {
			p, err := plan.Parse("201/template=on/" + answer + "=" + strconv.Quote(text))
			if err != nil {
				continue
			}
			got := p.For(templated(body))
			if len(got.Body) > 256<<10 || (got.Status == 201) != (got.Trouble == "") {
				t.Errorf("%d with %d bytes, trouble %q", got.Status, len(got.Body), got.Trouble)
			}
			for _, field := range got.Header {
				if strings.ContainsAny(field.Value, "\r\n\x00") {
					t.Errorf("field %q", field)
				}
			}
		}
	})
}
