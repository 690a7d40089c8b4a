package ui_test

import (
	"io/fs"
	"regexp"
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
