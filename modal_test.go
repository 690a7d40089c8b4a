package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/console"
)

// modalPython names the environment variable with the Python that `make deps` installs FastAPI for.
const modalPython = "HOOKRANGE_TEST_MODAL"

// modal is the documented receiver, as a FastAPI app of its own process.
type modal struct {
	t   *testing.T
	url string
}

func startModal(t *testing.T, secret string) *modal {
	t.Helper()
	python := os.Getenv(modalPython)
	if python == "" {
		t.Skip("set " + modalPython + ", as make test does, to send captures on to a FastAPI app")
	}
	cmd := exec.Command(python, filepath.Join("fixtures", "modal", "app.py"))
	cmd.Env = append(os.Environ(), "LS_WEBHOOK="+secret)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the app ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the app did not say where it is: %v", err)
	}
	return &modal{t: t, url: strings.TrimSpace(line)}
}

type modalExample struct {
	RunID  string `json:"run_id"`
	SHA256 string `json:"body_sha256"`
}

func (m *modal) examples() []modalExample {
	m.t.Helper()
	var all []modalExample
	getJSON(m.t, m.url+"/examples", "", &all)
	return all
}

func getJSON(t *testing.T, url, token string, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, resp.Status, err, raw)
	}
	if err = json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
}

// served is the program serving in this process, with commands that find it.
type served struct {
	t     *testing.T
	data  string
	ready console.Ready
}

func serveHere(t *testing.T, flags ...string) *served {
	t.Helper()
	s := &served{t: t, data: t.TempDir()}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var log safeBuffer
	var wg sync.WaitGroup
	wg.Go(func() {
		args := append([]string{"--data", s.data, "serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0"}, flags...)
		if code := run(ctx, process{args: args, out: &log, err: &log}); code != exitDone {
			t.Errorf("serve ended with %d: %s", code, log.String())
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	eventually(t, "a ready file", func() bool {
		raw, err := os.ReadFile(filepath.Join(s.data, console.ReadyName))
		return err == nil && json.Unmarshal(raw, &s.ready) == nil
	})
	return s
}

func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for !met() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		<-tick.C
	}
}

// command runs a command line against the server and returns its status and what it printed.
func (s *served) command(args ...string) (int, string) {
	var out, errs bytes.Buffer
	code := run(s.t.Context(), process{args: append([]string{"--data", s.data}, args...), out: &out, err: &errs})
	return code, out.String() + errs.String()
}

func (s *served) wants(want int, text string, args ...string) {
	s.t.Helper()
	if code, out := s.command(args...); code != want || !strings.Contains(out, text) {
		s.t.Errorf("%v: status %d, want %d with %q:\n%s", args, code, want, text, out)
	}
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestModal sends captures on to the receiver of the LangSmith documentation: the right secret reaches it, a wrong one
// gets its 401, and the page can show both.
func TestModal(t *testing.T) {
	t.Parallel()
	const secret = "38ee77617c3a489ab6e871fbeb2ec87d"
	app := startModal(t, secret)
	s := serveHere(t, "--replay-private", strings.TrimPrefix(app.url, "http://"))
	right, wrong := app.url+"/?secret="+secret, app.url+"/?secret=wrong"

	s.wants(exitDone, "delivered", "send", "langsmith-rule", s.ready.Endpoints[0].URL)
	s.wants(exitDone, "200 OK", "replay", "default/latest", right)
	s.wants(exitWrong, "401 Unauthorized", "replay", "default/latest", wrong, "--policy", "langsmith-rules")
	s.wants(exitWrong, "422 Unprocessable Entity", "replay", "default/latest", app.url+"/")
	s.wants(exitDone, "200 OK", "replay", "default/latest", right, "--by-server")
	s.wants(exitWrong, "401 Unauthorized", "replay", "default/latest", wrong, "--by-server")
	s.wants(exitDone, "200 OK", "replay", "default/latest", app.url+"/", "--secret", secret)

	var list api.Captures
	getJSON(t, s.ready.Inspector+"/api/v1/endpoints/default/captures", s.ready.Token, &list)
	capture := list.Captures[0]
	got := app.examples()
	if len(got) != 3 || slices.ContainsFunc(got, func(e modalExample) bool { return e.SHA256 != capture.BodySHA256 }) {
		t.Errorf("the app has %v, want three examples of a body with digest %s", got, capture.BodySHA256)
	}
	var kept api.Replays
	getJSON(t, fmt.Sprintf("%s/api/v1/endpoints/default/captures/%d/replays", s.ready.Inspector, capture.Seq), s.ready.Token, &kept)
	var statuses []string
	for _, r := range kept.Replays {
		if strings.Contains(r.Target, secret) {
			t.Errorf("a try shows the target's secret: %s", r.Target)
		}
		statuses = append(statuses, fmt.Sprintf("%s %d %v", r.By, r.Status, r.Delivered))
	}
	want := []string{
		"client 200 true", "client 401 false", "client 422 false", "server 200 true", "server 401 false", "client 200 true",
	}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("kept tries (-want +got):\n%s", diff)
	}
}

// TestModalForward relays captures to the same receiver as they come.
func TestModalForward(t *testing.T) {
	t.Parallel()
	const secret = "38ee77617c3a489ab6e871fbeb2ec87d"
	app := startModal(t, secret)
	s := serveHere(t)
	cursor := filepath.Join(t.TempDir(), "cursor")
	forward := func(until int) string {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var out safeBuffer
		var wg sync.WaitGroup
		wg.Go(func() {
			args := []string{"--data", s.data, "forward", "default", app.url + "/?secret=" + secret, "--after", "0", "--cursor", cursor}
			if code := run(ctx, process{args: args, out: &out, err: &out}); code != exitDone {
				t.Errorf("forward ended with %d: %s", code, out.String())
			}
		})
		eventually(t, fmt.Sprintf("%d examples", until), func() bool {
			return len(app.examples()) >= until && strings.Contains(out.String(), "200 OK")
		})
		stop()
		wg.Wait()
		return out.String()
	}
	s.wants(exitDone, "delivered", "send", "langsmith-rule", s.ready.Endpoints[0].URL, "--count", "3")
	if out := forward(3); strings.Count(out, "200 OK") != 3 {
		t.Errorf("the first time:\n%s", out)
	}
	s.wants(exitDone, "delivered", "send", "langsmith-rule", s.ready.Endpoints[0].URL)
	if out := forward(4); strings.Count(out, "200 OK") != 1 || len(app.examples()) != 4 {
		t.Errorf("the second time it went on from its cursor, with %d examples in all:\n%s", len(app.examples()), out)
	}
}
