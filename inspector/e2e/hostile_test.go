package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// payloads would each run script, load something or deceive the eye where text is taken for markup. {n} is
// the payload's number, {c} a server that nobody may ask. What runs calls __pwned.
var payloads = []string{
	`<script>__pwned('{n}')</script>`,
	`<img src=x onerror="__pwned('{n}')">`,
	`<img src=x onerror=alert('{n}')>`,
	`<svg onload=__pwned('{n}')>`,
	`<svg><script>__pwned('{n}')</script></svg>`,
	`<body onload=__pwned('{n}')>`,
	`<iframe src="javascript:parent.__pwned('{n}')"></iframe>`,
	`<iframe srcdoc="<script>parent.__pwned('{n}')</script>"></iframe>`,
	`<a href="javascript:__pwned('{n}')" autofocus onfocus="__pwned('{n}')">press</a>`,
	`javascript:__pwned('{n}')//`,
	`<input autofocus onfocus=__pwned('{n}')>`,
	`<details open ontoggle=__pwned('{n}')>`,
	`<video><source onerror="__pwned('{n}')"></video>`,
	`<audio src=x onerror=__pwned('{n}')>`,
	`<marquee onstart=__pwned('{n}')>`,
	`<style>@import '{c}/import-{n}';</style>`,
	`<link rel=stylesheet href="{c}/sheet-{n}">`,
	`<link rel=preload as=script href="{c}/preload-{n}">`,
	`<meta http-equiv=refresh content="0;url={c}/refresh-{n}">`,
	`<base href="{c}/"><img src="base-{n}">`,
	`<form action="{c}/form-{n}"><button autofocus onfocus=this.form.submit()>go</button></form>`,
	`<object data="data:text/html,<script>parent.__pwned('{n}')</script>"></object>`,
	`<embed src="javascript:__pwned('{n}')">`,
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=__pwned('{n}')&gt;">`,
	`"><img src=x onerror=__pwned('{n}')>`,
	`' onmouseover='__pwned({n})' autofocus onfocus='__pwned({n})' x='`,
	`'-__pwned('{n}')-'`,
	"`${__pwned('{n}')}`",
	`{{constructor.constructor("__pwned('{n}')")()}}`,
	`{@html "<img src=x onerror=__pwned('{n}')>"}`,
	`<%= __pwned('{n}') %>`,
	`</script><script>__pwned('{n}')</script>`,
	`</textarea></title><img src=x onerror=__pwned('{n}')>`,
	`<noscript><p title="</noscript><img src=x onerror=__pwned('{n}')>">`,
	`<template><script>__pwned('{n}')</script></template><x is=script>`,
	`<script>trustedTypes.createPolicy('svelte-trusted-html',{createHTML:s=>s});__pwned('{n}')</script>`,
	`<img src=x onerror="trustedTypes.createPolicy('default',{createHTML:s=>s});__pwned('{n}')">`,
	`<svg><animate onbegin=__pwned('{n}') attributeName=x dur=1s></svg>`,
	`<svg><use href="data:image/svg+xml,<svg id='x' xmlns='http://www.w3.org/2000/svg'><image href='1' onerror='__pwned({n})'/></svg>#x"/></svg>`,
	`<img srcset="{c}/set-{n} 1x" src="{c}/pixel-{n}">`,
	`<div style="background:url({c}/background-{n})">`,
	`\u003cimg src=x onerror=__pwned('{n}')\u003e`,
	`&lt;img src=x onerror=__pwned('{n}')&gt;`,
	`%3Cimg%20src=x%20onerror=__pwned('{n}')%3E`,
	`data:text/html;base64,PHNjcmlwdD5fX3B3bmVkKDEpPC9zY3JpcHQ+`,
	`<?xml-stylesheet type="text/xsl" href="{c}/xsl-{n}"?><x/>`,
	`[press](javascript:__pwned('{n}')) ![x]({c}/markdown-{n})`,
	`=HYPERLINK("{c}/cell-{n}","press")`,
	"refund \u202egnp.exe\u2066 approved\u2069 \u200f\u200b{n}",
	"\x1b[31m\x1b]0;owned\x07\x1b[2J\x1b]8;;{c}/link-{n}\x1b\\ {n}\r\x00\x7f\u009b2J",
	"<scr\x00ipt>__pwned('{n}')</scr\u200bipt>",
}

func payloadsFor(elsewhere string) []string {
	made := make([]string, 0, len(payloads))
	for n, text := range payloads {
		made = append(made, strings.NewReplacer("{n}", fmt.Sprint(n), "{c}", elsewhere).Replace(text))
	}
	return made
}

// elsewhere is a server that notes who asks it.
type elsewhere struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newElsewhere(t *testing.T, page string) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(strings.ReplaceAll(page, "{c}", e.URL)))
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked = append(e.asked, r.URL.String())
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *elsewhere) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string{}, e.asked...)
}

// testHostileControl proves that the payloads are live ones and that the tab notices.
func testHostileControl(r *rig) {
	t := r.t
	var page strings.Builder
	for n, text := range payloads {
		if !strings.Contains(text, "refresh") && !strings.Contains(text, "submit") && !strings.Contains(text, "<base") {
			page.WriteString("<div>" + strings.ReplaceAll(text, "{n}", fmt.Sprint(n)) + "</div>\n")
		}
	}
	e := newElsewhere(t, page.String())
	p := r.tab("http://" + strings.Replace(strings.TrimPrefix(e.URL, "http://"), "127.0.0.1", "localhost", 1))
	p.navigate("/")
	seen := map[string]bool{}
	p.eventually("the payloads run", func() error {
		for _, fault := range p.take() {
			kind, _, _ := strings.Cut(fault, " ")
			seen[kind] = true
		}
		for _, kind := range []string{"__pwned:", "dialog:", "request"} {
			if !seen[kind] {
				return fmt.Errorf("no %s", kind)
			}
		}
		if len(e.all()) == 0 {
			return fmt.Errorf("nobody was asked")
		}
		return nil
	})
	p.navigate("/nothing")
	p.take()
}

// marked puts a payload where it is easily found again.
func marked(n int, payload string) string { return fmt.Sprintf("mark%dmark %s", n, payload) }

// hostileBody returns a body that carries payload n, in one of the forms that the page shows differently.
func hostileBody(t *testing.T, n int, text string) (contentType, body string) {
	t.Helper()
	text = marked(n, text)
	encode := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	key := "key " + text
	switch n % 8 {
	case 0:
		return "text/html", "<!doctype html><html><body>" + text + "</body></html>"
	case 1:
		return "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg">` + text + `</svg>`
	case 2:
		return "application/x-www-form-urlencoded", url.Values{key: {text}}.Encode()
	case 3:
		quoted := strings.NewReplacer("\r", " ", "\n", " ", `"`, "'").Replace(text)
		return "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + quoted +
			"\"\r\nContent-Type: text/html\r\n\r\n" + text + "\r\n--b--\r\n"
	case 4:
		return "application/json", encode(map[string]any{
			"rule_id": text, "start_time": text, "end_time": "2026-01-01T00:00:00Z", "feedback_stats": map[string]any{key: map[string]any{"n": 1, "avg": 1, "values": map[string]any{text: 1}}},
			"runs": []any{map[string]any{
				"id": text, "name": text, "run_type": text, "status": text, "error": text, "trace_id": text, "session_id": text, "app_path": "javascript:__pwned(0)//" + text,
				"inputs": map[string]any{key: text}, "outputs": []any{text}, "total_cost": text, "feedback_stats": map[string]any{key: map[string]any{"n": 1, "avg": 1}},
			}},
		})
	case 5:
		return "application/json", encode(map[string]any{
			"run_id": "01a20176-3550-73ab-a46a-a4c37d08ccf5", "thread_id": text, "assistant_id": text, "status": text, "error": text, "created_at": text, "kwargs": map[string]any{key: text},
			"metadata": map[string]any{"graph_id": text}, "webhook_sent_at": text, "multitask_strategy": text, "run_started_at": text, "run_ended_at": text,
			"values": map[string]any{key: text, "messages": []any{
				map[string]any{"type": text, "content": text, "name": text, "tool_calls": []any{map[string]any{"name": text, "args": map[string]any{key: text}}}},
				map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": text}, map[string]any{"type": "image_url", "image_url": map[string]any{"url": "javascript:__pwned(0)"}}}},
			}},
		})
	case 6:
		return "text/plain; charset=utf-8", text
	default:
		return "application/json", encode(map[string]any{key: []any{text, map[string]any{"__proto__": text, "constructor": text}}})
	}
}

// sendHostile sends one request whose every part is hostile, byte for byte.
func sendHostile(t *testing.T, s *server, n int, payload string) {
	t.Helper()
	var line, field strings.Builder
	for _, c := range []byte(marked(n, payload)) {
		switch {
		case c <= ' ' || c == 0x7f || c == '%' || c == '#' || c == '?':
			fmt.Fprintf(&line, "%%%02x", c)
		default:
			line.WriteByte(c)
		}
		if c >= ' ' && c != 0x7f {
			field.WriteByte(c)
		}
	}
	contentType, body := hostileBody(t, n, payload)
	request := "X'`ALERT` /hooks/default/" + line.String() + "?secret=" + s.secret() + "&" + line.String() + "=" + line.String() + " HTTP/1.1\r\n" +
		"Host: 127.0.0.1\r\nConnection: close\r\nContent-Type: " + contentType + "\r\nX-Payload: " + field.String() +
		"\r\nX-'onload'`__pwned`: " + field.String() + "\r\nUser-Agent: " + field.String() + "\r\nReferer: javascript:__pwned(0)\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.ready.Receiver, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err = conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("payload %d: answered %s", n, resp.Status)
	}
}

// visit looks at everything there is of an open capture, and returns the text of each view.
const visit = `async () => {
  const next = () => new Promise((resolve) => setTimeout(resolve, 0));
  const article = () => document.querySelector('article');
  const tab = (name) => [...article().querySelectorAll('[role=tab]')].find((e) => e.innerText.startsWith(name));
  const end = Date.now() + 30000;
  const views = {};
  for (const path of [['Payload'], ['Request', 'Headers'], ['Request', 'Raw'], ['Request', 'Hex'], ['Answer']]) {
    for (const name of path) {
      tab(name).click();
      await next();
    }
    for (let opened = true; opened || article().innerText.includes('Loading …'); ) {
      if (Date.now() > end) throw new Error(path.join(' ') + ' does not load: ' + article().innerText);
      opened = false;
      for (const e of article().querySelectorAll('[role=tabpanel] [aria-expanded=false], [role=tabpanel] details:not([open]) > summary')) {
        e.click();
        opened = true;
      }
      await next();
    }
    views[path.at(-1)] = article().innerText;
  }
  return views;
}`

// strays finds what no text of a sender may have become: an element, a handler, a link to script, or a character
// that deceives.
const strays = `() => {
  const found = [];
  const deceptive = /[\u0000-\u0008\u000b-\u000c\u000e-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
  for (const e of document.querySelectorAll('*')) {
    if (/^(iframe|object|embed|base|frame|marquee|video|audio|math|template|style)$/i.test(e.localName)) found.push('element ' + e.outerHTML);
    if (e.localName === 'img' && !e.src.startsWith(location.origin + '/assets/')) found.push('image ' + e.outerHTML);
    if (e.localName === 'script' && !e.src.startsWith(location.origin + '/assets/')) found.push('script ' + e.outerHTML);
    if (e.localName === 'link' && !e.href.startsWith(location.origin + '/assets/')) found.push('link ' + e.outerHTML);
    for (const a of e.attributes) {
      if (/^on/i.test(a.name)) found.push('handler ' + e.outerHTML);
      if (/^(href|src|action|formaction|srcset|data|poster|xlink:href)$/i.test(a.name) && !a.value.startsWith('#') &&
        new URL(a.value, location.href).origin !== location.origin) found.push('address ' + e.outerHTML);
      if (a.name === 'style' && a.value.includes('url(')) found.push('style ' + e.outerHTML);
      if (/^(title|aria-label|aria-description|alt|placeholder)$/.test(a.name) && deceptive.test(a.value)) found.push('deceptive ' + a.name + ' ' + JSON.stringify(a.value));
    }
  }
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    if (deceptive.test(walk.currentNode.data)) found.push('deceptive text ' + JSON.stringify(walk.currentNode.data.slice(0, 200)));
  }
  return found.map((f) => f.slice(0, 300));
}`

func testHostileCaptures(r *rig) {
	t := r.t
	e := newElsewhere(t, "")
	s := r.serve()
	s.call(http.MethodPatch, "/endpoints/default", map[string]any{
		"respond": `200/json={"x":"<img/src=x/onerror=__pwned(0)>"}/header.X-Plan=<svg/onload=__pwned(0)>`,
	}, nil)
	texts := payloadsFor(e.URL)
	p := r.open(s)
	p.size(1280, 6000)
	p.until("the page is live", isLive)
	for n, text := range texts {
		sendHostile(t, s, n, text)
	}
	kept := s.captures()
	p.shows(kept)
	for _, stray := range eval[[]string](p, strays) {
		t.Errorf("in the list: %s", stray)
	}
	for i, c := range kept {
		n := len(kept) - 1 - i
		mark := fmt.Sprintf("mark%dmark", n)
		p.opens(c.Seq)
		views := eval[map[string]string](p, visit)
		for name, text := range views {
			// Hex breaks the mark in two, and so does a payload with NUL, which is shown so.
			hex := name == "Hex" || name == "Payload" && strings.Contains(texts[n], "\x00")
			if !hex && name != "Answer" && !strings.Contains(text, mark) {
				t.Errorf("payload %d is not shown under %s, so nothing is proven: %s", n, name, text)
			}
		}
		for _, stray := range eval[[]string](p, strays) {
			t.Errorf("payload %d: %s", n, stray)
		}
		if t.Failed() {
			break
		}
	}
	for _, view := range []string{"/e/default?q=" + url.QueryEscape(texts[1]), "/e/" + url.PathEscape(texts[1]), "/e/default?q=" + url.QueryEscape(`body."`+texts[1])} {
		p.navigate(view)
		p.until("the page is live", `() => document.querySelector('header') !== null && !document.body.innerText.includes('Loading …')`)
		for _, stray := range eval[[]string](p, strays) {
			t.Errorf("at %s: %s", view, stray)
		}
	}
	if asked := e.all(); len(asked) > 0 {
		t.Errorf("another server was asked: %q", asked)
	}
	for _, fault := range p.take() {
		t.Errorf("in the browser: %s", fault)
	}
	testPolicy(p)
}

// testPolicy proves that the page's policy holds where its own care would fail, and that the tab notices.
func testPolicy(p *tab) {
	p.t.Helper()
	p.navigate("/e/default")
	eval[bool](p, `() => {
		const e = document.createElement('script');
		try { e.text = "__pwned('text')"; } catch { e.append("__pwned('text')"); }
		document.body.append(e);
		try { document.body.insertAdjacentHTML('beforeend', "<img src=x onerror=\"__pwned('html')\">"); } catch {}
		return true;
	}`)
	var violated bool
	p.eventually("violations are reported", func() error {
		for _, fault := range p.take() {
			violated = violated || strings.HasPrefix(fault, "__violated: ")
			if strings.HasPrefix(fault, "__pwned: ") {
				p.t.Fatalf("the page's policy lets a script in: %s", fault)
			}
		}
		if !violated {
			return errNotYet
		}
		return nil
	})
	p.navigate("/healthz")
	p.take()
}

func testHostileSettings(r *rig) {
	t := r.t
	e := newElsewhere(t, "")
	s := r.serve()
	markup := `"><img src=x onerror="__pwned('settings')"><svg onload=__pwned('settings')>{{1}}`
	s.call(http.MethodPost, "/endpoints", map[string]any{
		"name": "hostile", "secret": markup, "param": "secret", "respond": `200/json={"x":"<img/src=x/onerror=__pwned(0)>"}`,
		"expect":  []any{map[string]any{"name": "X-'onload'", "value": markup}},
		"refusal": map[string]any{"status": 403, "headers": [][]string{{"X-Markup", markup}}, "body": markup + `<img src="` + e.URL + `/body">`},
	}, nil)
	p := r.open(s)
	p.navigate("/e/hostile/settings")
	p.sees("Settings of hostile")
	p.press("button", "Secrets masked Reveal secrets")
	// The URL, which is longer now, has pushed the rest down.
	p.sees(url.QueryEscape(markup))
	p.press("button", "Reveal")
	p.sees(markup)
	p.fill("Plan", "200/body="+strings.ReplaceAll(markup, " ", "/"))
	p.press("button", "Save")
	p.press("button", "Connect a sender")
	for _, name := range eval[[]string](p, `() => [...document.querySelectorAll('dialog [role=tab]')].map((e) => e.innerText)`) {
		p.press("tab", name)
	}
	for _, stray := range eval[[]string](p, strays) {
		t.Error(stray)
	}
	if asked := e.all(); len(asked) > 0 {
		t.Errorf("another server was asked: %q", asked)
	}
}
