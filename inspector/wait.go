package inspector

import (
	"context"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/search"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const (
	defaultWait = 30 * time.Second
	maxWait     = 10 * time.Minute
	maxCount    = maxLimit
	// answerTime is how long writing an answer may take after a long poll.
	answerTime = 30 * time.Second
)

// waiting is a request to block until captures have come, or to prove that they did not.
type waiting struct {
	query    webhook.Query
	match    *search.Expression
	count    int
	none     bool
	timeout  time.Duration
	view     *lens
	masking  *lens
	captures []webhook.Capture
	last     webhook.Seq
}

// wait answers 200 as soon as count captures match, with none=true once the timeout passed without them,
// and 408 otherwise.
func (s *Server) wait(w http.ResponseWriter, r *http.Request) error {
	job, err := s.waiting(r)
	if err != nil {
		return err
	}
	hold(w, job.timeout+answerTime)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)() //nolint:contextcheck // the server's end, beside the request's
	reached, err := s.watch(ctx, job)
	if err != nil && s.ctx.Err() == nil {
		return err
	}
	if err = s.outcomes(r.Context(), job.captures); err != nil {
		return err
	}
	rows, err := s.rows(r.Context(), job.view, job.captures)
	if err != nil {
		return err
	}
	// A wait that the server's end cuts short proves nothing.
	met := reached != job.none && (reached || s.ctx.Err() == nil)
	status := http.StatusOK
	if !met {
		status = http.StatusRequestTimeout
	}
	return writeJSON(w, status, api.Wait{Met: met, Count: len(rows), Captures: rows, Last: int64(job.last)})
}

var asksForClass = regexp.MustCompile(`\bclass\b`)

func (s *Server) waiting(r *http.Request) (*waiting, error) {
	q, err := params(r, "count", "after", "match", "timeout", "none", "class", "reveal")
	if err != nil {
		return nil, err
	}
	job := &waiting{}
	count, err := q.number("count", 1, 1, maxCount)
	if err != nil {
		return nil, err
	}
	after := int64(s.store.Last())
	if q.text("after") != "now" {
		if after, err = q.number("after", 0, 0, math.MaxInt64); err != nil {
			return nil, err
		}
	}
	classes, err := q.classes()
	if err != nil {
		return nil, err
	}
	if job.match, err = search.CompileExpression(q.text("match")); err != nil {
		return nil, err
	}
	if job.timeout, err = q.timeout(); err != nil {
		return nil, err
	}
	if job.none, err = q.flag("none"); err != nil {
		return nil, err
	}
	// That nothing came is said of everything, and an expression that asks for the class is about all of them.
	if len(classes) == 0 && !job.none && !asksForClass.MatchString(q.text("match")) {
		classes = []webhook.Class{webhook.Accepted}
	}
	if job.view, err = s.viewOf(r, q); err != nil {
		return nil, err
	}
	ep, err := s.endpointOf(r)
	if err != nil {
		return nil, err
	}
	job.count, job.masking = int(count), s.masking(r.Context())
	job.query = webhook.Query{
		Endpoint: ep.Name, Classes: classes, After: webhook.Seq(after), Limit: findPage, Ascending: true,
	}
	return job, nil
}

// timeout returns the wait's bound, given as a Go duration or in seconds.
func (q query) timeout() (time.Duration, error) {
	text := q.text("timeout")
	if text == "" {
		return defaultWait, nil
	}
	d, err := time.ParseDuration(text)
	if seconds, numErr := strconv.ParseFloat(text, 64); numErr == nil {
		d, err = time.Duration(seconds*float64(time.Second)), nil
		if !(seconds >= 0 && seconds <= maxWait.Seconds()) {
			d = -1
		}
	}
	if err != nil || d < 0 || d > maxWait {
		return 0, invalid("parameter timeout is %q: give seconds or a duration such as 30s, from 0 to %s", text, maxWait)
	}
	return d, nil
}

// watch collects what matches, from the cursor on, until there is enough, the timeout has passed or ctx
// ends. It reports whether there was enough. The error is the store's, or ctx's.
func (s *Server) watch(ctx context.Context, job *waiting) (bool, error) {
	job.last = job.query.After
	patience, cancel := context.WithTimeout(ctx, job.timeout)
	defer cancel()
	for {
		newest := s.store.Last()
		enough, err := s.collect(ctx, patience, job)
		if err != nil || enough {
			return enough, err
		}
		if patience.Err() == nil {
			job.last = max(job.last, newest)
			_, err = s.cfg.Bell.Wait(patience, newest)
		}
		if patience.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil {
			return false, err
		}
	}
}

// collect reads on from the cursor to the newest capture. Once patience has ended it stops after a page, so
// that a timeout of zero still reads one.
func (s *Server) collect(ctx, patience context.Context, job *waiting) (bool, error) {
	for {
		page, err := s.store.Captures(ctx, job.query)
		if err == nil {
			err = s.scoped(ctx, job.query.Endpoint)
		}
		if err != nil {
			return false, err
		}
		budget := &readBudget{server: s, masking: job.masking}
		for i := range page {
			job.query.After = page[i].Seq
			yes, err := job.match.Match(budget.candidate(ctx, &page[i]))
			if err != nil {
				return false, err
			}
			if !yes {
				continue
			}
			job.captures = append(job.captures, page[i])
			if len(job.captures) == job.count {
				job.last = page[i].Seq
				return true, nil
			}
		}
		select {
		case <-patience.Done():
			return false, nil
		default:
		}
		if len(page) < findPage {
			return false, nil
		}
	}
}
