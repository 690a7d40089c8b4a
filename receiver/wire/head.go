package wire

import (
	"bytes"
	"strconv"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Trailers returns the trailer fields of a body as it was framed in chunks.
func Trailers(framed []byte) []webhook.Field {
	at := lastChunk(framed)
	if at < 0 {
		return nil
	}
	return webhook.FieldLines(framed[at:])
}

// blankLines counts the CR and LF bytes that net/http tolerates before a request line.
func blankLines(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}

// headEnd returns the offset behind the blank line that ends a head, or -1. As net/http does, it takes a bare
// LF for a line end.
func headEnd(b []byte) int {
	at := 0
	for {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return -1
		}
		if n == 0 || n == 1 && b[at] == '\r' {
			return at + n + 1
		}
		at += n + 1
	}
}

// framedEnd returns the offset behind a chunked body with its trailers, or len(b) when it is not whole.
func framedEnd(b []byte) int {
	at := lastChunk(b)
	if at < 0 {
		return len(b)
	}
	if end := headEnd(b[at:]); end >= 0 {
		return at + end
	}
	return len(b)
}

// lastChunk returns the offset behind the size line of the last chunk, or -1.
func lastChunk(b []byte) int {
	at := 0
	for {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return -1
		}
		line, _, _ := bytes.Cut(b[at:at+n], []byte(";"))
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return -1
		}
		at += n + 1
		if size == 0 {
			return at
		}
		if size < 0 || size > int64(len(b)-at) {
			return -1
		}
		at += int(size)
		switch {
		case bytes.HasPrefix(b[at:], []byte("\r\n")):
			at += 2
		case bytes.HasPrefix(b[at:], []byte("\n")):
			at++
		default:
			return -1
		}
	}
}
