package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestFirefox shows what a hostile sender sent in another browser. Without one on the PATH it is skipped, unless
// HOOKRANGE_FIREFOX=required.
func TestFirefox(t *testing.T) {
	t.Parallel()
	f := startFirefox(t, findFirefox(t))
	binary := filepath.Join(t.TempDir(), "hookrange")
	if err := build(binary); err != nil {
		t.Fatal(err)
	}
	// One after the other: what the browser tells of belongs to the one tab there is.
	for _, test := range []struct {
		name string
		run  func(*rig)
	}{
		{"hostile payloads do run elsewhere", testHostileControl},
		{"hostile captures run no script", testHostileCaptures},
		{"naughty strings are text", testNaughty},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(&rig{t: t, binary: binary, firefox: f}) })
	}
}

func findFirefox(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"firefox-esr", "firefox"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "no Firefox on the PATH: install Debian's firefox-esr to run this test"
	if os.Getenv("HOOKRANGE_FIREFOX") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// firefox is a browser that is driven by WebDriver BiDi.
type firefox struct {
	conn *websocket.Conn

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	// tab gets what happens.
	tab *tab
}

type reply struct {
	ID      int             `json:"id"`
	Type    string          `json:"type"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// startFirefox starts a browser that ends with the test.
func startFirefox(t *testing.T, executable string) *firefox {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(executable, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", home)
	cmd.Env = append(os.Environ(), "HOME="+home, "MOZ_CRASHREPORTER_DISABLE=1")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if _, at, found := strings.Cut(lines.Text(), "WebDriver BiDi listening on "); found {
				address <- at
			}
		}
		_, _ = io.Copy(io.Discard, said)
	})
	f := &firefox{waiting: map[int]chan reply{}}
	t.Cleanup(func() {
		if f.conn != nil {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, _ = f.call(ctx, "browser.close", struct{}{})
			_ = f.conn.Close()
		}
		stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		reading.Wait()
		_ = cmd.Wait()
		stuck.Stop()
	})
	select {
	case at := <-address:
		if f.conn, _, err = websocket.DefaultDialer.DialContext(t.Context(), at+"/session", nil); err != nil {
			t.Fatalf("speak to %s: %v", executable, err)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatalf("%s does not listen", executable)
	}
	reading.Go(f.read)
	f.must(t, "session.new", map[string]any{"capabilities": map[string]any{}})
	f.must(t, "session.subscribe", map[string]any{"events": []string{
		"script.message", "log.entryAdded", "browsingContext.userPromptOpened", "network.beforeRequestSent",
	}})
	return f
}

// read hands each message to who waits for it, or to the tab.
func (f *firefox) read() {
	for {
		var r reply
		if err := f.conn.ReadJSON(&r); err != nil {
			return
		}
		f.mu.Lock()
		waiting, tab := f.waiting[r.ID], f.tab
		delete(f.waiting, r.ID)
		f.mu.Unlock()
		switch {
		case r.Type != "event" && waiting != nil:
			waiting <- r
		case r.Type == "event" && tab != nil:
			tab.told(r.Method, r.Params)
		}
	}
}

func (f *firefox) call(ctx context.Context, method string, params any) (json.RawMessage, error) {
	answer := make(chan reply, 1)
	f.mu.Lock()
	f.last++
	f.waiting[f.last] = answer
	err := f.conn.WriteJSON(map[string]any{"id": f.last, "method": method, "params": params})
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		if r.Type == "error" {
			return nil, fmt.Errorf("%s: %s: %s", method, r.Error, r.Message)
		}
		return r.Result, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

func (f *firefox) must(t *testing.T, method string, params any) json.RawMessage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result, err := f.call(ctx, method, params)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// foxTab opens an empty tab. There is one at a time.
func (r *rig) foxTab(origin string) *tab {
	t := r.t
	t.Helper()
	f := r.firefox
	p := &tab{t: t, origin: origin, fox: f}
	t.Cleanup(func() {
		for _, fault := range p.take() {
			t.Errorf("in the browser: %s", fault)
		}
	})
	var made struct {
		Profile string `json:"userContext"`
		Context string `json:"context"`
	}
	if err := json.Unmarshal(f.must(t, "browser.createUserContext", struct{}{}), &made); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(f.must(t, "browsingContext.create", map[string]any{"type": "tab", "userContext": made.Profile}), &made); err != nil {
		t.Fatal(err)
	}
	p.context = made.Context
	f.mu.Lock()
	f.tab = p
	f.mu.Unlock()
	f.must(t, "script.addPreloadScript", map[string]any{
		"functionDeclaration": `(tell) => {
			window.__pwned = (what) => tell('__pwned: ' + what);
			window.__violated = (what) => tell('__violated: ' + what);
			` + watch + `
		}`,
		"arguments": []any{map[string]any{"type": "channel", "value": map[string]any{"channel": "faults"}}},
		"contexts":  []string{p.context},
	})
	return p
}

// told notes what the browser tells of as faults.
func (p *tab) told(event string, params json.RawMessage) {
	var e struct {
		Message string `json:"message"`
		Text    string `json:"text"`
		Level   string `json:"level"`
		Type    string `json:"type"`
		Data    struct {
			Value string `json:"value"`
		} `json:"data"`
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
	}
	if err := json.Unmarshal(params, &e); err != nil {
		p.fault("%s cannot be read: %v", event, err)
		return
	}
	switch event {
	case "script.message":
		p.fault("%s", e.Data.Value)
	case "browsingContext.userPromptOpened":
		p.fault("dialog: %s", e.Message)
	case "log.entryAdded":
		// A server that is away is an error of the network, and no fault of the page.
		if e.Level == "error" && !strings.Contains(e.Text, "establish a connection to the server") {
			p.fault("%s: %s", e.Type, e.Text)
		}
	case "network.beforeRequestSent":
		// Nobody is asked for data: the browser's own style has such addresses.
		if !strings.HasPrefix(e.Request.URL, "data:") {
			p.asked(strings.Replace(e.Request.URL, "ws://", "http://", 1))
		}
	default:
	}
}

// foxNavigate opens an address; a page that never ends loading is as good as loaded.
func (p *tab) foxNavigate(address string) {
	p.t.Helper()
	p.fox.must(p.t, "browsingContext.navigate", map[string]any{"context": p.context, "url": address, "wait": "interactive"})
}

// foxEval evaluates an expression whose value may be promised, and returns it as JSON.
func (p *tab) foxEval(ctx context.Context, expression string) (json.RawMessage, error) {
	result, err := p.fox.call(ctx, "script.evaluate", map[string]any{
		"expression": "Promise.resolve(" + expression + ").then((v) => JSON.stringify(v ?? null))", "awaitPromise": true,
		"target": map[string]any{"context": p.context}, "userActivation": true,
	})
	if err != nil {
		return nil, err
	}
	var got struct {
		Type   string `json:"type"`
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
		Thrown struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}
	if err = json.Unmarshal(result, &got); err != nil {
		return nil, err
	}
	if got.Type != "success" {
		return nil, fmt.Errorf("it threw: %s", got.Thrown.Text)
	}
	return json.RawMessage(got.Result.Value), nil
}
