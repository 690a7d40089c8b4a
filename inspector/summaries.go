package inspector

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	maxSummaries = 2048
	// maxDescribed is the size of a body that a list looks into. A larger one is described only by itself.
	maxDescribed = 1 << 20
)

// summaries remembers the payload summaries of captures, which cost a body to make. The least recently used
// go first.
type summaries struct {
	mu    sync.Mutex
	byKey map[summaryKey]*list.Element
	order *list.List
}

// summaryKey tells the summaries of one capture under different masks apart; view is nil for the exact one.
type summaryKey struct {
	seq  webhook.Seq
	view *lens
}

type summary struct {
	key     summaryKey
	payload api.Payload
}

func newSummaries() *summaries {
	return &summaries{byKey: map[summaryKey]*list.Element{}, order: list.New()}
}

func (s *summaries) get(key summaryKey) (api.Payload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, found := s.byKey[key]
	if !found {
		return api.Payload{}, false
	}
	s.order.MoveToFront(e)
	return e.Value.(summary).payload, true //nolint:errcheck // the list holds nothing else
}

func (s *summaries) put(key summaryKey, p api.Payload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, found := s.byKey[key]; found {
		return
	}
	s.byKey[key] = s.order.PushFront(summary{key, p})
	if s.order.Len() > maxSummaries {
		oldest := s.order.Back()
		delete(s.byKey, s.order.Remove(oldest).(summary).key) //nolint:errcheck // the list holds nothing else
	}
}

// summary returns what a list shows of a capture's payload. A body that is gone or damaged is said so in the
// summary: one bad row does not hide the others. The error is any other failure of the store.
func (s *Server) summary(ctx context.Context, v *lens, c *webhook.Capture) (api.Payload, error) {
	key := summaryKey{seq: c.Seq, view: v}
	if v.Exact() {
		key.view = nil
	}
	if p, found := s.summaries.get(key); found {
		return p, nil
	}
	if c.Request.BodySize > maxDescribed {
		return unread(c), nil
	}
	whole, err := s.store.Capture(ctx, c.Endpoint, c.Seq)
	switch {
	case errors.Is(err, webhook.ErrDamaged):
		return absent("damaged", "The stored capture does not match its checksum."), nil
	case errors.Is(err, webhook.ErrNotFound):
		return absent("deleted", "The capture was deleted."), nil
	case err != nil:
		return api.Payload{}, err
	}
	described := s.described(v, whole)
	p := v.Summary(&described)
	s.summaries.put(key, p)
	return p, nil
}

// described returns what a capture's body says. Where the view masks, so was the body before, lest a text
// cut short end within a secret; unless the mask broke the body's JSON.
func (s *Server) described(v *lens, c webhook.Capture) webhook.Payload {
	exact, why := s.cfg.Decode(&c)
	if why != nil && !v.Exact() {
		c.Request.Body = withheld(v, exact, why)
		out := s.cfg.Describe(&c)
		out.Title = "body withheld"
		out.Problems = []webhook.Problem{{Code: "withheld", Message: "Bytes are withheld, as they may hold secrets: " + why.Error() + "."}}
		return out
	}
	exact = decodedOr(&c, exact, why)
	c.Request.Body = exact
	masked := v.Mask.Bytes(exact)
	if !bytes.Equal(masked, exact) && (json.Valid(masked) || !json.Valid(exact)) {
		c.Request.Body = masked
	}
	return s.cfg.Describe(&c)
}

func absent(code, message string) api.Payload {
	return api.Payload{Title: code, Problems: []api.Problem{{Code: code, Message: message}}}
}

// unread names a large body by its type and size alone.
func unread(c *webhook.Capture) api.Payload {
	media := strings.ToLower(api.Header(webhook.Fields(c.Request.Head), "Content-Type"))
	kind := webhook.PayloadBinary
	switch {
	case strings.Contains(media, "json"):
		kind = webhook.PayloadJSON
	case strings.HasPrefix(media, "multipart/"):
		kind = webhook.PayloadMultipart
	case strings.HasPrefix(media, "text/"):
		kind = webhook.PayloadText
	}
	return api.Payload{
		Kind: string(kind), Title: fmt.Sprintf("%s, %.1f MB", kind, float64(c.Request.BodySize)/1e6),
		Problems: []api.Problem{},
	}
}

// rows returns the JSON forms of captures as lists show them.
func (s *Server) rows(ctx context.Context, v *lens, captures []webhook.Capture) ([]api.Capture, error) {
	out := make([]api.Capture, len(captures))
	for i := range captures {
		p, err := s.summary(ctx, v, &captures[i])
		if err != nil {
			return nil, err
		}
		out[i] = v.Capture(&captures[i], p)
	}
	return out, nil
}
