package export_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/export"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func entry(seq int64) *export.Entry {
	return &export.Entry{
		Capture: &api.Capture{Seq: seq, Endpoint: "default", Method: "POST", Target: "/hooks/default", Class: "accepted"},
		Head:    []byte("POST /hooks/default HTTP/1.1\r\n\r\n"),
		Object:  func(string) ([]byte, bool, error) { return nil, false, nil },
	}
}

func TestReportIsBounded(t *testing.T) {
	t.Parallel()
	format, err := export.FormatNamed("zip")
	if err != nil {
		t.Fatal(err)
	}
	w := format.Open(io.Discard, export.About{Endpoint: "default", Most: 3})
	for seq := range int64(5) {
		if err = w.Add(entry(seq)); err != nil {
			t.Fatal(err)
		}
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.Tally(); got.Written != 3 || got.LeftOut != 2 || !strings.Contains(got.Why, "first 3,") {
		t.Errorf("%+v", got)
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left")

func TestErrorsOfTheWriterAreTold(t *testing.T) {
	t.Parallel()
	for _, format := range export.Formats() {
		w := format.Open(full{}, export.About{Endpoint: "default"})
		e := entry(1)
		e.Body = bytes.Repeat([]byte("x"), 1<<20)
		e.Text, e.Capture.Payload.Kind = []byte(`{"rule_id":"r","runs":[{"id":"1","inputs":{}}]}`), string(webhook.PayloadRule)
		if err := errors.Join(w.Add(e), w.Close()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", format.Name, err)
		}
	}
	if _, err := export.FormatNamed("doc"); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("an unknown form: %v", err)
	}
}

// TestCurlNamesWhatItCannotSend: a method that is no word is left out, and counted.
func TestCurlNamesWhatItCannotSend(t *testing.T) {
	t.Parallel()
	format, err := export.FormatNamed("curl")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := format.Open(&out, export.About{Endpoint: "default", Base: "http://127.0.0.1:8080"})
	e := entry(7)
	e.Capture.Method = "PO'ST;id"
	if err = errors.Join(w.Add(e), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got := w.Tally(); got.LeftOut != 1 || strings.Contains(out.String(), "id\n") || !strings.Contains(out.String(), "# capture 7") {
		t.Errorf("%+v:\n%s", got, &out)
	}
}
