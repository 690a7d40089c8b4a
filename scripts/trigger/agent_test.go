package trigger_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/fixtures/agentserver/agentapi"
	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
	"github.com/hookrange/hookrange/scripts/trigger"
)

// agentStub answers as a JavaScript Agent Server whose runs end at once, and notes what it is asked.
func agentStub(t *testing.T, refuse string) (string, func() []string) {
	t.Helper()
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := r.Method + " " + r.URL.RequestURI()
		for _, part := range []string{"webhook", "resume", "input"} {
			if strings.Contains(string(body), `"`+part+`"`) {
				text += " " + part
			}
		}
		asked <- text
		switch {
		case r.URL.Path == "/info":
			_, _ = io.WriteString(w, `{"version":"1.5.1","context":"js","flags":{"crons":false}}`)
		case r.URL.Path == "/threads":
			_, _ = io.WriteString(w, `{"thread_id":"t"}`)
		case r.Method == http.MethodGet:
			_, _ = io.WriteString(w, `[{"run_id":"r","status":"success"}]`)
		case refuse != "":
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, refuse)
		case strings.HasSuffix(r.URL.Path, "/crons"):
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "Not implemented")
		default:
			w.Header().Set("Content-Location", "/runs/r")
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		close(asked)
		return slices.Collect(func(yield func(string) bool) {
			for text := range asked {
				if !yield(text) {
					return
				}
			}
		})
	}
}

// TestAgentSender: what each operation of a script asks of the server.
func TestAgentSender(t *testing.T) {
	t.Parallel()
	ended := "GET /threads/t/runs?limit=100"
	for operation, want := range map[string][]string{
		"":                     {"POST /threads", "POST /threads/t/runs webhook input", ended},
		"create-run":           {"POST /threads", "POST /threads/t/runs webhook input", ended},
		"stream-run":           {"POST /threads", "POST /threads/t/runs/stream webhook input", ended},
		"wait-run":             {"POST /threads", "POST /threads/t/runs/wait webhook input", ended},
		"stream-run-stateless": {"POST /runs/stream webhook input"},
		"wait-run-stateless":   {"POST /runs/wait webhook input"},
		"resume-run":           {"POST /threads", "POST /threads/t/runs input", ended, "POST /threads/t/runs webhook resume", ended},
		"cancel-run":           {"POST /threads", "POST /threads/t/runs webhook input", ended, "POST /threads/t/runs/r/cancel?action=interrupt", ended},
		"rollback-run":         {"POST /threads", "POST /threads/t/runs webhook input", ended, "POST /threads/t/runs/r/cancel?action=rollback", ended},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			url, asked := agentStub(t, "")
			sending, err := trigger.Named(t.Context(), "agent-server:"+url+"?assistant=agent", "test")
			if err != nil {
				t.Fatal(err)
			}
			in := scripts.TriggerInput{URL: "http://h.test/?token=t", Operation: operation, Log: io.Discard}
			if err := sending.Trigger(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, asked()[1:]); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
	for _, operation := range scripts.Operations() {
		if _, ok := agentapi.OperationNamed(operation); !ok && !slices.Contains([]string{"resume-run", "cancel-run", "rollback-run"}, operation) {
			t.Errorf("no Agent Server has the operation %s", operation)
		}
	}
}

// TestAgentSenderRefused: what a server does not have skips a case, and what it refuses is explained.
func TestAgentSenderRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		operation, refuse, want string
		absent                  bool
	}{
		"no crons":        {"create-cron", "", "500 Internal Server Error: Not implemented", true},
		"no thread crons": {"create-thread-cron", "", "Not implemented", true},
		"loopback":        {"create-run", `{"detail":"Webhook host blocked: loopback IP range"}`, `"disable_loopback": false, "require_https": false`, false},
		"anything else":   {"create-run", `{"detail":"Invalid assistant"}`, "Invalid assistant", false},
		"unknown to it":   {"no-such", "", "no-such", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := agentStub(t, test.refuse)
			sending, err := trigger.Named(t.Context(), "agent-server:"+url+"?assistant=agent", "test")
			if err != nil {
				t.Fatal(err)
			}
			err = sending.Trigger(t.Context(), scripts.TriggerInput{Operation: test.operation, Log: io.Discard})
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, scripts.ErrNoOperation) != test.absent {
				t.Errorf("got %v", err)
			}
			if name == "anything else" && strings.Contains(fmt.Sprint(err), "disable_loopback") {
				t.Errorf("explained what is not the cause: %v", err)
			}
		})
	}
}

// TestAgentSenderFor: what --sender agent-server: takes.
func TestAgentSenderFor(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"agent-server:", "agent-server:localhost:2024", "agent-server:http://me:hunter2@127.0.0.1:1/", "agent-server:http://127.0.0.1:1"} {
		_, err := trigger.Named(t.Context(), text, "test")
		if !errors.Is(err, webhook.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
	url, _ := agentStub(t, "")
	server, err := trigger.Named(t.Context(), "agent-server:"+url+"?assistant=agent", "test")
	if err != nil {
		t.Fatal(err)
	}
	if missing := server.Missing(); missing["custom-headers"] == "" || missing["operations"] != "" {
		t.Errorf("missing: %v", missing)
	}
	explainer, ok := server.(scripts.Explainer)
	if !ok {
		t.Fatal("it cannot explain why nothing comes")
	}
	if text := explainer.Silence(); !strings.Contains(text, "http.disable_webhooks") || !strings.Contains(text, "disable_loopback") {
		t.Errorf("silence is explained by %q", text)
	}
	for profile, fits := range map[string]bool{"agent-server-js": true, "agent-server-python": false, "langsmith-rules": true} {
		script, err := scripts.Profile(profile)
		if err != nil {
			t.Fatal(err)
		}
		var about result.Run
		if err := server.Tell(&about, []*scripts.Script{script}); (err == nil) != fits || len(about.Notes) != 1 {
			t.Errorf("%s: %v, notes %q", profile, err, about.Notes)
		}
	}
}
