package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// application marks our files: "HkRg".
const application = 0x486b5267

// The migrations, in the order of their names: NNNN_name.sql makes version NNNN out of the one before.
//
//go:embed schema/*.sql
var schema embed.FS

// migrations returns the scripts; the i-th makes version i+1.
func migrations() ([]string, error) {
	entries, err := schema.ReadDir("schema")
	if err != nil {
		return nil, err
	}
	var scripts []string
	for _, entry := range entries {
		text, err := schema.ReadFile("schema/" + entry.Name())
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, string(text))
	}
	return scripts, nil
}

// inspect looks at the file without changing it and returns its version, 0 for a new one. It refuses files that are
// not ours, that are damaged, and that a newer program made.
func inspect(ctx context.Context, path string, newest int) (int, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	base, err := plainConnector(path)
	if err != nil {
		return 0, err
	}
	c, err := dial(ctx, base)
	if err != nil {
		return 0, refusal(path, err)
	}
	version, err := c.identify(path, newest)
	return version, errors.Join(err, c.close())
}

func (c *conn) identify(path string, newest int) (int, error) {
	id, err := c.integer("PRAGMA application_id")
	if err != nil {
		return 0, refusal(path, err)
	}
	tables, err := c.integer("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, refusal(path, err)
	}
	version, err := c.integer("PRAGMA user_version")
	switch {
	case err != nil:
		return 0, refusal(path, err)
	case id == 0 && tables == 0 && version == 0:
		// A process was stopped before its first commit.
		return 0, nil
	case id != application:
		return 0, fmt.Errorf("%w: %s is a database of another program (application id %#x): choose another data folder",
			webhook.ErrInvalid, path, id)
	case version > int64(newest):
		return 0, fmt.Errorf("%w: %s has version %d and this program knows versions up to %d: use a newer program, or another data folder",
			webhook.ErrInvalid, path, version, newest)
	}
	return int(version), nil
}

// refusal explains an error that means a damaged or foreign file.
func refusal(path string, err error) error {
	switch code(err) & 0xff {
	case sqliteNotADB, sqliteCorrupt:
		return fmt.Errorf("%w: %s is damaged or no database: nothing in it was changed; restore a backup or choose another data folder: %w",
			webhook.ErrDamaged, path, err)
	default:
		return fmt.Errorf("look at %s: %w", path, err)
	}
}

// migrate brings the file from a version to the newest, all in one transaction. A file with content is copied first.
func (c *conn) migrate(path string, version int, scripts []string) error {
	if version == len(scripts) {
		return nil
	}
	if version > 0 {
		if err := c.backup(path, version); err != nil {
			return fmt.Errorf("copy %s before it is brought to version %d: %w", path, len(scripts), err)
		}
	}
	steps := slices.Concat([]string{"BEGIN IMMEDIATE"}, scripts[version:], []string{
		fmt.Sprintf("PRAGMA application_id = %d", application),
		fmt.Sprintf("PRAGMA user_version = %d", len(scripts)),
		"COMMIT",
	})
	for _, step := range steps {
		if err := c.script(step); err != nil {
			return errors.Join(fmt.Errorf("bring %s from version %d to %d: %w", path, version, len(scripts), err), c.script("ROLLBACK"))
		}
	}
	return nil
}

// backup writes a copy beside the file that no later backup overwrites. It has its name when it is whole and on disk.
func (c *conn) backup(path string, version int) error {
	temp := filepath.Join(filepath.Dir(path), partial)
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) { // of a process that was stopped meanwhile
		return err
	}
	name := fmt.Sprintf("%s-version-%d-%s.backup", strings.TrimSuffix(path, ".db"), version, time.Now().UTC().Format("20060102T150405.000"))
	// An empty file keeps the mode that it was made with.
	file, err := os.OpenFile(filepath.Clean(temp), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if _, err := c.exec("VACUUM INTO ?", temp); err != nil {
		return err
	}
	if err := syncPath(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}
