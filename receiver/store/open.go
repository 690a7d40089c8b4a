package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"modernc.org/sqlite"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Store is an open data folder. Its methods are safe for concurrent use; make one with Open.
type Store struct {
	config Config
	path   string
	lock   *flock.Flock
	source driver.Connector
	// scripts are the migrations.
	scripts []string

	directory  atomic.Pointer[directory]
	changed    change
	index      *index
	queue      *queue
	writer     *writer
	cleaner    *cleaner
	readers    *readers
	quarantine *quarantine
	finder     *finder
	// last is the newest committed seq.
	last atomic.Int64
	// newest is, for each table, the seq of its newest fact, or more: one that was rolled back counts too.
	newest [tables]atomic.Int64
	// notes is how many notes there are.
	notes atomic.Int64
	// tokens are all there are, as of the last commit.
	tokens atomic.Pointer[[]*webhook.Token]
	// unchecked tells that Open left the check of the file for later; damaged is what that has found.
	unchecked bool
	// mended tells that Open found an index that differed, and made it anew.
	mended  bool
	damaged atomic.Pointer[error]

	running sync.WaitGroup
	cancel  context.CancelFunc
	closing sync.Once
	closed  error
}

// Open opens the data folder, makes it when it is absent, and starts the goroutine that writes; Close ends it.
//
// It refuses a folder that another process has open (ErrUnavailable), a file of another or of a newer program
// (ErrInvalid) and a damaged one (ErrDamaged), and never deletes or makes anew what is there. A file of an older
// version is copied and then brought to this one. A large file is checked while the store works: where that finds
// damage, no more captures are accepted, and those that are there can be read.
func Open(ctx context.Context, config Config) (*Store, error) {
	scripts, err := migrations()
	if err != nil {
		return nil, err
	}
	return openWith(ctx, config, scripts)
}

// openWith is Open with other migrations.
func openWith(ctx context.Context, config Config, scripts []string) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		config: config, path: filepath.Join(config.Dir, fileName), scripts: scripts,
		index: newIndex(config.Deliveries, config.DeliveryWindow), queue: newQueue(),
		quarantine: &quarantine{log: config.Log, seen: make(map[string]struct{})},
	}
	s.finder = newFinder(s)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: open %s: %w", config.Dir, err), s.release())
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.running.Go(s.writer.run)
	s.running.Go(func() { s.cleaner.run(running) })
	s.running.Go(func() { s.finder.run(running) })
	if s.unchecked {
		s.running.Go(func() { s.checkLater(running) })
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := s.claim(); err != nil {
		return err
	}
	version, err := inspect(ctx, s.path, len(s.scripts))
	if err != nil {
		return err
	}
	if err := s.createFile(ctx); err != nil {
		return err
	}
	if s.source, err = connector(s.path, writing); err != nil {
		return err
	}
	c, err := dial(ctx, s.source)
	if err != nil {
		return refusal(s.path, err)
	}
	s.writer = &writer{
		s: s, conn: c, lanes: make(map[int64]*lane), crowded: make(map[*lane]struct{}),
		holders: newHolders(s.config.Deliveries), commit: commit, stop: make(chan struct{}), began: time.Now(),
	}
	if s.unchecked, err = s.verify(ctx, c); err != nil {
		return err
	}
	if err := c.migrate(s.path, version, s.scripts); err != nil {
		return err
	}
	if err := s.openOthers(ctx); err != nil {
		return err
	}
	return s.loadState()
}

func commit(c *conn) error {
	_, err := c.exec("COMMIT")
	return err
}

// claim makes the folder and takes its lock.
func (s *Store) claim() error {
	dir := s.config.Dir
	_, err := os.Stat(dir)
	if fresh := errors.Is(err, os.ErrNotExist); fresh {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := syncPath(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the folder: %w", err)
	}
	if !held {
		return fmt.Errorf("%w: another hookrange process has the data folder %s open: stop it, or give this one another folder",
			webhook.ErrUnavailable, dir)
	}
	s.lock = lock
	return nil
}

// createFile makes the file for the user alone; SQLite gives its companions the same mode. An empty one was left by a
// process that was stopped before it had shaped it.
func (s *Store) createFile(ctx context.Context) error {
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err = errors.Join(err, file.Close()); err != nil || info.Size() > 0 {
		return err
	}
	if err := shape(ctx, s.path); err != nil {
		return fmt.Errorf("make the file: %w", err)
	}
	return syncPath(s.config.Dir)
}

// openOthers opens the connections beside the writer's.
func (s *Store) openOthers(ctx context.Context) error {
	beside, err := dial(ctx, s.source)
	if err != nil {
		return err
	}
	s.cleaner = newCleaner(beside, s.path, s.config.Log)
	// Emptying the log holds the writer up while it waits for readers: it had better give up and try again.
	if err := beside.script("PRAGMA busy_timeout=50"); err != nil {
		return err
	}
	source, err := connector(s.path, reading)
	if err != nil {
		return err
	}
	db := sql.OpenDB(source)
	db.SetMaxOpenConns(s.config.Readers)
	db.SetMaxIdleConns(s.config.Readers)
	s.readers = &readers{db: db, stmts: make(map[string]*sql.Stmt)}
	return db.PingContext(ctx)
}

// Ready returns nil, or why no capture can be accepted now. It recovers by itself once the cause is gone, unless that is
// ErrDamaged.
func (s *Store) Ready() error {
	if why := s.damaged.Load(); why != nil {
		return fmt.Errorf("store: not ready: %w", *why)
	}
	if why := s.writer.unready.Load(); why != nil {
		return fmt.Errorf("store: not ready: %w", *why)
	}
	return nil
}

// Close writes what is queued, copies the log into the file and gives the folder free. Works that come later get
// ErrUnavailable. It may be called more than once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.cancel()
		s.queue.close()
		close(s.writer.stop)
		s.running.Wait()
		if err := errors.Join(s.writer.conn.script(truncateLog), s.release()); err != nil {
			s.closed = fmt.Errorf("store: close %s: %w", s.config.Dir, err)
		}
	})
	return s.closed
}

// release closes what is open.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		for _, stmt := range s.readers.stmts {
			errs = append(errs, stmt.Close())
		}
		errs = append(errs, s.readers.db.Close())
	}
	errs = append(errs, s.cleaner.close())
	if s.writer != nil {
		errs = append(errs, s.writer.conn.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

func plainConnector(path string) (driver.Connector, error) {
	return sqlite.NewConnector(source(path, looking))
}

// syncPath makes a new file or folder entry survive a power cut. Windows cannot open folders for this and keeps entries
// by itself.
func syncPath(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
