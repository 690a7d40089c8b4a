package payload_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/hookrange/hookrange/receiver/payload"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// packed compresses data with one coding.
func packed(t *testing.T, coding string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "raw":
		w, err = flate.NewWriter(&out, flate.BestSpeed)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRoom(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int64{
		0: 4 << 20, 113: 4 << 20, 41_943: 4 << 20, 50_000: 5_000_000, 671_088: 67_108_800, 700_000: 64 << 20, 1 << 40: 64 << 20, math.MaxInt64: 64 << 20,
	} {
		if got := payload.Room(size); got != want {
			t.Errorf("Room(%d) = %d, want %d", size, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("the same again "), 100)
	field := func(values ...string) (head []webhook.Field) {
		for _, value := range values {
			head = append(head, webhook.Field{Name: "content-encoding", Value: value})
		}
		return head
	}
	layers := func(n int) []byte {
		body := text
		for range n {
			body = packed(t, "gzip", body)
		}
		return body
	}
	for name, test := range map[string]struct {
		head  []webhook.Field
		body  []byte
		limit int64
		want  []byte
	}{
		"none":             {nil, text, 1, text},
		"identity":         {field("identity", ""), text, 1, text},
		"gzip":             {field("GZip"), packed(t, "gzip", text), roomy, text},
		"x-gzip":           {field("x-gzip"), packed(t, "gzip", text), roomy, text},
		"br":               {field("br"), packed(t, "br", text), roomy, text},
		"zstd":             {field("zstd"), packed(t, "zstd", text), roomy, text},
		"deflate":          {field("deflate"), packed(t, "zlib", text), roomy, text},
		"bare deflate":     {field("deflate"), packed(t, "raw", text), roomy, text},
		"two in one field": {field("gzip, br"), packed(t, "br", packed(t, "gzip", text)), roomy, text},
		"two fields":       {field("gzip", "zstd"), packed(t, "zstd", packed(t, "gzip", text)), roomy, text},
		"at the limit":     {field("gzip"), packed(t, "gzip", text), int64(len(text)), text},
		"over the limit":   {field("gzip"), packed(t, "gzip", text), int64(len(text)) - 1, nil},
		"unknown":          {field("snappy"), text, roomy, nil},
		"not gzip":         {field("gzip"), text, roomy, nil},
		"not brotli":       {field("br"), text, roomy, nil},
		"not zstd":         {field("zstd"), text, roomy, nil},
		"cut gzip":         {field("gzip"), packed(t, "gzip", text)[:30], roomy, nil},
		"cut zstd":         {field("zstd"), packed(t, "zstd", text)[:20], roomy, nil},
		"four codings":     {field("gzip,gzip,gzip,gzip"), layers(4), roomy, text},
		"five codings":     {field("gzip,gzip,gzip,gzip,gzip"), layers(5), roomy, nil},
		"a bomb in a bomb": {field("gzip, gzip"), packed(t, "gzip", packed(t, "gzip", make([]byte, 4<<20))), 1 << 20, nil},
	} {
		got, err := payload.Decode(test.head, test.body, test.limit)
		if !bytes.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("%s: %d bytes, want %d; error %v", name, len(got), len(test.want), err)
		}
		if err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: %v is not ErrInvalid", name, err)
		}
	}
}

// TestUnpack: what can be read out of a body, and whether that is all.
func TestUnpack(t *testing.T) {
	t.Parallel()
	var text []byte
	for i := range 3000 {
		text = fmt.Appendf(text, "%d ", i*i*7919)
	}
	part := func(data []byte, n int) []byte { return data[:len(data)*n/100] }
	twice := packed(t, "br", packed(t, "gzip", text))
	for name, test := range map[string]struct {
		coding string
		body   []byte
		limit  int64
		// least is how much of the text must be read at least; whole is true when nothing can be left.
		least int
		whole bool
	}{
		"none":             {"", text, 1, len(text), true},
		"gzip":             {"gzip", packed(t, "gzip", text), roomy, len(text), true},
		"two":              {"gzip, br", twice, roomy, len(text), true},
		"deflate":          {"deflate", packed(t, "zlib", text), roomy, len(text), true},
		"bare deflate":     {"deflate", packed(t, "raw", text), roomy, len(text), true},
		"zstd":             {"zstd", packed(t, "zstd", text), roomy, len(text), true},
		"br":               {"br", packed(t, "br", text), roomy, len(text), true},
		"text after all":   {"gzip", text, roomy, len(text), true},
		"text within":      {"utf-8, gzip", packed(t, "gzip", text), roomy, len(text), true},
		"text, in five":    {strings.Repeat("gzip, ", 5), text, roomy, len(text), true},
		"cut gzip":         {"gzip", part(packed(t, "gzip", text), 70), roomy, len(text) / 2, false},
		"cut deflate":      {"deflate", part(packed(t, "zlib", text), 70), roomy, len(text) / 2, false},
		"cut br":           {"br", part(packed(t, "br", text), 70), roomy, len(text) / 3, false},
		"cut zstd":         {"zstd", part(packed(t, "zstd", text), 70), roomy, 0, false},
		"cut within":       {"gzip, br", part(twice, 90), roomy, len(text) / 3, false},
		"text in cut gzip": {"utf-8, gzip", part(packed(t, "gzip", text), 70), roomy, len(text) / 2, false},
		"more follows":     {"deflate", append(packed(t, "raw", text), packed(t, "raw", text)...), roomy, len(text), false},
		"more after zlib":  {"deflate", append(packed(t, "zlib", text), 1, 2, 3), roomy, len(text), false},
		"more after gzip":  {"gzip", append(packed(t, "gzip", text), 1, 2, 3), roomy, len(text), false},
		"at the limit":     {"gzip", packed(t, "gzip", text), int64(len(text)), len(text), true},
		"over the limit":   {"gzip", packed(t, "gzip", text), int64(len(text)) - 1, 0, false},
		"unknown":          {"snappy", packed(t, "gzip", text), roomy, 0, false},
		"unknown within":   {"snappy, gzip", packed(t, "gzip", packed(t, "gzip", text)), roomy, 0, false},
		"not gzip":         {"gzip", packed(t, "zstd", text), roomy, 0, false},
		"five codings":     {strings.Repeat("gzip, ", 5), packed(t, "gzip", text), roomy, 0, false},
		"nothing":          {"gzip", nil, roomy, 0, true},
	} {
		got, err := payload.Unpack([]webhook.Field{{Name: "Content-Encoding", Value: test.coding}}, test.body, test.limit)
		if (err == nil) != test.whole || err != nil && !errors.Is(err, webhook.ErrInvalid) {
			t.Errorf("%s: error %v, whole should be %v", name, err, test.whole)
		}
		if len(got) < test.least || test.least == len(text) && len(got) != len(text) || !bytes.HasPrefix(text, got) {
			t.Errorf("%s: %d bytes are read, want %d of %d: %.60q", name, len(got), test.least, len(text), got)
		}
	}
}
