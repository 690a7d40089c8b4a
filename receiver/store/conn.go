package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// pragmas of every connection.
//
//   - journal_mode and synchronous: what is acknowledged is on disk. Asserted by durable.
//   - mmap_size=0: an I/O error is then an error code and not a signal that kills the process.
//   - wal_autocheckpoint=0: no capture waits for a checkpoint; checkpoint.go does them.
//   - secure_delete=FAST overwrites deleted content where that costs no further write. ON would write each
//     page that retention frees once more, about twice the bytes of a full lane; the writer turns it ON only
//     for deletions that a person asked for.
const pragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=mmap_size(0)&_pragma=wal_autocheckpoint(0)&_pragma=secure_delete(FAST)" +
	"&_pragma=temp_store(MEMORY)&_pragma=trusted_schema(0)&_pragma=foreign_keys(0)"

// The data source names. The driver sorts pragmas by their text.
const (
	writing = pragmas + "&_pragma=cache_size(-16384)"
	reading = pragmas + "&_pragma=cache_size(-4096)&_pragma=query_only(1)"
	// looking changes nothing in a file that may not be ours.
	looking = "_pragma=busy_timeout(5000)&_pragma=query_only(1)"
)

// How long a connection waits for what others have locked; waitForLocks is what each begins with.
const (
	waitForLocks   = "PRAGMA busy_timeout=5000"
	waitForNothing = "PRAGMA busy_timeout=0"
)

// source names the file for the driver, whatever characters its path has.
func source(path, query string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	return "file://" + (&url.URL{Path: slashed}).EscapedPath() + "?" + query
}

// shape gives an empty file what can only be said while it is empty, in the order in which SQLite heeds it: rows of 2 to
// 3 KB waste half of a page of 4 KiB, and with auto_vacuum space can be given back in steps. Switching to WAL writes
// the first page.
func shape(ctx context.Context, path string) error {
	base, err := sqlite.NewConnector(source(path, ""))
	if err != nil {
		return err
	}
	c, err := dial(ctx, base)
	if err != nil {
		return err
	}
	for _, pragma := range []string{fmt.Sprintf("PRAGMA page_size=%d", pageSize), "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL"} {
		err = errors.Join(err, c.script(pragma))
	}
	return errors.Join(err, c.close())
}

// durable is a connector whose connections are checked before they are used.
type durable struct{ driver.Connector }

// connector returns a connector to path whose connections keep the promise of durability, or fail.
func connector(path, query string) (driver.Connector, error) {
	base, err := sqlite.NewConnector(source(path, query))
	if err != nil {
		return nil, fmt.Errorf("name the file %s: %w", path, err)
	}
	return durable{base}, nil
}

// Connect opens a connection and refuses it when SQLite did not take the settings that durability needs.
func (d durable) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := d.Connector.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a connection: %w", err)
	}
	c := &conn{raw: raw}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		got, queryErr := c.text("PRAGMA " + pragma)
		if queryErr == nil && got != want {
			queryErr = fmt.Errorf("PRAGMA %s is %q and not %q: this folder's file system cannot keep captures safely", pragma, got, want)
		}
		if queryErr != nil {
			return nil, errors.Join(queryErr, c.close())
		}
	}
	return raw, c.finish()
}

// conn is one connection used through the driver, without database/sql's locks and conversions. It is used
// by one goroutine at a time. Statements are prepared once, by their text.
type conn struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// dial opens a connection of the writer's kind.
func dial(ctx context.Context, from driver.Connector) (*conn, error) {
	raw, err := from.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: make(map[string]driver.Stmt)}, nil
}

func (c *conn) close() error {
	return errors.Join(c.finish(), c.raw.Close())
}

// finish closes the statements.
func (c *conn) finish() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	c.stmts = nil
	return errors.Join(errs...)
}

// prepare returns the statement of a constant text.
func (c *conn) prepare(text string) (driver.Stmt, error) {
	if stmt, ok := c.stmts[text]; ok {
		return stmt, nil
	}
	stmt, err := c.raw.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", text, err)
	}
	if c.stmts == nil {
		c.stmts = make(map[string]driver.Stmt)
	}
	c.stmts[text] = stmt
	return stmt, nil
}

func (c *conn) bind(values []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, value := range values {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return c.args
}

// exec runs a prepared statement and returns the number of rows it changed. Its values are int64, string,
// []byte or nil.
//
//nolint:contextcheck,nolintlint // the writer's statements end by themselves; a context would cost a goroutine for each
func (c *conn) exec(text string, values ...driver.Value) (int64, error) {
	stmt, err := c.prepare(text)
	if err != nil {
		return 0, err
	}
	run, ok := stmt.(driver.StmtExecContext)
	if !ok {
		return 0, errors.New("the SQLite driver does not run statements with a context")
	}
	result, err := run.ExecContext(context.Background(), c.bind(values))
	if err != nil {
		return 0, fmt.Errorf("run %.40q: %w", text, err)
	}
	return result.RowsAffected()
}

// script runs text as it stands, without preparing it: several statements, or a pragma that takes effect
// when it is prepared.
//
//nolint:contextcheck,nolintlint // as exec
func (c *conn) script(text string) error {
	run, ok := c.raw.(driver.ExecerContext)
	if !ok {
		return errors.New("the SQLite driver does not run scripts")
	}
	if _, err := run.ExecContext(context.Background(), text, nil); err != nil {
		return fmt.Errorf("run %.40q: %w", text, err)
	}
	return nil
}

// query runs a prepared statement and hands each row to scan, which must not keep the slice but may keep
// its values.
//
//nolint:contextcheck,nolintlint // as exec
func (c *conn) query(text string, scan func(row []driver.Value) error, values ...driver.Value) error {
	return c.queryContext(context.Background(), text, scan, values...)
}

func (c *conn) queryContext(ctx context.Context, text string, scan func(row []driver.Value) error, values ...driver.Value) (err error) {
	stmt, err := c.prepare(text)
	if err != nil {
		return err
	}
	run, ok := stmt.(driver.StmtQueryContext)
	if !ok {
		return errors.New("the SQLite driver does not query with a context")
	}
	rows, err := run.QueryContext(ctx, c.bind(values))
	if err != nil {
		return fmt.Errorf("query %.40q: %w", text, err)
	}
	defer func() {
		if closeErr := rows.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("query %.40q: %w", text, closeErr)
		}
	}()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("query %.40q: %w", text, err)
		}
		if err := scan(row); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// errEnough ends a query from its scan function.
var errEnough = errors.New("enough rows were read")

// integer returns the first column of the only row, or 0.
func (c *conn) integer(text string, values ...driver.Value) (int64, error) {
	var n int64
	err := c.query(text, func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	}, values...)
	return n, err
}

// text returns the first column of the only row as text, or "".
func (c *conn) text(text string) (string, error) {
	var s string
	err := c.query(text, func(row []driver.Value) error {
		s = fmt.Sprint(row[0])
		return nil
	})
	return s, err
}

// code returns SQLite's extended result code of err, or 0.
func code(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return 0
}
