// Package store keeps endpoints, captures, outcomes, resolved objects and deletions in one SQLite file.
//
//	Record, Finish, PlanObjects, Settle, Save..., Delete...   Captures, Facts, Deliveries, Due ...
//	        |  bounded queue                                          |  by seq, never a long read
//	        v                                                         v
//	     writer: BEGIN, all that is queued, COMMIT (fsync)        read-only connections
//	        |                                                         ^
//	        +-> answers all waiters, then rings the bell -------------+
//
// One goroutine writes. It takes everything that is queued into one transaction (group commit), so one
// fsync pays for many captures, and what it acknowledged is on disk: WAL with synchronous=FULL, which is
// asserted on every connection. Every fact has a seq from one counter; watchers read facts by cursor.
//
// A search index is made in the background from what was committed (search.go). It only tells which captures cannot match
// a search; whoever searches looks at the others.
//
// A body that another attempt of the same delivery has already is stored once. Each class of each endpoint
// ("lane") has its own retention. Secrets that a person deletes are overwritten in the file, those that
// retention deletes are not before their page is used again: see secure_delete in conn.go.
package store

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// File names inside Config.Dir.
const (
	fileName = "hookrange.db"
	lockName = "hookrange.lock"
)

// Bell is rung after each commit with the newest seq. It must not block.
type Bell interface{ Ring(webhook.Seq) }

// Config says where and how a store keeps its file. Only Dir is needed.
type Config struct {
	// Dir is the data folder. It is made, for the user alone, when absent.
	Dir string
	// Bell is rung after each commit. Nil rings nothing.
	Bell Bell
	// Log gets what happens outside of any call. Nil discards it.
	Log *slog.Logger
	// Now is the clock of retention. Defaults to time.Now.
	Now func() time.Time
	// DeliveryWindow is how long after its last attempt a delivery is still recognised. Defaults to 24 h.
	DeliveryWindow time.Duration
	// Deliveries bounds how many deliveries are recognised; the least recent is forgotten first. Each takes
	// some 300 bytes of memory. Defaults to 100 000.
	Deliveries int
	// MinFree is how many bytes the disk must have free for captures to be accepted. Defaults to 64 MiB; -1
	// turns the check off.
	MinFree int64
	// Free returns the free bytes of the disk that holds the folder. Defaults to what the system says; where
	// it does not, nothing is checked.
	Free func(dir string) (int64, error)
	// Readers is the number of read-only connections. Defaults to 4.
	Readers int
	// ListBytes bounds the bodies of one list. Defaults to 64 MiB.
	ListBytes int64
	// CheckTime bounds the check of the file's structure at Open. A file that may take longer, at 16 MiB a second, is
	// checked while the store works, and each row again when it is read. Defaults to 5 s.
	CheckTime time.Duration
	// Pause is the time between two rounds of upkeep: retention by age, probing a disk that failed,
	// giving space back. Defaults to 1 s.
	Pause time.Duration
	// Steady is how long the clock must have run without a jump, by a minute or more, before anything is deleted for its age;
	// it begins anew at Open. Defaults to a minute; -1 believes it at once.
	Steady time.Duration
	// Marker makes what the search index keeps of captures. Without one there is no index, and one that is there is
	// taken away; a search then looks at each capture.
	Marker Marker
}

// withDefaults returns c with its zero fields set, or ErrInvalid.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, fmt.Errorf("store: %w: no data folder was given", webhook.ErrInvalid)
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return c, fmt.Errorf("store: data folder: %w", err)
	}
	if c.Bell == nil {
		c.Bell = silence{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Free == nil {
		c.Free = diskFree
	}
	c.DeliveryWindow = or(c.DeliveryWindow, 24*time.Hour)
	c.Deliveries = or(c.Deliveries, 100_000)
	c.MinFree = or(c.MinFree, 64<<20)
	c.Readers = or(c.Readers, 4)
	c.ListBytes = or(c.ListBytes, 64<<20)
	c.CheckTime = or(c.CheckTime, 5*time.Second)
	c.Pause = or(c.Pause, time.Second)
	c.Steady = or(c.Steady, time.Minute)
	return c, nil
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

type silence struct{}

func (silence) Ring(webhook.Seq) {}
