package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/hookrange/hookrange/inspector/api"
)

// Terminal is what a command that is steered with keys runs on. The zero value is none.
type Terminal struct{ In, Out *os.File }

// There says whether both ends are a terminal.
func (t Terminal) There() bool {
	return t.In != nil && t.Out != nil && term.IsTerminal(int(t.In.Fd())) && term.IsTerminal(int(t.Out.Fd()))
}

// ScreenOptions are those of Screen.
type ScreenOptions struct {
	// Endpoint to follow; empty follows all.
	Endpoint string
	// Relay returns what sends from this machine, as in Sending.
	Relay func(bases []string) Relay
	// Zone of shown times. Defaults to the local one.
	Zone *time.Location
}

const (
	// frame is between two pictures while captures arrive, and between two looks at the terminal's size.
	frame = 50 * time.Millisecond
	// enter takes a screen of our own, without a cursor and without line breaks of the terminal's; leave gives the
	// terminal back.
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l"
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// Screen shows captures as they arrive on a terminal, with a row selected that keys move and act on. It returns when ctx
// ends or q is pressed, with nil, or with an *Error when the server cannot be reached at first. The terminal is as it was
// then, also after a panic, which goes on to the caller.
func Screen(ctx context.Context, c *Client, opts ScreenOptions, t Terminal) (err error) {
	if opts.Zone == nil {
		opts.Zone = time.Local
	}
	s := newScreen(c, opts, t.Out)
	if err = s.first(ctx); err != nil {
		return err
	}
	before, err := term.MakeRaw(int(t.In.Fd()))
	if err != nil {
		return fmt.Errorf("tail: take the terminal: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		_, failed := io.WriteString(t.Out, leave)
		err = errors.Join(err, failed, term.Restore(int(t.In.Fd()), before))
		s.tasks.Wait()
		if s.panicked != nil {
			panic(s.panicked)
		}
	}()
	if _, err = io.WriteString(t.Out, enter); err != nil {
		return err
	}
	keys := make(chan key)
	s.spawn(ctx, func(ctx context.Context) { readKeys(ctx, t.In, keys) })
	s.spawn(ctx, s.follow)
	return s.loop(ctx, keys, func() (int, int, error) { return term.GetSize(int(t.Out.Fd())) })
}

// screen is what is shown. Everything but post and spawn belongs to the goroutine of loop.
type screen struct {
	client *Client
	opts   ScreenOptions
	out    io.Writer
	list   list
	view   view

	width, height int
	connected     bool
	status        string
	// target is where a capture was sent on to last.
	target string
	dirty  bool
	// asked tells answers to the newest question from those to older ones.
	asked int
	// stale is set while a filtered list has to be asked for again.
	stale, asking bool

	work     chan func() error
	tasks    sync.WaitGroup
	mu       sync.Mutex
	panicked any
}

func newScreen(c *Client, opts ScreenOptions, out io.Writer) *screen {
	return &screen{client: c, opts: opts, out: out, work: make(chan func() error), width: 80, height: 24, view: &listView{}, dirty: true}
}

// errQuit ends the loop.
var errQuit = errors.New("quit")

// spawn runs a task beside the loop. Its panic ends the loop and is passed on once the terminal is back.
func (s *screen) spawn(ctx context.Context, task func(context.Context)) {
	s.tasks.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				s.mu.Lock()
				s.panicked = p
				s.mu.Unlock()
				s.post(ctx, func() error { return errQuit })
			}
		}()
		task(ctx)
	})
}

// post has the loop do something.
func (s *screen) post(ctx context.Context, do func() error) {
	select {
	case s.work <- do:
	case <-ctx.Done():
	}
}

// follow hands the live feed to the loop.
func (s *screen) follow(ctx context.Context) {
	opts := TailOptions{
		Endpoint: s.opts.Endpoint, After: new(s.list.after),
		event: func(e *api.Event) error {
			s.post(ctx, func() error { s.take(ctx, e); return nil })
			return nil
		},
		connected: func(on bool) {
			s.post(ctx, func() error { s.connected = on; return nil })
		},
	}
	if err := Tail(ctx, s.client, opts, io.Discard); err != nil {
		s.post(ctx, func() error { return err })
	}
}

func (s *screen) loop(ctx context.Context, keys <-chan key, size func() (int, int, error)) error {
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case k, open := <-keys:
			if !open {
				return nil
			}
			err = s.press(ctx, k)
			s.draw()
		case do := <-s.work:
			err = do()
			s.dirty = true
		case <-tick.C:
			if w, h, err := size(); err == nil && (w != s.width || h != s.height) && w > 0 && h > 0 {
				s.width, s.height, s.dirty = w, h, true
			}
			s.refresh(ctx)
			if s.dirty {
				s.draw()
			}
		}
		if errors.Is(err, errQuit) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// press gives a key to what is shown.
func (s *screen) press(ctx context.Context, k key) error {
	if k.name == keyInterrupt {
		return errQuit
	}
	s.status = ""
	return s.view.press(ctx, s, k)
}

// draw writes the whole screen at once. A terminal that is gone ends the program by itself.
func (s *screen) draw() {
	s.dirty = false
	lines := s.view.lines(s)
	buf := make([]byte, 0, 64*s.height)
	buf = append(buf, "\x1b[H"...)
	for i := range s.height {
		if i > 0 {
			buf = append(buf, "\r\n"...)
		}
		if i < len(lines) {
			buf = lines[i].appendTo(buf, s.width)
		}
		buf = append(buf, "\x1b[K"...)
	}
	if _, err := s.out.Write(buf); err != nil {
		s.status = err.Error()
	}
}
