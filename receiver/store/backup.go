package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// partial is the name of a copy that is being made.
const partial = fileName + ".partial"

// Backup copies the store in the data folder dir into the folder to, which must be empty or absent, and returns the
// copy's size. The store may be open in this or another process meanwhile: the copy is what was committed when Backup
// began, and holds up nobody who writes. Content that was deleted is not copied. The copy is on disk under its name when
// Backup returns, and no file has that name before.
//
// It returns webhook.ErrNotFound for a folder without a store, and webhook.ErrInvalid for a store of another or of a
// newer program and for a place that is not empty.
func Backup(ctx context.Context, dir, to string) (size int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store: back up %s: %w", dir, err)
		}
	}()
	path, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		return 0, err
	}
	if err = backable(ctx, path); err != nil {
		return 0, err
	}
	if to, err = filepath.Abs(to); err != nil {
		return 0, err
	}
	if inside, err := filepath.Rel(filepath.Dir(path), to); err == nil && filepath.IsLocal(inside) {
		return 0, fmt.Errorf("%w: %s is in the folder to copy: name a folder elsewhere", webhook.ErrInvalid, to)
	}
	if err = emptyFolder(to); err != nil {
		return 0, err
	}
	temp := filepath.Join(to, partial)
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if err = copyStore(ctx, path, temp); err != nil {
		return 0, err
	}
	info, err := os.Stat(temp)
	if err != nil {
		return 0, err
	}
	if err = os.Rename(temp, filepath.Join(to, fileName)); err != nil {
		return 0, err
	}
	return info.Size(), errors.Join(syncPath(to), syncPath(filepath.Dir(to)))
}

// backable returns an error unless there is a store of this program.
func backable(ctx context.Context, path string) error {
	scripts, err := migrations()
	if err != nil {
		return err
	}
	if _, err = os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: there is no store in it", webhook.ErrNotFound)
	}
	version, err := inspect(ctx, path, len(scripts))
	if err == nil && version == 0 {
		err = fmt.Errorf("%w: nothing was ever stored in it", webhook.ErrNotFound)
	}
	return err
}

func emptyFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	list, err := os.ReadDir(dir)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("%w: %s is not empty: name a folder that is, or one that is not there yet", webhook.ErrInvalid, dir)
	}
	return err
}

// copyStore copies the file at path, its log included, to a new file and syncs that.
func copyStore(ctx context.Context, path, to string) error {
	// An empty file keeps the mode that it was made with.
	file, err := os.OpenFile(filepath.Clean(to), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	// Not a connection for reading only: SQLite counts the copy among what is written.
	from, err := connector(path, pragmas)
	if err != nil {
		return err
	}
	db := sql.OpenDB(from)
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return syncPath(to)
}
