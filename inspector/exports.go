package inspector

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/inspector/export"
	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	// exportTime is how long a client may take for the next part of an export.
	exportTime   = 2 * time.Minute
	exportBuffer = 64 << 10
)

// Trailers of an export: how many captures, or examples, it holds and how many the form could not.
const (
	exportedTrailer = "Hookrange-Exported"
	leftOutTrailer  = "Hookrange-Left-Out"
)

// exporting is one export under way.
type exporting struct {
	server *Server
	listing
	format  export.Format
	control *http.ResponseController
	budget  *readBudget
	writer  export.Writer
	// limit of the captures, or 0.
	limit, count int64
	lost         int
}

// getExport streams captures, oldest first, up to the newest one when it began.
func (s *Server) getExport(w http.ResponseWriter, r *http.Request) error {
	x, err := s.exporting(r)
	if err != nil {
		return err
	}
	h := w.Header()
	name := x.query.Endpoint + "-" + s.cfg.Now().UTC().Format("20060102-150405") + x.format.Suffix
	h.Set("Content-Type", x.format.MediaType)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Security-Policy", bytesPolicy)
	h.Set("Trailer", exportedTrailer+", "+leftOutTrailer)
	if r.Method == http.MethodHead {
		return nil
	}
	settings := x.view
	if !may(r.Context(), webhook.RoleAdmin) {
		settings = s.lens(false)
	}
	noting(r.Context(), fact("format", r.URL.Query().Get("format")), fact("q", x.view.Mask.String(r.URL.Query().Get("q"))))
	// Before the first byte leaves: an export can take long, and the server can end meanwhile.
	s.keepAudit(r.Context(), exchangeOf(r.Context()).audit, http.StatusOK, nil, true)
	x.control = http.NewResponseController(w)
	out := bufio.NewWriterSize(w, exportBuffer)
	x.writer = x.format.Open(out, export.About{
		Endpoint: x.query.Endpoint, Base: s.cfg.HookBase, Version: s.cfg.Version, At: s.cfg.Now(), Masked: !x.view.Exact(),
		Filter: r.URL.Query().Get("q"), Settings: settings.Endpoint(x.endpoint()),
	})
	if err = x.run(r.Context()); err == nil {
		err = errors.Join(x.writer.Close(), out.Flush())
	}
	if err != nil {
		// Part of the answer may be out: only a broken connection tells that the rest is missing.
		if r.Context().Err() == nil {
			s.log.failed(r.Context(), "export", err)
		}
		panic(http.ErrAbortHandler)
	}
	tally := x.writer.Tally()
	h.Set(exportedTrailer, strconv.Itoa(tally.Written))
	h.Set(leftOutTrailer, leftOut(tally, x.lost))
	return nil
}

func leftOut(t export.Tally, lost int) string {
	text := strconv.Itoa(t.LeftOut + lost)
	switch {
	case lost > 0:
		return text + fmt.Sprintf(" (%d of them damaged)", lost)
	case t.LeftOut > 0:
		return text + " (" + t.Why + ")"
	default:
		return text
	}
}

func (s *Server) exporting(r *http.Request) (*exporting, error) {
	q, err := params(r, "format", "before", "after", "class", "q", "limit", "reveal")
	if err != nil {
		return nil, err
	}
	masking := s.masking(r.Context())
	x := &exporting{server: s, budget: &readBudget{server: s, end: s.cfg.Now().Add(math.MaxInt64), masking: masking}}
	if x.format, err = export.FormatNamed(q.text("format")); err != nil {
		return nil, err
	}
	before, err := q.number("before", 0, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	after, err := q.number("after", 0, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if x.limit, err = q.number("limit", 0, 1, math.MaxInt64); err != nil {
		return nil, err
	}
	classes, err := q.classes()
	if err != nil {
		return nil, err
	}
	if len(classes) == 0 && x.format.Accepted() {
		classes = []webhook.Class{webhook.Accepted}
	}
	if x.terms, err = search.Parse(q.text("q")); err != nil {
		return nil, err
	}
	if x.view, err = s.viewOf(r, q); err != nil {
		return nil, err
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = int64(s.store.Last()) + 1
	}
	x.query = webhook.Query{
		Endpoint: ep.Name, Classes: classes, Before: webhook.Seq(before), After: webhook.Seq(after), Limit: findPage, Ascending: true,
		Narrow: x.budget.narrow(x.terms),
	}
	return x, nil
}

// endpoint returns the endpoint, or an empty one when it was deleted meanwhile.
func (x *exporting) endpoint() *webhook.Endpoint {
	ep, err := x.server.store.Endpoint(x.query.Endpoint)
	if err != nil {
		return &webhook.Endpoint{Name: x.query.Endpoint}
	}
	return ep
}

// run walks over the captures, a page at a time.
func (x *exporting) run(ctx context.Context) error {
	for {
		page, err := x.server.store.Captures(ctx, x.query)
		if err == nil {
			err = x.server.scoped(ctx, x.query.Endpoint)
		}
		if err != nil {
			return err
		}
		for i := range page {
			if x.limit > 0 && x.count == x.limit {
				return nil
			}
			if err = x.one(ctx, &page[i]); err != nil {
				return err
			}
		}
		if len(page) < x.query.Limit {
			return nil
		}
		x.query.After = page[len(page)-1].Seq
	}
}

// one writes a capture if it matches. One that was deleted meanwhile is not missed; a damaged one is counted.
func (x *exporting) one(ctx context.Context, listed *webhook.Capture) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !x.terms.Empty() {
		if yes, err := x.terms.Match(x.budget.candidate(ctx, listed)); err != nil || !yes {
			return err
		}
	}
	c, err := x.server.store.Capture(ctx, listed.Endpoint, listed.Seq)
	switch {
	case errors.Is(err, webhook.ErrNotFound):
		return nil
	case errors.Is(err, webhook.ErrDamaged):
		x.lost++
		return nil
	case err != nil:
		return err
	}
	x.count++
	_ = x.control.SetWriteDeadline(time.Now().Add(exportTime)) // a writer in a test has no deadline
	return x.writer.Add(x.entry(ctx, &c))
}

// entry is a capture as the view shows it.
func (x *exporting) entry(ctx context.Context, c *webhook.Capture) *export.Entry {
	described := x.server.described(x.view, *c)
	shown := x.view.Capture(c, x.view.Summary(&described))
	body, hides := x.server.shown(x.view, c)
	e := &export.Entry{Capture: &shown, Head: slices.Clone(x.view.Mask.Bytes(c.Request.Head)), Body: body, Text: x.server.text(x.view, c)}
	if c.Request.Framed != nil && !hides {
		e.Framed = x.view.Mask.Bytes(c.Request.Framed)
	}
	e.Object = func(name string) ([]byte, bool, error) {
		o, err := x.server.store.Object(ctx, c.Endpoint, c.Seq, name)
		if errors.Is(err, webhook.ErrNotFound) || errors.Is(err, webhook.ErrDamaged) || err == nil && o.State != webhook.Resolved {
			return nil, false, nil
		}
		return x.view.Mask.Bytes(o.Data), err == nil, err
	}
	return e
}
