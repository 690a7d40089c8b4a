// Package ui holds the built web page. The page is committed, so that go build and go install need no Node.
package ui

import (
	"embed"
	"io/fs"
)

// dist holds dist/.keep too, so that the pattern matches before the first build.
//
//go:embed all:dist
var dist embed.FS

// fallback shows without script and style, so it works under the page's content security policy.
//
//go:embed fallback/index.html
var fallback embed.FS

// FS returns the page's files: index.html at the root, everything else under assets/. When the page was
// not built it holds only an index.html that says what to run. It is read-only and safe for concurrent use.
func FS() fs.FS {
	if page := sub(dist, "dist"); page != nil {
		return page
	}
	return sub(fallback, "fallback")
}

// Built reports whether the binary carries the web page.
func Built() bool { return sub(dist, "dist") != nil }

// sub returns the folder of files, or nil when it has no index.html.
func sub(files fs.FS, folder string) fs.FS {
	tree, err := fs.Sub(files, folder)
	if err != nil {
		return nil
	}
	if _, err := fs.Stat(tree, "index.html"); err != nil {
		return nil
	}
	return tree
}
