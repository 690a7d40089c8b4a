package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
)

// patch changes the endpoint default and returns the answer's status and text.
func (s *served) patch(body any) (int, string) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPatch, s.ready.Inspector+"/api/v1/endpoints/default", bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.ready.Token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func (s *served) endpoint() api.Endpoint {
	s.t.Helper()
	var ep api.Endpoint
	getJSON(s.t, s.ready.Inspector+"/api/v1/endpoints/default", s.ready.Token, &ep)
	return ep
}

func post(t *testing.T, url, body string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("answered %s", resp.Status)
	}
}

// TestForwards: the server sends on what comes, to where it may, and says how it went.
func TestForwards(t *testing.T) {
	t.Parallel()
	var came atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		if r.URL.Query().Get("key") != "of-the-target" || r.Header.Get("X-Hub-Signature-256") == "" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer app.Close()
	s := serveHere(t, "--replay-private", strings.TrimPrefix(app.URL, "http://"), "--replay-private", "127.0.0.1:1")
	hook := s.ready.Endpoints[0].URL
	target := app.URL + "/in?key=of-the-target"

	s.wants(exitUsage, "--replay-private", "endpoint", "update", "default", "--forward", "http://127.0.0.1:9/")
	s.wants(exitUsage, "loop", "endpoint", "update", "default", "--forward", hook)
	s.wants(exitUsage, "made good", "endpoint", "update", "default", "--forward", target+" all sign=endpoint")
	s.wants(exitUsage, "policy", "endpoint", "update", "default", "--forward", target+" policy=hourly")
	s.wants(exitUsage, "size", "endpoint", "update", "default", "--forward", target+" q=size:huge")
	s.wants(exitUsage, "give what to sign with", "endpoint", "update", "default", "--forward", target+" sign=github")
	s.wants(exitUsage, `unknown word "alll"`, "endpoint", "update", "default", "--forward", target+" alll")
	s.wants(exitDone, "/in?••• sign=github", "endpoint", "update", "default",
		"--forward", target+" sign=github secret=between-the-two", "--forward", "http://127.0.0.1:1/ policy=agent-server-js")

	post(t, hook, `{"n":1}`)
	var ep api.Endpoint
	eventually(t, "both forwards are through", func() bool {
		ep = s.endpoint()
		return ep.Forwards[0].State.Delivered == 1 && ep.Forwards[1].State.Failed == 1
	})
	if p := ep.Forwards[1].State.Problem; !strings.Contains(p, "cannot connect") {
		t.Errorf("the dead target's problem is %q", p)
	}
	s.wants(exitDone, "(1 delivered, 0 failed, 0 waiting, 0 dropped)", "endpoint", "show", "default")
	var kept api.Replays
	getJSON(t, fmt.Sprintf("%s/api/v1/endpoints/default/captures/%d/replays", s.ready.Inspector, ep.LastSeq), s.ready.Token, &kept)
	by := map[string]int{}
	for _, r := range kept.Replays {
		by[r.By+" "+r.Target]++
	}
	if by["endpoint "+app.URL+"/in?•••"] != 1 || by["endpoint http://127.0.0.1:1/"] < 1 {
		t.Errorf("the capture's tries: %v", by)
	}

	// What is shown keeps what is stored; a secret does not go along to another URL.
	if status, text := s.patch(map[string]any{"forwards": ep.Forwards}); status != http.StatusOK || strings.Contains(text, "of-the-target") {
		t.Errorf("as shown: %d %s", status, text)
	}
	elsewhere := ep.Forwards[:1]
	elsewhere[0].URL = app.URL + "/other"
	if status, text := s.patch(map[string]any{"forwards": elsewhere}); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
		t.Errorf("the secret for another URL: %d %s", status, text)
	}
	post(t, hook, `{"n":2}`)
	eventually(t, "the second is through, with the same key and secret", func() bool { return s.endpoint().Forwards[0].State.Delivered == 2 })

	s.wants(exitDone, "default", "endpoint", "update", "default", "--forward", "")
	if n := len(s.endpoint().Forwards); n != 0 {
		t.Errorf("%d forwards are left", n)
	}
	post(t, hook, `{"n":3}`)
	s.wants(exitDone, "3", "wait", "default", "--count", "3", "--after", "0", "--within", "30s")
	if came.Load() != 2 {
		t.Errorf("%d came, want 2", came.Load())
	}
}
