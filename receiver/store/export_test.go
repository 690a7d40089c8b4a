package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Exec runs a statement on the writer's connection, between transactions, so that tests can damage the file and
// change limits. Its error is the statement's.
func (s *Store) Exec(ctx context.Context, text string) error {
	result := make(chan error, 1)
	err := s.do(ctx, 0, func(t *tx) error {
		result <- t.script(text)
		return nil
	})
	if err != nil {
		return err
	}
	return <-result
}

// Query returns the first column of a query on the writer's connection.
func (s *Store) Query(ctx context.Context, text string) (int64, error) {
	result := make(chan int64, 1)
	err := s.do(ctx, 0, func(t *tx) error {
		n, err := t.integer(text)
		result <- n
		return err
	})
	if err != nil {
		return 0, err
	}
	return <-result, nil
}

// FailCommits makes each commit of the writer return what fail returns, if that is not nil.
func (s *Store) FailCommits(ctx context.Context, fail func() error) error {
	return s.do(ctx, 0, func(t *tx) error {
		t.onCommit(func() {
			t.w.commit = func(c *conn) error {
				if err := fail(); err != nil {
					return err
				}
				return commit(c)
			}
		})
		return nil
	})
}

// HoldWriter stops the writer inside of a transaction until the returned function is called.
func (s *Store) HoldWriter() (release func(), err error) {
	held, free := make(chan struct{}), make(chan struct{})
	_, err = s.queue.put(&call{run: func(*tx) error {
		close(held)
		<-free
		return nil
	}}, 0)
	if err != nil {
		return nil, err
	}
	<-held
	return func() { close(free) }, nil
}

// TrimAged runs retention by age as of now.
func (s *Store) TrimAged(ctx context.Context, now time.Time) error {
	done := make(chan struct{})
	err := s.do(ctx, 0, func(t *tx) error {
		t.onCommit(func() {
			t.w.trimAged(now)
			close(done)
		})
		return nil
	})
	if err == nil {
		<-done
	}
	return err
}

// Steady returns, for each pair of what a clock shows and what has passed, for how long it has been steady.
func Steady(shows []time.Time, passed []time.Duration) []time.Duration {
	var s steadiness
	found := make([]time.Duration, len(shows))
	for i := range shows {
		found[i] = s.look(shows[i], passed[i])
	}
	return found
}

// Waiting returns how many works wait for the writer.
func (s *Store) Waiting() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.next.works)
}

// Known returns how many deliveries the index knows.
func (s *Store) Known() int {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	return s.index.byKey.len()
}

// Deletions returns the bound of deletion facts.
const Deletions = maxDeletions

// FileName is the file's name in the folder.
const FileName = fileName

// OpenNewer opens a store as a later program would that has further migrations.
func OpenNewer(ctx context.Context, config Config, further ...string) (*Store, error) {
	scripts, err := migrations()
	if err != nil {
		return nil, err
	}
	return openWith(ctx, config, append(scripts, further...))
}

// OpenDying opens a store, and the process is killed when the migration has made a version, before it commits.
func OpenDying(ctx context.Context, config Config, version int) error {
	scripts, err := migrations()
	if err != nil {
		return err
	}
	err = sqlite.RegisterScalarFunction("die", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		process, err := os.FindProcess(os.Getpid())
		if err == nil && process.Kill() == nil {
			select {} // until it is
		}
		return nil, errors.Join(errors.New("the process cannot be killed"), err)
	})
	if err != nil {
		return err
	}
	scripts[version-1] += "; SELECT die()"
	_, err = openWith(ctx, config, scripts)
	return err
}

// LaneBytes returns what the writer counts for each lane of an endpoint, and the sum of the rows' sizes.
func (s *Store) LaneBytes(ctx context.Context, endpoint string) (counted, summed, stored [3]int64, err error) {
	const (
		sum    = `SELECT coalesce(sum(size), 0) FROM captures WHERE lane = ?`
		actual = `SELECT coalesce(sum(length(record) + coalesce(length(framed), 0) + coalesce(length(body), 0)
			+ coalesce((SELECT sum(length(content)) FROM objects WHERE capture = seq), 0)), 0) FROM captures WHERE lane = ?`
	)
	err = s.do(ctx, 0, func(t *tx) error {
		e, err := s.find(endpoint)
		if err != nil {
			return err
		}
		for i, l := range e.lanes {
			counted[i] = l.bytes
			if summed[i], err = t.integer(sum, l.id); err != nil {
				return err
			}
			if stored[i], err = t.integer(actual, l.id); err != nil {
				return err
			}
		}
		return nil
	})
	return counted, summed, stored, err
}

// Pile adds old deletion facts up to the bound.
func (s *Store) Pile(ctx context.Context) error {
	const insert = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO deletions SELECT -i, 'hook', NULL, x'00' FROM n`
	return s.do(ctx, 0, func(t *tx) error {
		n, err := t.exec(insert, maxDeletions-t.w.deletions)
		t.countDeletions(n)
		return err
	})
}

// Plans returns, for each query that was read with so far, the steps that SQLite takes for it.
func (s *Store) Plans(ctx context.Context) (map[string][]string, error) {
	s.readers.mu.Lock()
	texts := slices.Collect(maps.Keys(s.readers.stmts))
	s.readers.mu.Unlock()
	plans := make(map[string][]string, len(texts))
	for _, text := range texts {
		args := make([]any, strings.Count(text, "?"))
		err := s.readers.each(ctx, "EXPLAIN QUERY PLAN "+text, func(rows *sql.Rows) error {
			var id, parent, unused int64
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plans[text] = append(plans[text], detail)
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// Marked returns how many parts of captures have a mark in the search index.
func (s *Store) Marked(ctx context.Context, mark webhook.Mark) (int, error) {
	f := s.finder
	f.mu.RLock()
	defer f.mu.RUnlock()
	set, err := f.open.set(mark)
	count := set.count()
	for _, b := range f.blocks {
		if err == nil {
			set, err = f.sets(ctx, b, nil)(mark)
		}
		if err == nil {
			count += set.count()
		}
	}
	return count, err
}

// EarlierOutcome packs an outcome as versions did that sealed rows without their seqs; so do the next three.
func EarlierOutcome(o *webhook.Outcome, capture webhook.Seq) []byte {
	p := packOutcome(o)
	return p.seal(seqBytes(capture))
}

// EarlierReplay packs a replay.
func EarlierReplay(r *webhook.Replay) []byte {
	p := packReplay(r)
	return p.seal(seqBytes(r.Capture))
}

// EarlierConnection packs a connection.
func EarlierConnection(c *webhook.Connection, endpoint int64) []byte {
	p := packConnection(c)
	return p.seal(seqBytes(webhook.Seq(endpoint)))
}

// EarlierDeletion packs a deletion.
func EarlierDeletion(d *webhook.Deletion) []byte {
	p := packer{buf: packDeletion(d, &tombstone{})}
	p.buf = p.buf[:len(p.buf)-sealSize]
	return p.seal(nil)
}

// Example is a value of each kind that rows are made of.
type Example struct {
	Capture    *webhook.Capture
	Key        webhook.DeliveryKey
	Outcome    *webhook.Outcome
	Object     *webhook.Object
	Note       *webhook.Note
	Replay     *webhook.Replay
	Connection *webhook.Connection
	Deletion   *webhook.Deletion
}

// Pack returns its rows.
func (e *Example) Pack() [][]byte {
	cols := columns{lane: 4, receivedAt: e.Capture.ReceivedAt.UnixNano(), attempt: 1}
	outcome, replay, conn := packOutcome(e.Outcome), packReplay(e.Replay), packConnection(e.Connection)
	return [][]byte{
		packCapture(e.Capture, [16]byte{7}, trace{known: true, key: e.Key, steps: 2, answers: 3}, &cols),
		outcome.sealRow(seqBytes(1), 2), packObject(e.Object, 3), packNote(e.Note, 1), replay.sealRow(seqBytes(1), 4),
		conn.sealRow(seqBytes(1), 5), packDeletion(e.Deletion, &tombstone{seq: 6, lane: 4, endpoint: "hook"}),
	}
}

// Versions returns how many versions of the file there were.
func Versions() (int, error) {
	scripts, err := migrations()
	return len(scripts), err
}
