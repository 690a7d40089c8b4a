package inspector_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func packed(t *testing.T, pack func(io.Writer) io.WriteCloser, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := pack(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }

func brotlied(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }

func deflated(w io.Writer) io.WriteCloser {
	out, err := flate.NewWriter(w, flate.DefaultCompression)
	if err != nil {
		panic(err)
	}
	return out
}

// noise does not get smaller when it is packed.
func noise(n int) string {
	var out strings.Builder
	for i := 0; out.Len() < n; i++ {
		sum := sha256.Sum256(fmt.Append(nil, i))
		fmt.Fprintf(&out, "%x", sum)
	}
	return out.String()[:n]
}

// unreadable are bodies that hold a secret which the mask cannot see, since they cannot be decoded to their end. Each has
// the marker where it can be read to.
func unreadable(t *testing.T) map[string]struct{ coding, body, read string } {
	t.Helper()
	note := `{"note":"marker ` + hooked + `","more":"` + noise(3000) + `"}`
	whole := packed(t, gzipped, note)
	twice := packed(t, brotlied, whole)
	damaged := []byte(whole)
	damaged[len(damaged)-500] ^= 0xff
	return map[string]struct{ coding, body, read string }{
		"cut gzip":           {"gzip", whole[:len(whole)-900], "marker"},
		"cut within":         {"gzip, br", twice[:len(twice)-900], "marker"},
		"damaged gzip":       {"gzip", string(damaged), "marker"},
		"cut bare deflate":   {"deflate", packed(t, deflated, note)[:1500], "marker"},
		"bytes that follow":  {"deflate", packed(t, deflated, "the marker stands here") + packed(t, deflated, note), "marker"},
		"unknown coding":     {"snappy", whole, ""},
		"unknown within":     {"snappy, gzip", packed(t, gzipped, whole), ""},
		"not what it says":   {"br", whole, ""},
		"too many codings":   {"gzip, " + strings.Repeat("br, ", 4), twice, ""},
		"much when decoded":  {"gzip", packed(t, gzipped, note+strings.Repeat(" ", 3<<20)), ""},
		"much within":        {"gzip, gzip", packed(t, gzipped, packed(t, gzipped, note+strings.Repeat(" ", 3<<20))), ""},
		"one that is secret": {hooked, whole, ""},
	}
}

// unpackable looks for the secret as somebody would who has the bytes and every tool.
func unpackable(text []byte) bool {
	for range 4 {
		if bytes.Contains(text, []byte(hooked)) {
			return true
		}
		if at := bytes.Index(text, []byte("\x1f\x8b\x08")); at >= 0 {
			text = text[at:]
		}
		var better []byte
		if r, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
			better, _ = io.ReadAll(r)
		} else if better, _ = io.ReadAll(brotli.NewReader(bytes.NewReader(text))); len(better) == 0 {
			better, _ = io.ReadAll(flate.NewReader(bytes.NewReader(text)))
		}
		text = better
	}
	return false
}

// TestWithheldBodies: what the mask cannot look into is shown in no view that masks, and whole to who may see it.
func TestWithheldBodies(t *testing.T) {
	t.Parallel()
	for name, test := range unreadable(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "one that is secret" && name != "too many codings" && name != "bytes that follow" && !unpackable([]byte(test.body)) {
				t.Fatal("nobody could unpack it, so nothing is proven")
			}
			r := newRig(t)
			r.endpoint(t, "default")
			c := r.capture(t, "default", test.body, func(c *webhook.Capture) {
				c.Request.Head = []byte("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: " + test.coding + "\r\nTransfer-Encoding: chunked\r\n\r\n")
				c.Request.Framed = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(test.body), test.body)
			})
			r.settled(t)
			at := fmt.Sprintf("%s/%d", captures, c.Seq)
			share := decoded[api.NewShare](t, r.call(t, http.MethodPost, at+"/share", `{}`), http.StatusCreated)
			shown := map[string][]byte{}
			for _, path := range []string{at, at + "/body", at + "/body?decoded=true", at + "/raw", captures, waits + "?count=1", "/api/v1/endpoints/default/deliveries"} {
				shown[path] = r.call(t, http.MethodGet, path, "").text
			}
			for _, path := range []string{"", "/body", "/body?decoded=true", "/raw"} {
				shown["shared"+path] = r.call(t, http.MethodGet, "/api/v1/shared"+path, "", by(share.Key)).text
			}
			for _, format := range []string{"har", "jsonl", "curl", "csv", "zip", "dataset"} {
				shown[format] = exported(t, r, "format="+format).text
			}
			socket := dial(t, r, "?after=0")
			socket.hello(t, token)
			shown["live"] = socket.text(t)
			for where, text := range shown {
				for _, plain := range append(parts(t, where, text), text) {
					if unpackable(plain) {
						t.Errorf("%s shows the secret: %.300q", where, plain)
					}
				}
				if bare := strings.HasSuffix(where, "body") || strings.HasSuffix(where, "decoded=true") || strings.HasSuffix(where, "raw"); bare &&
					(!bytes.Contains(text, []byte("••• Bytes are withheld")) || !bytes.Contains(text, []byte(test.read))) {
					t.Errorf("%s shows %.300q", where, text)
				}
			}
			for _, where := range []string{captures, at, "live", "jsonl"} {
				if !bytes.Contains(shown[where], []byte(`"code":"withheld"`)) {
					t.Errorf("%s does not say what is withheld: %.600q", where, shown[where])
				}
			}
			if got := r.call(t, http.MethodGet, at+"/body?reveal=true", "").text; string(got) != test.body {
				t.Errorf("revealed are %d other bytes, not %d", len(got), len(test.body))
			}
			if got := r.call(t, http.MethodGet, at+"/raw?reveal=true", "").text; !bytes.Contains(got, c.Request.Framed) {
				t.Error("revealed is another request")
			}
			r.searched(t, test.read, test.coding)
		})
	}
}

// TestCutSecretsAreWithheld: of a packed body that was cut within a secret not even the secret's beginning is shown.
func TestCutSecretsAreWithheld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	plain := func(w io.Writer) io.WriteCloser {
		out, err := gzip.NewWriterLevel(w, gzip.NoCompression)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole := packed(t, plain, `{"note":"marker","as":"`+hooked+`"}`)
	for end := strings.Index(whole, hooked); end < len(whole)-1; end += 3 {
		c := r.capture(t, "default", whole[:end], func(c *webhook.Capture) {
			c.Request.Head = []byte("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n")
		})
		for _, path := range []string{"", "/body"} {
			text := r.call(t, http.MethodGet, fmt.Sprintf("%s/%d%s", captures, c.Seq, path), "").text
			if bytes.Contains(text, []byte(hooked[:3])) || !bytes.Contains(text, []byte("marker")) {
				t.Errorf("cut at %d, %q shows %.600q", end, path, text)
			}
		}
	}
}

// searched looks for the secret as a viewer, whose searches see what is masked.
func (r *rig) searched(t *testing.T, read, coding string) {
	t.Helper()
	viewer := r.token(t, "viewer", webhook.RoleView)
	for q, want := range map[string]int{hooked: 0, "body.note:" + hooked: 0, read: 1, "header.content-encoding:" + strings.Split(coding, ",")[0]: 1} {
		if q == "" || q == "header.content-encoding:"+hooked {
			continue
		}
		a := r.call(t, http.MethodGet, captures+"?q="+q, "", by(viewer.Key))
		if list := decoded[api.Captures](t, a, http.StatusOK); len(list.Captures) != want {
			t.Errorf("a viewer's %q finds %d, want %d", q, len(list.Captures), want)
		}
	}
}

// parts returns what stands packed in an export.
func parts(t *testing.T, where string, text []byte) [][]byte {
	t.Helper()
	var out [][]byte
	if where == "zip" {
		files, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, data)
		}
	}
	// HAR, JSON lines and the script have bytes in base64.
	for word := range bytes.FieldsFuncSeq(bytes.ReplaceAll(text, []byte("\n"), nil), func(r rune) bool { return r == '"' || r == '\'' || r == ' ' }) {
		if raw, err := base64.StdEncoding.DecodeString(string(word)); err == nil && len(raw) > 20 {
			out = append(out, raw)
		}
	}
	return out
}

// TestTextInNoCodingIsShown: a header that claims a coding which the body does not have takes nothing away.
func TestTextInNoCodingIsShown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.endpoint(t, "default")
	for _, coding := range []string{"gzip", "utf-8", "deflate", "br", "aws-chunked", strings.Repeat("gzip, ", 5)} {
		c := r.capture(t, "default", `{"note":"ü `+hooked+`"}`, func(c *webhook.Capture) {
			c.Request.Head = []byte("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: " + coding + "\r\n\r\n")
		})
		at := fmt.Sprintf("%s/%d", captures, c.Seq)
		if got := string(r.call(t, http.MethodGet, at+"/body", "").text); got != `{"note":"ü •••"}` {
			t.Errorf("%s: shown is %s", coding, got)
		}
		if got := get[api.Capture](t, r, at); len(got.Payload.Problems) != 0 {
			t.Errorf("%s: %+v", coding, got.Payload)
		}
	}
}
