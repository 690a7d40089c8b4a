package console

import (
	"context"
	"os"
	"unicode"
	"unicode/utf8"
)

// Names of keys that are no character.
const (
	keyUp        = "up"
	keyDown      = "down"
	keyPageUp    = "page up"
	keyPageDown  = "page down"
	keyHome      = "home"
	keyEnd       = "end"
	keyEnter     = "enter"
	keyEscape    = "escape"
	keyBackspace = "backspace"
	keyKill      = "kill"
	keyInterrupt = "interrupt"
)

// key is one key that was pressed: a name, or else a printable character.
type key struct {
	name string
	char rune
}

// is says whether the key is one of these characters.
func (k key) is(chars string) bool {
	for _, c := range chars {
		if k.name == "" && k.char == c {
			return true
		}
	}
	return false
}

// sequences are what terminals send for keys that are no character, after the escape.
func sequences() map[string]string {
	return map[string]string{
		"[A": keyUp, "OA": keyUp, "[B": keyDown, "OB": keyDown, "[5~": keyPageUp, "[6~": keyPageDown,
		"[H": keyHome, "OH": keyHome, "[1~": keyHome, "[F": keyEnd, "OF": keyEnd, "[4~": keyEnd,
	}
}

func controls() map[byte]string {
	return map[byte]string{
		'\r': keyEnter, '\n': keyEnter, 0x7f: keyBackspace, 0x08: keyBackspace, 0x03: keyInterrupt, 0x15: keyKill, 0x04: keyInterrupt,
		0x0e: keyDown, 0x10: keyUp,
	}
}

// readKeys reads until ctx ends or the terminal is gone, and then closes the channel.
func readKeys(ctx context.Context, in *os.File, out chan<- key) {
	defer close(out)
	buf := make([]byte, 1024)
	held := 0
	for ctx.Err() == nil {
		if !readable(in, frame) {
			// Nothing follows an escape: it was the key of that name.
			if held > 0 && !send(ctx, out, parseKeys(append(buf[:held], 0))) {
				return
			}
			held = 0
			continue
		}
		n, err := in.Read(buf[held:])
		if err != nil {
			return
		}
		n += held
		whole := complete(buf[:n])
		if !send(ctx, out, parseKeys(buf[:whole])) {
			return
		}
		held = copy(buf, buf[whole:n])
	}
}

func send(ctx context.Context, out chan<- key, keys []key) bool {
	for _, k := range keys {
		select {
		case out <- k:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// complete returns how much of what was read does not end within a character or an escape sequence.
func complete(b []byte) int {
	for back := 1; back <= min(len(b), 6); back++ {
		at := len(b) - back
		if b[at] == 0x1b {
			if n := escape(b[at:]); n == 0 {
				return at
			}
			return len(b)
		}
		if back < utf8.UTFMax && utf8.RuneStart(b[at]) && !utf8.FullRune(b[at:]) {
			return at
		}
	}
	return len(b)
}

// escape returns the length of the escape sequence that b begins with, 0 when it is not whole.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] != '[' && b[1] != 'O' {
		return 1
	}
	for i := 2; i < len(b); i++ {
		if b[i] >= 0x40 && b[i] <= 0x7e {
			return i + 1
		}
	}
	return 0
}

// parseKeys turns bytes into keys. Sequences and control characters that mean nothing here are left out.
func parseKeys(b []byte) []key {
	var keys []key
	names, plainControls := sequences(), controls()
	for len(b) > 0 {
		if b[0] == 0x1b {
			n := escape(b)
			switch {
			case n <= 1:
				keys = append(keys, key{name: keyEscape})
				b = b[1:]
				continue
			case names[string(b[1:n])] != "":
				keys = append(keys, key{name: names[string(b[1:n])]})
			}
			b = b[n:]
			continue
		}
		if name, found := plainControls[b[0]]; found {
			keys = append(keys, key{name: name})
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError && unicode.IsPrint(r) {
			keys = append(keys, key{char: r})
		}
		b = b[n:]
	}
	return keys
}
