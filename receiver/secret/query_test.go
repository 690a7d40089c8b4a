package secret_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/secret"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	v := verifier(t, webhook.SecretPolicy{Secrets: []string{current, previous}})
	for target, want := range map[string]webhook.Reason{
		"/hooks/main?secret=" + current:                         "",
		"http://h/hooks/main?secret=" + current:                 "",
		"/hooks/main?secret=" + url.QueryEscape(previous):       "",
		"/hooks/main?secret=" + "a%20b%2bc%26d%3D%C3%A9":        "",
		"/hooks/main?secret=a+b%2Bc%26d=%c3%a9":                 "",
		"/hooks/main?%73ecret=%33" + current[1:]:                "",
		"/hooks/main?a=1&&b&secret=" + current + "&c=%zz&d=x;y": "",
		"/hooks/main":                                                         webhook.SecretMissing,
		"/hooks/main?":                                                        webhook.SecretMissing,
		"/hooks/main?secret":                                                  webhook.SecretMissing,
		"/hooks/main?secret=":                                                 webhook.SecretMissing,
		"/hooks/main?Secret=" + current:                                       webhook.SecretMissing,
		"/hooks/main?x=?secret=" + current:                                    webhook.SecretMissing,
		"/hooks/main?secret=x":                                                webhook.SecretWrong,
		"/hooks/main?secret=" + current + "0":                                 webhook.SecretWrong,
		"/hooks/main?secret=" + current[:31]:                                  webhook.SecretWrong,
		"/hooks/main?secret=" + strings.Repeat("x", 50_000):                   webhook.SecretWrong,
		"/hooks/main?secret=" + current + "&secret=" + current:                webhook.SecretRepeated,
		"/hooks/main?secret=&secret=" + current:                               webhook.SecretRepeated,
		"/hooks/main?secret=" + current + "&s%65cret=" + url.QueryEscape("x"): webhook.SecretRepeated,
		"/hooks/main?secret=" + current + ";x=1":                              webhook.SecretMalformed,
		"/hooks/main?x=1;secret=" + current:                                   webhook.SecretMalformed,
		"/hooks/main?secret=" + current + "&x=1;secret=" + current:            webhook.SecretMalformed,
		"/hooks/main?secret=" + current + "%zz":                               webhook.SecretMalformed,
		"/hooks/main?secret=" + current + "%":                                 webhook.SecretMalformed,
		"/hooks/main?secret=" + current + "%4":                                webhook.SecretMalformed,
		"/hooks/main?secret%zz=" + current:                                    webhook.SecretMalformed,
		"/hooks/main?secret=" + current + "&%zz=1":                            webhook.SecretMalformed,
	} {
		if got := v.Verify(request(target, ""), time.Time{}); got != want {
			t.Errorf("%.80s: got %q, want %q", target, got, want)
		}
	}
	token := verifier(t, webhook.SecretPolicy{Param: "token", Secrets: []string{current}})
	if got := token.Verify(request("/hooks/main?secret=x&token="+current, ""), time.Time{}); got != "" {
		t.Errorf("param token: %q", got)
	}
}

// FuzzQuery holds the own query parser against net/url where that one is strict too.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"secret=x", "a=1&secret=x+%41", "secret=x;y", "secret=%zz", "&&=&secret", "%73ecret=x&secret=y"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, raw, value string) {
		policy := webhook.SecretPolicy{Secrets: []string{value}}
		v, err := secret.New(&webhook.Endpoint{Name: "x", Secret: policy})
		if err != nil {
			t.Skip()
		}
		got := v.Verify(request("/hooks/x?"+raw, ""), time.Time{})
		values, err := url.ParseQuery(raw)
		if err != nil {
			if got == "" && values.Get("secret") != value {
				t.Fatalf("%q proves %q, net/url reads %q", raw, value, values)
			}
			return
		}
		var want webhook.Reason
		switch all := values["secret"]; {
		case len(all) > 1:
			want = webhook.SecretRepeated
		case len(all) == 0 || all[0] == "":
			want = webhook.SecretMissing
		case all[0] != value:
			want = webhook.SecretWrong
		}
		if got != want {
			t.Fatalf("%q with secret %q: got %q, want %q", raw, value, got, want)
		}
		if got := v.Verify(request("/hooks/x?secret="+url.QueryEscape(value), ""), time.Time{}); got != "" {
			t.Fatalf("QueryEscape(%q) is refused: %q", value, got)
		}
	})
}
