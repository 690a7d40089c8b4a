package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// keyboard is a hookrange of its own process on a terminal of its own.
type keyboard struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	before unix.Termios
	cmd    *exec.Cmd

	mu     sync.Mutex
	screen display
	all    strings.Builder
}

// display is as much of a terminal as tail uses: places, line ends and erasing to the end of a line.
type display struct {
	rows     [][]rune
	row, col int
	rest     string
}

func (d *display) write(text string) {
	text, d.rest = d.rest+text, ""
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
			if end < 0 {
				d.rest = text
				return
			}
			d.sequence(text[2+end], text[2:2+end])
			text = text[2+end+1:]
		case text == "\x1b" || !utf8.FullRuneInString(text):
			d.rest = text
			return
		default:
			r, n := utf8.DecodeRuneInString(text)
			text = text[n:]
			d.put(r)
		}
	}
}

func (d *display) sequence(final byte, args string) {
	switch {
	case final == 'H':
		d.row, d.col = 0, 0
	case final == 'K':
		if d.row < len(d.rows) {
			d.rows[d.row] = d.rows[d.row][:min(d.col, len(d.rows[d.row]))]
		}
	case args == "?1049l":
		d.rows = nil
	}
}

func (d *display) put(r rune) {
	switch r {
	case '\r':
		d.col = 0
	case '\n':
		d.row++
	default:
		for len(d.rows) <= d.row {
			d.rows = append(d.rows, nil)
		}
		for len(d.rows[d.row]) <= d.col {
			d.rows[d.row] = append(d.rows[d.row], ' ')
		}
		d.rows[d.row][d.col] = r
		d.col++
	}
}

func (d *display) text() string {
	var out strings.Builder
	for _, row := range d.rows {
		out.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return out.String()
}

func (s *served) keyboard(args ...string) *keyboard {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	k := &keyboard{t: s.t}
	if k.master, k.slave, err = pty.Open(); err != nil {
		s.t.Fatal(err)
	}
	if err = pty.Setsize(k.master, &pty.Winsize{Rows: 24, Cols: 100}); err != nil {
		s.t.Fatal(err)
	}
	k.before = k.termios()
	k.cmd = exec.Command(self)
	// The test binary is hookrange by this name.
	k.cmd.Args = append([]string{"hookrange", "--data", s.data}, args...)
	k.cmd.Env = append(os.Environ(), "TERM=xterm")
	k.cmd.Stdin, k.cmd.Stdout, k.cmd.Stderr = k.slave, k.slave, k.slave
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err = k.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := k.master.Read(buf)
			k.mu.Lock()
			k.screen.write(string(buf[:n]))
			k.all.Write(buf[:n])
			k.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	s.t.Cleanup(func() {
		_ = k.cmd.Process.Kill()
		_, _ = k.cmd.Process.Wait()
		_ = k.slave.Close()
		_ = k.master.Close()
		wg.Wait()
	})
	return k
}

func (k *keyboard) termios() unix.Termios {
	k.t.Helper()
	got, err := unix.IoctlGetTermios(int(k.slave.Fd()), unix.TCGETS)
	if err != nil {
		k.t.Fatal(err)
	}
	return *got
}

func (k *keyboard) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.screen.text()
}

func (k *keyboard) press(keys string) {
	k.t.Helper()
	if _, err := io.WriteString(k.master, keys); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keyboard) sees(want string) {
	k.t.Helper()
	k.until(fmt.Sprintf("%q is on the screen", want), func(text string) bool { return strings.Contains(text, want) })
}

func (k *keyboard) until(what string, ok func(text string) bool) {
	k.t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok(k.text()) {
		if time.Now().After(deadline) {
			k.t.Fatalf("not in time: %s. The screen is\n%s", what, k.text())
		}
		<-tick.C
	}
}

// ends waits for the program's end and checks that the terminal is as it was.
func (k *keyboard) ends(status int) {
	k.t.Helper()
	state, err := k.cmd.Process.Wait()
	if err != nil || state.ExitCode() != status {
		k.t.Errorf("it ended with %v, %v; want status %d:\n%s", state, err, status, k.text())
	}
	if diff := cmp.Diff(k.before, k.termios()); diff != "" {
		k.t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
	}
	const restored = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	k.until("the screen is given back", func(string) bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return strings.Contains(k.all.String(), restored)
	})
}

// selected returns the row that is shown inverse, as it was written last.
func (k *keyboard) selected() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.all.String()
	all = all[strings.LastIndex(all[:strings.LastIndex(all, "\x1b[7m")+1], "\x1b[H")+1:]
	_, after, _ := strings.Cut(all, "\x1b[7m")
	row, _, _ := strings.Cut(after, "\x1b[0m")
	return row
}

func (k *keyboard) selects(want string) {
	k.t.Helper()
	k.until(fmt.Sprintf("%q is selected", want), func(string) bool { return strings.Contains(k.selected(), want) })
}

func TestTailKeys(t *testing.T) {
	t.Parallel()
	var got sync.Map
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got.Store(r.URL.RequestURI(), string(body))
		w.WriteHeader(http.StatusTeapot)
	}))
	defer app.Close()
	s := serveHere(t)
	hook := s.ready.Endpoints[0].URL
	k := s.keyboard("tail", "default")
	k.sees("no captures")
	for _, n := range []string{"one", "two", "three"} {
		post(t, strings.Replace(hook, "?", "/"+n+"?", 1), `{"name":"`+n+`"}`)
		k.sees("/hooks/default/" + n)
	}
	// The newest is followed, and what is selected by hand stays.
	k.selects("/three")
	k.press("j")
	k.selects("/two")
	k.press("\x1b[B")
	k.selects("/one")
	post(t, strings.Replace(hook, "?", "/four?", 1), `{"name":"four"}`)
	k.sees("1 new above (g)")
	k.selects("/one")
	k.press("\x1b[A")
	k.selects("/two")

	// Details, and back to the same row.
	k.press("\r")
	k.sees(`"name": "two"`)
	k.sees("Content-Type: application/json")
	k.press("G")
	k.sees("Answer  200")
	k.press("q")
	k.selects("/two")

	// The filter is the server's search; what comes meanwhile is filtered too, and a wrong one is said.
	k.press("/body.name:t*\r")
	k.until("only two match", func(text string) bool {
		return strings.Contains(text, "/body.name:t*") && !strings.Contains(text, "default/one") && strings.Contains(text, "default/three")
	})
	post(t, strings.Replace(hook, "?", "/ten?", 1), `{"name":"ten"}`)
	post(t, strings.Replace(hook, "?", "/five?", 1), `{"name":"five"}`)
	k.sees("default/ten")
	if strings.Contains(k.text(), "default/five") {
		t.Errorf("a capture that does not match is shown:\n%s", k.text())
	}
	k.press("/\x15size:huge\r")
	k.sees("size")
	k.press("/\x15\r")
	k.sees("default/five")

	// Sent on from here, and pinned; the server is told.
	k.press("g")
	k.selects("/five")
	k.press("r" + app.URL + "/in\x7f\x7f\x7f/x\r")
	k.sees("418 I'm a teapot")
	if body, _ := got.Load("/x"); body != `{"name":"five"}` {
		t.Errorf("the target got %v", body)
	}
	k.press("p")
	k.selects("★")
	k.press("?")
	k.sees("in the language of the page's search")
	k.press("\x1b")
	k.selects("/five")

	// However long the path is, the line ends with the answer.
	post(t, strings.Replace(hook, "?", "/"+strings.Repeat("long", 40)+"?", 1), `{}`)
	k.until("the answer behind a long path", func(text string) bool {
		return regexp.MustCompile(`(?m) POST /hooks/default/long.*…  200 after \S+  \d+ B$`).MatchString(text)
	})

	// A narrow and low screen, and a wide one again.
	for _, size := range []pty.Winsize{{Rows: 5, Cols: 30}, {Rows: 20, Cols: 120}} {
		if err := pty.Setsize(k.master, &size); err != nil {
			t.Fatal(err)
		}
		k.until(fmt.Sprintf("%d rows", size.Rows), func(string) bool {
			k.mu.Lock()
			defer k.mu.Unlock()
			all := k.all.String()
			last := all[strings.LastIndex(all, "\x1b[H"):]
			return strings.Count(last, "\r\n") == int(size.Rows)-1
		})
	}
	k.press("q")
	k.ends(exitDone)
}

// TestTailKeysEnd: however it ends, the terminal is as it was.
func TestTailKeysEnd(t *testing.T) {
	t.Parallel()
	s := serveHere(t)
	for name, end := range map[string]func(k *keyboard){
		"by Ctrl-C":  func(k *keyboard) { k.press("\x03") },
		"by SIGTERM": func(k *keyboard) { _ = k.cmd.Process.Signal(syscall.SIGTERM) },
		"by q in details": func(k *keyboard) {
			k.press("?")
			k.sees("Keys")
			k.press("qq")
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := (&served{t: t, data: s.data}).keyboard("tail")
			k.sees("all endpoints")
			end(k)
			k.ends(exitDone)
		})
	}
}

// TestTailKeysHostile: whatever a sender sends, the terminal gets no control characters but our own.
func TestTailKeysHostile(t *testing.T) {
	t.Parallel()
	s := serveHere(t)
	k := s.keyboard("tail", "default")
	k.sees("no captures")
	hostile := "\x1b]0;owned\a\x1b[2J\x9b31m\u202e\x00\x7f\u009b1mtail"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.ready.Endpoints[0].URL, strings.NewReader(hostile))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Hostile", "a\u009b2Jb\u202ec")
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	k.sees("#1")
	k.press("\r")
	k.sees("X-Hostile")
	k.sees("owned")
	k.press("qq")
	k.ends(exitDone)
	k.mu.Lock()
	defer k.mu.Unlock()
	// Our own sequences out, nothing that a terminal obeys may be left.
	left := k.all.String()
	for _, own := range []string{
		"\x1b[?1049h", "\x1b[?25l", "\x1b[?7l", "\x1b[?7h", "\x1b[?25h", "\x1b[?1049l", "\x1b[H", "\x1b[K", "\x1b[7m", "\x1b[1m", "\x1b[2m", "\x1b[0m", "\r\n",
	} {
		left = strings.ReplaceAll(left, own, "")
	}
	if !utf8.ValidString(left) {
		t.Errorf("bytes that are no UTF-8: %q", left)
	}
	for i, r := range left {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u202e' {
			t.Fatalf("%q at %d: %q", r, i, left[max(i-20, 0):min(i+20, len(left))])
		}
	}
}
