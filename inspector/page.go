package inspector

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// page is the web page: its files as they were when the server was made.
type page struct {
	files map[string]file
	// packed answers with a file, compressed for whom that suits. Nothing else of the inspector is compressed: what a sender
	// sends stands beside secrets there, and the size would tell of them.
	packed http.Handler
}

type file struct {
	data        []byte
	etag, media string
}

const index = "index.html"

// newPage reads all files, so that only names that exist are ever public.
func newPage(ui fs.FS) (*page, error) {
	p := &page{files: map[string]file{}}
	pack, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestCompression), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, fmt.Errorf("inspector: compress the page: %w", err)
	}
	p.packed = pack(http.HandlerFunc(p.write))
	if ui == nil {
		return p, nil
	}
	err = fs.WalkDir(ui, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(ui, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		p.files[name] = file{
			data: data, media: mediaType(name),
			etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("inspector: read the page: %w", err)
	}
	return p, nil
}

// mediaType knows what a page is made of; the system's table may be different or missing.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map", ".webmanifest":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	default:
		if media := mime.TypeByExtension(ext); media != "" {
			return media
		}
		return "application/octet-stream"
	}
}

// views are the page's own views beside those below e/ and tests/.
func views() []string { return []string{"tests", "shared", "tokens", "audit"} }

// find returns the file behind a path. Paths of the page's own views are its index.
func (p *page) find(urlPath string) (file, bool) {
	name := strings.TrimPrefix(urlPath, "/")
	if name == "" || name == "e" || slices.Contains(views(), name) || strings.HasPrefix(name, "e/") || strings.HasPrefix(name, "tests/") {
		name = index
	}
	f, found := p.files[name]
	return f, found
}

func (p *page) has(urlPath string) bool {
	_, found := p.find(urlPath)
	return found
}

// serve answers with a file, which a browser has to ask for anew each time and gets only when it changed.
func (p *page) serve(w http.ResponseWriter, r *http.Request) error {
	if !p.has(r.URL.Path) {
		return errNoRoute
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return errMethod
	}
	p.packed.ServeHTTP(w, r)
	return nil
}

func (p *page) write(w http.ResponseWriter, r *http.Request) {
	f, _ := p.find(r.URL.Path)
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", f.etag)
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.media)
	h.Set("Content-Length", strconv.Itoa(len(f.data)))
	// The client may be gone; there is nobody left to tell.
	_, _ = w.Write(f.data)
}
