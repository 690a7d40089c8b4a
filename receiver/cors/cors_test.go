package cors_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/cors"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const app = "https://app.example.com"

func TestPreflight(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		policy  webhook.CORSPolicy
		origin  string
		headers string
		want    []webhook.Field
	}{
		"what is asked for": {webhook.CORSPolicy{Origins: []string{app}, Credentials: true, MaxAge: time.Minute}, app, "x-a, content-type", []webhook.Field{
			{"Vary", "Origin"},
			{"Access-Control-Allow-Origin", app},
			{"Access-Control-Allow-Credentials", "true"},
			{"Access-Control-Allow-Methods", "PUT"},
			{"Access-Control-Allow-Headers", "x-a, content-type"},
			{"Access-Control-Max-Age", "60"},
		}},
		"what is allowed": {webhook.CORSPolicy{Origins: []string{"*"}, Methods: []string{"POST", "PUT"}, Headers: []string{"X-B"}}, app, "x-a", []webhook.Field{
			{"Vary", "Origin"},
			{"Access-Control-Allow-Origin", "*"},
			{"Access-Control-Allow-Methods", "POST, PUT"},
			{"Access-Control-Allow-Headers", "X-B"},
		}},
		"another origin":        {webhook.CORSPolicy{Origins: []string{app}}, app + ".evil.test", "x-a", []webhook.Field{{"Vary", "Origin"}}},
		"a list that is none":   {webhook.CORSPolicy{Origins: []string{"null"}}, "null", "x-a, <b>", []webhook.Field{{"Vary", "Origin"}, {"Access-Control-Allow-Origin", "null"}, {"Access-Control-Allow-Methods", "PUT"}}},
		"a list that is longer": {webhook.CORSPolicy{Origins: []string{"*"}}, app, strings.Repeat("a,", 5000) + "a", []webhook.Field{{"Vary", "Origin"}, {"Access-Control-Allow-Origin", "*"}, {"Access-Control-Allow-Methods", "PUT"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := cors.New(&test.policy)
			if err != nil {
				t.Fatal(err)
			}
			asked := []webhook.Field{{"origin", test.origin}, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Headers", test.headers}}
			if !p.IsPreflight("OPTIONS", asked) {
				t.Fatal("it is no preflight")
			}
			got := p.Preflight(asked)
			if diff := cmp.Diff(test.want, got.Header); diff != "" || got.Status != 204 || got.Step != -1 {
				t.Errorf("answered %d (-want +got):\n%s", got.Status, diff)
			}
		})
	}
}

func TestIsPreflight(t *testing.T) {
	t.Parallel()
	p, err := cors.New(&webhook.CORSPolicy{Origins: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	both := []webhook.Field{{"Origin", app}, {"Access-Control-Request-Method", "PUT"}}
	var none *cors.Policy
	if p.IsPreflight("POST", both) || p.IsPreflight("OPTIONS", both[:1]) || p.IsPreflight("OPTIONS", both[1:]) || none.IsPreflight("OPTIONS", both) {
		t.Error("a request that is no preflight is taken for one")
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	p, err := cors.New(&webhook.CORSPolicy{Origins: []string{app}})
	if err != nil {
		t.Fatal(err)
	}
	own := webhook.Plan{Status: 200, Header: []webhook.Field{{"access-control-allow-origin", "https://other.test"}}}
	got := p.Answer(own, []webhook.Field{{"Origin", app}})
	if diff := cmp.Diff([]webhook.Field{{"access-control-allow-origin", "https://other.test"}, {"Vary", "Origin"}}, got.Header); diff != "" || len(own.Header) != 1 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got = p.Answer(webhook.Plan{Fault: webhook.Hang}, nil); got.Header != nil {
		t.Errorf("an answer without a head has %v", got.Header)
	}
	if got = (*cors.Policy)(nil).Answer(own, nil); len(got.Header) != 1 {
		t.Errorf("without a policy: %v", got.Header)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for field, p := range map[string]webhook.CORSPolicy{
		"origins: give":      {},
		"origins: \"https:":  {Origins: []string{"https://a.test/path"}},
		"origins: \"a.test":  {Origins: []string{"a.test"}},
		"origins: \"https\\": {Origins: []string{`https\\a`}},
		"credentials":        {Origins: []string{"*"}, Credentials: true},
		"methods":            {Origins: []string{"*"}, Methods: []string{"A\r\nB"}},
		"headers":            {Origins: []string{"*"}, Headers: []string{"a b"}},
		"max_age_ms":         {Origins: []string{"*"}, MaxAge: -1},
	} {
		if _, err := cors.New(&p); !errors.Is(err, webhook.ErrInvalid) || !strings.HasPrefix(err.Error(), "invalid: cors."+field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
}
