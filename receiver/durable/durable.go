// Package durable writes files that are there whole or not at all, whenever the machine stops.
package durable

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// Replace writes a file, readable by its owner only, and returns once it is on disk under its name. A reader, and a
// machine that starts again, finds what was there before or all of content.
func Replace(path string, content []byte) error {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".hookrange-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(content)
	if err == nil {
		// A name that reaches the disk before what it names is an empty file after a power cut.
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes a new name in a folder last. Windows has no such call and does it by itself.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
