package search_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func candidate(body string) *search.Candidate {
	return &search.Candidate{
		Capture: &webhook.Capture{
			ReceivedAt: time.Date(2024, 11, 22, 12, 0, 0, 0, time.UTC), Class: webhook.Accepted, Attempt: 2, Plan: webhook.Plan{Status: 503, Rule: "flaky"}, Delivery: "0192-ab", Endpoint: "default",
			Request: webhook.Request{
				Method: "POST", Target: "http://host/Hooks/x?y=1", BodySize: int64(len(body)),
				Head: []byte("POST / HTTP/1.1\r\nX-Event: Deploy\r\nX-Event: second\r\n folded\r\nnocolon\r\n\r\n"),
			},
		},
		LoadBody:    func() ([]byte, error) { return []byte(body), nil },
		LoadPayload: func() (kind, title string, err error) { return "json", "Rule d75d · Search", nil },
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	const body = `{"a":{"b":[1,{"c":"Yes"}]},"n":null,"t":true,"say":"\"quoted\" text"}`
	for q, want := range map[string]bool{
		"": true, "  ": true, "deploy": true, "DEPLOY search": true, "deploy nothing": false, "-nothing": true,
		"-deploy": false, `"d75d · s"`: true, `-"d75d · s"`: false, `"X-Event: Deploy"`: true, `"\\\"quoted\\\""`: true,
		"header.X-EVENT:second": true, "header.x-event:folded": true, "header.nocolon:x": false, "-header.nocolon:x": true,
		"body.a.b.0:1": true, "body.a.b.1.c:yes": true, "body.a.b.1.c:ye": false, "body.n:x": false, "body.t:true": true, "body.a.b:yes": true,
		"path:/hooks": true, "path:host": false, "status:503": true, "status:5xx": true, "status:4XX": false, "status:<500": false,
		"attempt:=2": true, "attempt:<=1": false, "size:<1k": true, "size:>1M": false, "delivery:0192-AB": true,
		"kind:JSON": true, "endpoint:default": true, "class:accepted -class:rejected": true, "METHOD:post": true, "reason:x": false, "rule:Flaky": true, "rule:other": false,
		`path:"/hooks/x"`: true, "path:/HOOKS/*": true, "path:*/x": true, "path:*/hook": false, "path:*oo*": true, `path:"*oo*"`: false,
		"pinned:": false, "-pinned:": true, "Pinned: deploy": false, "pinned:false": true, "-": true, `""`: true,
		"body.a.b.1.c:y*": true, "body.a.b.1.c:*e*S": true, "body.a.b.1.c:y*x": false, `body.a.b.1.c:"y*"`: false, "body.a.b.1.c:*": true, "body.a.b.1.c:ye*es": false,
		"header.x-event:dep*": true, "header.x-event:eploy*": false, "header.x-event:*f*ed": true,
		"before:2024-11-22T12:01": true, "before:2024-11-22T12:00:00Z": false, "after:2024-11-22": true, "after:2024-11-22T13:00:00+01:00": false,
		"after:2024-11-22T12:59:59+01:00 BEFORE:2024-11-22T12:00:01": true, "after:-1h": false, "before:-1h": true, "-before:-2d": false, "before:-90s": true,
	} {
		parsed, err := search.Parse(q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
			continue
		}
		got, err := parsed.Match(candidate(body))
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", q, got, err, want)
		}
	}
}

// TestForwarded asks what became of captures that were sent on, to one place or more.
func TestForwarded(t *testing.T) {
	t.Parallel()
	try := func(by webhook.ReplayBy, target string, delivered bool) webhook.Replay {
		return webhook.Replay{By: by, Target: target, Delivered: delivered}
	}
	again := func(r webhook.Replay) webhook.Replay { r.NextIn = new(time.Second); return r }
	edited := func(r webhook.Replay) webhook.Replay { r.Edited = true; return r }
	const a, b = "http://a", "http://b"
	for name, test := range map[string]struct {
		tries             []webhook.Replay
		failed, delivered bool
	}{
		"none":                       {},
		"delivered":                  {[]webhook.Replay{again(try(webhook.ByEndpoint, a, false)), try(webhook.ByEndpoint, a, true)}, false, true},
		"given up":                   {[]webhook.Replay{again(try(webhook.ByEndpoint, a, false)), try(webhook.ByEndpoint, a, false)}, true, false},
		"under way":                  {[]webhook.Replay{again(try(webhook.ByEndpoint, a, false))}, false, false},
		"by hand alone":              {[]webhook.Replay{try(webhook.ByServer, a, false)}, false, false},
		"by the command":             {[]webhook.Replay{try(webhook.ByForward, a, false)}, true, false},
		"by hand since":              {[]webhook.Replay{try(webhook.ByEndpoint, a, false), try(webhook.ByClient, a, true)}, false, true},
		"by hand since, in vain":     {[]webhook.Replay{try(webhook.ByEndpoint, a, false), try(webhook.ByClient, a, false)}, true, false},
		"by hand elsewhere":          {[]webhook.Replay{try(webhook.ByEndpoint, a, false), try(webhook.ByClient, b, true)}, true, false},
		"by hand, but another":       {[]webhook.Replay{try(webhook.ByEndpoint, a, false), edited(try(webhook.ByClient, a, true))}, true, false},
		"at one place of two":        {[]webhook.Replay{try(webhook.ByEndpoint, a, true), try(webhook.ByEndpoint, b, false)}, true, false},
		"under way at one place":     {[]webhook.Replay{try(webhook.ByEndpoint, a, true), again(try(webhook.ByEndpoint, b, false))}, false, true},
		"delivered, then once again": {[]webhook.Replay{try(webhook.ByEndpoint, a, true), try(webhook.ByClient, a, false)}, true, false},
	} {
		c := candidate("{}")
		c.LoadReplays = func() ([]webhook.Replay, error) { return test.tries, nil }
		for q, want := range map[string]bool{"forward:failed": test.failed, "forward:DELIVERED": test.delivered, "-forward:failed": !test.failed} {
			parsed, err := search.Parse(q)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parsed.Match(c); got != want || err != nil {
				t.Errorf("%s: %s: %v, %v; want %v", name, q, got, err, want)
			}
		}
	}
}

func TestQueriesRefused(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		"colour:red": `"colour"`, "http://x": `"http"`, ":x": `""`, "status:": "no value", "status:abc": "whole number", "status:=>1": "comparison",
		"size:1x": "whole number", "size:>99999999999999999999": "whole number", "class:good": "accepted", `"open`: "not closed",
		`path:"open`: "not closed", "body.:x": "path", "body.@reverse:x": "path", "body.a|b:x": "path", "header.:x": `"header."`,
		"forward:late": "failed or delivered", "before:noon": "-15m", "after:1h": "-15m", "before:-1x": "-15m", "before:--1h": "-15m", strings.Repeat("a", 5000): "4096", strings.Repeat("a ", 33): "32",
	} {
		_, err := search.Parse(q)
		if !errors.Is(err, webhook.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want an ErrInvalid with %s", q, err, want)
		}
	}
}

func TestDeepJSONIsNotLookedInto(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, body := range []string{deep, strings.Repeat("[", 5<<20), `{"a":1`, `garbage{"a":1}`} {
		q, err := search.Parse("body.a:1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := q.Match(candidate(body)); got || err != nil {
			t.Errorf("%.20s matches, %v", body, err)
		}
		e, err := search.CompileExpression(`body.a == 1`)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Match(candidate(body)); got || err != nil {
			t.Errorf("%.20s matches the expression, %v", body, err)
		}
	}
}

// An expression over what was sent ends, however many elements it would look at.
func TestExpressionsEnd(t *testing.T) {
	t.Parallel()
	numbers := "[1" + strings.Repeat(",1", 999) + "]"
	body := `{"a":` + numbers + `,"b":` + numbers + `,"c":` + numbers + `}`
	for text, want := range map[string]bool{
		`all(body.a, any(body.b, # == 1))`:              true,
		`!any(body.a, any(body.b, any(body.c, # > 1)))`: false,
	} {
		e, err := search.CompileExpression(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Match(candidate(body)); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestLoadErrorsPass(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	c := candidate("")
	c.LoadBody = func() ([]byte, error) { return nil, broken }
	c.LoadPayload = func() (kind, title string, err error) { return "", "", broken }
	for _, text := range []string{"nothing", "kind:x", "body.a:1"} {
		q, err := search.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Match(c); !errors.Is(err, broken) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"body == 1", `kind == "x"`, `$env["body"] == 1`} {
		e, err := search.CompileExpression(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Match(c); !errors.Is(err, broken) {
			t.Errorf("%s: %v", text, err)
		}
	}
	// What a query can decide by the row alone, it decides without a load.
	q, err := search.Parse("nothing method:GET")
	if err != nil {
		t.Fatal(err)
	}
	if yes, err := q.Match(c); yes || err != nil {
		t.Errorf("%v, %v", yes, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`a "b c" -d status:>=500`, `path:"x\"y"`, "-", `"`, "size:<1k", "body.a.#(b==1).c:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := search.Parse(text)
		if err != nil {
			if !errors.Is(err, webhook.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if _, err := q.Match(candidate(`{"a":[{"b":1,"c":"x"}]}`)); err != nil {
			t.Error(err)
		}
	})
}
