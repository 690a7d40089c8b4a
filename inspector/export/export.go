// Package export writes captures in forms that other tools read: HAR 1.2, JSON lines, a curl script, CSV, a zip for a bug
// report, and examples for a LangSmith dataset.
//
// A Writer holds one capture at a time, whatever the number; the zip holds a line for each beside that, and is bounded.
// What it is given is as a view shows it: secrets are masked before they come here.
package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Entry is one capture as a view shows it.
type Entry struct {
	// Capture has the payload's summary.
	Capture *api.Capture
	// Head is the request line and the header lines, Body the bytes after it.
	Head, Body []byte
	// Framed is the body in its transfer coding, or nil.
	Framed []byte
	// Text is the body without its Content-Encoding.
	Text []byte
	// Object returns the data of a resolved object, and false when it is not resolved.
	Object func(name string) ([]byte, bool, error)
}

// About says what is exported.
type About struct {
	Endpoint string
	// Base begins the hook URLs, such as "http://127.0.0.1:8080".
	Base    string
	Version string
	At      time.Time
	// Most bounds the captures of a bug report, whose table of contents is held in memory until the end. Defaults to
	// MaxReported.
	Most int
	// Masked is true when secrets are not shown; Filter is the search, or empty.
	Masked bool
	Filter string
	// Settings are the endpoint's, in their JSON form.
	Settings any
}

// Tally counts what a Writer wrote.
type Tally struct {
	// Written counts captures, or the dataset's examples.
	Written int
	// LeftOut counts those that the form cannot hold, and Why says which.
	LeftOut int
	Why     string
}

// Writer writes captures one after another.
type Writer interface {
	// Add writes one capture. After an error nothing more may be added.
	Add(e *Entry) error
	// Close writes what comes after the last one. It does not close the io.Writer.
	Close() error
	// Tally says what was written so far.
	Tally() Tally
}

// Format is one form.
type Format struct {
	Name string
	// MediaType and Suffix of the file.
	MediaType, Suffix string
	open              func(out io.Writer, about About) Writer
}

// Formats returns all forms.
func Formats() []Format {
	return []Format{
		{"har", "application/json", ".har", newHAR},
		{"jsonl", "application/x-ndjson", ".jsonl", newLines},
		{"curl", "text/x-shellscript", ".sh", newScript},
		{"csv", "text/csv; charset=utf-8", ".csv", newTable},
		{"zip", "application/zip", ".zip", newReport},
		{"dataset", "application/x-ndjson", ".dataset.jsonl", newDataset},
	}
}

// FormatNamed returns the form of a name, or an ErrInvalid that lists the names there are.
func FormatNamed(name string) (Format, error) {
	var names []string
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("%w: format %q: use one of %s", webhook.ErrInvalid, name, strings.Join(names, ", "))
}

// Open returns a Writer of this form. The caller closes it.
func (f Format) Open(out io.Writer, about About) Writer { return f.open(out, about) }

// Accepted says whether only accepted captures are exported when no class is asked for: a dataset is not fed by
// requests that proved nothing.
func (f Format) Accepted() bool { return f.Name == "dataset" }
