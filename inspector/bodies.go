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

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// bodyTime is how long a client may take to fetch the largest body.
const bodyTime = 10 * time.Minute

// getBody answers with the body as it was sent, or (decoded) without its content codings. A body that is not what
// its Content-Encoding says, or too large without it, comes as it was sent either way, but to who may not see secrets.
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
		body = s.text(v, c)
	}
	writeBytes(w, fmt.Sprintf("capture-%d.bin", c.Seq), body)
}

// shown returns a capture's body as a view has it, and whether that hides anything. A body whose
// Content-Encoding hides secrets from the mask is shown decoded, and so is one that cannot be decoded to its end.
func (s *Server) shown(v *lens, c *webhook.Capture) (body []byte, hides bool) {
	body = c.Request.Body
	if v.Exact() {
		return body, false
	}
	decoded, why := s.cfg.Decode(c)
	if why != nil {
		return withheld(v, decoded, why), true
	}
	if !bytes.Equal(decoded, body) {
		if masked := v.Mask.Bytes(decoded); !bytes.Equal(masked, decoded) {
			return masked, true
		}
	}
	masked := v.Mask.Bytes(body)
	return masked, !bytes.Equal(masked, body)
}

// text returns a capture's body without its Content-Encoding as a view has it.
func (s *Server) text(v *lens, c *webhook.Capture) []byte {
	decoded, why := s.cfg.Decode(c)
	switch {
	case v.Exact():
		return decodedOr(c, decoded, why)
	case why != nil:
		return withheld(v, decoded, why)
	default:
		return v.Mask.Bytes(decoded)
	}
}

// decodedOr returns what a body was decoded to, or the body as it is when that is not the whole of it.
func decodedOr(c *webhook.Capture, decoded []byte, why error) []byte {
	if why != nil {
		return c.Request.Body
	}
	return decoded
}

// withheld returns what can be read out of a body, masked, and says that there may be more: a secret in what the mask
// cannot look into would be there for everybody with the right tool. The last word goes too, as it may be a secret's
// beginning.
func withheld(v *lens, readable []byte, why error) []byte {
	readable = readable[:bytes.LastIndexAny(readable, " \t\r\n\"'<>()[]{},;:&?=")+1]
	if len(readable) > 0 {
		readable = slices.Concat(readable, []byte("\n"))
	}
	return v.Mask.Bytes(fmt.Appendf(readable, "%s Bytes are withheld, as they may hold secrets: %v. Reveal secrets to see the body as it came.\n", api.Hidden, why))
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
