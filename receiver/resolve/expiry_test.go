package resolve_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/resolve"
)

// jwt is an unsigned token with a payload.
func jwt(payload string) string {
	return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	const aws = "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261122T040000Z&X-Amz-Signature=1"
	for name, tt := range map[string]struct{ url, want string }{
		"AWS":                  {aws + "&X-Amz-Expires=3600", "2026-11-22T05:00:00Z"},
		"AWS, seven days":      {aws + "&X-Amz-Expires=604800", "2026-11-29T04:00:00Z"},
		"AWS, too long":        {aws + "&X-Amz-Expires=604801", ""},
		"AWS, zero":            {aws + "&X-Amz-Expires=0", ""},
		"AWS, negative":        {aws + "&X-Amz-Expires=-5", ""},
		"AWS, not a number":    {aws + "&X-Amz-Expires=1h", ""},
		"AWS, without":         {aws, ""},
		"AWS, bad date":        {"https://h/k?X-Amz-Date=2026-11-22&X-Amz-Expires=60", ""},
		"AWS, before 1970":     {"https://h/k?X-Amz-Date=19001122T040000Z&X-Amz-Expires=60", ""},
		"AWS, broken parts":    {aws + "&X-Amz-Expires=3600&bad=%zz&a;b", "2026-11-22T05:00:00Z"},
		"GCS":                  {"https://h/k?X-Goog-Date=20261122T040000Z&X-Goog-Expires=60", "2026-11-22T04:01:00Z"},
		"version 2":            {"https://h/k?AWSAccessKeyId=A&Expires=1795320000&Signature=x", "2026-11-22T04:00:00Z"},
		"version 2, no sig":    {"https://h/k?Expires=1795320000", ""},
		"version 2, huge":      {"https://h/k?Expires=99999999999999&Signature=x", ""},
		"version 2, negative":  {"https://h/k?Expires=-1&Signature=x", ""},
		"Azure":                {"https://h/k?se=2026-11-22T04%3A00%3A00Z&sig=x", "2026-11-22T04:00:00Z"},
		"Azure, fraction":      {"https://h/k?se=2026-11-22T04:00:00.1234567Z&sig=x", "2026-11-22T04:00:00Z"},
		"Azure, minutes":       {"https://h/k?se=2026-11-22T04:00Z&sig=x", "2026-11-22T04:00:00Z"},
		"Azure, date":          {"https://h/k?se=2026-11-22&sig=x", "2026-11-22T00:00:00Z"},
		"Azure, no sig":        {"https://h/k?se=2026-11-22", ""},
		"JWT, relative":        {"/public/download?jwt=" + jwt(`{"exp":1795320000}`), "2026-11-22T04:00:00Z"},
		"JWT, fraction":        {"/public/download?jwt=" + jwt(`{"exp":1795320000.75}`), "2026-11-22T04:00:00Z"},
		"JWT, with fragment":   {"/d?jwt=" + jwt(`{"exp":1795320000}`) + "#x", "2026-11-22T04:00:00Z"},
		"JWT, no exp":          {"/d?jwt=" + jwt(`{"sub":"x"}`), ""},
		"JWT, text exp":        {"/d?jwt=" + jwt(`{"exp":"1795320000"}`), ""},
		"JWT, huge exp":        {"/d?jwt=" + jwt(`{"exp":1e300}`), ""},
		"JWT, not JSON":        {"/d?jwt=" + jwt(`exp`), ""},
		"JWT, two parts":       {"/d?jwt=a.b", ""},
		"JWT, not base64":      {"/d?jwt=a.***.c", ""},
		"the earliest":         {aws + "&X-Amz-Expires=7200&jwt=" + jwt(`{"exp":1795323600}`), "2026-11-22T05:00:00Z"},
		"none":                 {"https://h/k", ""},
		"not a URL":            {"::::", ""},
		"longer than a URL is": {aws + "&X-Amz-Expires=3600&" + strings.Repeat("x", 32<<10), ""},
	} {
		got, ok := resolve.Expiry(tt.url)
		text := ""
		if ok {
			text = got.Format(time.RFC3339Nano)
		}
		if text != tt.want {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
}

func FuzzExpiry(f *testing.F) {
	for _, seed := range []string{
		"https://h/k?X-Amz-Date=20261122T040000Z&X-Amz-Expires=60", "?X-Goog-Date=20261122T040000Z&X-Goog-Expires=1",
		"?Expires=1795320000&Signature=x", "?se=2026-11-22T04:00Z&sig=x", "/d?jwt=" + jwt(`{"exp":1795320000}`), "", "?%zz;",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := resolve.Expiry(raw)
		if ok == got.IsZero() || ok && (got.Location() != time.UTC || got.Year() < 1970 || got.Year() > 9999) {
			t.Fatalf("Expiry(%q) = %v, %v", raw, got, ok)
		}
		if ok {
			if _, err := got.MarshalJSON(); err != nil {
				t.Fatalf("Expiry(%q) = %v cannot be written: %v", raw, got, err)
			}
		}
	})
}
