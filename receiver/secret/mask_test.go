package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func queryEndpoint(secrets ...string) *webhook.Endpoint {
	return &webhook.Endpoint{Name: "main", Secret: webhook.SecretPolicy{Secrets: secrets}}
}

func TestMaskText(t *testing.T) {
	t.Parallel()
	ep := queryEndpoint(`p&ss/w"rd é`, "38ee77617c3a489ab6e871fbeb2ec87d")
	ep.Secret.Param = "hook_key"
	header := &webhook.Endpoint{Name: "h", Secret: webhook.SecretPolicy{
		Scheme: webhook.SchemeHeader, Header: "X-My-Auth", Secrets: []string{"abc"},
	}}
	standard := &webhook.Endpoint{Name: "s", Secret: webhook.SecretPolicy{
		Scheme: webhook.SchemeStandard, Secrets: []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	}}
	mask := secret.NewMask(ep, header, standard)

	for name, c := range map[string]struct{ in, want string }{
		"empty":            {"", ""},
		"nothing":          {`{"a":[1,"b"]}`, `{"a":[1,"b"]}`},
		"plain":            {"x 38ee77617c3a489ab6e871fbeb2ec87d y", "x ••• y"},
		"twice":            {"38ee77617c3a489ab6e871fbeb2ec87d38ee77617c3a489ab6e871fbeb2ec87d", "••••••"},
		"only nearly":      {"38ee77617c3a489ab6e871fbeb2ec87", "38ee77617c3a489ab6e871fbeb2ec87"},
		"query escaped":    {"a=p%26ss%2Fw%22rd+%C3%A9!", "a=•••!"},
		"path escaped":     {"a=p&ss%2Fw%22rd%20%C3%A9!", "a=•••!"},
		"lower hex":        {"a=p%26ss%2fw%22rd%20%c3%a9!", "a=•••!"},
		"json, Go":         {`"p\u0026ss/w\"rd é"`, `"•••"`},
		"json, PHP":        {`"p&ss\/w\"rd \u00e9"`, `"•••"`},
		"url in json":      {`"p\u0026ss%2Fw%22rd%20%C3%A9"`, `"•••"`},
		"escaped twice":    {"u=p%2526ss%252Fw%2522rd%2B%25C3%25A9!", "u=•••!"},
		"nested url":       {"u=p%2526ss%252Fw%2522rd%2520%25C3%25A9!", "u=•••!"},
		"html":             {"<p&amp;ss/w\"rd é>", "<•••>"},
		"base64":           {base64.StdEncoding.EncodeToString([]byte("38ee77617c3a489ab6e871fbeb2ec87d")), "•••="},
		"whsec":            {"k MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "k •••"},
		"short stays":      {"abcabc", "abcabc"},
		"wrong secret":     {"/hooks/main/x?a=1&hook_key=guess&b=2", "/hooks/main/x?a=1&hook_key=•••&b=2"},
		"encoded name":     {"/hooks/main?%68ook_key=guess", "/hooks/main?%68ook_key=•••"},
		"after semicolon":  {"/hooks/main?a=1;hook_key=guess", "/hooks/main?a=1;hook_key=•••"},
		"query alone":      {"hook_key=guess&a=1", "hook_key=•••&a=1"},
		"empty value":      {"?token=&sig=", "?token=&sig="},
		"other parameters": {"?tokens=1&a=2&asig=3", "?tokens=1&a=2&asig=3"},
		"fragment":         {"http://h/#token=abc", "http://h/#token=•••"},
		"upper name":       {"?TOKEN=abc", "?TOKEN=•••"},
		"presigned S3": {
			"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026&X-Amz-Expires=60&X-Amz-Signature=0af1",
			"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=•••&X-Amz-Expires=60&X-Amz-Signature=•••",
		},
		"presigned GCS": {`"https://g/o?X-Goog-Credential=a%40b\u0026X-Goog-Signature=12"`, `"https://g/o?X-Goog-Credential=•••\u0026X-Goog-Signature=•••"`},
		"presigned SAS": {`<a href="https://a/o?sv=1&amp;sig=Zm%2B&amp;sp=r">`, `<a href="https://a/o?sv=1&amp;sig=•••&amp;sp=r">`},
		"relative jwt":  {`"/public/download?jwt=aa.bb-c_d.e"`, `"/public/download?jwt=•••"`},
		"url in url":    {"?next=https%3A%2F%2Fh%2F%3Fsig%3Dab%26a%3D1&x=2", "?next=https%3A%2F%2Fh%2F%3Fsig%3D•••%26a%3D1&x=2"},
		"escaped slash": {`"?token=a\/b\u002bc\u0026x=1"`, `"?token=•••\u0026x=1"`},
		"gson equals":   {`"?token\u003dabc\u0026x\u003d1"`, `"?token\u003d•••\u0026x\u003d1"`},
		"python text":   {`{'u': '/h?token=abc', 'v': 1}`, `{'u': '/h?token=•••', 'v': 1}`},
		"escaped quote": {`"{\"u\":\"/h?token=abc\",\"v\":1}"`, `"{\"u\":\"/h?token=•••\",\"v\":1}"`},
		"head": {
			"POST /hooks/main?hook_key=x HTTP/1.1\r\nauthorization: Bearer x y\r\nX-My-Auth: abc\r\nCookie:a=b\r\n c=d\r\nAccept: */*\r\n\r\n",
			"POST /hooks/main?hook_key=••• HTTP/1.1\r\nauthorization: •••\r\nX-My-Auth: •••\r\nCookie:•••\r\nAccept: */*\r\n\r\n",
		},
		"signature stays": {"P / H\r\nX-Hub-Signature-256: sha256=aa\r\n\r\n", "P / H\r\nX-Hub-Signature-256: sha256=aa\r\n\r\n"},
		"hook url": {
			`{"kwargs":{"webhook":"http://h:1/hooks/main?key=k1&case=2"},"x":"?key=k2"}`,
			`{"kwargs":{"webhook":"http://h:1/hooks/main?key=•••&case=2"},"x":"?key=k2"}`,
		},
		"configurable": {
			`{"config":{"configurable":{"user-agent":"n","x-custom-auth":"v\"w","X-Request-Id":"7","x-n":12,"langgraph_auth_user":{"a":["]"]},"langgraph_auth_user_id":null}},"x-axis":"time"}`,
			`{"config":{"configurable":{"user-agent":"n","x-custom-auth":"•••","X-Request-Id":"7","x-n":"•••","langgraph_auth_user":"•••","langgraph_auth_user_id":null}},"x-axis":"time"}`,
		},
		"json in json": {`{"s":"{\"authorization\": \"Bearer a\\\"b\", \"c\":1}"}`, `{"s":"{\"authorization\": \"•••\", \"c\":1}"}`},
		"cut json":     {`{"authorization":"Bearer ab`, `{"authorization":"•••`},
		"over a value": {"?a=1&sig=xp&ss/w\"rd é.", "?a=1&sig=•••&ss/w\"rd é."},
		"into a value": {"?38ee77617c3a489ab6e871fbeb2ec87d&sig=1", "?•••&sig=•••"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := []byte(c.in)
			got := mask.Bytes(in)
			if string(got) != c.want {
				t.Errorf("Bytes(%q)\n got %q\nwant %q", c.in, got, c.want)
			}
			if string(in) != c.in {
				t.Errorf("Bytes changed its argument to %q", in)
			}
			if again := mask.String(string(got)); again != string(got) {
				t.Errorf("masked twice: %q, then %q", got, again)
			}
			if target := mask.Target(c.in); target != string(got) {
				t.Errorf("Target %q, Bytes %q", target, got)
			}
		})
	}
}

func TestMaskField(t *testing.T) {
	t.Parallel()
	mask := secret.NewMask(queryEndpoint("s3cret-value"))
	for _, c := range []struct{ name, value, want string }{
		{"AUTHORIZATION", "Basic eDp5", secret.Masked},
		{"Cookie", "", ""},
		{"X-Gitlab-Token", "unknown-to-us", secret.Masked},
		{"X-Auth-Token", "unknown-to-us", secret.Masked},
		{"X-Amz-Security-Token", "unknown-to-us", secret.Masked},
		{"Referer", "http://h/?client_secret=zz&refresh_token=zz", "http://h/?client_secret=•••&refresh_token=•••"},
		{"Referer", "http://h/hooks/x?secret=zz", "http://h/hooks/x?secret=•••"},
		{"X-Echo", "s3cret-value", "•••"},
		{"Content-Type", "text/plain", "text/plain"},
	} {
		if got := mask.Field(c.name, c.value); got != c.want {
			t.Errorf("Field(%s, %q) = %q, want %q", c.name, c.value, got, c.want)
		}
	}
}

func TestMaskUnchangedIsSame(t *testing.T) {
	t.Parallel()
	b := []byte(`{"a":"nothing to hide","b":"•••"}`)
	if got := secret.NewMask(queryEndpoint("0123456789")).Bytes(b); &got[0] != &b[0] {
		t.Error("an unchanged text was copied")
	}
}

func TestMaskManyEndpoints(t *testing.T) {
	t.Parallel()
	var all []*webhook.Endpoint
	var text strings.Builder
	for i := range 300 {
		s := fmt.Sprintf("%x-secret-%d", i*7919, i)
		all = append(all, queryEndpoint(s))
		text.WriteString(url.QueryEscape(s) + "\n")
	}
	got := secret.NewMask(all...).String(text.String())
	if want := strings.Repeat("•••\n", 300); got != want {
		t.Errorf("got %q", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("p&ss/w\"rd é", "other", []byte("?token=p%26ss&authorization: x\ncookie: y"))
	f.Add("abcd", "cdef", []byte(`abcdef {"webhook":"?key=abcd","configurable":{"x-a":"b"}}`))
	f.Add("%41\\b", "+ +x", []byte(`%2541%5Cb %41\\b \u0025 + x`))
	f.Fuzz(func(t *testing.T, current, previous string, text []byte) {
		policy := webhook.SecretPolicy{Secrets: []string{current, previous}}
		if secret.Check(policy) != nil || len(text) > 1<<16 {
			t.Skip()
		}
		mask := secret.NewMask(&webhook.Endpoint{Name: "x", Secret: policy})
		for _, in := range spellings(text, current) {
			got := mask.Bytes(in)
			if len(got) > 3*len(in)+len(secret.Masked) {
				t.Fatalf("%d bytes grew to %d", len(in), len(got))
			}
			if again := mask.Bytes(got); !bytes.Equal(again, got) {
				t.Fatalf("not idempotent on %q:\n once %q\ntwice %q", in, got, again)
			}
			for _, s := range policy.Secrets {
				for _, form := range forms(s) {
					if len(s) >= 4 && bytes.Contains(got, []byte(form)) {
						t.Fatalf("secret %q left as %q in %q, of %q", s, form, got, in)
					}
				}
			}
		}
	})
}

// forms are the encodings of a secret that no masked text may hold.
func forms(s string) []string {
	quoted, err := json.Marshal(s)
	if err != nil || !utf8.ValidString(s) {
		return []string{s}
	}
	return []string{s, url.QueryEscape(s), url.PathEscape(s), string(quoted[1 : len(quoted)-1])}
}

// spellings puts each form of a secret into a text, at its start, middle and end.
func spellings(text []byte, s string) [][]byte {
	all := [][]byte{text}
	for _, form := range forms(s) {
		half := len(text) / 2
		all = append(all, []byte(form+string(text[:half])+form+string(text[half:])+form))
	}
	return all
}

func BenchmarkMask(b *testing.B) {
	run := `{"id":"01a200b8-dc63-758a-8caa-af59b606b68a","name":"Search","inputs":{"question":"what is a webhook, and why?"},` +
		`"inputs_s3_urls":{"ROOT":{"presigned_url":"https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA&X-Amz-Signature=0af1"}}},`
	for name, body := range map[string][]byte{
		"json":      bytes.Repeat([]byte(run), 10<<20/len(run)),
		"text":      bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. "), 10<<20/45),
		"quotes":    bytes.Repeat([]byte(`"`), 10<<20),
		"questions": bytes.Repeat([]byte(`?`), 10<<20),
		"escapes":   bytes.Repeat([]byte(`%3F`), 10<<20/3),
		"members":   bytes.Repeat([]byte(`"configurable":{`), 10<<20/16),
		"hooks":     bytes.Repeat([]byte(`"webhook":"`), 10<<20/11),
		"heads":     bytes.Repeat([]byte("\nCookie:\n "), 10<<20/10),
		"open":      bytes.Repeat([]byte(`"cookie":[`), 10<<20/10),
		"near":      bytes.Repeat([]byte("38ee77617c3a489ab6e871fbeb2ec87"), 10<<20/31),
		"slashes":   bytes.Repeat([]byte(`\`), 10<<20),
	} {
		b.Run(name, func(b *testing.B) {
			mask := secret.NewMask(queryEndpoint("38ee77617c3a489ab6e871fbeb2ec87d"))
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				mask.Bytes(body)
			}
		})
	}
}
