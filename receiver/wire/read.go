package wire

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Limits bound what a request may cost.
type Limits struct {
	// Head is the largest head in bytes, request line included. Defaults to 64 KiB.
	Head int
	// Body is the largest body in bytes. Defaults to 10 MiB.
	Body int64
	// Grace is how long a body may take before Rate counts. Defaults to 10 s.
	Grace time.Duration
	// Rate is the slowest accepted transfer in bytes a second after Grace. Defaults to 1000.
	Rate int64
}

// WithDefaults returns the limits with their defaults filled in.
func (l Limits) WithDefaults() Limits {
	if l.Head == 0 {
		l.Head = 64 << 10
	}
	if l.Body == 0 {
		l.Body = 10 << 20
	}
	if l.Grace == 0 {
		l.Grace = 10 * time.Second
	}
	if l.Rate == 0 {
		l.Rate = 1000
	}
	return l
}

// Inbound is a request as read, and how far.
type Inbound struct {
	webhook.Request
	// ReceivedAt is when its first byte was read, UTC.
	ReceivedAt time.Time
	// Reason is empty when the request was read whole and within the limits.
	Reason webhook.Reason
}

// Read takes the request behind r from its connection and reads its body. It blocks until the body has been
// read, broke off or ran over a limit; what was read up to then is returned in every case.
func (l Limits) Read(w http.ResponseWriter, r *http.Request) Inbound {
	in := Inbound{Request: webhook.Request{
		Proto:    r.Proto,
		TLS:      tlsOf(r.TLS),
		Method:   r.Method,
		Target:   r.RequestURI,
		Declared: r.ContentLength,
	}}
	in.Peer, _ = netip.ParseAddrPort(r.RemoteAddr)
	conn := From(r.Context())
	var buffered int64
	if conn != nil {
		in.Head, in.ReceivedAt, buffered = conn.take(r.ContentLength)
	}
	if in.Head == nil {
		in.Head = rebuild(r)
		in.ReceivedAt = time.Now()
	}
	in.ReceivedAt = in.ReceivedAt.UTC()
	switch {
	case len(in.Head) > l.Head:
		in.Reason = webhook.HeadTooLarge
	case ambiguous(in.Head, r):
		in.Reason = webhook.AmbiguousFraming
	default:
		whole := r.ContentLength >= 0 && buffered == r.ContentLength
		in.Body, in.Reason = l.body(w, r, whole)
	}
	if conn != nil && r.ContentLength < 0 {
		in.Framed = conn.takeFramed()
	}
	in.BodySize = int64(len(in.Body))
	in.BodySHA256 = sha256.Sum256(in.Body)
	in.Truncated = in.Reason != "" && r.ContentLength != 0
	return in
}

// idle is how long a body that was declared too large may pause. What flows is read, as far as the limit, so that it can
// be looked at and its sender gets to the answer; one who waits for the answer first gets it.
const idle = time.Second

// body reads r's body up to the limit. With whole, all of it is buffered and no deadline is needed.
func (l Limits) body(w http.ResponseWriter, r *http.Request, whole bool) ([]byte, webhook.Reason) {
	if r.ContentLength == 0 || r.Body == http.NoBody {
		return nil, ""
	}
	tooLarge := r.ContentLength > l.Body
	if tooLarge && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		return nil, webhook.BodyTooLarge
	}
	var control *http.ResponseController
	if !whole {
		control = http.NewResponseController(w)
		//nolint:errcheck // a writer without deadlines (tests) reads without them
		defer control.SetReadDeadline(time.Time{})
	}
	size := r.ContentLength
	if size < 0 || size > 64<<10 {
		size = 64 << 10
	}
	body := make([]byte, 0, min(size, l.Body)+1)
	start := time.Now()
	for {
		if control != nil {
			deadline := start.Add(l.Grace + time.Duration(int64(len(body))*int64(time.Second)/l.Rate))
			if pause := time.Now().Add(idle); tooLarge && pause.Before(deadline) {
				deadline = pause
			}
			_ = control.SetReadDeadline(deadline)
		}
		if len(body) == cap(body) {
			grown := make([]byte, len(body), min(2*int64(cap(body)), l.Body+1))
			copy(grown, body)
			body = grown
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > l.Body {
			return body[:l.Body], webhook.BodyTooLarge
		}
		switch {
		case err != nil && tooLarge:
			return body, webhook.BodyTooLarge
		case err != nil:
			return body, reasonOf(err)
		}
	}
}

func reasonOf(err error) webhook.Reason {
	switch {
	case errors.Is(err, io.EOF):
		return ""
	case errors.Is(err, os.ErrDeadlineExceeded):
		return webhook.BodySlow
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return webhook.BodyCut
	default:
		return webhook.BodyMalformed
	}
}

// ambiguous tells whether two receivers could disagree on where the body ends: net/http accepts both of these.
func ambiguous(head []byte, r *http.Request) bool {
	if len(r.TransferEncoding) == 0 && r.ProtoAtLeast(1, 1) {
		return false
	}
	coded, sized := false, false
	for _, field := range webhook.Fields(head) {
		switch {
		case strings.EqualFold(field.Name, "Transfer-Encoding"):
			coded = true
		case strings.EqualFold(field.Name, "Content-Length"):
			sized = true
		}
	}
	return coded && (sized || !r.ProtoAtLeast(1, 1))
}

// rebuild writes a head for a request that came over no Conn; names are then in canonical form.
func rebuild(r *http.Request) []byte {
	var b bytes.Buffer
	b.WriteString(r.Method + " " + r.RequestURI + " " + r.Proto + "\r\nHost: " + r.Host + "\r\n")
	_ = r.Header.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

func tlsOf(state *tls.ConnectionState) *webhook.TLS {
	if state == nil {
		return nil
	}
	return &webhook.TLS{
		Version:    tls.VersionName(state.Version),
		Cipher:     tls.CipherSuiteName(state.CipherSuite),
		ServerName: state.ServerName,
		ALPN:       state.NegotiatedProtocol,
		Resumed:    state.DidResume,
	}
}
