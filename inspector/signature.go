package inspector

import (
	"bytes"
	"net/http"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// explainSignature checks a capture's proof again, over its stored bytes, by the endpoint's policy or by the one that
// the caller sends. What the caller sends is neither stored nor shown.
func (s *Server) explainSignature(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	var form api.SignatureInput
	if r.ContentLength != 0 {
		if err := readInto(w, r, maxRequestBody, &form); err != nil {
			return err
		}
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return err
	}
	policy, err := form.Policy(ep.Secret)
	if err != nil {
		return err
	}
	c, err := s.capture(r)
	if err != nil {
		return err
	}
	others := s.store.Endpoints()
	claim := &webhook.Claim{Policy: policy, Request: &c.Request, Others: others, At: c.ReceivedAt}
	if decoded, why := s.cfg.Decode(&c); why == nil && !bytes.Equal(decoded, c.Request.Body) {
		claim.Decoded = decoded
	}
	found, err := s.cfg.Secrets.Explain(claim)
	if err != nil {
		return err
	}
	view := api.View{Mask: s.cfg.Mask(append([]*webhook.Endpoint{{Secret: policy}}, others...)...)}
	return writeJSON(w, http.StatusOK, view.Signature(&c, &found))
}
