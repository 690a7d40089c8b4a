package egress_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/hookrange/hookrange/receiver/resolve/egress"
)

// encode is plain under a content coding.
func encode(t *testing.T, coding string, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "br":
		w = brotli.NewWriterLevel(&b, 1)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, _ = flate.NewWriter(&b, 5)
	case "zstd":
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	default:
		return plain
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestContentEncodings(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	small := []byte(`{"messages":[{"role":"user"}]}`)
	large := bytes.Repeat([]byte("0123456789abcdef"), 2*mib/16)
	bomb := make([]byte, 3*mib)
	for name, tt := range map[string]struct {
		header, coding string
		plain          []byte
		max            int64
		want           string
		chunked        bool
	}{
		"plain":              {plain: small},
		"empty":              {plain: []byte{}},
		"chunked":            {plain: large, chunked: true},
		"gzip":               {header: "gzip", coding: "gzip", plain: small},
		"gzip, large":        {header: "x-gzip", coding: "gzip", plain: large},
		"br":                 {header: "br", coding: "br", plain: large},
		"zstd":               {header: "zstd", coding: "zstd", plain: large},
		"zstd, small bound":  {header: "zstd", coding: "zstd", plain: small, max: 100},
		"deflate":            {header: "deflate", coding: "zlib", plain: large},
		"deflate, bare":      {header: "deflate", coding: "flate", plain: large},
		"aws-chunked":        {header: "aws-chunked", plain: small},
		"aws-chunked, gzip":  {header: "aws-chunked, GZIP", coding: "gzip", plain: small},
		"identity":           {header: "identity", plain: small},
		"nested":             {header: "gzip, gzip", coding: "gzip", plain: small, want: "decode/bad_encoding"},
		"unknown":            {header: "compress", plain: small, want: "decode/bad_encoding"},
		"not gzip":           {header: "gzip", plain: small, want: "decode/bad_encoding"},
		"not br":             {header: "br", plain: large, want: "decode/bad_encoding"},
		"not zstd":           {header: "zstd", plain: small, want: "decode/bad_encoding"},
		"not deflate":        {header: "deflate", plain: []byte{0xff, 0xff, 0xff}, want: "decode/bad_encoding"},
		"at the bound":       {plain: large, max: 3 * mib},
		"over the bound":     {plain: large, max: 2*mib - 1, want: "too_large/too_large"},
		"over it, chunked":   {plain: large, max: 2*mib - 1, chunked: true, want: "too_large/too_large"},
		"gzip, at the bound": {header: "gzip", coding: "gzip", plain: large, max: 3 * mib},
		"gzip, over it":      {header: "gzip", coding: "gzip", plain: large, max: 2*mib - 1, want: "too_large/too_large"},
		"gzip bomb":          {header: "gzip", coding: "gzip", plain: bomb, max: 2 * mib, want: "too_large/too_large"},
		"br bomb":            {header: "br", coding: "br", plain: bomb, max: 2 * mib, want: "too_large/too_large"},
		"zstd bomb":          {header: "zstd", coding: "zstd", plain: bomb, max: 2 * mib, want: "too_large/too_large"},
		"deflate bomb":       {header: "deflate", coding: "zlib", plain: bomb, max: 2 * mib, want: "too_large/too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := encode(t, tt.coding, tt.plain)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set("Content-Encoding", tt.header)
				}
				if !tt.chunked {
					w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				}
				_, _ = w.Write(body)
			}))
			defer srv.Close()
			req := private(srv.URL)
			req.Policy.MaxBytes = tt.max
			resp, err := egress.New(egress.Config{}).Get(t.Context(), req)
			if got := code(t, err); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			if err == nil && !bytes.Equal(resp.Body, tt.plain) {
				t.Errorf("%d bytes, want %d", len(resp.Body), len(tt.plain))
			}
		})
	}
}

func TestEndlessBody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		header string
		piece  []byte
	}{
		"plain": {piece: make([]byte, 64<<10)},
		// Decoded this is nothing at all, for ever.
		"empty gzip members": {"gzip", bytes.Repeat(encode(t, "gzip", nil), 2000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set("Content-Encoding", tt.header)
				}
				// What does not end here is ended by the client.
				for sent < 64<<20 {
					n, err := w.Write(tt.piece)
					sent += int64(n)
					if err != nil {
						return
					}
				}
			}))
			req := private(srv.URL)
			req.Policy.MaxBytes = 4 << 20
			_, err := egress.New(egress.Config{}).Get(t.Context(), req)
			if got := code(t, err); got != "too_large/too_large" {
				t.Errorf("got %q, want too_large/too_large", got)
			}
			srv.Close()
			// What the kernel buffers comes on top of the bound.
			if sent > 32<<20 {
				t.Errorf("%d bytes were taken, want about 4 MiB", sent)
			}
		})
	}
}

func TestLargeBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), 3<<19)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	defer srv.Close()
	c := egress.New(egress.Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			resp, err := c.Get(t.Context(), private(srv.URL))
			if err != nil || len(resp.Body) != len(body) {
				t.Errorf("Get: %v", err)
			}
		})
	}
	wg.Wait()
}
