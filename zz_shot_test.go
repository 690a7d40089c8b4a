package main_test

import (
	"image/png"
	"net/http"
	"os"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	r := newRig(t)
	s := r.serve("--public-url", "https://hooks.example.com")
	pic := func(p *tab, name string) {
		time.Sleep(300 * time.Millisecond)
		f, _ := os.Create("/tmp/shots/" + name + ".png")
		_ = png.Encode(f, shot(p))
		_ = f.Close()
	}
	start := func(in map[string]any) string {
		var out struct{ ID string }
		s.call(http.MethodPost, "/tests", in, &out)
		return out.ID
	}
	script := "profile own 'A made-up policy'\ncase WRONG-1 'it never tries again after a 503' level=must spec=https://example.com/policy date=2026-11-22\nquote 'A failed delivery is never tried again.'\nendpoint main 503 503 200\ntrigger main\nwait main attempts=3 quiet=2s\nexpect main attempts == 1\nexpect main method POST\n" +
		"case HANG-1 'it hangs up after 5 s' level=must\nquote 'Five seconds.'\nendpoint main hang/for=12s 200\ntrigger main\nwait main attempts=1 quiet=3s timeout=60s\nexpect main hangup after=5s\nexpect main attempts == 1\ncase ODD-1 'something that should be' level=should\nendpoint main 503 200\ntrigger main\nwait main attempts=2 quiet=2s\nexpect main attempts == 1\n"
	a := start(map[string]any{"script": script, "sender": "builtin:langsmith-rules", "scale": 0.3})
	b := start(map[string]any{"script": script, "sender": "builtin:agent-server-python", "scale": 0.3})
	full := start(map[string]any{"profile": "langsmith-rules", "sender": "builtin:langsmith-rules", "scale": 0.2})
	man := start(map[string]any{"profile": "langsmith-rules", "sender": "manual", "cases": "5*"})
	p := r.open(s)
	p.size(1440, 900)
	p.navigate("/tests/" + full)
	p.sees("Cancel the run")
	pic(p, "running")
	p.until("over", `() => document.body.innerText.includes('Run again')`)
	pic(p, "run")
	p.navigate("/tests/" + a + "/WRONG-1")
	p.sees("WRONG-1")
	pic(p, "case")
	p.navigate("/tests/" + a + "/HANG-1")
	p.sees("sender hung up")
	p.colours("dark")
	pic(p, "case-dark")
	p.navigate("/tests/" + b + "?with=" + a)
	p.sees("What changed")
	pic(p, "compare")
	p.navigate("/tests/" + man)
	p.sees("Make the sender send once")
	pic(p, "manual")
	p.navigate("/tests")
	p.sees("Conformance runs")
	pic(p, "list-dark")
	p.colours("light")
	pic(p, "list")
	p.size(320, 800)
	pic(p, "list-320")
	p.navigate("/tests/" + man)
	p.sees("Make the sender send once")
	pic(p, "manual-320")
	p.navigate("/tests/" + a)
	p.sees("Run again")
	pic(p, "run-320")
	p.navigate("/tests/" + a + "/HANG-1")
	p.sees("sender hung up")
	pic(p, "case-320")
	p.navigate("/tests/" + b + "?with=" + a)
	p.sees("What changed")
	pic(p, "compare-320")
}
