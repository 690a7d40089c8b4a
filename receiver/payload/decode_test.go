package payload_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math"
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
