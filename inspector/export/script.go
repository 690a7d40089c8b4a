package export

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hookrange/hookrange/inspector/api"
)

const (
	// maxArgument bounds a body on the command line; Linux allows 128 KiB for one argument.
	maxArgument = 64 << 10
	lineLength  = 76
)

// script writes a bash script that sends each capture with curl. Nothing that a sender chose is read by the shell: it
// stands between quotes, or in base64.
type script struct {
	out   io.Writer
	about About
	begun bool
	tally Tally
}

func newScript(out io.Writer, about About) Writer { return &script{out: out, about: about} }

func (s *script) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	note := ""
	if s.about.Masked {
		note = "# Secrets are masked as " + api.Hidden + ": export with reveal to send what the sender sent.\n"
	}
	_, err := fmt.Fprintf(s.out, `#!/usr/bin/env bash
# Captures of endpoint %s, exported by hookrange.
# Usage: bash FILE [BASE], where BASE takes the place of %s.
%sset -u
base=${1:-%s}
send() { # capture number, then curl's arguments
  curl -q --silent --show-error --globoff --path-as-is --http1.1 --output /dev/null --write-out "capture $1: %%{http_code}\n" "${@:2}"
}
`, s.about.Endpoint, strings.ReplaceAll(s.about.Base, "\n", ""), note, quoted(strings.TrimRight(s.about.Base, "/")))
	return err
}

// Add writes one command.
func (s *script) Add(e *Entry) error {
	if err := s.begin(); err != nil {
		return err
	}
	c := e.Capture
	comment := fmt.Sprintf("\n# capture %d, %s, %s\n", c.Seq, c.ReceivedAt.Format(time.RFC3339Nano), c.Class)
	if !token(c.Method) {
		s.tally.LeftOut, s.tally.Why = s.tally.LeftOut+1, "captures whose method is no word"
		_, err := io.WriteString(s.out, comment+"# It has no valid method, so curl cannot send it.\n")
		return err
	}
	body := e.Body
	if c.Method == http.MethodHead {
		body = nil
	}
	command := fmt.Sprintf("send %d %s", c.Seq, strings.Join(arguments(c, body), " \\\n  "))
	if piped(body) {
		command = fmt.Sprintf("base64 --decode <<'END' | %s\n%s\nEND", command, folded(body))
	}
	s.tally.Written++
	_, err := io.WriteString(s.out, comment+command+"\n")
	return err
}

// Close ends the script.
func (s *script) Close() error { return s.begin() }

// Tally says what was written.
func (s *script) Tally() Tally { return s.tally }

// piped says whether a body goes by standard input: an argument holds no NUL and not any length.
func piped(body []byte) bool {
	return len(body) > maxArgument || strings.IndexByte(string(body), 0) >= 0
}

func folded(body []byte) string {
	text := base64.StdEncoding.EncodeToString(body)
	var out strings.Builder
	for len(text) > lineLength {
		out.WriteString(text[:lineLength] + "\n")
		text = text[lineLength:]
	}
	return out.String() + text
}

// arguments are those of curl: the capture's fields and no others.
func arguments(c *api.Capture, body []byte) []string {
	method := "--request " + quoted(c.Method)
	if c.Method == http.MethodHead {
		method = "--head"
	}
	out := []string{method}
	sized, has := false, map[string]bool{}
	for _, f := range c.Headers {
		name := strings.ToLower(f[0])
		has[name] = true
		switch name {
		case "host", "connection", "transfer-encoding", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect":
			continue
		case "content-length":
			sized = true
			continue
		}
		if !token(f[0]) || strings.ContainsAny(f[1], "\r\n\x00") {
			continue
		}
		if f[1] == "" {
			out = append(out, "--header "+quoted(f[0]+";"))
			continue
		}
		out = append(out, "--header "+quoted(f[0]+": "+f[1]))
	}
	given := []string{"User-Agent", "Accept"}
	if len(body) > 0 || sized {
		given = append(given, "Content-Type", "Expect")
	}
	for _, name := range given {
		if !has[strings.ToLower(name)] || name == "Expect" {
			out = append(out, "--header '"+name+":'")
		}
	}
	switch {
	case c.Method == http.MethodHead:
	case piped(body):
		out = append(out, "--data-binary @-")
	case len(body) > 0 || sized:
		out = append(out, "--data-raw "+quoted(string(body)))
	}
	return append(out, `"$base"`+quoted(target(c.Target)))
}

// target is the path and query that curl sends as it is.
func target(raw string) string {
	if rest, absolute := strings.CutPrefix(raw, "http://"); absolute {
		_, rest, _ = strings.Cut(rest, "/")
		raw = "/" + rest
	}
	if !strings.HasPrefix(raw, "/") {
		raw = "/" + raw
	}
	var out strings.Builder
	for _, c := range []byte(raw) {
		if c <= ' ' || c >= 0x7f || c == '#' {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

// quoted returns a bash word for any string without NUL: in single quotes, or, where it has characters that a terminal
// does not print, in $'...' with those escaped.
func quoted(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' }) < 0 {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var out strings.Builder
	out.WriteString("$'")
	for _, c := range []byte(s) {
		switch {
		case c == '\'' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&out, `\%03o`, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String() + "'"
}

// token says whether s is one word as HTTP has methods and field names.
func token(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}) < 0
}
