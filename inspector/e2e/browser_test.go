package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds every wait of the browser tests. It only matters when a test fails.
const patience = 60 * time.Second

// TestBrowser drives the built program with a real browser, as a person would: what is pressed is looked up by
// its role and name. Without a browser it is skipped, unless HOOKRANGE_BROWSER=required.
func TestBrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, test := range map[string]func(*rig){
		"rows appear live":                   testRowsAppear,
		"reconnect loses nothing":            testReconnect,
		"two browsers get everything":        testTwoBrowsers,
		"hostile captures run no script":     testHostileCaptures,
		"hostile settings run no script":     testHostileSettings,
		"naughty strings are text":           testNaughty,
		"origins are kept apart":             testOrigins,
		"hostile payloads do run elsewhere":  testHostileControl,
		"sender's bytes are never rendered":  testBytesAreDownloads,
		"stored inputs are shown":            testStoredObjects,
		"the plan is changed while running":  testPlanChange,
		"the secret is rotated":              testSecretRotation,
		"keys":                               testKeys,
		"nothing moves at first":             testSteady,
		"with the keyboard alone":            testKeyboardOnly,
		"the plan is changed from the list":  testPlanMenu,
		"what is blocked says what to do":    testBlockedObjects,
		"a flood while scrolling":            testFlood,
		"killed and started again":           testKilled,
		"bodies of 10 MiB":                   testLargeBodies,
		"an endpoint deleted while open":     testDeletedEndpoint,
		"connections without a request":      testConnections,
		"no accessibility violations":        testAccessibility,
		"a conformance run is followed":      testConformanceRun,
		"a manual run is a checklist":        testManualChecklist,
		"runs have no such violations":       testRunsAccessibility,
		"a report is a file by itself":       testReport,
		"captures are sent on":               testSendOn,
		"new captures are forwarded":         testForwards,
		"captures are taken out":             testTakeOut,
		"what is copied is what is shown":    testCopies,
		"copied ways to send do send":        testCopiedSenders,
		"a signature is explained":           testSignatureLab,
		"a wrong token is refused, in words": testWrongToken,
		"deliveries fold":                    testDeliveries,
		"captures are compared":              testDifferences,
		"bodies of all kinds are shown":      testViews,
		"notes and pins are shared":          testNotes,
		"what was read is told apart":        testUnread,
		"the newest is opened by itself":     testLatest,
		"a jump to a time":                   testJump,
		"times, title and help":              testComfort,
		"new captures are told of":           testTold,
		"a text is found in a body":          testSearchInJSON,
		"a viewer cannot edit":               testViewer,
		"a link shows one capture":           testShareLink,
		"tokens are made and revoked":        testTokensScreen,
		"access has no such violations":      testAccessAccessibility,
		"runs stand in their trace":          testTraceTree,
		"rules answer":                       testRules,
		"a page of another origin sends":     testCORS,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&rig{t: t, binary: r.binary, browser: r.browser})
		})
	}
}

// rig is what a browser test gets: the program and the browser are shared by all of them.
type rig struct {
	t *testing.T
	// binary is the program, built as a user would.
	binary string
	// browser is the chromedp context whose browser the tabs are opened in.
	browser context.Context //nolint:containedctx // chromedp keeps its browser in one
	// firefox has the tabs in its place when it is set.
	firefox *firefox
}

func newRig(t *testing.T) *rig {
	t.Helper()
	executable := findBrowser(t)
	binary := filepath.Join(t.TempDir(), "hookrange")
	if err := build(binary); err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, binary: binary, browser: startBrowser(t, executable)}
}

func findBrowser(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "no browser on the PATH: install Debian's chromium to run these tests"
	if os.Getenv("HOOKRANGE_BROWSER") == "required" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// startBrowser starts a browser that ends with the test.
func startBrowser(t *testing.T, executable string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(executable), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-component-update", true),
		// Tests speak to servers under names of their own; and what keeps other pages out is to be the program, not a
		// question that this browser alone asks its user.
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("disable-features", "site-per-process,Translate,BlinkGenPropertyTrees,LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		// A browser that is asked to close takes its temporary files along.
		if err := chromedp.Cancel(browser); err != nil {
			t.Logf("close the browser: %v", err)
		}
		cancel()
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start %s: %v", executable, err)
	}
	return browser
}

// ready is the file that says where the program is.
type ready struct {
	Receiver  string `json:"receiver"`
	Inspector string `json:"inspector"`
	Token     string `json:"token"`
	Endpoints []struct {
		URL string `json:"url"`
	} `json:"endpoints"`
}

// server is the program with a data folder of its own; it may be stopped and started again.
type server struct {
	t      *testing.T
	binary string
	folder string
	flags  []string
	ready  ready
	cmd    *exec.Cmd
	log    *syncBuffer
	exited chan error
}

// serve starts the program with a data folder of its own. It is stopped, and must end well, with the test.
func (r *rig) serve(flags ...string) *server {
	t := r.t
	t.Helper()
	s := &server{t: t, binary: r.binary, folder: t.TempDir(), flags: flags, log: &syncBuffer{}}
	s.start("127.0.0.1:0", "127.0.0.1:0")
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the program's log:\n%s", s.log)
		}
	})
	return s
}

func (s *server) start(listen, inspect string) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := s.tryStart(listen, inspect, deadline)
		if err == nil {
			return
		}
		// Between two starts on the same port another test may have been given it for a moment.
		if !strings.Contains(err.Error(), "address already in use") || time.Now().After(deadline) {
			s.t.Fatalf("start the program: %v", err)
		}
	}
}

func (s *server) tryStart(listen, inspect string, deadline time.Time) error {
	file := filepath.Join(s.folder, "ready.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	args := append([]string{
		"serve", "--listen", listen, "--inspect", inspect,
		"--data", filepath.Join(s.folder, "data"), "--ready-file", file,
	}, s.flags...)
	from := s.log.Len()
	s.cmd = exec.Command(s.binary, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.folder, s.log, s.log
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "HOOKRANGE_") {
			s.cmd.Env = append(s.cmd.Env, variable)
		}
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := s.cmd, make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	s.exited = exited
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if raw, err := os.ReadFile(file); err == nil {
			return json.Unmarshal(raw, &s.ready)
		}
		select {
		case err := <-exited:
			s.exited = nil
			return fmt.Errorf("it ended before it was ready: %w: %s", err, s.log.String()[from:])
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			return errors.New("no ready file in time")
		}
	}
}

// stop ends the program as an init system would, and fails the test when it does not end well.
func (s *server) stop() {
	s.t.Helper()
	if s.exited == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Errorf("stop the program: %v", err)
	}
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Errorf("the program did not end well: %v", err)
		}
	case <-time.After(patience):
		s.t.Errorf("the program did not end on SIGTERM")
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.exited = nil
}

// kill ends the program with no chance to tidy up.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("kill the program: %v", err)
	}
	<-s.exited
	s.exited = nil
}

// restart starts the stopped program on the same ports and data.
func (s *server) restart() {
	s.t.Helper()
	s.start(strings.TrimPrefix(s.ready.Receiver, "http://"), strings.TrimPrefix(s.ready.Inspector, "http://"))
}

// hook returns the URL of the endpoint that the first start made, with a sub path and the secret.
func (s *server) hook(sub string) string {
	s.t.Helper()
	u, err := url.Parse(s.ready.Endpoints[0].URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ready.Receiver + u.Path + sub + "?" + u.RawQuery
}

func (s *server) secret() string {
	s.t.Helper()
	u, err := url.Parse(s.ready.Endpoints[0].URL)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Query().Get("secret")
}

// send sends a webhook and returns the answer's status, or 0 and the error.
func send(target, contentType, body string) (int, error) {
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", contentType)
	client := http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// post sends a webhook and checks the answer's status.
func (s *server) post(want int, target, contentType, body string) {
	s.t.Helper()
	got, err := send(target, contentType, body)
	if err != nil || got != want {
		s.t.Fatalf("post to %s: answered %d, %v; want %d", target, got, err, want)
	}
}

// call asks the inspector, and decodes the answer into out unless that is nil.
func (s *server) call(method, path string, in, out any) {
	s.t.Helper()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			s.t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, s.ready.Inspector+"/api/v1"+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.ready.Token)
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %s %v: %s", method, path, resp.Status, err, raw)
	}
	if out == nil {
		return
	}
	if err = json.Unmarshal(raw, out); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// listed is a capture as the REST interface lists it.
type listed struct {
	Seq   int64  `json:"seq"`
	Class string `json:"class"`
	Path  string `json:"path"`
}

// captures returns all captures of the endpoint that the first start made, newest first.
func (s *server) captures() []listed {
	s.t.Helper()
	var all []listed
	before := ""
	for {
		var page struct {
			Captures []listed `json:"captures"`
			Next     *int64   `json:"next"`
		}
		s.call(http.MethodGet, "/endpoints/default/captures?limit=100"+before, nil, &page)
		all = append(all, page.Captures...)
		if page.Next == nil {
			return all
		}
		before = fmt.Sprintf("&before=%d", *page.Next)
	}
}

// syncBuffer takes a process's output while the test reads it.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *syncBuffer) Len() int { return len(b.String()) }
