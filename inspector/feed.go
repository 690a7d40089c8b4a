package inspector

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	feedPage = 500
	// maxPages bounds the pages kept, and maxPageBytes each one that is.
	maxPages     = 16
	maxPageBytes = 2 << 20
)

// feed reads facts for live sockets. Sockets that stand at the same place share one page, read from the
// store and turned into JSON once, so a hundred of them cost little more than one. It is no queue: a page
// that was dropped is read again by whoever still needs it.
type feed struct {
	server *Server

	mu    sync.Mutex
	pages map[feedKey]*feedEntry
	order []feedKey
}

// feedKey is where a page begins and what it masks.
type feedKey struct {
	after webhook.Seq
	view  *lens
}

// feedEntry is a page being read, or read.
type feedEntry struct {
	done chan struct{}
	page feedFacts
	err  error
}

// feedFacts are the messages of consecutive facts.
type feedFacts struct {
	messages []message
	// last is the seq up to which everything is in messages.
	last  webhook.Seq
	bytes int
}

// message is one fact as it goes out.
type message struct {
	endpoint string
	seq      webhook.Seq
	text     []byte
}

func newFeed(s *Server) *feed { return &feed{server: s, pages: map[feedKey]*feedEntry{}} }

// read returns the messages after a seq, up to 500, none if there is nothing yet. The error is the store's
// or ctx's.
func (f *feed) read(ctx context.Context, after webhook.Seq) (feedFacts, error) {
	key := feedKey{after: after, view: f.server.lens(false)}
	f.mu.Lock()
	e, found := f.pages[key]
	if !found {
		e = &feedEntry{done: make(chan struct{})}
		f.pages[key] = e
	}
	f.mu.Unlock()
	if found {
		select {
		case <-e.done:
			return e.page, e.err
		case <-ctx.Done():
			return feedFacts{}, ctx.Err()
		}
	}
	// The page is for all who wait for it, so it does not end with the one socket that reads it.
	f.load(f.server.ctx, key, e) //nolint:contextcheck // see above
	return e.page, e.err
}

func (f *feed) load(ctx context.Context, key feedKey, e *feedEntry) {
	e.err = fmt.Errorf("inspector: live feed: %w", errPanicked)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		close(e.done)
		if e.err != nil || len(e.page.messages) == 0 || e.page.bytes > maxPageBytes {
			delete(f.pages, key)
			return
		}
		f.order = append(f.order, key)
		if len(f.order) > maxPages {
			delete(f.pages, f.order[0])
			f.order = f.order[1:]
		}
	}()
	e.page, e.err = f.server.facts(ctx, key)
}

// facts reads a page and turns it into messages, with secrets masked.
func (s *Server) facts(ctx context.Context, key feedKey) (feedFacts, error) {
	// Where there are no facts left, as after a deletion, the place to go on from is what was newest before.
	page := feedFacts{last: max(key.after, s.store.Last())}
	list, err := s.store.Facts(ctx, key.after, feedPage)
	if err != nil {
		return page, err
	}
	v := key.view
	for i := range list {
		f := &list[i]
		var capture *api.Capture
		if f.Capture != nil {
			p, err := s.summary(ctx, v, f.Capture)
			if err != nil {
				return page, err
			}
			capture = new(v.Capture(f.Capture, p))
		}
		text, err := json.Marshal(v.Fact(f, capture))
		if err != nil {
			return page, err
		}
		page.messages = append(page.messages, message{endpoint: f.Endpoint, seq: f.Seq, text: text})
		page.last, page.bytes = f.Seq, page.bytes+len(text)
	}
	return page, nil
}
