package egress_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	own := webhook.FetchPolicy{
		Hosts:   []string{"store.example.com", "*.blobs.example.com"},
		Private: []string{"minio.internal:9000", "127.0.0.1:9000", "[::1]:9000"},
		BaseURL: "https://langsmith.example.com/api/",
	}
	tests := map[string]struct {
		url    string
		policy webhook.FetchPolicy
		want   string
	}{
		"virtual-hosted":         {url: "https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Signature=1"},
		"bucket with dots":       {url: "https://my.logs_1.s3.eu-west-1.amazonaws.com/k"},
		"path style":             {url: "https://s3.us-west-2.amazonaws.com/b/k"},
		"dash form":              {url: "https://s3-us-west-2.amazonaws.com/b/k"},
		"bucket, dash form":      {url: "https://b.s3-eu-west-1.amazonaws.com/k"},
		"dual-stack":             {url: "https://b.s3.dualstack.ap-southeast-2.amazonaws.com/k"},
		"dual-stack path":        {url: "https://s3.dualstack.us-east-1.amazonaws.com/b/k"},
		"FIPS":                   {url: "https://b.s3-fips.us-gov-west-1.amazonaws.com/k"},
		"global":                 {url: "https://b.s3.amazonaws.com/k"},
		"global path":            {url: "https://s3.amazonaws.com/b/k"},
		"China":                  {url: "https://b.s3.cn-north-1.amazonaws.com.cn/k"},
		"China, path":            {url: "https://s3.cn-northwest-1.amazonaws.com.cn/b/k"},
		"GCS":                    {url: "https://storage.googleapis.com/b/k?X-Goog-Signature=1"},
		"GCS virtual-hosted":     {url: "https://b.storage.googleapis.com/k"},
		"Azure":                  {url: "https://acc.blob.core.windows.net/c/k?sig=1"},
		"upper case":             {url: "HTTPS://B.S3.US-EAST-1.AMAZONAWS.COM/k"},
		"port 443":               {url: "https://b.s3.amazonaws.com:443/k"},
		"fragment":               {url: "https://b.s3.amazonaws.com/k#@evil.test"},
		"website":                {"https://b.s3-website-us-east-1.amazonaws.com/k", defaults, "host_not_allowed"},
		"website, dot":           {"https://b.s3-website.eu-central-1.amazonaws.com/k", defaults, "host_not_allowed"},
		"vpc endpoint":           {"https://bucket.vpce-1a2b3c4d.s3.us-east-1.vpce.amazonaws.com/k", defaults, "host_not_allowed"},
		"control":                {"https://123.s3-control.us-east-1.amazonaws.com/k", defaults, "host_not_allowed"},
		"access point":           {"https://ap-1.s3-accesspoint.us-east-1.amazonaws.com/k", defaults, "host_not_allowed"},
		"other AWS service":      {"https://ec2.us-east-1.amazonaws.com/", defaults, "host_not_allowed"},
		"China's name elsewhere": {"https://b.s3.us-east-1.amazonaws.com.cn/k", defaults, "host_not_allowed"},
		"suffix of an attacker":  {"https://s3.amazonaws.com.evil.test/k", defaults, "host_not_allowed"},
		"prefix of an attacker":  {"https://evils3.amazonaws.com/k", defaults, "host_not_allowed"},
		"GCS look-alike":         {"https://evilstorage.googleapis.com/k", defaults, "host_not_allowed"},
		"GCS other API":          {"https://iam.googleapis.com/k", defaults, "host_not_allowed"},
		"Azure apex":             {"https://blob.core.windows.net/k", defaults, "host_not_allowed"},
		"Azure look-alike":       {"https://a.blob.core.windows.net.evil.test/k", defaults, "host_not_allowed"},
		"http":                   {"http://b.s3.amazonaws.com/k", defaults, "scheme_not_allowed"},
		"file":                   {"file:///etc/passwd", defaults, "scheme_not_allowed"},
		"gopher":                 {"gopher://b.s3.amazonaws.com/", defaults, "scheme_not_allowed"},
		"data":                   {"data:text/plain,x", defaults, "url_malformed"},
		"user":                   {"https://a@b.s3.amazonaws.com/k", defaults, "userinfo_not_allowed"},
		"user before attacker":   {"https://b.s3.amazonaws.com@evil.test/k", defaults, "userinfo_not_allowed"},
		"empty user":             {"https://@b.s3.amazonaws.com/k", defaults, "userinfo_not_allowed"},
		"trailing dot":           {"https://b.s3.amazonaws.com./k", defaults, "host_malformed"},
		"empty port":             {"https://b.s3.amazonaws.com:/k", defaults, "port_not_allowed"},
		"other port":             {"https://b.s3.amazonaws.com:8443/k", defaults, "port_not_allowed"},
		"port 0":                 {"https://b.s3.amazonaws.com:0/k", defaults, "port_not_allowed"},
		"port with zeros":        {"https://b.s3.amazonaws.com:0443/k", defaults, "port_not_allowed"},
		"port too large":         {"https://b.s3.amazonaws.com:65979/k", defaults, "port_not_allowed"},
		"non-ASCII host":         {"https://b.s3.amazonaws。com/k", defaults, "host_malformed"},
		"encoded host":           {"https://b.s3.amazonaws.co%6d/k", defaults, "url_malformed"},
		"encoded UTF-8 host":     {"https://%E3%80%82.s3.amazonaws.com/k", defaults, "host_malformed"},
		"empty label":            {"https://b..s3.amazonaws.com/k", defaults, "host_malformed"},
		"no host":                {"https:///k", defaults, "host_malformed"},
		"name in brackets":       {"https://[b.s3.amazonaws.com]/k", defaults, "url_malformed"},
		"zone":                   {"https://[fe80::1%25lo]/k", defaults, "host_malformed"},
		"decimal":                {"https://2130706433/k", defaults, "host_malformed"},
		"hex":                    {"https://0x7f.1/k", defaults, "host_malformed"},
		"hex, one number":        {"https://0x7f000001/k", defaults, "host_malformed"},
		"octal":                  {"https://0177.0.0.1/k", defaults, "host_malformed"},
		"short":                  {"https://127.1/k", defaults, "host_malformed"},
		"mapped":                 {"https://[::ffff:127.0.0.1]/k", defaults, "host_malformed"},
		"long form":              {"https://[0:0:0:0:0:0:0:1]/k", defaults, "host_malformed"},
		"public literal":         {"https://52.216.0.1/k", defaults, "address_literal"},
		"backslash":              {`https://b.s3.amazonaws.com\@evil.test/k`, defaults, "url_malformed"},
		"line break":             {"https://b.s3.amazonaws.com/k\r\nHost: x", defaults, "url_malformed"},
		"blank":                  {"https://b.s3.amazonaws.com/k ", defaults, "url_malformed"},
		"too long":               {"https://b.s3.amazonaws.com/" + strings.Repeat("k", 16<<10), defaults, "url_too_long"},
		"relative, no base":      {"/public/download?jwt=x", defaults, "base_url_missing"},
		"empty":                  {"", defaults, "base_url_missing"},
		"off":                    {"https://b.s3.amazonaws.com/k", webhook.FetchPolicy{Off: true}, "fetch_off"},
		"own host":               {url: "https://store.example.com/k", policy: own},
		"own suffix":             {url: "https://a.b.blobs.example.com/k", policy: own},
		"apex of a suffix":       {"https://blobs.example.com/k", own, "host_not_allowed"},
		"own hosts replace":      {"https://b.s3.amazonaws.com/k", own, "host_not_allowed"},
		"relative":               {url: "/public/download?jwt=a.b.c", policy: own},
		"relative, no slash":     {url: "public/download?jwt=a.b.c", policy: own},
		"relative, colon":        {url: "/public/download?at=12:30", policy: own},
		"base host, absolute":    {"https://langsmith.example.com/api/k", own, "host_not_allowed"},
		"other authority":        {"//evil.test/k", own, "url_malformed"},
		"leaves the base":        {"/../admin", own, "url_malformed"},
		"leaves it, encoded":     {"/x/%2e%2E/admin", own, "url_malformed"},
		"relative backslash":     {`/\evil.test/k`, own, "url_malformed"},
		"private name":           {url: "http://minio.internal:9000/b/k", policy: own},
		"private name, https":    {url: "https://MINIO.internal:9000/b/k", policy: own},
		"private, other port":    {"https://minio.internal:9001/b/k", own, "port_not_allowed"},
		"private, no port":       {"http://minio.internal/b/k", own, "scheme_not_allowed"},
		"private literal":        {url: "http://127.0.0.1:9000/b/k", policy: own},
		"private literal v6":     {url: "http://[::1]:9000/b/k", policy: own},
		"other literal":          {"http://127.0.0.2:9000/b/k", own, "address_literal"},
		"private, odd form":      {"http://0x7f.1:9000/b/k", own, "host_malformed"},
	}
	c := egress.New(egress.Config{})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := tt.want
			if want != "" {
				want = "blocked/" + want
			}
			err := c.Check(egress.Request{URL: tt.url, Policy: tt.policy})
			if got := code(t, err); got != want {
				t.Errorf("Check(%q): %q, want %q", tt.url, got, want)
			}
		})
	}
}

// defaults is the default policy.
var defaults webhook.FetchPolicy

func TestCheckPolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy webhook.FetchPolicy
		ok     bool
	}{
		"zero":              {ok: true},
		"host":              {webhook.FetchPolicy{Hosts: []string{"store.example.com", "*.example.com"}}, true},
		"everything":        {webhook.FetchPolicy{Hosts: []string{"*"}}, false},
		"a whole TLD":       {webhook.FetchPolicy{Hosts: []string{"*.com"}}, false},
		"inner wildcard":    {webhook.FetchPolicy{Hosts: []string{"a.*.com"}}, false},
		"host with port":    {webhook.FetchPolicy{Hosts: []string{"store.example.com:443"}}, false},
		"host URL":          {webhook.FetchPolicy{Hosts: []string{"https://store.example.com"}}, false},
		"address as host":   {webhook.FetchPolicy{Hosts: []string{"10.0.0.1"}}, false},
		"private":           {webhook.FetchPolicy{Private: []string{"minio:9000", "10.0.0.1:9000", "[fd00::1]:443"}}, true},
		"private, no port":  {webhook.FetchPolicy{Private: []string{"minio"}}, false},
		"private wildcard":  {webhook.FetchPolicy{Private: []string{"*.internal:9000"}}, false},
		"private CIDR":      {webhook.FetchPolicy{Private: []string{"10.0.0.0/8:80"}}, false},
		"base":              {webhook.FetchPolicy{BaseURL: "https://langsmith.example.com/api"}, true},
		"base, http":        {webhook.FetchPolicy{BaseURL: "http://langsmith.example.com/api"}, false},
		"base, port":        {webhook.FetchPolicy{BaseURL: "https://langsmith.example.com:1984"}, false},
		"base with a query": {webhook.FetchPolicy{BaseURL: "https://langsmith.example.com/?a=b"}, false},
		"base, private": {webhook.FetchPolicy{
			BaseURL: "http://localhost:1984/api", Private: []string{"localhost:1984"},
		}, true},
		"negative bound": {webhook.FetchPolicy{MaxBytes: -1}, false},
	} {
		if err := egress.CheckPolicy(tt.policy); (err == nil) != tt.ok || err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: %v, want ok %v", name, err, tt.ok)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	for _, seed := range []string{
		"https://b.s3.us-east-1.amazonaws.com/k?X-Amz-Signature=1", "https://a@b.s3.amazonaws.com:443/", "//evil.test/x",
		"/public/download?jwt=a.b.c", "https://[fe80::1%25lo]/", "http://0x7f.1/", "HTTPS://storage.googleapis.com", "https:b",
		"https://s3.amazonaws.com.evil.test/#@", "https://a.blob.core.windows.net:443/?sig=%zz", "", ":", "https://[::1]:9000/",
	} {
		f.Add(seed)
	}
	c := egress.New(egress.Config{})
	stores := []string{".amazonaws.com", ".amazonaws.com.cn", ".storage.googleapis.com", ".blob.core.windows.net"}
	f.Fuzz(func(t *testing.T, raw string) {
		if err := c.Check(egress.Request{URL: raw}); err != nil {
			if refusal := new(egress.Error); !errors.As(err, &refusal) || refusal.Kind != egress.Blocked {
				t.Fatalf("%q: %v is not a refusal", raw, err)
			}
		} else {
			u, err := url.Parse(raw)
			if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" && u.Port() != "443" {
				t.Fatalf("%q was let through", raw)
			}
			host, known := "."+strings.ToLower(u.Hostname()), false
			for _, s := range stores {
				known = known || strings.HasSuffix(host, s)
			}
			if !known {
				t.Fatalf("%q was let through to host %q", raw, host)
			}
		}
		// Joined to a base, a URL either stays under it or is a store's.
		based := webhook.FetchPolicy{BaseURL: "https://langsmith.example.com/api", Private: []string{"127.0.0.1:9000"}}
		_ = c.Check(egress.Request{URL: raw, Policy: based})
		_ = egress.CheckPolicy(webhook.FetchPolicy{BaseURL: raw, Hosts: []string{raw}, Private: []string{raw}})
	})
}
