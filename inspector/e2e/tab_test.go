package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a browser tab with a profile of its own. Whatever happens in it that never should (a dialog, an
// uncaught exception, a violation of the content security policy, a request to elsewhere, a call of __pwned)
// is a fault and fails the test at its end.
type tab struct {
	t *testing.T
	// ctx is the tab's chromedp context.
	ctx context.Context //nolint:containedctx // chromedp keeps its tab in one
	// origin is the only one that may be asked, such as http://127.0.0.1:8081.
	origin string
	// fox is the browser, and context its name for the tab, where that is not chromedp's.
	fox     *firefox
	context string

	mu      sync.Mutex
	faults  []string
	dialogs sync.WaitGroup
}

// watch runs in every document before the page's own script.
const watch = `addEventListener('securitypolicyviolation', (e) =>
  __violated(e.effectiveDirective + ' blocked ' + e.blockedURI + ' ' + e.sample));`

// open opens a tab on the server's page, as its printed link does.
func (r *rig) open(s *server) *tab {
	r.t.Helper()
	p := r.tab(s.ready.Inspector)
	p.navigate("/#token=" + s.ready.Token)
	return p
}

// tab opens an empty tab.
func (r *rig) tab(origin string) *tab {
	t := r.t
	t.Helper()
	if r.firefox != nil {
		return r.foxTab(origin)
	}
	p := &tab{t: t, origin: origin}
	var cancel context.CancelFunc
	p.ctx, cancel = chromedp.NewContext(r.browser, chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		for _, fault := range p.take() {
			t.Errorf("in the browser: %s", fault)
		}
		cancel()
		p.dialogs.Wait()
	})
	if err := chromedp.Listen(p.ctx, p.hear); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	call(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(p, runtime.AddBinding, runtime.AddBindingParams{Name: "__violated"})
	call(p, runtime.AddBinding, runtime.AddBindingParams{Name: "__pwned"})
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	p.size(1280, 900)
	return p
}

func (p *tab) hear(event any) {
	switch e := event.(type) {
	case *page.EventJavascriptDialogOpening:
		// Edited settings that were not saved are left with a question, and these tests mean to leave.
		leave := e.Type == page.DialogTypeBeforeunload
		if !leave {
			p.fault("dialog: %s", e.Message)
		}
		// The page stands still until somebody answers.
		p.dialogs.Go(func() {
			_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: leave})
		})
	case *runtime.EventExceptionThrown:
		p.fault("exception: %s", exception(e.ExceptionDetails))
	case *runtime.EventBindingCalled:
		p.fault("%s: %s", e.Name, e.Payload)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			p.fault("console: %v", e.Args)
		}
	case *log.EventEntryAdded:
		// A server that is away is an error of the network, and no fault of the page.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			p.fault("log: %s", e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		p.asked(e.Request.URL)
	case *network.EventWebSocketCreated:
		p.asked(strings.Replace(e.URL, "ws", "http", 1))
	}
}

func (p *tab) asked(address string) {
	if !strings.HasPrefix(address, p.origin+"/") {
		p.fault("request to %s", address)
	}
}

func exception(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Exception.Description
	}
	return d.Text
}

func (p *tab) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// take returns the faults so far and forgets them.
func (p *tab) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	faults := p.faults
	p.faults = nil
	return faults
}

// do runs actions and fails the test when they do.
func (p *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		p.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

func (p *tab) navigate(path string) {
	p.t.Helper()
	if p.fox != nil {
		p.foxNavigate(p.origin + path)
		return
	}
	p.do("navigate to "+path, chromedp.Navigate(p.origin+path))
}

func (p *tab) size(width, height int64) {
	p.t.Helper()
	if p.fox != nil {
		p.fox.must(p.t, "browsingContext.setViewport", map[string]any{
			"context": p.context, "viewport": map[string]any{"width": width, "height": height},
		})
		return
	}
	p.do("resize", chromedp.EmulateViewport(width, height))
}

// colours makes the tab prefer light or dark.
func (p *tab) colours(scheme string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}

// keys presses keys one after the other.
func (p *tab) keys(keys string) {
	p.t.Helper()
	p.do("press keys", chromedp.KeyEvent(keys))
}

// script makes a call of a function in JavaScript.
func script(function string, args ...any) string {
	list := make([]string, 0, len(args))
	for _, arg := range args {
		raw, err := json.Marshal(arg)
		if err != nil {
			panic(err)
		}
		list = append(list, string(raw))
	}
	return "(" + function + ")(" + strings.Join(list, ", ") + ")"
}

// eval calls a function, which may be async, in the page.
func eval[T any](p *tab, function string, args ...any) T {
	p.t.Helper()
	value, err := tryEval[T](p, function, args...)
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v", function, err)
	}
	return value
}

func tryEval[T any](p *tab, function string, args ...any) (T, error) {
	if p.fox != nil {
		ctx, cancel := context.WithTimeout(p.t.Context(), patience)
		defer cancel()
		var value T
		raw, err := p.foxEval(ctx, script(function, args...))
		if err != nil {
			return value, err
		}
		return value, json.Unmarshal(raw, &value)
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script(function, args...), chromedp.EvalAwaitPromise))
}

// eventually waits until check returns nil.
func (p *tab) eventually(what string, check func() error) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := tryEval[string](p, `() => location.href + '\n' + document.body.innerText.slice(0, 3000)`)
			p.t.Fatalf("%s: %v\nfaults: %q\nthe page:\n%s", what, err, p.take(), text)
		}
		<-tick.C
	}
}

var errNotYet = errors.New("not so")

// until waits until a function in the page returns true.
func (p *tab) until(what, function string, args ...any) {
	p.t.Helper()
	p.eventually(what, func() error {
		// A page that is on its way to another has nothing to say.
		if met, err := tryEval[bool](p, function, args...); err != nil || !met {
			return errors.Join(errNotYet, err)
		}
		return nil
	})
}

// sees waits until a text is on the page.
func (p *tab) sees(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("see %q", text), `(text) => document.body.innerText.includes(text)`, text)
}

func (p *tab) text() string {
	p.t.Helper()
	return eval[string](p, `() => document.body.innerText`)
}

// query returns what has a role and a name for assistive technology. A name that ends in … is a beginning.
func (p *tab) query(role, name string) ([]cdp.BackendNodeID, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	document, err := chromedp.Run(ctx, chromedp.Evaluate[*runtime.RemoteObject]("document"))
	if err != nil {
		return nil, err
	}
	found, err := chromedp.Call(ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.ObjectID, Role: role})
	if err != nil {
		return nil, err
	}
	begins, isBeginning := strings.CutSuffix(name, "…")
	var nodes []cdp.BackendNodeID
	var others []string
	for _, node := range found.Nodes {
		var got string
		if node.Ignored || node.Name == nil || json.Unmarshal(node.Name.Value, &got) != nil {
			continue
		}
		if got == name || isBeginning && strings.HasPrefix(got, begins) {
			nodes = append(nodes, node.BackendDOMNodeID)
		}
		others = append(others, got)
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("no %s is named %q; there are %q", role, name, others)
	}
	return nodes, nil
}

// has tells whether there is something of that role and name.
func (p *tab) has(role, name string) bool {
	nodes, err := p.query(role, name)
	return err == nil && len(nodes) > 0
}

type place struct {
	X, Y float64
	Hit  bool
}

// press clicks in the middle of what has a role and a name, once it is there and nothing covers it.
func (p *tab) press(role, name string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("press the %s %q", role, name), func() error {
		nodes, err := p.query(role, name)
		if err != nil {
			return err
		}
		if len(nodes) > 1 {
			return fmt.Errorf("%d of that name", len(nodes))
		}
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		defer cancel()
		resolved, err := chromedp.Call(ctx, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: nodes[0]})
		if err != nil {
			return err
		}
		at, err := chromedp.Run(ctx, chromedp.CallFunctionOn[place](`function () {
			this.scrollIntoView({ block: 'nearest' });
			const box = this.getBoundingClientRect();
			const X = box.x + box.width / 2, Y = box.y + box.height / 2;
			const top = document.elementFromPoint(X, Y);
			return { X, Y, Hit: this === top || this.contains(top) };
		}`, func(c *runtime.CallFunctionOnParams) { c.ObjectID = resolved.Object.ObjectID }))
		if err != nil {
			return err
		}
		if !at.Hit {
			return errors.New("something else is in front of it")
		}
		return chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y))
	})
}

// fill replaces the text of a field.
func (p *tab) fill(name, text string) {
	p.t.Helper()
	p.press("textbox", name)
	eval[chromedp.Void](p, `() => document.activeElement.select()`)
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// row is a row of the list of captures.
type row struct {
	Seq      int64
	Text     string
	Selected bool
}

// rows returns the rows of the list from top to bottom.
func (p *tab) rows() []row {
	p.t.Helper()
	return eval[[]row](p, `() => [...document.querySelectorAll('[role=listbox] [role=option]')]
		.map((e) => ({ top: e.getBoundingClientRect().top, Seq: Number(e.id.split('-').pop()), Text: e.innerText,
			Selected: e.getAttribute('aria-selected') === 'true' }))
		.sort((a, b) => a.top - b.top)`)
}

func (p *tab) seqs() []int64 {
	p.t.Helper()
	var seqs []int64
	for _, r := range p.rows() {
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

// shows waits until the list has the given captures in this order, and no others.
func (p *tab) shows(want []listed) {
	p.t.Helper()
	seqs := make([]int64, 0, len(want))
	for _, c := range want {
		seqs = append(seqs, c.Seq)
	}
	p.eventually("rows of all captures", func() error {
		if got := p.seqs(); !slices.Equal(got, seqs) {
			return fmt.Errorf("the list has %v, want %v", got, seqs)
		}
		return nil
	})
}

// opens presses a row of the list and waits for the capture.
func (p *tab) opens(seq int64) {
	p.t.Helper()
	p.until("open the capture", `(seq) => {
		const row = document.getElementById('capture-' + seq);
		if (!document.querySelector('article[aria-label="Capture ' + seq + '"]')) row?.click();
		return document.querySelector('article[aria-label="Capture ' + seq + '"] [role=tabpanel]') !== null;
	}`, seq)
}
