package payload

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// maxCodings bounds how many content codings one body may have on top of each other.
	maxCodings = 4
	// maxWindow is the most memory that a zstd frame may ask for: what RFC 9659 allows on the web.
	maxWindow = 8 << 20

	// The bounds of Room.
	roomFloor, roomCeiling, roomRatio = 4 << 20, 64 << 20, 100
)

// Room is how many bytes a body of a size may have when decoded: 100 times as many as were sent, but 4 MiB for a small
// one, and 64 MiB at most. What it costs to look into a body then grows with what its sender has spent.
func Room(size int64) int64 {
	return min(max(roomRatio*min(size, roomCeiling), roomFloor), roomCeiling)
}

// Decode undoes the Content-Encoding of a request's body: gzip, br, zstd and deflate, also several
// on top of each other. Without one it returns body itself. It returns an error that wraps
// webhook.ErrInvalid for an unknown coding, for bytes that are not what the header says, and for
// more than limit bytes at any stage.
func Decode(headers []webhook.Field, body []byte, limit int64) ([]byte, error) {
	var codings []string
	for _, f := range headers {
		if !strings.EqualFold(f.Name, "Content-Encoding") {
			continue
		}
		for coding := range strings.SplitSeq(f.Value, ",") {
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding != "" && coding != "identity" {
				codings = append(codings, coding)
			}
		}
	}
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("payload: decode body: %w: %d content codings, at most %d are undone",
			webhook.ErrInvalid, len(codings), maxCodings)
	}
	for _, coding := range slices.Backward(codings) {
		decoded, err := undo(coding, body, limit)
		if err != nil {
			return nil, fmt.Errorf("payload: decode %.40q body: %w: %w", coding, webhook.ErrInvalid, err)
		}
		body = decoded
	}
	return body, nil
}

func undo(coding string, body []byte, limit int64) ([]byte, error) {
	r, err := reader(coding, body)
	if err != nil {
		return nil, err
	}
	decoded, err := io.ReadAll(io.LimitReader(r, limit+1))
	err = errors.Join(err, r.Close())
	if int64(len(decoded)) > limit {
		return nil, fmt.Errorf("it has more than %d bytes when decoded", limit)
	}
	return decoded, err
}

func reader(coding string, body []byte) (io.ReadCloser, error) {
	in := bytes.NewReader(body)
	switch coding {
	case "gzip", "x-gzip":
		return gzip.NewReader(in)
	case "br":
		return io.NopCloser(brotli.NewReader(in)), nil
	case "zstd":
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case "deflate":
		// The name means zlib, but some senders have always sent bare deflate.
		if r, err := zlib.NewReader(in); err == nil {
			return r, nil
		}
		return flate.NewReader(bytes.NewReader(body)), nil
	default:
		return nil, errors.New("this coding is not known; known are gzip, br, zstd and deflate")
	}
}
