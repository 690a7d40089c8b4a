package console_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hookrange/hookrange/inspector/console"
)

// TestFind: a server is found by its address in every form in which it is written down, and its token beside it.
func TestFind(t *testing.T) {
	t.Parallel()
	dir, none := t.TempDir(), t.TempDir()
	ready := `{"receiver":"http://127.0.0.1:1","inspector":"http://127.0.0.1:2","token":"kept","endpoints":[]}`
	if err := os.WriteFile(filepath.Join(dir, console.ReadyName), []byte(ready), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, server, token, base, want string }{
		{dir, "", "", "http://127.0.0.1:2", "kept"},
		{dir, "http://127.0.0.1:2", "", "http://127.0.0.1:2", "kept"},
		{dir, "http://127.0.0.1:2/", "", "http://127.0.0.1:2", "kept"},
		{dir, "127.0.0.1:2", "", "http://127.0.0.1:2", "kept"},
		{dir, "http://127.0.0.1:3", "", "http://127.0.0.1:3", ""},
		{dir, "http://127.0.0.1:2", "given", "http://127.0.0.1:2", "given"},
		{none, "https://hooks.example.com/", "given", "https://hooks.example.com", "given"},
		{none, "http://127.0.0.1:3/#token=pasted", "", "http://127.0.0.1:3", "pasted"},
		{none, "http://127.0.0.1:3/#token=pasted", "given", "http://127.0.0.1:3", "given"},
		{none, "[::1]:3", "given", "http://[::1]:3", "given"},
		{none, "nonsense", "given", "nonsense", "given"},
	} {
		client, err := console.Find(tt.dir, tt.server, tt.token)
		if err != nil || client.Base != tt.base || client.Token != tt.want {
			t.Errorf("%q with %q: %+v, %v; want %s and %q", tt.server, tt.token, client, err, tt.base, tt.want)
		}
	}
}
