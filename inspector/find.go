package inspector

import (
	"context"
	"errors"
	"time"

	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of one search. Whichever is reached first ends it, and the answer's cursor lets it go on.
const (
	maxScanned = 20_000
	maxRead    = 256 << 20
	maxFinding = 10 * time.Second
	findPage   = 500
	// firstPage is how many captures a search reads at first: often the newest match.
	firstPage = 64
)

// found is a page of captures and where the next one begins (0: nowhere). It is complete unless a search
// stopped at a bound.
type found struct {
	captures []webhook.Capture
	next     webhook.Seq
	complete bool
}

// find returns a page: read straight from the store, or by a bounded walk when there are terms to match.
func (s *Server) find(ctx context.Context, l listing) (found, error) {
	if !l.terms.Empty() {
		return s.walk(ctx, l)
	}
	// One more than asked tells whether there is a next page.
	q := l.query
	q.Limit = min(q.Limit+1, maxLimit)
	captures, err := s.store.Captures(ctx, q)
	if err != nil {
		return found{}, err
	}
	out := found{captures: captures, complete: true}
	if len(captures) > l.query.Limit || (len(captures) == maxLimit && l.query.Limit == maxLimit) {
		out.captures = captures[:l.query.Limit]
		out.next = out.captures[l.query.Limit-1].Seq
	}
	return out, nil
}

func (s *Server) walk(ctx context.Context, l listing) (found, error) {
	out := found{complete: true}
	q := l.query
	budget := &readBudget{server: s, end: s.cfg.Now().Add(maxFinding), masking: l.masking}
	q.Narrow = budget.narrow(l.terms)
	for scanned, size := 0, firstPage; ; size = min(4*size, findPage) {
		q.Limit = size
		page, err := s.store.Captures(ctx, q)
		if err != nil {
			return out, err
		}
		for i := range page {
			c := &page[i]
			yes, err := l.terms.Match(budget.candidate(ctx, c))
			if err != nil {
				return out, err
			}
			if q.Ascending {
				q.After = c.Seq
			} else {
				q.Before = c.Seq
			}
			if yes {
				out.captures = append(out.captures, *c)
			}
			scanned++
			if len(out.captures) == l.query.Limit {
				out.next = c.Seq
				return out, nil
			}
			if scanned >= maxScanned || budget.spent() {
				out.next, out.complete = c.Seq, false
				return out, nil
			}
		}
		if len(page) < size {
			return out, nil
		}
	}
}

// readBudget bounds what a walk over captures reads and how long it takes.
type readBudget struct {
	server *Server
	read   int64
	end    time.Time
	// masking is the view in which captures are looked at, nil for exact.
	masking *lens
}

func (b *readBudget) spent() bool { return b.read >= maxRead || b.server.cfg.Now().After(b.end) }

// narrow returns what the index may leave out. It knows exact text: how soon it finds nothing would tell secrets letter by
// letter to who may not see them.
func (b *readBudget) narrow(terms *search.Query) webhook.Narrowing {
	if b.masking != nil {
		return webhook.Narrowing{}
	}
	return terms.Narrow()
}

// candidate loads a capture's body when it is asked for. A damaged or deleted one has none.
func (b *readBudget) candidate(ctx context.Context, c *webhook.Capture) *search.Candidate {
	var whole *webhook.Capture
	load := func() ([]byte, error) {
		got, err := b.server.store.Capture(ctx, c.Endpoint, c.Seq)
		if errors.Is(err, webhook.ErrNotFound) || errors.Is(err, webhook.ErrDamaged) {
			return []byte{}, nil
		}
		if err != nil {
			return nil, err
		}
		body := b.server.text(b.view(), &got)
		b.read += int64(len(body))
		if body == nil {
			body = []byte{}
		}
		got.Request.Body, whole = body, &got
		return body, nil
	}
	replays := func() ([]webhook.Replay, error) {
		tries, err := b.server.store.Replays(ctx, c.Endpoint, c.Seq)
		if errors.Is(err, webhook.ErrNotFound) {
			err = nil
		}
		return tries, err
	}
	return &search.Candidate{Capture: b.masked(c), LoadBody: load, LoadReplays: replays, LoadPayload: func() (kind, title string, err error) {
		if whole != nil && b.masking == nil && c.Request.BodySize <= maxDescribed {
			// As summary has it, without reading the body once more.
			p := b.server.cfg.Describe(whole)
			return string(p.Kind), p.Title, nil
		}
		p, err := b.server.summary(ctx, b.view(), c)
		return p.Kind, p.Title, err
	}}
}

// view is masking, or one that shows everything.
func (b *readBudget) view() *lens {
	if b.masking == nil {
		return b.server.lens(true)
	}
	return b.masking
}

// masked returns a capture as a search may look at it.
func (b *readBudget) masked(c *webhook.Capture) *webhook.Capture {
	if b.masking == nil {
		return c
	}
	out := *c
	out.Request.Head, out.Request.Target = b.masking.Mask.Bytes(c.Request.Head), b.masking.Mask.String(c.Request.Target)
	if c.Note != nil {
		out.Note = new(*c.Note)
		out.Note.Text = b.masking.Mask.String(c.Note.Text)
	}
	return &out
}
