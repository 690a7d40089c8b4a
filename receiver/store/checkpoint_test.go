package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/receiver/store"
)

// TestLogIsBegunAnew writes without a pause in which the log could be emptied. Without a new beginning it would grow
// until it is cut, at 48 MB.
func TestLogIsBegunAnew(t *testing.T) {
	t.Parallel()
	const bound = 32 << 20
	dir := t.TempDir()
	s := open(t, store.Config{Dir: dir})
	text := strings.Repeat("capture ", 50_000)
	for i := range 200 {
		record(t, s, fmt.Sprint(i, text))
		info, err := os.Stat(filepath.Join(dir, store.FileName+"-wal"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > bound {
			t.Fatalf("the log has %d bytes after %d captures", info.Size(), i+1)
		}
	}
}
