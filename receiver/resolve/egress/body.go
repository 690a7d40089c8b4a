package egress

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// defaultMax and hardMax bound one object, both as it comes over the wire and decoded.
	defaultMax, hardMax = 32 << 20, 64 << 20
	// maxAnswer bounds what is read of an answer other than 200: it is an error text.
	maxAnswer = 64 << 10
	// Bodies are read in chunks that double from firstChunk to chunk. One over smallChunks of them,
	// about 1 MiB, waits for one of largeSlots.
	firstChunk, chunk, smallChunks, largeSlots = 32 << 10, 1 << 20, 5, 2
	// maxWindow is the largest zstd window that HTTP allows (RFC 9659).
	maxWindow = 8 << 20
)

var (
	errTooLarge = &Error{TooLarge, "too_large", "the object is larger than the endpoint accepts"}
	errEncoding = &Error{Decode, "bad_encoding", "the object's content encoding is damaged or not a known one"}
)

// limited reads at most left bytes and then fails with errTooLarge, where io.LimitReader would say
// EOF.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// tagged remembers the wire's own failure, so that it is not taken for a damaged encoding.
type tagged struct {
	r   io.Reader
	err error
}

func (t *tagged) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

// object reads an object whole and decodes it, both within bound.
func (c *Client) object(ctx context.Context, resp *http.Response, bound int64) ([]byte, error) {
	if resp.ContentLength > bound {
		return nil, errTooLarge
	}
	wire := &tagged{r: &limited{resp.Body, bound}}
	plain, encoded, err := decoder(resp.Header.Values("Content-Encoding"), wire, bound)
	if err == nil {
		defer func() { _ = plain.Close() }()
		var data []byte
		if data, err = c.readAll(ctx, &limited{plain, bound}); err == nil {
			return data, nil
		}
	}
	tooLarge := new(Error)
	switch {
	case errors.As(err, &tooLarge):
		return nil, tooLarge
	case wire.err != nil:
		return nil, wire.err
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, errTooLarge
	case encoded && ctx.Err() == nil:
		return nil, errEncoding
	}
	return nil, err
}

// readAll reads r to its end. Small bodies pass freely; of large ones only a few are read at a
// time, so that memory stays bounded whatever number of Gets is in flight.
func (c *Client) readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	var chunks [][]byte
	buf := make([]byte, 0, firstChunk)
	for {
		if len(buf) == cap(buf) {
			chunks = append(chunks, buf)
			if len(chunks) == smallChunks {
				select {
				case c.large <- struct{}{}:
					defer func() { <-c.large }()
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			buf = make([]byte, 0, min(2*cap(buf), chunk))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return bytes.Join(append(chunks, buf), nil), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// decoder undoes one content coding. encoded is false where there is none.
func decoder(values []string, r io.Reader, bound int64) (plain io.ReadCloser, encoded bool, err error) {
	coding := ""
	for token := range strings.SplitSeq(strings.ToLower(strings.Join(values, ",")), ",") {
		switch token = strings.TrimSpace(token); {
		case token == "", token == "identity", token == "aws-chunked":
			// aws-chunked is how the object was uploaded; stores that keep the word do not send it
			// so.
		case coding != "":
			return nil, true, errEncoding
		default:
			coding = token
		}
	}
	switch coding {
	case "":
		return io.NopCloser(r), false, nil
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(r)
	case "br":
		plain = io.NopCloser(brotli.NewReader(r))
	case "deflate":
		plain, err = inflate(r)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(uint64(max(bound, maxWindow)))); err == nil {
			plain = z.IOReadCloser()
		}
	default:
		err = errEncoding
	}
	return plain, true, err
}

// inflate reads "deflate", which is zlib by its definition and bare deflate from some senders.
func inflate(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReader(r)
	head, err := b.Peek(2)
	if err == nil && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}
