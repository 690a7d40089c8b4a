package inspector

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// bodyTime is how long a client may take to fetch the largest body.
const bodyTime = 10 * time.Minute

// getBody answers with the body as it was sent, or (decoded) without its content codings. A body that is not what
// its Content-Encoding says, or too large without it, comes as it was sent either way.
func (s *Server) getBody(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "reveal", "decoded")
	if err != nil {
		return err
	}
	decoded, err := q.flag("decoded")
	if err != nil {
		return err
	}
	v, err := s.viewOf(r, q)
	if err != nil {
		return err
	}
	c, err := s.capture(r)
	if err != nil {
		return err
	}
	s.writeBody(w, v, &c, decoded)
	return nil
}

// writeBody answers with a capture's body as a view has it.
func (s *Server) writeBody(w http.ResponseWriter, v *lens, c *webhook.Capture, decoded bool) {
	body, _ := s.shown(v, c)
	if decoded {
		body = v.Mask.Bytes(s.cfg.Decode(c))
	}
	writeBytes(w, fmt.Sprintf("capture-%d.bin", c.Seq), body)
}

// shown returns a capture's body as a view has it, and whether that hides anything. A body whose
// Content-Encoding hides secrets from the mask is shown decoded.
func (s *Server) shown(v *lens, c *webhook.Capture) (body []byte, hides bool) {
	body = c.Request.Body
	if v.Exact() {
		return body, false
	}
	if decoded := s.cfg.Decode(c); !bytes.Equal(decoded, body) {
		if masked := v.Mask.Bytes(decoded); !bytes.Equal(masked, decoded) {
			return masked, true
		}
	}
	masked := v.Mask.Bytes(body)
	return masked, !bytes.Equal(masked, body)
}

// getRaw answers with the request as it stood on the wire: the head, then the body in its transfer coding. A
// body that hides something comes without that coding, whose chunks could cut a secret in two.
func (s *Server) getRaw(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	c, err := s.capture(r)
	if err != nil {
		return err
	}
	writeBytes(w, fmt.Sprintf("capture-%d.http", c.Seq), s.raw(v, &c))
	return nil
}

// raw returns a capture's request as a view has it.
func (s *Server) raw(v *lens, c *webhook.Capture) []byte {
	body, hides := s.shown(v, c)
	if c.Request.Framed != nil && !hides {
		body = v.Mask.Bytes(c.Request.Framed)
	}
	return slices.Concat(v.Mask.Bytes(c.Request.Head), body)
}

func (s *Server) getResolved(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	endpoint, seq, err := captureOf(r)
	if err != nil {
		return err
	}
	name := mux.Vars(r)["name"]
	o, err := s.store.Object(r.Context(), endpoint, seq, name)
	if err != nil {
		return concerning(err, "resolved object %q of capture %d", name, seq)
	}
	if o.State != webhook.Resolved {
		return fmt.Errorf("resolved object %q of capture %d is %s: %w", name, seq, o.State, webhook.ErrNotFound)
	}
	writeBytes(w, fmt.Sprintf("capture-%d-%s.bin", seq, fileName(name)), v.Mask.Bytes(o.Data))
	return nil
}

// fileName makes a name that is one segment of a path and needs no quoting.
func fileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		default:
			return '_'
		}
	}, name)
	return clean[:min(len(clean), 100)]
}

// writeBytes answers with bytes that a sender made, in a way that no browser renders.
func writeBytes(w http.ResponseWriter, name string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Security-Policy", bytesPolicy)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	hold(w, bodyTime)
	// The client may be gone; there is nobody left to tell.
	_, _ = bytes.NewReader(data).WriteTo(w)
}
