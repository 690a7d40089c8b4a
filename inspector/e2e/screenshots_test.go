package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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
const maxScreenshot = 200_000

// TestScreenshots writes the README's pictures of the page, when HOOKRANGE_SCREENSHOTS=1 asks for them. Where
// that names a folder, every screen is written there, in both themes and four widths, for somebody to look at.
func TestScreenshots(t *testing.T) {
	to := os.Getenv("HOOKRANGE_SCREENSHOTS")
	if to == "" {
		t.Skip("set HOOKRANGE_SCREENSHOTS=1 to make the README's screenshots anew, or to a folder for every screen")
	}
	r := newRig(t)
	s := r.serve("--public-url", "https://hooks.example.com")
	if to != "1" {
		waiting(r.open(s), to)
	}
	seq := stage(t, s)
	p := r.open(s)
	p.navigate("/e/langsmith")
	p.until("the page is live", isLive)
	if to != "1" {
		screens(p, s, seq, to)
		return
	}
	folder := filepath.Join("..", "ui", "screenshots")
	for _, scheme := range []string{"light", "dark"} {
		p.colours(scheme)
		p.size(1440, 900)
		p.opens(seq)
		detailReady(p)
		save(t, folder, "wide-"+scheme, shot(p))

		p.size(390, 844)
		detailReady(p)
		detail := shot(p)
		p.press("button", "Back to the list")
		p.until("the list is shown", `() => document.querySelector('article') === null && document.querySelector('[role=option]') !== null`)
		save(t, folder, "narrow-"+scheme, beside(shot(p), detail))
	}
}

// each makes a picture of what the tab shows in both themes and four widths.
func each(p *tab, folder, name string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		p.colours(scheme)
		for _, width := range []int64{1280, 768, 390, 320} {
			p.size(width, 900)
			save(p.t, folder, fmt.Sprintf("%s-%d-%s", name, width, scheme), shot(p))
		}
	}
}

func waiting(p *tab, folder string) {
	p.t.Helper()
	p.sees("Waiting for the first webhook")
	each(p, folder, "waiting")
}

// screens makes pictures of every screen but the first.
func screens(p *tab, s *server, seq int64, folder string) {
	p.t.Helper()
	each(p, folder, "list")
	p.opens(seq)
	detailReady(p)
	each(p, folder, "rule")
	p.press("tab", "Answer")
	each(p, folder, "answer")
	p.press("tab", "Delivery…")
	p.until("the waterfall is drawn", `() => document.querySelectorAll('figure svg circle').length > 0`)
	each(p, folder, "delivery")
	p.keys("x")
	p.until("two attempts are compared", `() => document.querySelector('article').innerText.includes('Header lines')`)
	each(p, folder, "differences")
	p.navigate("/e/langsmith")
	p.until("the page is live", isLive)
	p.keys("v")
	p.sees("Jump to a time")
	each(p, folder, "find")
	p.keys("\u001b?")
	p.sees("Choices of this browser")
	each(p, folder, "help")
	p.keys("\u001b")
	p.opens(seq)
	detailReady(p)
	p.press("tab", "Request")
	each(p, folder, "request")
	for _, view := range []string{"Raw", "Hex"} {
		p.press("tab", view)
		p.until("the bytes are shown", `() => !document.querySelector('#request-panel').innerText.includes('Loading')`)
		each(p, folder, "request-"+strings.ToLower(view))
	}
	p.press("tab", "Payload")
	p.until("an Agent Server's run", `() => {
		[...document.querySelectorAll('[role=option]')].find((e) => e.innerText.includes('run success'))?.click();
		return document.querySelector('article h1')?.innerText.includes('run success') &&
			!document.querySelector('article .panel').innerText.includes('Loading');
	}`)
	each(p, folder, "agent")
	s.call(http.MethodPost, fmt.Sprintf("/endpoints/langsmith/captures/%d/replays", seq), aReplay(), nil)
	p.opens(seq)
	p.press("tab", "Answer…")
	p.sees("Sent on")
	each(p, folder, "sent-on")
	p.keys("r")
	p.press("DisclosureTriangle", "Edit the request")
	p.sees("Header fields")
	each(p, folder, "send-on")
	p.navigate("/e/langsmith")
	p.until("the page is live", isLive)
	p.keys("e")
	p.sees("Take captures out")
	each(p, folder, "take-out")
	p.navigate("/e/langsmith/settings")
	p.sees("Settings of langsmith")
	each(p, folder, "settings")
	hook, client := s.failures("langsmith")
	p.navigate("/e/langsmith/connections")
	p.sees("reset@accept")
	if status := attempt(p.t, client, hook); status != http.StatusOK {
		p.t.Fatalf("answered %d", status)
	}
	p.sees("1 request")
	each(p, folder, "connections")
	p.navigate("/e/langsmith/settings")
	p.sees("--cacert hookrange-ca.pem")
	each(p, folder, "settings-listener")
	p.navigate("/e/langsmith")
	p.press("button", "Connect a sender")
	p.sees("PowerShell")
	each(p, folder, "send")
	p.navigate("/e/langsmith")
	p.until("the plan is in sight", `() => {
		const button = document.querySelector('[aria-controls=plan-form]');
		if (button?.ariaExpanded === 'false') button.click();
		return document.querySelector('#plan-form') !== null;
	}`)
	each(p, folder, "plan")
	p.navigate("/e/langsmith")
	p.until("the page is live", isLive)
	s.kill()
	p.until("the loss is told", `() => document.querySelector('[data-state=waiting]') !== null`)
	each(p, folder, "lost")
	s.restart()
}

func detailReady(p *tab) {
	p.t.Helper()
	p.until("the capture is shown whole", `() => {
		const row = document.querySelector('article tbody button');
		if (row?.getAttribute('aria-expanded') === 'false') row.click();
		const text = document.querySelector('article')?.innerText ?? '';
		document.querySelector('article .panel')?.scrollTo(0, 0);
		return document.querySelectorAll('article nav a').length === 3 && text.includes('presigned URL?') && !text.includes('Loading');
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

// paletted returns a picture in 256 colours, which of a page is hardly to be seen, and a third of the size. They
// are the most frequent ones that differ: of those that look alike, the first stands for all.
func paletted(picture image.Image) *image.Paletted {
	bounds := picture.Bounds()
	counts := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA) } //nolint:forcetypeassert // as the model says
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	palette := make(color.Palette, 0, 256)
	taken := map[color.RGBA]bool{}
	for _, c := range frequent {
		alike := color.RGBA{c.R >> 4, c.G >> 4, c.B >> 4, 0}
		if len(palette) < 256 && (!taken[alike] || counts[c] > 2000) {
			taken[alike] = true
			palette = append(palette, c)
		}
	}
	places := map[color.RGBA]uint8{}
	for c := range counts {
		places[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			out.SetColorIndex(x, y, places[at(x, y)])
		}
	}
	return out
}

func save(t *testing.T, folder, name string, picture image.Image) {
	t.Helper()
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, paletted(picture)); err != nil {
		t.Fatal(err)
	}
	if out.Len() > maxScreenshot {
		t.Errorf("%s has %d bytes, more than %d", name, out.Len(), maxScreenshot)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
