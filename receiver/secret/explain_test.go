package secret_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	right       = "dGhpcy1pcy10aGUtc2VjcmV0LW9mLXRoZS1sYWI0Ng=="
	rightBase64 = right
	theirs      = "the-secret-of-another-endpoint"
	older       = "the-secret-before-this-one"
)

func hashOf(name string) func() hash.Hash {
	return map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[name]
}

func macOf(name, key string, parts ...[]byte) []byte {
	mac := hmac.New(hashOf(name), []byte(key))
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func hexOf(key, message string) string {
	return hex.EncodeToString(macOf("sha256", key, []byte(message)))
}

func sum256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func explain(tb testing.TB, claim *webhook.Claim) webhook.Verification {
	tb.Helper()
	got, err := secret.Explain(claim)
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range got.Findings {
		if f.Text == f.Code || !strings.HasSuffix(f.Text, ".") {
			tb.Errorf("finding %s has no advice", f.Code)
		}
	}
	text := fmt.Sprintf("%+v", got)
	for _, s := range []string{right, theirs, older} {
		if strings.Contains(text, s) {
			tb.Errorf("a secret is told: %s", text)
		}
	}
	return got
}

func codes(v webhook.Verification) []string {
	out := []string{}
	for _, f := range v.Findings {
		out = append(out, f.Code)
	}
	return out
}

var at = time.Unix(1_790_000_000, 0)

const (
	stamped = "1790000000"
	sent    = `{"b":"ü/<x>","a":[1,2.0,{}],"z":{"y":true,"k":null}}`
)

// mistake is one request and the findings that it must give, in order.
type mistake struct {
	policy  webhook.SecretPolicy
	body    string
	lines   []string
	target  string
	decoded string
	want    []string
}

func (m *mistake) claim() *webhook.Claim {
	target := m.target
	if target == "" {
		target = "/hooks/a?x=1"
	}
	claim := &webhook.Claim{
		Policy: m.policy, At: at, Request: request(target, m.body, m.lines...),
		Others: []*webhook.Endpoint{{Name: "other", Secret: webhook.SecretPolicy{Secrets: []string{theirs}}}},
	}
	if len(claim.Policy.Secrets) == 0 {
		claim.Policy.Secrets = []string{right, older}
	}
	if m.decoded != "" {
		claim.Decoded = []byte(m.decoded)
	}
	return claim
}

func gitHub(signed string) []string {
	return []string{"X-Hub-Signature-256: sha256=" + hexOf(right, signed)}
}

// TestBodyMistakes signs one text and sends another.
func TestBodyMistakes(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	zip.Write([]byte(sent))
	zip.Close()
	for name, c := range map[string]struct {
		signed, sent, decoded string
		want                  string
	}{
		"compact":                    {`{"a":[1,2],"b":"x: y, z"}`, "{\"a\": [1, 2],\n \"b\": \"x: y, z\"}", "", "body_compact"},
		"spaced":                     {`{"a": [1, 2], "b": "x:y,\""}`, `{"a":[1,2],"b":"x:y,\""}`, "", "body_spaced"},
		"sorted, compact":            {`{"a":[1,2.0,{}],"b":"ü/<x>","z":{"k":null,"y":true}}`, sent, "", "body_sorted"},
		"sorted, spaced and escaped": {`{"a": [1, 2.0, {}], "b": "\u00fc/<x>", "z": {"k": null, "y": true}}`, sent, "", "body_sorted"},
		"ascii":                      {`{"b":"\u00fc\ud83d\ude00"}`, `{"b":"ü😀"}`, "", "body_ascii"},
		"ascii, spaced":              {`{"b": "\u00fc", "a": 1}`, `{"b":"ü","a":1}`, "", "body_ascii"},
		"unescaped":                  {`{"b":"ü😀"}`, `{"b":"\u00fc\ud83d\ude00"}`, "", "body_unescaped"},
		"html":                       {`{"b":"\u003cx\u003e\u0026"}`, `{"b":"<x>&"}`, "", "body_html_escaped"},
		"slashes":                    {`{"b":"\u00fc\/"}`, `{"b":"ü/"}`, "", "body_slashes"},
		"newline added when sent":    {`{"a":1}`, "{\"a\":1}\n", "", "body_newline"},
		"newline lost when sent":     {"{\"a\":1}\n", `{"a":1}`, "", "body_newline"},
		"CRLF lost when sent":        {"{\"a\":1}\r\n", `{"a":1}`, "", "body_newline"},
		"2 spaces":                   {"{\n  \"a\": 1\n}", `{"a":1}`, "", "body_indented"},
		"4 spaces":                   {"{\n    \"a\": 1\n}", `{"a":1}`, "", "body_indented"},
		"crlf signed":                {"a\r\nb\r\n", "a\nb\n", "", "body_crlf"},
		"lf signed":                  {"a\nb\n", "a\r\nb\r\n", "", "body_lf"},
		"decoded":                    {sent, zipped.String(), sent, "body_decoded"},
		"byte order mark":            {`{"a":1}`, "\ufeff" + `{"a":1}`, "", "body_bom"},
		"quoted":                     {`"{\"a\":\"<\"}"`, `{"a":"<"}`, "", "body_quoted"},
		"empty":                      {"", sent, "", "body_empty"},
	} {
		m := mistake{
			policy: webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}, body: c.sent, decoded: c.decoded,
			lines: gitHub(c.signed),
		}
		got := explain(t, m.claim())
		if diff := cmp.Diff([]string{c.want}, codes(got)); diff != "" || got.Verified {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// TestKeyMistakes uses another key or another hash.
func TestKeyMistakes(t *testing.T) {
	t.Parallel()
	plain := webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig"}
	with := func(p webhook.SecretPolicy, s ...string) webhook.SecretPolicy {
		p.Secrets = s
		return p
	}
	decoded, err := base64.StdEncoding.DecodeString(right)
	if err != nil {
		t.Fatal(err)
	}
	line := func(sum string) []string { return []string{"X-Sig: " + sum} }
	standard := webhook.SecretPolicy{Scheme: webhook.SchemeStandard, Secrets: []string{"whsec_" + right}}
	standardLines := func(key string) []string {
		sum := macOf("sha256", key, []byte("msg_1."+stamped+"."+sent))
		return []string{
			"webhook-id: msg_1", "webhook-timestamp: " + stamped,
			"webhook-signature: v1," + base64.StdEncoding.EncodeToString(sum),
		}
	}
	for name, c := range map[string]struct {
		policy webhook.SecretPolicy
		lines  []string
		want   string
	}{
		"another endpoint's":      {plain, line(hexOf(theirs, sent)), "other_secret"},
		"line feed":               {plain, line(hexOf(right+"\n", sent)), "secret_white_space"},
		"space":                   {plain, line(hexOf(right+" ", sent)), "secret_white_space"},
		"trimmed":                 {with(plain, " "+older), line(hexOf(older, sent)), "secret_white_space"},
		"quoted":                  {plain, line(hexOf(`"`+right+`"`, sent)), "secret_quoted"},
		"decoded":                 {plain, line(hexOf(string(decoded), sent)), "secret_decoded"},
		"decoded, with whsec_":    {with(plain, "whsec_"+right), line(hexOf(string(decoded), sent)), "secret_decoded"},
		"decoded from hex":        {with(plain, "00ff10"), line(hexOf("\x00\xff\x10", sent)), "secret_decoded"},
		"without whsec_":          {with(plain, "whsec_"+right), line(hexOf(right, sent)), "secret_not_decoded"},
		"with whsec_":             {plain, line(hexOf("whsec_"+right, sent)), "secret_prefix_added"},
		"not decoded":             {standard, standardLines(right), "secret_not_decoded"},
		"not decoded, whsec_ too": {standard, standardLines("whsec_" + right), "secret_not_decoded"},
		"upper case":              {with(plain, "abc"), line(hexOf("ABC", sent)), "secret_case"},
		"empty":                   {plain, line(hexOf("", sent)), "secret_unset"},
		"undefined":               {plain, line(hexOf("undefined", sent)), "secret_unset"},
		"sha1":                    {plain, line(hex.EncodeToString(macOf("sha1", right, []byte(sent)))), "hash_sha1"},
		"sha512":                  {plain, line(hex.EncodeToString(macOf("sha512", right, []byte(sent)))), "hash_sha512"},
		"sha256": {
			webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Hash: "sha1"}, line(hexOf(right, sent)), "hash_sha256",
		},
		"key and body": {plain, line(sum256(right + sent)), "hash_of_key_and_body"},
		"body and key": {plain, line(sum256(sent + right)), "hash_of_body_and_key"},
		"no key":       {plain, line(sum256(sent)), "hash_without_key"},
	} {
		m := mistake{policy: c.policy, body: sent, lines: c.lines}
		got := explain(t, m.claim())
		if diff := cmp.Diff([]string{c.want}, codes(got)); diff != "" || got.Verified {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// TestHeadMistakes writes the right digest in a wrong way, or signs another string.
func TestHeadMistakes(t *testing.T) {
	t.Parallel()
	github := webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}
	plain := webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig"}
	timed := webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Timestamp: "X-Time"}
	in64 := webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Encoding: "base64"}
	stripe := webhook.SecretPolicy{Scheme: webhook.SchemeStripe}
	slack := webhook.SecretPolicy{Scheme: webhook.SchemeSlack}
	standard := webhook.SecretPolicy{Scheme: webhook.SchemeStandard, Secrets: []string{"whsec_" + right}}
	sum := macOf("sha256", right, []byte(sent))
	// A digest whose base64 has a + or a /, so that base64url shows.
	odd := sent
	for i := 0; !strings.ContainsAny(base64.StdEncoding.EncodeToString(sum), "+/"); i++ {
		odd = fmt.Sprint(sent, i)
		sum = macOf("sha256", right, []byte(odd))
	}
	digits := hex.EncodeToString(sum)
	ms := stamped + "123"
	key, _ := base64.StdEncoding.DecodeString(right)
	standardSum := func(message string) string {
		return base64.StdEncoding.EncodeToString(macOf("sha256", string(key), []byte(message)))
	}
	for name, m := range map[string]mistake{
		"prefix missing":         {policy: github, lines: []string{"X-Hub-Signature-256: " + digits}, want: []string{"prefix_missing"}},
		"prefix wrong":           {policy: github, lines: []string{"X-Hub-Signature-256: v1=" + digits}, want: []string{"prefix_wrong"}},
		"prefix unexpected":      {policy: plain, lines: []string{"X-Sig: sha256=" + digits}, want: []string{"prefix_unexpected"}},
		"base64":                 {policy: plain, lines: []string{"X-Sig: " + base64.StdEncoding.EncodeToString(sum)}, want: []string{"encoding_base64"}},
		"base64url":              {policy: plain, lines: []string{"X-Sig: " + base64.URLEncoding.EncodeToString(sum)}, want: []string{"encoding_base64url"}},
		"base64 of hex":          {policy: in64, lines: []string{"X-Sig: " + base64.StdEncoding.EncodeToString([]byte(digits))}, want: []string{"encoding_base64_of_hex"}},
		"hex":                    {policy: in64, lines: []string{"X-Sig: " + digits}, want: []string{"encoding_hex"}},
		"prefix and base64":      {policy: github, lines: []string{"X-Hub-Signature-256: " + base64.StdEncoding.EncodeToString(sum)}, want: []string{"prefix_missing", "encoding_base64"}},
		"another header":         {policy: plain, lines: []string{"X-Signature: " + digits}, want: []string{"signature_under_other_name"}},
		"another scheme":         {policy: plain, lines: []string{"X-LangSmith-Signature: sha256=" + digits}, want: []string{"other_scheme"}},
		"repeated":               {policy: plain, lines: []string{"X-Sig: " + digits, "X-Sig: " + digits}, want: []string{"signature_repeated"}},
		"missing":                {policy: plain, want: []string{"signature_missing"}},
		"no digest":              {policy: plain, lines: []string{"X-Sig: hello"}, want: []string{"signature_malformed"}},
		"cut digest":             {policy: plain, lines: []string{"X-Sig: " + digits[:40] + "0"}, want: []string{"signature_malformed"}},
		"secret in clear":        {policy: plain, lines: []string{"X-Sig: " + right}, want: []string{"secret_in_clear"}},
		"secret in clear, later": {policy: github, lines: []string{"X-Hub-Signature-256: sha256=" + right}, want: []string{"secret_in_clear"}},

		"target signed":      {policy: plain, lines: []string{"X-Sig: " + hexOf(right, "POST/hooks/a?x=1"+odd)}, want: []string{"signed_with_target"}},
		"path signed":        {policy: plain, lines: []string{"X-Sig: " + hexOf(right, "POST\n/hooks/a\n"+odd)}, want: []string{"signed_with_target"}},
		"url signed":         {policy: plain, lines: []string{"X-Sig: " + hexOf(right, "http://h/hooks/a?x=1"+odd)}, want: []string{"signed_with_target"}},
		"timestamp signed":   {policy: plain, lines: []string{"X-Timestamp: " + stamped, "X-Sig: " + hexOf(right, stamped+"."+odd)}, want: []string{"signed_with_timestamp"}},
		"timestamp left out": {policy: stripe, lines: []string{"Stripe-Signature: t=" + stamped + ",v1=" + digits}, want: []string{"signed_without_timestamp"}},
		"other joint":        {policy: slack, lines: []string{"X-Slack-Request-Timestamp: " + stamped, "X-Slack-Signature: v0=" + hexOf(right, stamped+"."+odd)}, want: []string{"signed_other_layout"}},
		"body left out":      {policy: timed, lines: []string{"X-Time: " + stamped, "X-Sig: " + hexOf(right, stamped)}, want: []string{"signed_without_body"}},
		"id left out":        {policy: standard, lines: []string{"webhook-id: m", "webhook-timestamp: " + stamped, "webhook-signature: v1," + standardSum(stamped+"."+odd)}, want: []string{"signed_without_id"}},

		"milliseconds":        {policy: timed, lines: []string{"X-Time: " + ms, "X-Sig: " + hexOf(right, ms+"."+odd)}, want: []string{"timestamp_unit"}},
		"milliseconds, stale": {policy: timed, lines: []string{"X-Time: 1789999000000", "X-Sig: " + hexOf(right, "1789999000000."+odd)}, want: []string{"timestamp_unit", "clock_behind"}},
		"seconds signed":      {policy: timed, lines: []string{"X-Time: " + ms, "X-Sig: " + hexOf(right, stamped+"."+odd)}, want: []string{"signed_seconds", "timestamp_unit"}},
		"clock behind":        {policy: stripe, lines: []string{"Stripe-Signature: t=1789999000,v1=" + hexOf(right, "1789999000."+odd)}, want: []string{"clock_behind"}},
		"clock ahead":         {policy: timed, lines: []string{"X-Time: 1790001000", "X-Sig: " + hexOf(right, "1790001000."+odd)}, want: []string{"clock_ahead"}},
		"no number":           {policy: timed, lines: []string{"X-Time: 2026-09-21", "X-Sig: " + hexOf(right, "2026-09-21."+odd)}, want: []string{"timestamp_malformed"}},
		"no timestamp":        {policy: timed, lines: []string{"X-Sig: " + digits}, want: []string{"signed_without_timestamp", "timestamp_missing"}},
		"no id":               {policy: standard, lines: []string{"webhook-timestamp: " + stamped, "webhook-signature: v1," + standardSum(stamped+"."+odd)}, want: []string{"signed_without_id", "id_missing"}},
		"svix names": {policy: standard, lines: []string{"svix-id: m", "svix-timestamp: " + stamped, "svix-signature: v1," + standardSum("m."+stamped+"."+odd)}, want: []string{
			"signature_under_other_name", "id_missing", "timestamp_missing",
		}},
		"stripe under another name": {policy: stripe, lines: []string{"X-Signature: t=" + stamped + ",v1=" + hexOf(right, stamped+"."+odd)}, want: []string{"signature_under_other_name"}},

		"two mistakes": {policy: stripe, lines: []string{"Stripe-Signature: t=" + stamped + ",v1=" + hexOf(right+"\n", odd)}, want: []string{"secret_white_space", "signed_without_timestamp"}},
	} {
		m.body = odd
		got := explain(t, m.claim())
		if diff := cmp.Diff(m.want, codes(got)); diff != "" || got.Verified {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// TestVerifiedWithNotes has requests that verify here and that other receivers may refuse.
func TestVerifiedWithNotes(t *testing.T) {
	t.Parallel()
	sum := macOf("sha256", right, []byte(sent))
	in64 := webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Encoding: "base64"}
	for name, m := range map[string]mistake{
		"right":      {policy: webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}, lines: gitHub(sent), want: []string{}},
		"previous":   {policy: webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}, lines: []string{"X-Hub-Signature-256: sha256=" + hexOf(older, sent)}, want: []string{"previous_secret"}},
		"upper case": {policy: webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}, lines: []string{"X-Hub-Signature-256: sha256=" + strings.ToUpper(hexOf(right, sent))}, want: []string{"hex_upper_case"}},
		"unpadded":   {policy: in64, lines: []string{"X-Sig: " + base64.RawStdEncoding.EncodeToString(sum)}, want: []string{"encoding_unpadded"}},
		"timed": {
			policy: webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Timestamp: "X-Time"},
			lines:  []string{"X-Time: " + stamped, "X-Sig: " + hexOf(right, stamped+"."+sent)}, want: []string{},
		},
		"none":  {policy: webhook.SecretPolicy{Scheme: webhook.SchemeNone}, want: []string{}},
		"query": {policy: webhook.SecretPolicy{}, target: "/hooks/a?secret=" + older, want: []string{}},
	} {
		m.body = sent
		got := explain(t, m.claim())
		if diff := cmp.Diff(m.want, codes(got)); diff != "" || !got.Verified {
			t.Errorf("%s: verified %v (-want +got)\n%s", name, got.Verified, diff)
		}
	}
}

// TestRandomBytesHaveNoKnownCause sends digests of nothing under every scheme.
func TestRandomBytesHaveNoKnownCause(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(4, 6))
	for range 20 {
		sum := make([]byte, 32)
		for i := range sum {
			sum[i] = byte(rnd.Uint32())
		}
		digits, in64 := hex.EncodeToString(sum), base64.StdEncoding.EncodeToString(sum)
		for scheme, lines := range map[webhook.Scheme][]string{
			webhook.SchemeGitHub:    {"X-Hub-Signature-256: sha256=" + digits},
			webhook.SchemeLangSmith: {"X-LangSmith-Signature: sha256=" + digits},
			webhook.SchemeStripe:    {"Stripe-Signature: t=" + stamped + ",v1=" + digits},
			webhook.SchemeSlack:     {"X-Slack-Request-Timestamp: " + stamped, "X-Slack-Signature: v0=" + digits},
			webhook.SchemeStandard:  {"webhook-id: m", "webhook-timestamp: " + stamped, "webhook-signature: v1," + in64},
			webhook.SchemeHeader:    {"Authorization: Bearer " + digits},
		} {
			m := mistake{policy: webhook.SecretPolicy{Scheme: scheme, Secrets: []string{right}}, body: sent, lines: lines}
			if got := explain(t, m.claim()); got.Verified || len(got.Findings) > 0 || got.Partial {
				t.Errorf("%s: %+v", scheme, got)
			}
		}
	}
}

// TestSharedSecretMistakes sends the secret itself, in a wrong way.
func TestSharedSecretMistakes(t *testing.T) {
	t.Parallel()
	query, header := webhook.SecretPolicy{}, webhook.SecretPolicy{Scheme: webhook.SchemeHeader}
	custom := webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Header: "X-Token"}
	plus := webhook.SecretPolicy{Secrets: []string{"a+b"}}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+older))
	for name, m := range map[string]mistake{
		"in a header":      {policy: query, lines: []string{"Authorization: Bearer " + older}, want: []string{"secret_in_other_place"}},
		"other parameter":  {policy: query, target: "/hooks/a?token=" + older, want: []string{"secret_in_other_place"}},
		"in the query":     {policy: header, target: "/hooks/a?secret=" + older, want: []string{"secret_in_other_place"}},
		"basic":            {policy: header, lines: []string{"Authorization: " + basic}, want: []string{"secret_in_other_place"}},
		"white space":      {policy: query, target: "/hooks/a?secret=" + older + "%0A", want: []string{"secret_white_space"}},
		"quoted":           {policy: query, target: "/hooks/a?secret=%22" + older + "%22", want: []string{"secret_quoted"}},
		"bare plus":        {policy: plus, target: "/hooks/a?secret=a+b", want: []string{"secret_escaped"}},
		"escaped twice":    {policy: plus, target: "/hooks/a?secret=a%252Bb", want: []string{"secret_escaped"}},
		"escaped header":   {policy: webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{"a+b"}}, lines: []string{"Authorization: Bearer a%2Bb"}, want: []string{"secret_escaped"}},
		"base64":           {policy: query, target: "/hooks/a?secret=" + base64.StdEncoding.EncodeToString([]byte(older+"x")), want: []string{"secret_encoded"}},
		"case":             {policy: query, target: "/hooks/a?secret=" + strings.ToUpper(older), want: []string{"secret_case"}},
		"word":             {policy: custom, lines: []string{"X-Token: Bearer " + older}, want: []string{"secret_scheme_word"}},
		"another's":        {policy: query, target: "/hooks/a?secret=" + theirs, want: []string{"other_secret"}},
		"missing":          {policy: query, want: []string{"secret_missing"}},
		"repeated":         {policy: query, target: "/hooks/a?secret=" + older + "&secret=" + older, want: []string{"secret_repeated"}},
		"malformed":        {policy: query, target: "/hooks/a?secret=%zz", want: []string{"secret_malformed"}},
		"signed, not sent": {policy: query, lines: gitHub(sent), want: []string{"other_scheme", "secret_missing"}},
	} {
		m.body = sent
		claim := m.claim()
		if name == "base64" {
			claim.Policy.Secrets = []string{older + "x"}
		}
		got := explain(t, claim)
		if diff := cmp.Diff(m.want, codes(got)); diff != "" || got.Verified {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// TestEvidence looks at what comes with a finding.
func TestEvidence(t *testing.T) {
	t.Parallel()
	m := mistake{policy: webhook.SecretPolicy{Scheme: webhook.SchemeStripe}, body: sent}
	m.lines = []string{"Stripe-Signature: t=1789999000,v1=" + hexOf(right, "1789999000."+`{"a":1}`)}
	m.body = `{"a": 1}`
	want := webhook.Verification{
		Scheme: webhook.SchemeStripe, Reason: webhook.SignatureWrong, Layout: "timestamp.body",
		SignedSHA256: sum256("1789999000." + m.body),
		Findings: []webhook.Finding{
			{Code: "body_compact", Evidence: []webhook.Field{
				{Name: "expected", Value: hexOf(right, "1789999000."+m.body)},
				{Name: "received", Value: hexOf(right, "1789999000."+`{"a":1}`)},
			}},
			{Code: "clock_behind", Evidence: []webhook.Field{
				{Name: "seconds", Value: "-1000"}, {Name: "tolerance in seconds", Value: "300"},
			}},
		},
	}
	got := explain(t, m.claim())
	for i := range got.Findings {
		got.Findings[i].Text = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestWorkIsBounded explains a body for which all ways together would hash gigabytes.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	m := mistake{policy: webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}, body: strings.Repeat("x", 10<<20)}
	m.lines = gitHub("another text")
	if got := explain(t, m.claim()); got.Verified || !got.Partial || len(got.Findings) > 0 {
		t.Errorf("%+v", got)
	}
	m.lines = gitHub(m.body)
	if got := explain(t, m.claim()); !got.Verified || got.Partial {
		t.Errorf("%+v", got)
	}
}

func TestTruncatedBodyIsSaidFirst(t *testing.T) {
	t.Parallel()
	m := mistake{policy: webhook.SecretPolicy{Scheme: webhook.SchemeGitHub}, body: "half", lines: gitHub("half and half")}
	claim := m.claim()
	claim.Request.Truncated = true
	if diff := cmp.Diff([]string{"body_cut"}, codes(explain(t, claim))); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedPolicy(t *testing.T) {
	t.Parallel()
	_, err := secret.Explain(&webhook.Claim{Policy: webhook.SecretPolicy{Scheme: "rot13"}, Request: request("/", "")})
	if err == nil || !strings.Contains(err.Error(), "rot13") {
		t.Error(err)
	}
}
