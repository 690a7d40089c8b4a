package payload

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// errTooLarge: a body has more than the bound when decoded.
var errTooLarge = errors.New("more bytes than are looked at when decoded")

// Decode undoes the Content-Encoding of a request's body: gzip, br, zstd and deflate, also several
// on top of each other. Without one it returns body itself. It returns an error that wraps
// webhook.ErrInvalid for an unknown coding, for bytes that are not what the header says, and for
// more than limit bytes at any stage.
func Decode(headers []webhook.Field, body []byte, limit int64) ([]byte, error) {
	codings := codingsOf(headers)
	if len(codings) > maxCodings {
		return nil, fmt.Errorf("payload: decode: %w", tooMany(codings))
	}
	for _, coding := range slices.Backward(codings) {
		decoded, _, err := undo(coding, body, limit)
		if err != nil {
			return nil, fmt.Errorf("payload: decode: %w", wrong(coding, err))
		}
		body = decoded
	}
	return body, nil
}

// Unpack is Decode for who looks for secrets in a body: it returns what anybody could read out of it, under the same
// bounds. Its error, which wraps webhook.ErrInvalid, tells people why there may be more in the body than was returned:
// it was cut or damaged, is in an unknown coding, or too large. Text under a header that wrongly claims a coding is
// returned as it is.
func Unpack(headers []webhook.Field, body []byte, limit int64) ([]byte, error) {
	codings := codingsOf(headers)
	var partly error
	if len(codings) > maxCodings {
		if plainText(body) {
			return body, nil
		}
		return nil, tooMany(codings)
	}
	for _, coding := range slices.Backward(codings) {
		decoded, left, err := undo(coding, body, limit)
		switch {
		case err != nil && plainText(body):
			return body, partly
		case errors.Is(err, errTooLarge):
			return nil, wrong(coding, err)
		case err != nil:
			partly = wrong(coding, err)
		case left > 0:
			partly = wrong(coding, fmt.Errorf("%d bytes follow its end", left))
		}
		if body = decoded; len(body) == 0 {
			break
		}
	}
	return body, partly
}

// codingsOf returns the content codings that a request claims, the innermost first.
func codingsOf(headers []webhook.Field) []string {
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
	return codings
}

func tooMany(codings []string) error {
	return fmt.Errorf("the body is %w: it has %d content codings, at most %d are undone", webhook.ErrInvalid, len(codings), maxCodings)
}

func wrong(coding string, err error) error {
	return fmt.Errorf("the body is %w as %.40q: %w", webhook.ErrInvalid, coding, err)
}

// plainText reports whether bytes hide nothing: what stands in them is what a person reads.
func plainText(body []byte) bool {
	return utf8.Valid(body) && !bytes.ContainsFunc(body, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r\f", r) })
}

// undo undoes one coding. With an error it returns what stood before the fault; left are the bytes after the coding's end.
func undo(coding string, body []byte, limit int64) (decoded []byte, left int, err error) {
	in := bytes.NewReader(body)
	r, err := reader(coding, in)
	if err != nil {
		return nil, 0, err
	}
	decoded, err = io.ReadAll(io.LimitReader(r, limit+1))
	if closing := r.Close(); err == nil {
		err = closing
	}
	if int64(len(decoded)) > limit {
		return nil, 0, errTooLarge
	}
	return decoded, in.Len(), err
}

func reader(coding string, in *bytes.Reader) (io.ReadCloser, error) {
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
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return flate.NewReader(in), nil
	default:
		return nil, errors.New("this coding is not known; known are gzip, br, zstd and deflate")
	}
}
