package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/inspector/api"
)

// TestVectorsEndToEnd sends each recorded delivery over a socket and looks at what the interface says of it: every stage
// has a part in that.
func TestVectorsEndToEnd(t *testing.T) {
	t.Parallel()
	server := (&rig{t: t, binary: program(t)}).serve()
	names := append(fixtures.Names(), fixtures.BatchName)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range names {
		v, err := fixtures.Fresh(name, time.Now(), rng)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			testVector(t, server.within(t), v)
		})
	}
}

// seen is what is compared of a capture.
type seen struct {
	Class, Reason, Kind, Variant, Method, DeliveryBy string
	Problems, Refs                                   []string
	Attempt, Status                                  int
}

func testVector(t *testing.T, server *server, v fixtures.Vector) {
	t.Helper()
	server.call(http.MethodPost, "/endpoints", map[string]any{
		"name": v.Name, "scheme": string(v.Scheme), "param": v.Param, "secret": v.Secret, "fetch": map[string]any{"off": true},
	}, nil)
	_, query, _ := strings.Cut(v.Target, "?")
	target := "/hooks/" + v.Name + "?" + query
	request := slices.Concat([]byte(v.Method+" "+target), v.Raw[len(v.Method)+1+len(v.Target):])
	want := seen{
		Class: "accepted", Kind: string(v.ExpectKind), Variant: v.ExpectVariant, Method: v.Method, DeliveryBy: v.ExpectKey,
		Problems: v.ExpectProblems, Refs: v.ExpectRefs, Attempt: 1, Status: 200,
	}
	for attempt := range 2 {
		want.Attempt = attempt + 1
		if status := exchange(t, server.ready.Receiver, request); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		var got struct{ Captures []api.Capture }
		server.call(http.MethodGet, fmt.Sprintf("/endpoints/%s/wait?count=%d&timeout=30s", v.Name, attempt+1), nil, &got)
		newest := slices.MaxFunc(got.Captures, func(a, b api.Capture) int { return int(a.Seq - b.Seq) })
		base := fmt.Sprintf("/endpoints/%s/captures/%d", v.Name, newest.Seq)
		whole := server.settled(base, want)
		if diff := cmp.Diff(want, seenOf(&whole)); diff != "" {
			t.Errorf("attempt %d (-want +got):\n%s", attempt+1, diff)
		}
		if v.ExpectTitle != "" && whole.Payload.Title != v.ExpectTitle && !strings.Contains(whole.Payload.Title, "•••") {
			t.Errorf("title %q, want %q", whole.Payload.Title, v.ExpectTitle)
		}
		if raw := server.bytesOf(base + "/raw?reveal=true"); !bytes.Equal(raw, request) {
			t.Errorf("raw has %d bytes, %d were sent: %s", len(raw), len(request), cmp.Diff(string(request), string(raw)))
		}
		if body := server.bytesOf(base + "/body?reveal=true"); !bytes.Equal(body, v.Body) {
			t.Errorf("body has %d bytes, %d were sent", len(body), len(v.Body))
		}
		if shown := server.bytesOf(base + "/raw"); len(v.Secret) > 8 && bytes.Contains(shown, []byte(v.Secret)) {
			t.Error("the secret is shown")
		}
	}
}

// settled returns a capture once its answer has ended and its objects are listed: both come after the answer.
func (s *server) settled(path string, want seen) api.Capture {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		var c api.Capture
		s.call(http.MethodGet, path, nil, &c)
		if c.Outcome != nil && len(c.Resolved) >= len(want.Refs) || time.Now().After(deadline) {
			return c
		}
	}
}

func seenOf(c *api.Capture) seen {
	got := seen{
		Class: c.Class, Reason: c.Reason, Kind: c.Payload.Kind, Variant: c.Payload.Variant, Method: c.Method, DeliveryBy: c.DeliveryBy,
		Attempt: c.Attempt,
	}
	if c.Outcome != nil {
		got.Status = c.Outcome.Status
	}
	for _, p := range c.Payload.Problems {
		text := p.Code
		if p.Path != "" {
			text += ":" + p.Path
		}
		got.Problems = append(got.Problems, text)
	}
	for _, r := range c.Resolved {
		got.Refs = append(got.Refs, r.Name)
	}
	return got
}

// exchange sends one request byte for byte and returns the answer's status.
func exchange(t *testing.T, base string, request []byte) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = conn.Write(request) }()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// bytesOf asks the inspector for something that is no JSON.
func (s *server) bytesOf(path string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.ready.Inspector+"/api/v1"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.ready.Token)
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v: %.200s", path, resp.Status, err, raw)
	}
	return raw
}

// within returns the server for a subtest to use.
func (s *server) within(t *testing.T) *server {
	t.Helper()
	inner := *s
	inner.t = t
	return &inner
}
