package secret_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	current  = "38ee77617c3a489ab6e871fbeb2ec87d"
	previous = "a b+c&d=é"
)

func verifier(tb testing.TB, p webhook.SecretPolicy, expect ...webhook.ExpectedHeader) *secret.Verifier {
	tb.Helper()
	v, err := secret.New(&webhook.Endpoint{Name: "main", Secret: p, Expect: expect})
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func request(target, body string, lines ...string) *webhook.Request {
	head := "POST " + target + " HTTP/1.1\r\nHost: h\r\n"
	for _, line := range lines {
		head += line + "\r\n"
	}
	return &webhook.Request{Method: "POST", Target: target, Head: []byte(head + "\r\n"), Body: []byte(body)}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	authorization := verifier(t, webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{current, "Bearer old one"}})
	custom := verifier(t, webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Header: "X-My-Auth", Secrets: []string{current}})
	for name, c := range map[string]struct {
		v     *secret.Verifier
		lines []string
		want  webhook.Reason
	}{
		"bearer":               {authorization, []string{"Authorization: Bearer " + current}, ""},
		"bearer, any case":     {authorization, []string{"authorization:\tbEARER   " + current + " "}, ""},
		"without bearer":       {authorization, []string{"AUTHORIZATION: " + current}, ""},
		"previous":             {authorization, []string{"Authorization: Bearer old one"}, ""},
		"bearer alone":         {authorization, []string{"Authorization: Bearer"}, webhook.SecretMissing},
		"no space":             {authorization, []string{"Authorization: Bearer" + current}, webhook.SecretWrong},
		"basic":                {authorization, []string{"Authorization: Basic " + current}, webhook.SecretWrong},
		"missing":              {authorization, nil, webhook.SecretMissing},
		"empty":                {authorization, []string{"Authorization: "}, webhook.SecretMissing},
		"repeated":             {authorization, []string{"Authorization: " + current, "authorization: " + current}, webhook.SecretRepeated},
		"folded":               {authorization, []string{"Authorization: " + current, " x"}, webhook.SecretMalformed},
		"other one folded":     {authorization, []string{"X: y", " Authorization: no", "Authorization: " + current}, ""},
		"in the body":          {authorization, []string{"", "Authorization: " + current}, webhook.SecretMissing},
		"longer name":          {authorization, []string{"Authorization-Info: " + current}, webhook.SecretMissing},
		"custom":               {custom, []string{"x-my-auth: " + current}, ""},
		"custom has no bearer": {custom, []string{"x-my-auth: Bearer " + current}, webhook.SecretWrong},
	} {
		if got := c.v.Verify(request("/", "", c.lines...), time.Time{}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func sign(h func() hash.Hash, key string, parts ...string) []byte {
	mac := hmac.New(h, []byte(key))
	for _, p := range parts {
		mac.Write([]byte(p))
	}
	return mac.Sum(nil)
}

func TestSignature(t *testing.T) {
	t.Parallel()
	const body = `{"a": 1,  "b":"é"}`
	generic := func(encoding, hashName string) *secret.Verifier {
		return verifier(t, webhook.SecretPolicy{
			Scheme: webhook.SchemeHMAC, Header: "X-Sig", Prefix: "v=", Encoding: encoding, Hash: hashName,
			Secrets: []string{current, previous},
		})
	}
	langsmith := verifier(t, webhook.SecretPolicy{Scheme: webhook.SchemeLangSmith, Secrets: []string{current, previous}})
	hexed := func(b []byte) string { return hex.EncodeToString(b) }
	right := hexed(sign(sha256.New, current, body))
	url64 := base64.RawURLEncoding.EncodeToString(sign(sha512.New, current, body))
	for name, c := range map[string]struct {
		v     *secret.Verifier
		body  string
		lines []string
		want  webhook.Reason
	}{
		"langsmith":          {langsmith, body, []string{"x-langsmith-signature: sha256=" + right}, ""},
		"upper-case hex":     {langsmith, body, []string{"X-LangSmith-Signature: sha256=" + strings.ToUpper(right)}, ""},
		"previous secret":    {langsmith, body, []string{"X-LangSmith-Signature: sha256=" + hexed(sign(sha256.New, previous, body))}, ""},
		"serialised again":   {langsmith, `{"a":1,"b":"é"}`, []string{"X-LangSmith-Signature: sha256=" + right}, webhook.SignatureWrong},
		"one byte more":      {langsmith, body + "\n", []string{"X-LangSmith-Signature: sha256=" + right}, webhook.SignatureWrong},
		"other secret":       {langsmith, body, []string{"X-LangSmith-Signature: sha256=" + hexed(sign(sha256.New, "x", body))}, webhook.SignatureWrong},
		"missing":            {langsmith, body, []string{"X-Hub-Signature-256: sha256=" + right}, webhook.SignatureMissing},
		"empty":              {langsmith, body, []string{"X-LangSmith-Signature:"}, webhook.SignatureMissing},
		"no prefix":          {langsmith, body, []string{"X-LangSmith-Signature: " + right}, webhook.SignatureBadForm},
		"not hex":            {langsmith, body, []string{"X-LangSmith-Signature: sha256=zz" + right[2:]}, webhook.SignatureBadForm},
		"short":              {langsmith, body, []string{"X-LangSmith-Signature: sha256=" + right[2:]}, webhook.SignatureBadForm},
		"two headers":        {langsmith, body, []string{"X-LangSmith-Signature: sha256=" + right, "X-LangSmith-Signature: sha256=" + right}, webhook.SignatureBadForm},
		"sha1 base64":        {generic("base64", "sha1"), body, []string{"X-Sig: v=" + base64.StdEncoding.EncodeToString(sign(sha1.New, current, body))}, ""},
		"sha512 base64url":   {generic("base64", "sha512"), body, []string{"X-Sig: v=" + url64}, ""},
		"base64 with hex":    {generic("base64", "sha256"), body, []string{"X-Sig: v=" + right}, webhook.SignatureBadForm},
		"base64 twice ended": {generic("base64", "sha512"), body, []string{"X-Sig: v=" + url64 + "===="}, webhook.SignatureBadForm},
		"default is sha256 hex": {
			verifier(t, webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X-Sig", Secrets: []string{current}}),
			body,
			[]string{"X-Sig: " + right},
			"",
		},
	} {
		if got := c.v.Verify(request("/", c.body, c.lines...), time.Time{}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestPublishedVectors uses the examples that the schemes' own documentation or libraries publish.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
		"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
		"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
		"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	for name, c := range map[string]struct {
		scheme       webhook.Scheme
		secret, body string
		at           int64
		lines        []string
	}{
		"GitHub, validating webhook deliveries": {
			scheme: webhook.SchemeGitHub, secret: "It's a Secret to Everybody", body: "Hello, World!",
			lines: []string{"X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
		},
		"Slack, verifying requests": {
			scheme: webhook.SchemeSlack, secret: "8f742231b10e8888abcd99yyyzzz85a5", body: slackBody, at: 1531420618,
			lines: []string{
				"X-Slack-Request-Timestamp: 1531420618",
				"X-Slack-Signature: v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
			},
		},
		"Standard Webhooks, library test": {
			scheme: webhook.SchemeStandard, secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			body: `{"test": 2432232314}`, at: 1614265330,
			lines: []string{
				"webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp: 1614265330",
				"webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			},
		},
	} {
		v := verifier(t, webhook.SecretPolicy{Scheme: c.scheme, Secrets: []string{"c2VjcmV0", c.secret}})
		if got := v.Verify(request("/", c.body, c.lines...), time.Unix(c.at, 0)); got != "" {
			t.Errorf("%s: %q", name, got)
		}
		if got := v.Verify(request("/", c.body+" ", c.lines...), time.Unix(c.at, 0)); got != webhook.SignatureWrong {
			t.Errorf("%s, changed body: %q", name, got)
		}
	}
}

// TestStamped runs the schemes with a signed timestamp through the same cases.
func TestStamped(t *testing.T) {
	t.Parallel()
	const body, stamp = `{"x":1}`, "1800000000"
	at := time.Unix(1_800_000_000, 0)
	hexed := func(b []byte) string { return hex.EncodeToString(b) }
	b64 := base64.StdEncoding.EncodeToString
	stripeSum := hexed(sign(sha256.New, current, stamp+"."+body))
	slackSum := "v0=" + hexed(sign(sha256.New, current, "v0:"+stamp+":"+body))
	const key = "\x00\x01key of twenty four bts"
	standardSum := "v1," + b64(sign(sha256.New, key, "m1."+stamp+"."+body))
	other := strings.Repeat("0", 64)
	other64 := "v1," + b64(make([]byte, 32))

	for name, c := range map[string]struct {
		scheme webhook.Scheme
		secret string
		right  []string
		more   map[webhook.Reason][][]string
	}{
		"stripe": {webhook.SchemeStripe, current, []string{"Stripe-Signature: t=" + stamp + ",v1=" + stripeSum}, map[webhook.Reason][][]string{
			"": {
				{"stripe-signature: v1=" + other + ", t=" + stamp + " ,v1=" + stripeSum + ",v0=zz"},
			},
			webhook.SignatureMissing: {nil, {"Stripe-Signature:"}},
			webhook.SignatureWrong:   {{"Stripe-Signature: t=" + stamp + ",v1=" + other}, {"Stripe-Signature: t=1800000001,v1=" + stripeSum}},
			webhook.SignatureBadForm: {
				{"Stripe-Signature: v1=" + stripeSum},
				{"Stripe-Signature: t=" + stamp + ",v0=" + stripeSum},
				{"Stripe-Signature: t=+1,v1=" + stripeSum},
				{"Stripe-Signature: t=99999999999999999999,v1=" + stripeSum},
				{"Stripe-Signature: t=" + stamp + ",t=" + stamp + ",v1=" + stripeSum},
			},
		}},
		"slack": {webhook.SchemeSlack, current, []string{"X-Slack-Signature: " + slackSum, "X-Slack-Request-Timestamp: " + stamp}, map[webhook.Reason][][]string{
			webhook.SignatureMissing: {nil, {"X-Slack-Signature: " + slackSum}, {"X-Slack-Request-Timestamp: " + stamp}},
			webhook.SignatureWrong:   {{"X-Slack-Signature: v0=" + other, "X-Slack-Request-Timestamp: " + stamp}},
			webhook.SignatureBadForm: {
				{"X-Slack-Signature: v1=" + other, "X-Slack-Request-Timestamp: " + stamp},
				{"X-Slack-Signature: " + slackSum, "X-Slack-Request-Timestamp: soon"},
				{"X-Slack-Signature: " + slackSum, "X-Slack-Request-Timestamp: 1", "X-Slack-Request-Timestamp: " + stamp},
			},
		}},
		"standard": {webhook.SchemeStandard, "whsec_" + b64([]byte(key)), []string{"webhook-id: m1", "webhook-timestamp: " + stamp, "webhook-signature: " + standardSum}, map[webhook.Reason][][]string{
			"": {
				{"Webhook-Id: m1", "Webhook-Timestamp: " + stamp, "Webhook-Signature: v1a,zz " + other64 + " v1,! " + standardSum},
			},
			webhook.SignatureMissing: {nil, {"webhook-timestamp: " + stamp, "webhook-signature: " + standardSum}},
			webhook.SignatureWrong: {
				{"webhook-id: m2", "webhook-timestamp: " + stamp, "webhook-signature: " + standardSum},
				{"webhook-id: m1", "webhook-timestamp: " + stamp, "webhook-signature: " + other64},
			},
			webhook.SignatureBadForm: {
				{"webhook-id: m1", "webhook-timestamp: " + stamp, "webhook-signature: v2" + standardSum[2:]},
				{"webhook-id: m1", "webhook-timestamp: -5", "webhook-signature: " + standardSum},
				{"webhook-id: m1", "webhook-timestamp: " + stamp, "webhook-signature: " + standardSum, "webhook-signature: " + standardSum},
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, webhook.SecretPolicy{Scheme: c.scheme, Secrets: []string{"c2VjcmV0", c.secret}})
			short := verifier(t, webhook.SecretPolicy{Scheme: c.scheme, Secrets: []string{c.secret}, Tolerance: time.Second})
			right := request("/", body, c.right...)
			for _, d := range []struct {
				v     *secret.Verifier
				after time.Duration
				want  webhook.Reason
			}{
				{v, 0, ""},
				{v, 5 * time.Minute, ""},
				{v, -5 * time.Minute, ""},
				{v, 5*time.Minute + 1, webhook.SignatureExpired},
				{v, -5*time.Minute - 1, webhook.SignatureExpired},
				{short, time.Second, ""},
				{short, 2 * time.Second, webhook.SignatureExpired},
			} {
				if got := d.v.Verify(right, at.Add(d.after)); got != d.want {
					t.Errorf("%v later: got %q, want %q", d.after, got, d.want)
				}
			}
			for want, cases := range c.more {
				for _, lines := range cases {
					if got := v.Verify(request("/", body, lines...), at); got != want {
						t.Errorf("%q: got %q, want %q", lines, got, want)
					}
				}
			}
		})
	}
}

func TestNone(t *testing.T) {
	t.Parallel()
	v := verifier(t, webhook.SecretPolicy{Scheme: webhook.SchemeNone})
	if got := v.Verify(request("/hooks/main?secret=a&secret=b", ""), time.Time{}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestExpected(t *testing.T) {
	t.Parallel()
	v := verifier(t, webhook.SecretPolicy{Scheme: webhook.SchemeNone},
		webhook.ExpectedHeader{Name: "X-One", Value: "1"}, webhook.ExpectedHeader{Name: "X-Any"})
	for name, c := range map[string]struct {
		fields []webhook.Field
		want   webhook.Reason
	}{
		"met":           {[]webhook.Field{{Name: "x-one", Value: "1"}, {Name: "X-ANY", Value: ""}}, ""},
		"one of many":   {[]webhook.Field{{Name: "X-One", Value: "2"}, {Name: "X-One", Value: " 1\t"}, {Name: "X-Any", Value: "z"}}, ""},
		"wrong":         {[]webhook.Field{{Name: "X-One", Value: "2"}, {Name: "X-Any", Value: "z"}}, webhook.HeaderWrong},
		"wrong first":   {[]webhook.Field{{Name: "X-One", Value: ""}}, webhook.HeaderWrong},
		"missing first": {[]webhook.Field{{Name: "X-Any", Value: "z"}}, webhook.HeaderMissing},
		"missing last":  {[]webhook.Field{{Name: "X-One", Value: "1"}}, webhook.HeaderMissing},
		"none":          {nil, webhook.HeaderMissing},
	} {
		if got := v.Expected(c.fields); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	one := []string{current}
	for name, c := range map[string]struct {
		policy webhook.SecretPolicy
		says   string
	}{
		"scheme":            {webhook.SecretPolicy{Scheme: "hmac-md5", Secrets: one}, "standard-webhooks"},
		"no secret":         {webhook.SecretPolicy{}, "needs a secret"},
		"empty secret":      {webhook.SecretPolicy{Secrets: []string{""}}, "secret is empty"},
		"empty previous":    {webhook.SecretPolicy{Secrets: []string{current, ""}}, "previous secret is empty"},
		"three":             {webhook.SecretPolicy{Secrets: []string{"a", "b", "c"}}, "at most one previous"},
		"long":              {webhook.SecretPolicy{Secrets: []string{strings.Repeat("a", 4097)}}, "at most 4096"},
		"control":           {webhook.SecretPolicy{Secrets: []string{"a\nb"}}, "control"},
		"masked":            {webhook.SecretPolicy{Secrets: []string{secret.Masked}}, "masked"},
		"param":             {webhook.SecretPolicy{Param: "a=b", Secrets: one}, "param"},
		"header name":       {webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Header: "a b", Secrets: one}, "header name"},
		"header space":      {webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{"a "}}, "space"},
		"header bearer":     {webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{"bearer"}}, "after Bearer"},
		"hmac no header":    {webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Secrets: one}, "name of the header"},
		"hmac header":       {webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "ü", Secrets: one}, "header name"},
		"hmac encoding":     {webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X", Encoding: "base32", Secrets: one}, "hex or base64"},
		"hmac hash":         {webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X", Hash: "md5", Secrets: one}, "sha512"},
		"hmac prefix":       {webhook.SecretPolicy{Scheme: webhook.SchemeHMAC, Header: "X", Prefix: "a\r\n", Secrets: one}, "prefix"},
		"tolerance":         {webhook.SecretPolicy{Scheme: webhook.SchemeSlack, Tolerance: -1, Secrets: one}, "tolerance"},
		"standard, no key":  {webhook.SecretPolicy{Scheme: webhook.SchemeStandard, Secrets: []string{"whsec_"}}, "whsec_"},
		"standard, no form": {webhook.SecretPolicy{Scheme: webhook.SchemeStandard, Secrets: []string{"!"}}, "base64"},
	} {
		err := secret.Check(c.policy)
		if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want an ErrInvalid that says %q", name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), current) {
			t.Errorf("%s: the error holds the secret: %v", name, err)
		}
		if _, err := secret.New(&webhook.Endpoint{Secret: c.policy}); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: New: %v", name, err)
		}
	}
	for _, expect := range []webhook.ExpectedHeader{{Name: ""}, {Name: "a:b"}, {Name: "X", Value: "a\r\nb"}, {Name: "X", Value: " a"}} {
		ep := &webhook.Endpoint{Secret: webhook.SecretPolicy{Scheme: webhook.SchemeNone}, Expect: []webhook.ExpectedHeader{expect}}
		if _, err := secret.New(ep); !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("expected header %+v: %v", expect, err)
		}
	}
}

func TestNewSecret(t *testing.T) {
	t.Parallel()
	first, err := secret.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	second, err := secret.NewSecret()
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := hex.DecodeString(first); err != nil || len(raw) != 32 || first == second {
		t.Errorf("got %q and %q", first, second)
	}
	for _, scheme := range []webhook.Scheme{
		webhook.SchemeQuery, webhook.SchemeHeader, webhook.SchemeLangSmith, webhook.SchemeGitHub,
		webhook.SchemeStripe, webhook.SchemeSlack, webhook.SchemeStandard,
	} {
		if err := secret.Check(webhook.SecretPolicy{Scheme: scheme, Secrets: []string{first}}); err != nil {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestHookURL(t *testing.T) {
	t.Parallel()
	query := &webhook.Endpoint{Name: "main", Secret: webhook.SecretPolicy{Param: "token", Secrets: []string{previous, current}}}
	header := &webhook.Endpoint{Name: "h", Secret: webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{current}}}
	got := []string{
		secret.HookURL("http://127.0.0.1:8080/", query, false),
		secret.HookURL("http://127.0.0.1:8080", query, true),
		secret.HookURL("https://x.test/base/", header, false),
	}
	want := []string{
		"http://127.0.0.1:8080/hooks/main?token=a+b%2Bc%26d%3D%C3%A9",
		"http://127.0.0.1:8080/hooks/main?token=•••",
		"https://x.test/base/hooks/h",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if reason := verifier(t, query.Secret).Verify(request(strings.TrimPrefix(got[0], "http://127.0.0.1:8080"), ""), time.Time{}); reason != "" {
		t.Errorf("the URL's own secret is refused: %q", reason)
	}
}

func BenchmarkVerify(b *testing.B) {
	for name, c := range map[string]struct {
		policy webhook.SecretPolicy
		req    *webhook.Request
	}{
		"query":         {webhook.SecretPolicy{Secrets: []string{current, previous}}, request("/hooks/main?secret="+current, "")},
		"query missing": {webhook.SecretPolicy{Secrets: []string{current, previous}}, request("/hooks/main", "")},
		"header":        {webhook.SecretPolicy{Scheme: webhook.SchemeHeader, Secrets: []string{current}}, request("/", "", "Authorization: Bearer "+current)},
		"langsmith 2 KB": {
			webhook.SecretPolicy{Scheme: webhook.SchemeLangSmith, Secrets: []string{current}},
			request("/", strings.Repeat("x", 2048), "X-LangSmith-Signature: sha256="+strings.Repeat("0", 64)),
		},
	} {
		b.Run(name, func(b *testing.B) {
			v := verifier(b, c.policy)
			b.ReportAllocs()
			for b.Loop() {
				v.Verify(c.req, time.Time{})
			}
		})
	}
}
