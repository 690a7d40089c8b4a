package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/fixtures/sender"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxScreenshot bounds the size of a picture in the repository.
const maxScreenshot = 300_000

// TestScreenshots writes the README's pictures of the page, when HOOKRANGE_SCREENSHOTS=1 asks for them.
func TestScreenshots(t *testing.T) {
	if os.Getenv("HOOKRANGE_SCREENSHOTS") != "1" {
		t.Skip("set HOOKRANGE_SCREENSHOTS=1 to make the screenshots anew")
	}
	r := newRig(t)
	s := r.serve("--public-url", "https://hooks.example.com")
	seq := stage(t, s)
	p := r.open(s)
	p.navigate("/e/langsmith")
	p.until("the page is live", isLive)
	for _, scheme := range []string{"light", "dark"} {
		p.colours(scheme)
		p.size(1440, 900)
		p.opens(seq)
		detailReady(p)
		save(t, "wide-"+scheme, shot(p))

		p.size(390, 844)
		detailReady(p)
		detail := shot(p)
		p.press("button", "Back to the list")
		p.until("the list is shown", `() => document.querySelector('article') === null && document.querySelector('[role=option]') !== null`)
		save(t, "narrow-"+scheme, beside(shot(p), detail))
	}
}

func detailReady(p *tab) {
	p.t.Helper()
	p.until("the capture is shown whole", `() => {
		const row = document.querySelector('article tbody button');
		if (row?.getAttribute('aria-expanded') === 'false') row.click();
		const text = document.querySelector('article')?.innerText ?? '';
		document.querySelector('article .panel')?.scrollTo(0, 0);
		return text.includes('attempt 3') && text.includes('presigned URL?') && !text.includes('Loading');
	}`)
}

// stage delivers what a day brings to an endpoint, and returns the capture to look at.
func stage(t *testing.T, s *server) int64 {
	t.Helper()
	o := newObjects(t, map[string]string{"inputs": object(t, "inputs"), "outputs": object(t, "outputs")})
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "an-example-0123456789abcdef"
	s.call(http.MethodPost, "/endpoints", map[string]any{
		"name": "langsmith", "secret": secret, "fetch": map[string]any{"private": []string{u.Host}},
	}, nil)
	s.call(http.MethodDelete, "/endpoints/default", nil, nil)
	answers := func(plan string) {
		s.call(http.MethodPatch, "/endpoints/langsmith", map[string]any{"respond": plan}, nil)
	}
	hook := s.ready.Receiver + "/hooks/langsmith"
	proven := hook + "?secret=" + secret
	deliver := func(target, body string) {
		policy, err := sender.PolicyNamed("langsmith-rules")
		if err != nil {
			t.Fatal(err)
		}
		sender.Send(t.Context(), sender.Delivery{
			URL: target, Body: []byte(body), Header: []webhook.Field{
				{Name: "Host"}, {Name: "User-Agent", Value: "langsmith-example"}, {Name: "Content-Type", Value: "application/json"},
			},
		}, policy, nil)
	}
	for _, name := range []string{"prompt-commit", "agent-server-js-interrupt", "alert"} {
		deliver(proven, fresh(t, name))
	}
	deliver(hook+"?secret=yesterdays-secret", fresh(t, "langsmith-rule"))
	s.post(http.StatusRequestEntityTooLarge, proven, "application/json", `{"log":"`+strings.Repeat("x", 10<<20)+`"}`)
	deliver(proven, fresh(t, "agent-server-python-error"))
	answers("200/after=6s")
	deliver(proven, fresh(t, "langsmith-rule-feedback-run"))
	answers("200")
	cutOff(t, s, proven)
	deliver(proven, fresh(t, "agent-server-python-create-run"))
	answers("503x2 200")
	deliver(proven, lookedAt(t, o))
	answers("200")
	deliver(proven, fresh(t, "engine-issue-created"))
	answers("503x2 200")
	var list struct {
		Captures []struct {
			Seq     int64 `json:"seq"`
			Attempt int   `json:"attempt"`
		} `json:"captures"`
	}
	s.call(http.MethodGet, "/endpoints/langsmith/captures?limit=100", nil, &list)
	for _, c := range list.Captures {
		if c.Attempt == 3 {
			return c.Seq
		}
	}
	t.Fatal("no delivery has a third attempt")
	return 0
}

func object(t *testing.T, name string) string {
	t.Helper()
	raw, err := fixtures.Object(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// lookedAt returns a rule's payload whose first run has its inputs and outputs in the object store.
func lookedAt(t *testing.T, o *objects) string {
	t.Helper()
	v, err := fixtures.Fresh("langsmith-rule-costs", time.Now(), rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	var rule map[string]any
	if err = json.Unmarshal(v.Body, &rule); err != nil {
		t.Fatal(err)
	}
	run, ok := rule["runs"].([]any)[0].(map[string]any)
	if !ok {
		t.Fatal("the fixture has no run")
	}
	run["inputs"], run["outputs"] = nil, nil
	run["inputs_s3_urls"], run["outputs_s3_urls"] = o.presign("KEYID", "inputs", 0), o.presign("KEYID", "outputs", 0)
	body, err := json.Marshal(rule)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// cutOff sends a webhook and hangs up in the middle of its body.
func cutOff(t *testing.T, s *server, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{\"event\":\"order.created\",", u.RequestURI(), u.Host)
	if err = conn.Close(); err != nil {
		t.Fatal(err)
	}
	// It is recorded when the receiver has noticed.
	s.call(http.MethodGet, "/endpoints/langsmith/wait?after=0&count=1&timeout=60s&class=incomplete&match="+url.QueryEscape(`body contains "order.created"`), nil, nil)
}

func shot(p *tab) image.Image {
	p.t.Helper()
	p.do("move the mouse away", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 0, 0))
	raw := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		p.t.Fatal(err)
	}
	return picture
}

// beside puts two pictures side by side.
func beside(left, right image.Image) image.Image {
	const gap = 24
	l, r := left.Bounds(), right.Bounds()
	both := image.NewRGBA(image.Rect(0, 0, l.Dx()+gap+r.Dx(), max(l.Dy(), r.Dy())))
	draw.Draw(both, both.Bounds(), image.NewUniform(color.Gray{Y: 128}), image.Point{}, draw.Src)
	draw.Draw(both, l, left, l.Min, draw.Src)
	draw.Draw(both, r.Add(image.Pt(l.Dx()+gap, 0)), right, r.Min, draw.Src)
	return both
}

func save(t *testing.T, name string, picture image.Image) {
	t.Helper()
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, picture); err != nil {
		t.Fatal(err)
	}
	if out.Len() > maxScreenshot {
		t.Errorf("%s has %d bytes, more than %d", name, out.Len(), maxScreenshot)
	}
	folder := filepath.Join("inspector", "ui", "screenshots")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
