package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/hookrange/hookrange/inspector/api"
)

const (
	// maxRows bounds the captures that are shown, firstRows those of an endpoint at first and of a filter.
	maxRows   = 2000
	firstRows = 200
)

// list is the captures that are shown, newest first.
type list struct {
	rows []*api.Capture
	// cursor is the seq of the selected row, 0 for none. While follow is set it is the newest.
	cursor int64
	follow bool
	top    int
	// filter in the search language; empty is all.
	filter string
	// after is the seq up to which the feed is in the rows.
	after int64
	// unseen rows came above the cursor.
	unseen int
}

func (l *list) index(seq int64) (int, bool) {
	return slices.BinarySearchFunc(l.rows, seq, func(c *api.Capture, seq int64) int { return cmp.Compare(seq, c.Seq) })
}

func (l *list) find(seq int64) *api.Capture {
	if i, found := l.index(seq); found {
		return l.rows[i]
	}
	return nil
}

func (l *list) selected() *api.Capture { return l.find(l.cursor) }

// replace shows other rows and keeps the selection where it can.
func (l *list) replace(rows []*api.Capture) {
	slices.SortFunc(rows, func(a, b *api.Capture) int { return cmp.Compare(b.Seq, a.Seq) })
	l.rows = rows[:min(len(rows), maxRows)]
	l.settle()
}

func (l *list) add(c *api.Capture) {
	i, found := l.index(c.Seq)
	if found {
		return
	}
	l.rows = slices.Insert(l.rows, i, c)
	if len(l.rows) > maxRows {
		l.rows = l.rows[:maxRows]
	}
	if !l.follow {
		l.unseen++
		if i <= l.top && l.top > 0 {
			// What is in sight stays where it is.
			l.top++
		}
	}
	l.settle()
}

func (l *list) remove(gone func(*api.Capture) bool) {
	at, _ := l.index(l.cursor)
	l.rows = slices.DeleteFunc(l.rows, gone)
	if l.selected() == nil && len(l.rows) > 0 {
		l.cursor = l.rows[min(at, len(l.rows)-1)].Seq
	}
	l.settle()
}

// settle keeps a selection while there are rows.
func (l *list) settle() {
	switch {
	case len(l.rows) == 0:
		l.cursor, l.top, l.unseen, l.follow = 0, 0, 0, true
	case l.follow:
		l.cursor, l.top, l.unseen = l.rows[0].Seq, 0, 0
	case l.selected() == nil:
		i, _ := l.index(l.cursor)
		l.cursor = l.rows[min(i, len(l.rows)-1)].Seq
	}
}

// move selects a row further down, or up. At the newest row the selection follows what comes.
func (l *list) move(by int) {
	if len(l.rows) == 0 {
		return
	}
	i, _ := l.index(l.cursor)
	i = min(max(i+by, 0), len(l.rows)-1)
	l.cursor, l.follow = l.rows[i].Seq, i == 0
	if l.follow {
		l.unseen = 0
	}
}

// window scrolls so that the selection is in sight and returns the rows that are.
func (l *list) window(height int) []*api.Capture {
	i, _ := l.index(l.cursor)
	l.top = max(min(l.top, i, len(l.rows)-1), i-height+1, 0)
	return l.rows[l.top:min(l.top+height, len(l.rows))]
}

// first loads the newest captures, and where the feed goes on.
func (s *screen) first(ctx context.Context) error {
	var info api.Info
	if err := s.client.do(ctx, call{method: http.MethodGet, path: "/api/v1/info"}, &info); err != nil {
		return err
	}
	s.list.after, s.list.follow = info.LastSeq, true
	rows, err := s.load(ctx, "")
	if err == nil {
		s.list.replace(rows)
	}
	return err
}

// load asks for the newest captures that match, of one endpoint or of all.
func (s *screen) load(ctx context.Context, filter string) ([]*api.Capture, error) {
	names := []string{s.opts.Endpoint}
	if s.opts.Endpoint == "" {
		var all api.Endpoints
		if err := s.client.do(ctx, call{method: http.MethodGet, path: endpointsPath}, &all); err != nil {
			return nil, err
		}
		names = names[:0]
		for i := range all.Endpoints {
			names = append(names, all.Endpoints[i].Name)
		}
	}
	var rows []*api.Capture
	query := url.Values{"limit": {strconv.Itoa(firstRows)}}
	if filter != "" {
		query.Set("q", filter)
	}
	for _, name := range names {
		var page api.Captures
		in := call{method: http.MethodGet, path: endpointPath(name) + "/captures", query: query}
		if err := s.client.do(ctx, in, &page); err != nil {
			return nil, err
		}
		for i := range page.Captures {
			rows = append(rows, &page.Captures[i])
		}
	}
	return rows, nil
}

// take puts a fact into the rows. With a filter the server decides which captures match, so it is asked again.
func (s *screen) take(_ context.Context, e *api.Event) {
	l := &s.list
	l.after = e.Seq
	switch {
	case e.Capture != nil && l.filter != "":
		s.stale = true
	case e.Capture != nil:
		l.add(e.Capture)
	case e.Outcome != nil:
		s.stale = s.stale || l.filter != ""
		if c := l.find(e.Of); c != nil {
			c.Outcome = e.Outcome
		}
	case e.Note != nil:
		if c := l.find(e.Of); c != nil {
			c.Note = e.Note
		}
	case e.Deletion != nil && !e.Deletion.Connections:
		d := e.Deletion
		l.remove(func(c *api.Capture) bool {
			through := d.Through > 0 && c.Seq <= d.Through && (d.Class == "" || d.Class == c.Class)
			return c.Endpoint == e.Endpoint && (d.Endpoint || through || slices.Contains(d.Captures, c.Seq))
		})
	}
}

// search shows the captures that match, or says what is wrong with the filter.
func (s *screen) search(ctx context.Context, filter string) {
	s.asked++
	asked := s.asked
	s.asking = true
	s.spawn(ctx, func(ctx context.Context) {
		rows, err := s.load(ctx, filter)
		said := problem(err)
		s.post(ctx, func() error {
			if asked != s.asked {
				return nil
			}
			s.asking = false
			if said != "" {
				s.status = said
				return nil
			}
			s.list.filter = filter
			s.list.replace(rows)
			return nil
		})
	})
}

// refresh asks again for a filtered list that something came to, one question at a time.
func (s *screen) refresh(ctx context.Context) {
	if !s.stale || s.asking {
		return
	}
	s.stale = false
	s.search(ctx, s.list.filter)
}

// problem is an error in one line that a terminal may show; empty for none.
func problem(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Hint() != "" {
		return plain(e.Error() + "; " + e.Hint())
	}
	return plain(err.Error())
}
