// Package e2e_test drives the built program from outside: over its ports, and in a real browser.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// shared is the program that the tests without a browser have in common. It is built when the first of them needs it.
var shared struct {
	sync.Once
	folder string
	err    error
}

// TestMain gives the program a folder.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "hookrange-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shared.folder = folder
	code := m.Run()
	if err = os.RemoveAll(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// program returns the program under test, with the race detector where the tests have it.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(shared.folder, "hookrange")
	shared.Do(func() { shared.err = build(path, race...) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return path
}

func build(path string, flags ...string) error {
	args := append([]string{"build", "-buildvcs=false", "-o", path}, flags...)
	if out, err := exec.Command("go", append(args, "github.com/hookrange/hookrange")...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}
