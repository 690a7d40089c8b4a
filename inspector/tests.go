package inspector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxBeside bounds the runs that one report has beside another.
const maxBeside = 20

// Tests runs conformance scripts on the server. Every method that takes an id returns ErrNotFound for an unknown one.
type Tests interface {
	// Start begins a run. It returns ErrInvalid for a script or a sender that it does not take, and ErrOverloaded when
	// too many runs go on.
	Start(ctx context.Context, in api.TestInput) (api.Test, error)
	// List returns all runs without their cases, newest first, and what a new one can name.
	List() api.Tests
	// Changed blocks until the revision of a run, or of the list where id is empty, is not since, or ctx ends.
	Changed(ctx context.Context, id string, since int64)
	// Get returns a run with its cases. The URL of its Manual is left empty.
	Get(id string) (api.Test, error)
	// Pause stops a manual run after what it has, or lets it go on. Other runs are an ErrInvalid.
	Pause(id string, paused bool) (api.Test, error)
	// Drop cancels a run that goes on and waits until it has left nothing behind; it deletes one that does not.
	Drop(ctx context.Context, id string) (deleted bool, err error)
	// Report writes runs in a format; ErrInvalid names those there are.
	Report(w io.Writer, ids []string, format string) error
}

// noTests is a server that runs none.
type noTests struct{}

func (noTests) none() error {
	return fmt.Errorf("conformance runs on this server: %w", webhook.ErrNotFound)
}

func (n noTests) Start(context.Context, api.TestInput) (api.Test, error) { return api.Test{}, n.none() }

func (n noTests) Get(string) (api.Test, error) { return api.Test{}, n.none() }

func (n noTests) Pause(string, bool) (api.Test, error)       { return api.Test{}, n.none() }
func (n noTests) Drop(context.Context, string) (bool, error) { return false, n.none() }
func (n noTests) Report(io.Writer, []string, string) error   { return n.none() }

// Changed waits like the rest: where there are no runs nothing changes.
func (noTests) Changed(ctx context.Context, _ string, _ int64) { <-ctx.Done() }

func (noTests) List() api.Tests {
	return api.Tests{Tests: []api.Test{}, Profiles: []api.TestProfile{}, Senders: []string{}}
}

func (s *Server) listTests(w http.ResponseWriter, r *http.Request) error {
	v, err := s.newsOf(w, r, "")
	if err != nil {
		return err
	}
	list := s.cfg.Tests.List()
	for i := range list.Tests {
		s.address(v, &list.Tests[i])
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) startTest(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	var in api.TestInput
	if err := readInto(w, r, maxRequestBody, &in); err != nil {
		return err
	}
	// The server itself calls the address, which may be a private one.
	if g := grantOf(r.Context()); strings.HasPrefix(in.Sender, "agent-server:") && !g.Role.Includes(webhook.RoleAdmin) {
		return &forbidden{grant: g, role: webhook.RoleAdmin, what: "a sender at an address"}
	}
	noting(r.Context(), fact("profile", in.Profile), fact("sender", in.Sender), fact("cases", in.Cases))
	// The entry is kept when the run has its id, and not with an endpoint that the run lends.
	test, err := s.cfg.Tests.Start(webhook.WithAudit(r.Context(), nil), in)
	if err != nil {
		return err
	}
	about(r.Context(), "", test.ID)
	w.Header().Set("Location", testsPath+"/"+test.ID)
	return s.writeTest(w, http.StatusCreated, s.lens(true), test)
}

// newsOf waits, if since says from when on, until a run or the list is another, or the timeout has passed.
func (s *Server) newsOf(w http.ResponseWriter, r *http.Request, id string) (*lens, error) {
	q, err := params(r, "since", "timeout", "reveal")
	if err != nil {
		return nil, err
	}
	v, err := s.viewOf(r, q)
	if err != nil {
		return nil, err
	}
	since, err := q.number("since", -1, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	timeout, err := q.timeout()
	if err != nil {
		return nil, err
	}
	if since >= 0 {
		hold(w, timeout+answerTime)
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)() //nolint:contextcheck // the server's end, beside the request's
		s.cfg.Tests.Changed(ctx, id, since)
		if err = r.Context().Err(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (s *Server) getTest(w http.ResponseWriter, r *http.Request) error {
	id := mux.Vars(r)["id"]
	v, err := s.newsOf(w, r, id)
	if err != nil {
		return err
	}
	test, err := s.cfg.Tests.Get(id)
	if err != nil {
		return err
	}
	return s.writeTest(w, http.StatusOK, v, test)
}

func (s *Server) changeTest(w http.ResponseWriter, r *http.Request) error {
	v, err := s.revealed(r)
	if err != nil {
		return err
	}
	var change api.TestChange
	if err := readInto(w, r, maxRequestBody, &change); err != nil {
		return err
	}
	if change.Paused == nil {
		return invalid("paused: give true or false; nothing else of a run can be changed")
	}
	test, err := s.cfg.Tests.Pause(mux.Vars(r)["id"], *change.Paused)
	if err != nil {
		return err
	}
	return s.writeTest(w, http.StatusOK, v, test)
}

func (s *Server) deleteTest(w http.ResponseWriter, r *http.Request) error {
	if _, err := params(r); err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	deleted, err := s.cfg.Tests.Drop(r.Context(), id)
	if err != nil {
		return err
	}
	if deleted {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	test, err := s.cfg.Tests.Get(id)
	if err != nil {
		return err
	}
	return s.writeTest(w, http.StatusOK, s.lens(false), test)
}

func (s *Server) getTestReport(w http.ResponseWriter, r *http.Request) error {
	q, err := params(r, "format", "with")
	if err != nil {
		return err
	}
	format := q.text("format")
	if format == "" {
		format = "html"
	}
	id, with := mux.Vars(r)["id"], q.values["with"]
	if len(with) > maxBeside {
		return invalid("%d runs with this one: at most %d", len(with), maxBeside)
	}
	var text bytes.Buffer
	if err = s.cfg.Tests.Report(&text, append([]string{id}, with...), format); err != nil {
		return err
	}
	media, ending := reportType(format)
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", `attachment; filename="hookrange-`+fileName(id)+ending+`"`)
	h.Set("Content-Security-Policy", bytesPolicy)
	h.Set("Content-Length", strconv.Itoa(text.Len()))
	hold(w, bodyTime)
	// The client may be gone; there is nobody left to tell.
	_, _ = text.WriteTo(w)
	return nil
}

// reportType returns the media type and the file ending of a report.
func reportType(format string) (media, ending string) {
	switch format {
	case "html":
		return "text/html; charset=utf-8", ".html"
	case "json":
		return "application/json", ".json"
	case "junit":
		return "application/xml", ".xml"
	case "markdown":
		return "text/markdown; charset=utf-8", ".md"
	case "tap":
		return "text/plain; charset=utf-8", ".tap"
	default:
		return "text/plain; charset=utf-8", ".txt"
	}
}

func (s *Server) writeTest(w http.ResponseWriter, status int, v *lens, test api.Test) error {
	s.address(v, &test)
	return writeJSON(w, status, test)
}

// address gives a manual run its hook URL, with the secret or without.
func (s *Server) address(v *lens, test *api.Test) {
	if test.Manual == nil {
		return
	}
	manual := *test.Manual
	if ep, err := s.store.Endpoint(manual.Endpoint); err == nil {
		manual.URL = v.Endpoint(ep).URL
	}
	test.Manual = &manual
}
