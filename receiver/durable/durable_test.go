package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hookrange/hookrange/receiver/durable"
)

// TestReplace: the file is new, then another, for its owner only, and nothing else is left in the folder.
func TestReplace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	for _, content := range []string{"first", "second, and longer", ""} {
		if err := durable.Replace(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("has %q, error %v, want %q", got, err, content)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are in the folder, error %v", len(left), err)
	}
}

// TestReplaceKeeps: what cannot be replaced stays as it was, and nothing is left beside it.
func TestReplaceKeeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(path, []byte("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if err := durable.Replace(filepath.Join(dir, "missing", "file"), []byte("x")); err == nil {
		t.Error("a file was written into a folder that is not there")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || !left[0].IsDir() {
		t.Errorf("left: %v, error %v", left, err)
	}
}
