package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now().UTC().Round(0)
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	a := webhook.Token{
		ID: "a", Name: "first", Role: webhook.RoleOperate, Endpoints: []string{"x"}, Hash: sha256.Sum256([]byte("a")), Created: now,
		Expires: now.Add(time.Hour), By: "me",
	}
	b := webhook.Token{ID: "b", Name: "second", Role: webhook.RoleView, Hash: sha256.Sum256([]byte("b")), Created: now, Declared: true}
	c := webhook.Token{ID: "c", Name: "third", Role: webhook.RoleView, Hash: sha256.Sum256([]byte("c")), Created: now}
	for _, token := range []webhook.Token{a, b, c} {
		if err := s.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	mustFail(t, "the same name", s.SaveToken(t.Context(), webhook.Token{ID: "d", Name: "first"}), webhook.ErrExists)
	used := now.Add(time.Minute)
	if err := s.RecordUses(t.Context(), []webhook.Use{{ID: "a", Count: 3, Last: used}, {ID: "gone", Count: 1, Last: used}}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteToken(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, "one that is gone", s.DeleteToken(t.Context(), "c"), webhook.ErrNotFound)
	_, err = s.Token("c")
	mustFail(t, "find one that is gone", err, webhook.ErrNotFound)
	a.Used = used
	equal(t, "before the restart", []*webhook.Token{&a, &b}, s.Tokens())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: dir})
	equal(t, "after the restart", []*webhook.Token{&a, &b}, s.Tokens())
}

// TestTokensAreForTheEndpointThatWasThere makes an endpoint anew under its name.
func TestTokensAreForTheEndpointThatWasThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	create := func(name string) {
		t.Helper()
		if _, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: name}, true); err != nil {
			t.Fatal(err)
		}
	}
	gone := func() map[string][]string {
		out := map[string][]string{}
		for _, token := range s.Tokens() {
			out[token.Name] = token.Gone
		}
		return out
	}
	create("x")
	create("y")
	for _, token := range []webhook.Token{
		{ID: "a", Name: "of both", Endpoints: []string{"x", "y"}},
		{ID: "b", Name: "of all"},
		{ID: "c", Name: "of the other", Endpoints: []string{"y"}},
		{ID: "d", Name: "of the file", Endpoints: []string{"x"}, Declared: true},
	} {
		if err := s.SaveToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "x", Respond: "503"}, false); err != nil {
		t.Fatal(err)
	}
	equal(t, "changed", map[string][]string{"of both": nil, "of all": nil, "of the other": nil, "of the file": nil}, gone())
	for range 2 { // a second time it is another again, and the tokens know that already
		if err := s.DeleteEndpoint(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		create("x")
	}
	want := map[string][]string{"of both": {"x"}, "of all": nil, "of the other": nil, "of the file": nil}
	equal(t, "made anew", want, gone())
	if err := s.SaveToken(t.Context(), webhook.Token{ID: "e", Name: "of the new one", Endpoints: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, store.Config{Dir: dir})
	want["of the new one"] = nil
	equal(t, "after the restart", want, gone())
}

func TestShares(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	first, second := record(t, s, "1"), record(t, s, "2")
	now := start
	share := func(id string, seq webhook.Seq, life time.Duration) webhook.Share {
		t.Helper()
		one := webhook.Share{
			ID: id, Endpoint: "hook", Capture: seq, Hash: sha256.Sum256([]byte(id)), Created: now, Expires: now.Add(life), Objects: true, By: "me",
		}
		if err := s.SaveShare(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		return one
	}
	a, b, old := share("a", first.Seq, time.Hour), share("b", second.Seq, time.Hour), share("old", first.Seq, -time.Hour)
	if err := s.RecordUses(t.Context(), []webhook.Use{{ID: "a", Count: 2, Last: now}}); err != nil {
		t.Fatal(err)
	}
	a.Opens, a.Opened = 2, now
	list := func(endpoint string, seq webhook.Seq) []webhook.Share {
		t.Helper()
		found, err := s.Shares(t.Context(), endpoint, seq)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	equal(t, "all that have not expired", []webhook.Share{b, a}, list("", 0))
	equal(t, "of one capture", []webhook.Share{a}, list("hook", first.Seq))
	equal(t, "of another endpoint", 0, len(list("other", 0)))
	got, err := s.Share(t.Context(), "old")
	equal(t, "expired", old, got)
	mustFail(t, "expired", err, nil)
	if err := s.DeleteCapture(t.Context(), "hook", second.Seq); err != nil {
		t.Fatal(err)
	}
	_, err = s.Share(t.Context(), "b")
	mustFail(t, "of a capture that is gone", err, webhook.ErrNotFound)
	mustFail(t, "share one that is gone", s.SaveShare(t.Context(), b), webhook.ErrNotFound)
	if err := s.DeleteShare(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, "delete twice", s.DeleteShare(t.Context(), "a"), webhook.ErrNotFound)
	equal(t, "none", 0, len(list("", 0)))
}

// TestAuditIsKeptWithTheChange fails the commit of a change: neither it nor its entry is there then.
func TestAuditIsKeptWithTheChange(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	record(t, s, "1")
	entry := func(request string) *webhook.Audit {
		return &webhook.Audit{AuditEntry: webhook.AuditEntry{
			At: time.Now().UTC().Round(0), Request: request, Who: "me", Token: "id", Action: "deleteCaptures", Endpoint: "hook", Object: "o",
			Peer: "::1", Outcome: webhook.AuditDone, Details: []webhook.AuditDetail{{Name: "a", From: "b", To: "c"}},
		}}
	}
	list := func() []webhook.AuditEntry {
		t.Helper()
		found, err := s.Audit(t.Context(), webhook.AuditQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	refused := entry("1")
	mustFail(t, "delete what is not there", s.DeleteEndpoint(webhook.WithAudit(t.Context(), refused), "nope"), webhook.ErrNotFound)
	if len(list()) > 0 || refused.Kept() {
		t.Errorf("a refused change is kept: %+v", list())
	}
	// A commit that fails takes both along.
	failing := errors.New("the disk is gone")
	var broken atomic.Bool
	err := s.FailCommits(t.Context(), func() error {
		if broken.Load() {
			return failing
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lost := entry("lost")
	broken.Store(true)
	_, err = s.DeleteCaptures(webhook.WithAudit(t.Context(), lost), "hook", "", 0)
	mustFail(t, "a commit that fails", err, failing)
	broken.Store(false)
	if list, err := s.Captures(t.Context(), webhook.Query{}); err != nil || len(list) != 1 || lost.Kept() {
		t.Errorf("after a failed commit: %d captures, %v, entry kept: %v", len(list), err, lost.Kept())
	}
	if len(list()) > 0 {
		t.Errorf("a change that was rolled back is kept: %+v", list())
	}
	done := entry("2")
	ctx := webhook.WithAudit(t.Context(), done)
	if _, err := s.DeleteCaptures(ctx, "hook", "", 0); err != nil {
		t.Fatal(err)
	}
	// A second change of one request, and the same request by itself, are no second entry.
	if _, err := s.DeleteCaptures(ctx, "hook", "", 0); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordAudit(t.Context(), done.AuditEntry); err != nil {
		t.Fatal(err)
	}
	want := done.AuditEntry
	want.ID, want.Count, want.Last = 1, 1, want.At
	equal(t, "entries", []webhook.AuditEntry{want}, list())
	if !done.Kept() {
		t.Error("the entry does not know that it is kept")
	}
}

func TestAuditIsBounded(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{Steady: -1})
	now := time.Now()
	target := "one"
	keep := func(at time.Time, request string, fold bool) {
		t.Helper()
		err := s.RecordAudit(context.Background(), webhook.AuditEntry{
			At: at, Request: request, Who: "me", Action: "a", Outcome: webhook.AuditDone, Fold: fold,
			Details: []webhook.AuditDetail{{Name: "target", To: target}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		t.Helper()
		found, err := s.Audit(t.Context(), webhook.AuditQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	for i := range 30 {
		keep(now.Add(-400*24*time.Hour), fmt.Sprint("old", i), false)
	}
	keep(now, "1", false)
	keep(now, "2", false)
	if n := count(); n != 2 {
		t.Errorf("%d entries are left of 30 old and 2 new ones", n)
	}
	// Equal ones are counted up for a minute.
	for i := range 100 {
		keep(now.Add(time.Duration(i)*time.Second), fmt.Sprint("f", i), true)
	}
	if n := count(); n != 4 {
		t.Errorf("100 equal entries within 100 seconds are kept as %d", n-2)
	}
	target = "another"
	keep(now.Add(99*time.Second), "other", true)
	if n := count(); n != 5 {
		t.Error("what went elsewhere is counted as the same")
	}
}
