package ui_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/inspector/ui"
)

func TestFSHasAPage(t *testing.T) {
	t.Parallel()
	page, err := fs.ReadFile(ui.FS(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	if !ui.Built() {
		if !strings.Contains(text, "make ui") {
			t.Errorf("the page without a build does not say what to run:\n%s", text)
		}
		return
	}
	for _, name := range []string{"assets/app.js", "assets/app.css", "assets/icon.svg"} {
		if _, err := fs.Stat(ui.FS(), name); err != nil {
			t.Error(err)
		}
	}
}

// The page's policy allows no inline script and no inline style.
func TestPageHasNothingInline(t *testing.T) {
	t.Parallel()
	page, err := fs.ReadFile(ui.FS(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(>|[^>]*[^>]>[^<])|https?://`)
	if found := inline.FindString(string(page)); found != "" {
		t.Errorf("index.html holds %q", found)
	}
}

// The whole page but for the settings' editor, which is loaded when somebody opens it.
func TestPageIsSmall(t *testing.T) {
	t.Parallel()
	if !ui.Built() {
		t.Fatal("there is no page: make ui")
	}
	const most = 120_000
	editor := []string{"Settings.js", "Settings.css"}
	assets, err := fs.ReadDir(ui.FS(), "assets")
	if err != nil {
		t.Fatal(err)
	}
	total, sizes, editors := 0, "", 0
	for _, asset := range assets {
		if slices.Contains(editor, asset.Name()) {
			editors++
			continue
		}
		size := zipped(t, "assets/"+asset.Name())
		total += size
		sizes += fmt.Sprintf("\n%7d %s", size, asset.Name())
	}
	if total > most {
		t.Errorf("the page has %d bytes, compressed, without the editor of the settings; at most %d are for it:%s", total, most, sizes)
	}
	if editors != len(editor) {
		t.Errorf("%d of the editor's files %v are there", editors, editor)
	}
	// What is left out of the sum must be what the first screen does without.
	for _, name := range []string{"index.html", "assets/app.js", "assets/more.js"} {
		text, err := fs.ReadFile(ui.FS(), name)
		if err != nil {
			t.Fatal(err)
		}
		if early := regexp.MustCompile(`(src|href|from) ?=?"[^"]*Settings\.|import"[^"]*Settings\.`).Find(text); early != nil {
			t.Errorf("%s loads the editor at once: %s", name, early)
		}
	}
}

// zipped returns how many bytes gzip -9 makes of a file.
func zipped(t *testing.T, name string) int {
	t.Helper()
	data, err := fs.ReadFile(ui.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Name = path.Base(name)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}
