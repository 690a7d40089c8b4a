package store_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func connection(endpoint string, i int) webhook.Connection {
	ended := time.Duration(i) * time.Millisecond
	return webhook.Connection{
		Endpoint: endpoint, Peer: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.7"), uint16(1000+i%60000)), At: start.Add(ended),
		Reached: webhook.ConnAccepted, Fault: webhook.TLSBadCert, Step: "tls-badcert/cert=expired", Requests: i, Ended: &ended,
		EndedBy: webhook.HangUpRST,
		Handshake: &webhook.Handshake{
			Done: 3 * time.Millisecond, Version: "TLS 1.3", ServerName: "h.example", Protocol: "h2", Err: "remote error: tls: expired",
		},
	}
}

// written records connections and waits until they are on disk.
func written(t *testing.T, s *store.Store, list ...webhook.Connection) {
	t.Helper()
	for _, c := range list {
		if err := s.RecordConnection(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	// Whatever is written later is committed later.
	record(t, s, fmt.Sprint("after ", len(list)))
}

func TestConnections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	endpoint(t, s, webhook.Endpoint{Name: "other"})
	list := []webhook.Connection{connection("hook", 1), connection("hook", 2)}
	list[1].EndedBy, list[1].Reset = "", true
	refused := webhook.Connection{Endpoint: "hook", Peer: connection("", 0).Peer, At: start, Reached: webhook.ConnRefused, Fault: webhook.Refuse, Step: "refuse"}
	want := []webhook.Connection{list[0], refused, list[1]}
	written(t, s, want[0], connection("other", 9), want[1], want[2])
	got, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook", Limit: 10, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].Seq = got[i].Seq
	}
	equal(t, "connections", want, got)
	page, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook", After: got[0].Seq, Limit: 1, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the second", want[1:2], page)
	newest, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook", Before: got[2].Seq, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the one before the newest", want[1:2], newest)
	facts, err := s.Facts(t.Context(), 0, 100)
	if err != nil || len(facts) != 5 {
		t.Fatalf("%d facts, %v", len(facts), err)
	}
	equal(t, "a fact", webhook.Fact{Seq: got[0].Seq, Kind: webhook.FactConnection, Endpoint: "hook", Connection: &want[0]}, facts[0])

	if err := s.DeleteEndpoint(t.Context(), "hook"); err != nil {
		t.Fatal(err)
	}
	mustFail(t, "recording", s.RecordConnection(t.Context(), want[0]), webhook.ErrNotFound)
	_, err = s.Connections(t.Context(), webhook.Query{Endpoint: "hook", Limit: 10, Ascending: true})
	mustFail(t, "listing", err, webhook.ErrNotFound)
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM connections"); err != nil || n != 1 {
		t.Errorf("%d connections are left, %v; want 1", n, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	list := make([]webhook.Connection, 10_200)
	for i := range list {
		list[i] = connection("hook", i)
	}
	written(t, s, list...)
	n, err := s.Query(t.Context(), "SELECT count(*) FROM connections")
	if err != nil || n < 10_000 || n > 10_064 {
		t.Errorf("%d connections, %v; want 10 000 and a few", n, err)
	}
}

func TestOldConnectionsGo(t *testing.T) {
	t.Parallel()
	now := start
	clock := make(chan time.Time, 1)
	clock <- now
	dir := t.TempDir()
	config := store.Config{Dir: dir, Pause: 5 * time.Millisecond, Steady: -1, Now: func() time.Time {
		at := <-clock
		clock <- at
		return at
	}}
	s := open(t, config)
	written(t, s, connection("hook", 1), connection("hook", 2))
	<-clock
	clock <- now.Add(8 * 24 * time.Hour)
	// The newest stays: the last seq that was given out must be known after a restart.
	eventually(t, "the older connection is deleted", func() bool {
		list, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook", Limit: 10, Ascending: true})
		return err == nil && len(list) == 1 && list[0].Requests == 2
	})
}

func TestChanged(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	for name, change := range map[string]func() error{
		"create": func() error { _, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "new"}, true); return err },
		"update": func() error {
			_, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "hook", Listener: &webhook.ListenerPolicy{TLS: true, Port: 20001}}, false)
			return err
		},
	} {
		changed := s.Changed()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			t.Errorf("%s: nobody was told", name)
		}
	}
	changed := s.Changed()
	if err := s.DeleteEndpoint(t.Context(), "hook"); err != nil {
		t.Fatal(err)
	}
	<-changed
}

func TestConnectionsAreKeptAsTheEndpointSays(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	for name, count := range map[string]int64{"few": 10, "all": -1} {
		endpoint(t, s, webhook.Endpoint{Name: name, Retention: webhook.Retention{Connections: webhook.Quota{Count: count}}})
	}
	var list []webhook.Connection
	for i := range 100 {
		list = append(list, connection("few", i), connection("all", i))
	}
	written(t, s, list...)
	for name, most := range map[string]int{"few": 12, "all": 100} {
		got, err := s.Connections(t.Context(), webhook.Query{Endpoint: name})
		if err != nil || len(got) > most || len(got) < min(most, 10) || got[0].Requests != 99 {
			t.Errorf("%s: %d connections, %v; want at most %d", name, len(got), err, most)
		}
	}
}

func TestDeleteConnections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	endpoint(t, s, webhook.Endpoint{Name: "other"})
	var list []webhook.Connection
	for i := range 600 {
		list = append(list, connection("hook", i))
	}
	written(t, s, append(list, connection("other", 1))...)
	all, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook", Ascending: true})
	if err != nil || len(all) != 600 {
		t.Fatal(len(all), err)
	}
	for _, step := range []struct {
		through webhook.Seq
		deleted int
		left    int
	}{{all[99].Seq, 100, 500}, {0, 500, 0}, {0, 0, 0}} {
		n, err := s.DeleteConnections(t.Context(), "hook", step.through)
		if err != nil || n != step.deleted {
			t.Fatalf("%d deleted, %v; want %d", n, err, step.deleted)
		}
		if left, err := s.Connections(t.Context(), webhook.Query{Endpoint: "hook"}); err != nil || len(left) != step.left {
			t.Fatalf("%d are left, %v; want %d", len(left), err, step.left)
		}
	}
	facts, err := s.Facts(t.Context(), all[599].Seq, 100)
	if err != nil {
		t.Fatal(err)
	}
	var told []webhook.Deletion
	for _, f := range facts {
		if f.Deletion != nil {
			told = append(told, *f.Deletion)
		}
	}
	if len(told) != 2 || !told[0].Connections || told[0].Through != all[99].Seq || !told[1].Connections {
		t.Errorf("told of %+v", told)
	}
	if left, err := s.Connections(t.Context(), webhook.Query{Endpoint: "other"}); err != nil || len(left) != 1 {
		t.Errorf("another endpoint has %d connections, %v; want 1", len(left), err)
	}
	_, err = s.DeleteConnections(t.Context(), "nowhere", 0)
	mustFail(t, "deleting", err, webhook.ErrNotFound)
	// No seq may be given out twice, after a restart too.
	last := s.Last()
	if err = s.Close(); err != nil {
		t.Fatal(err)
	}
	if again := open(t, store.Config{Dir: dir}).Last(); again < last {
		t.Errorf("the last seq is %d after a restart; it was %d", again, last)
	}
}
