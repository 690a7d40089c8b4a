package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// model is what a store with retention by count and age must hold, in a few lines.
type model struct {
	captures []webhook.Capture
	quotas   map[string]webhook.Retention
	now      time.Time
}

func (m *model) remove(gone func(webhook.Capture) bool) int {
	before := len(m.captures)
	m.captures = slices.DeleteFunc(m.captures, gone)
	return before - len(m.captures)
}

// retain drops the oldest beyond each count.
func (m *model) retain() {
	have := make(map[string]int64)
	for _, c := range m.captures {
		have[c.Endpoint+string(c.Class)]++
	}
	m.remove(func(c webhook.Capture) bool {
		lane, quota := c.Endpoint+string(c.Class), m.quotas[c.Endpoint].Of(c.Class)
		if quota.Count < 0 || have[lane] <= quota.Count {
			return false
		}
		have[lane]--
		return true
	})
}

// age drops the oldest of each lane for as long as they are too old.
func (m *model) age() {
	young := make(map[string]bool)
	m.remove(func(c webhook.Capture) bool {
		lane, quota := c.Endpoint+string(c.Class), m.quotas[c.Endpoint].Of(c.Class)
		young[lane] = young[lane] || quota.Age < 0 || !c.ReceivedAt.Before(m.now.Add(-quota.Age))
		return !young[lane]
	})
}

// TestRetentionModel runs random operations on a store and on the model.
func TestRetentionModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	m := &model{quotas: make(map[string]webhook.Retention), now: start}
	var clock atomic.Pointer[time.Time]
	clock.Store(&m.now)
	// Nothing is done by itself meanwhile: ages are looked at when the test says so.
	config := store.Config{
		Dir: t.TempDir(), Now: func() time.Time { return *clock.Load() }, DeliveryWindow: 1000 * time.Hour, Pause: time.Hour,
	}
	s := open(t, config)
	names := []string{"hook", "b", "c"}
	quota := func() webhook.Quota {
		return webhook.Quota{Count: []int64{1, 3, 10, 40, -1}[random.IntN(5)], Age: []time.Duration{-1, time.Hour, 10 * time.Hour}[random.IntN(3)], Bytes: -1}
	}
	save := func(name string, create bool) {
		retention := webhook.Retention{Accepted: quota(), Rejected: quota(), Incomplete: quota()}
		if _, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: name, Retention: retention}, create); err != nil {
			t.Fatal(err)
		}
		m.quotas[name] = retention
		m.retain()
		settled(t, s, m)
	}
	for i, name := range names {
		save(name, i > 0)
	}
	classes := []webhook.Class{webhook.Accepted, webhook.Rejected, webhook.Incomplete}
	for i := range 2000 {
		name, class := names[random.IntN(3)], classes[random.IntN(3)]
		switch dice := random.IntN(1000); {
		case dice < 900:
			text := strings.Repeat(fmt.Sprint("body ", random.IntN(5)), 1+random.IntN(2)*200)
			c := capture(s.Arrive(name, key(text), class == webhook.Accepted, m.now), text)
			c.Endpoint, c.Class, c.ReceivedAt = name, class, m.now.Add(-time.Duration(random.IntN(100))*time.Minute)
			if _, err := s.Record(t.Context(), c, false); err != nil {
				t.Fatal(err)
			}
			m.captures = append(m.captures, *c)
			m.retain()
		case dice < 940 && len(m.captures) > 0:
			c := m.captures[random.IntN(len(m.captures))]
			m.remove(func(o webhook.Capture) bool { return o.Seq == c.Seq })
			if err := s.DeleteCapture(t.Context(), c.Endpoint, c.Seq); err != nil {
				t.Fatal(err)
			}
		case dice < 955 && len(m.captures) > 0:
			if random.IntN(2) == 0 {
				class = ""
			}
			through := m.captures[random.IntN(len(m.captures))].Seq
			want := m.remove(func(o webhook.Capture) bool {
				return o.Endpoint == name && (class == "" || o.Class == class) && o.Seq <= through
			})
			if n, err := s.DeleteCaptures(t.Context(), name, class, through); err != nil || n != want {
				t.Fatalf("DeleteCaptures = %d, %v; want %d", n, err, want)
			}
		case dice < 970:
			save(name, false)
		case dice < 995:
			m.now = m.now.Add(time.Duration(random.IntN(60)) * time.Minute)
			now := m.now
			clock.Store(&now)
			if err := s.TrimAged(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			m.age()
		default:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, config)
		}
		if i%100 == 99 {
			compare(t, s, m, names)
		}
	}
}

// settled waits until a quota that was lowered has taken effect: that is after its commit.
func settled(t *testing.T, s *store.Store, m *model) {
	t.Helper()
	eventually(t, "as many captures as in the model", func() bool {
		total := int64(0)
		for _, ep := range s.Endpoints() {
			counts, err := s.Counts(t.Context(), ep.Name)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range counts {
				total += n
			}
		}
		return total == int64(len(m.captures))
	})
}

func compare(t *testing.T, s *store.Store, m *model, names []string) {
	t.Helper()
	settled(t, s, m)
	got, err := s.Captures(t.Context(), webhook.Query{Ascending: true, WithBody: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Outcome = nil
	}
	if len(m.captures) > 0 || len(got) > 0 {
		equal(t, "captures", m.captures, got)
	}
	for _, name := range names {
		counted, summed, stored, err := s.LaneBytes(t.Context(), name)
		if err != nil || counted != summed || summed != stored {
			t.Fatalf("bytes of %s: counted %v, summed %v, stored %v, %v", name, counted, summed, stored, err)
		}
	}
	if n, err := s.Query(t.Context(), "SELECT count(*) FROM outcomes WHERE capture NOT IN (SELECT seq FROM captures)"); err != nil || n != 0 {
		t.Fatalf("%d outcomes of nothing, %v", n, err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

func TestRetentionByBytes(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	const bound = 100_000
	_, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{
		Name: "hook", Retention: webhook.Retention{Accepted: webhook.Quota{Count: -1, Bytes: bound}},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	rejected := record(t, s, "rejected captures have a quota of their own", in(webhook.Rejected))
	var all []webhook.Seq
	for i := range 300 {
		all = append(all, record(t, s, strings.Repeat(fmt.Sprintf("%4d", i), 1+i*7%500)).Seq)
		counted, summed, stored, err := s.LaneBytes(t.Context(), "hook")
		if err != nil || counted != summed || summed != stored {
			t.Fatalf("counted %v, summed %v, stored %v, %v", counted, summed, stored, err)
		}
		if counted[0] > bound+bound/64 {
			t.Fatalf("%d bytes are kept, the bound is %d and a 64th", counted[0], bound)
		}
	}
	found, err := s.Captures(t.Context(), webhook.Query{Classes: []webhook.Class{webhook.Accepted}, Ascending: true})
	if err != nil || len(found) < 20 {
		t.Fatalf("%d captures, %v", len(found), err)
	}
	for i, c := range found {
		if want := all[len(all)-len(found)+i]; c.Seq != want {
			t.Fatalf("capture %d is kept where the newest would have %d", c.Seq, want)
		}
	}
	if _, err := s.Capture(t.Context(), "hook", rejected.Seq); err != nil {
		t.Errorf("the rejected capture was evicted by accepted ones: %v", err)
	}
	// What alone is beyond the bound was acknowledged, so it is kept until the next comes.
	huge := record(t, s, strings.Repeat("huge", bound))
	if _, err := s.Capture(t.Context(), "hook", huge.Seq); err != nil {
		t.Error(err)
	}
}

func TestSpaceIsGivenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir, Pause: 5 * time.Millisecond})
	for i := range 200 {
		record(t, s, strings.Repeat(fmt.Sprintf("%10d", i), 10_000))
	}
	if n := stored(dir); n < 20_000_000 {
		t.Fatalf("the file has only %d bytes", n)
	}
	if n, err := s.DeleteCaptures(t.Context(), "hook", "", 0); err != nil || n != 200 {
		t.Fatal(n, err)
	}
	eventually(t, "the file is small", func() bool { return stored(dir) < 2_000_000 })
}

// A disk that is too full says that captures are to be deleted, so that must help, without a restart, also where the log
// is empty and others have filled the disk.
func TestDeletedCapturesMakeRoomOnAFullDisk(t *testing.T) {
	t.Parallel()
	const least = 8 << 20
	var disk atomic.Int64
	disk.Store(1 << 30)
	dir := t.TempDir()
	s := open(t, store.Config{
		Dir: dir, Pause: 5 * time.Millisecond, MinFree: least, Free: func(string) (int64, error) { return disk.Load() - stored(dir), nil },
	})
	for i := range 50 {
		record(t, s, strings.Repeat(fmt.Sprintf("%10d", i), 10_000))
	}
	eventually(t, "the log is empty", func() bool { return stored(dir) == size(dir, store.FileName) })
	disk.Store(least + stored(dir)/2)
	eventually(t, "the disk is too full", func() bool { return s.Ready() != nil })
	if _, err := s.DeleteCaptures(t.Context(), "hook", "", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "captures are taken again", func() bool { return s.Ready() == nil })
	record(t, s, "after")
}

// The index has a block to write and no room for it. It must not keep the log from being emptied, which makes room.
func TestIndexWithoutRoomLetsTheLogBeEmptied(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(1 << 30)
	dir := t.TempDir()
	s := open(t, store.Config{
		Dir: dir, Marker: longMarker{}, Free: func(string) (int64, error) { return free.Load(), nil },
	})
	for i := range 40 {
		record(t, s, fmt.Sprint("capture ", i))
	}
	free.Store(1)
	eventually(t, "the disk is too full", func() bool { return s.Ready() != nil })
	eventually(t, "the log is empty", func() bool { return stored(dir) == size(dir, store.FileName) })
	free.Store(1 << 30)
	eventually(t, "there is room", func() bool { return s.Ready() == nil })
	indexed(t, s)
}

// longMarker has each capture take half a block of the index.
type longMarker struct{}

func (longMarker) Version() string { return "1" }

func (longMarker) Mark(*webhook.Capture) ([]*webhook.Marks, error) {
	marks := make([]*webhook.Marks, 1000)
	for i := range marks {
		marks[i] = new(webhook.Marks)
	}
	return marks, nil
}

// stored is how many bytes the files of a store have.
func stored(dir string) int64 { return size(dir, store.FileName) + size(dir, store.FileName+"-wal") }

func size(dir, name string) int64 {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// What retention by count deletes takes its objects along, and a retry that comes afterwards has a body of its own.
func TestRetentionByCount(t *testing.T) {
	t.Parallel()
	s := open(t, store.Config{})
	retention := webhook.Retention{Accepted: webhook.Quota{Count: 3}}
	if _, err := s.SaveEndpoint(t.Context(), webhook.Endpoint{Name: "hook", Retention: retention}, false); err != nil {
		t.Fatal(err)
	}
	first := recordWithRefs(t, s, "first")
	object := webhook.Object{Ref: webhook.Ref{Name: "runs.0.inputs", URL: "https://bucket.example/a"}, State: webhook.Pending}
	if err := s.PlanObjects(t.Context(), first.Seq, []webhook.Object{object}); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		record(t, s, fmt.Sprint("filler ", i))
	}
	_, err := s.Capture(t.Context(), "hook", first.Seq)
	mustFail(t, "a capture that retention deleted", err, webhook.ErrNotFound)
	_, err = s.Object(t.Context(), "hook", first.Seq, object.Name)
	mustFail(t, "its object", err, webhook.ErrNotFound)
	due, err := s.Due(t.Context(), start.Add(1000*time.Hour), 10)
	if err != nil || len(due) != 0 {
		t.Errorf("%d objects are still due, %v", len(due), err)
	}
	retry := record(t, s, "first")
	if retry.Attempt != 2 {
		t.Errorf("attempt %d, want the 2nd of the same delivery", retry.Attempt)
	}
	got, err := s.Capture(t.Context(), "hook", retry.Seq)
	if err != nil || string(got.Request.Body) != "first" {
		t.Errorf("its body is %q, %v", got.Request.Body, err)
	}
	counted, summed, stored, err := s.LaneBytes(t.Context(), "hook")
	if err != nil || counted != summed || summed != stored {
		t.Errorf("counted %v, summed %v, stored %v, %v", counted, summed, stored, err)
	}
}
