package console_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func termios(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	got, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *got
}

// TestScreenPanic: a panic beside the screen's own goroutine gives the terminal back before it goes on.
func TestScreenPanic(t *testing.T) {
	t.Parallel()
	w, client := newWorld(t)
	if _, err := w.store.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "orders"}, true); err != nil {
		t.Fatal(err)
	}
	w.capture(t, "one")
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	before := termios(t, slave)
	shown := make(chan string)
	go func() {
		var all strings.Builder
		pressed := false
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				shown <- all.String()
				return
			}
			if !pressed && strings.Contains(all.String(), "one") {
				pressed = true
				_, _ = io.WriteString(master, "rhttp://127.0.0.1:1/\r")
			}
		}
	}()
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		opts := console.ScreenOptions{Endpoint: "orders", Relay: func([]string) console.Relay { panic("of the test") }}
		if err := console.Screen(t.Context(), client, opts, console.Terminal{In: slave, Out: slave}); err != nil {
			t.Error(err)
		}
	}()
	select {
	case p := <-ended:
		if p != "of the test" {
			t.Errorf("it ended with %v", p)
		}
	case <-time.After(time.Minute):
		t.Fatal("it did not end")
	}
	if diff := cmp.Diff(before, termios(t, slave)); diff != "" {
		t.Errorf("the terminal is not as it was (-before +after):\n%s", diff)
	}
	_ = slave.Close()
	if all := <-shown; !strings.HasSuffix(all, "\x1b[?1049l") {
		t.Errorf("the screen is not given back: %q", all[max(len(all)-40, 0):])
	}
	_ = master.Close()
}

func TestScreenNeedsATerminal(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if (console.Terminal{In: r, Out: w}).There() || (console.Terminal{}).There() {
		t.Error("a pipe is taken for a terminal")
	}
}
