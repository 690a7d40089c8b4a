package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/durable"
	"github.com/hookrange/hookrange/scripts/result"
)

// kept is what a server keeps of a conformance run. Secrets are masked in it.
type kept struct {
	Input api.TestInput `json:"input"`
	State string        `json:"state"`
	Error string        `json:"error,omitempty"`
	Run   result.Run    `json:"run"`
}

// files is a folder with a file ID.json for each run, written whole or not at all.
type files string

func (f files) path(id string) string { return filepath.Join(string(f), id+".json") }

// load returns all runs. A file that cannot be read is left where it is, and logged.
func (f files) load(log *slog.Logger) ([]kept, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, fmt.Errorf("tests: %w", err)
	}
	var out []kept
	for _, e := range entries {
		id, isRun := strings.CutSuffix(e.Name(), ".json")
		if _, err = uuid.Parse(id); err != nil || !isRun {
			continue
		}
		var one kept
		raw, err := os.ReadFile(f.path(id))
		if err == nil {
			err = json.Unmarshal(raw, &one)
		}
		if err == nil && one.Run.ID != id {
			err = fmt.Errorf("it says it is run %q", one.Run.ID)
		}
		if err != nil {
			log.Warn("a conformance run cannot be read", slog.String("file", f.path(id)), errAttr(err))
			continue
		}
		out = append(out, one)
	}
	return out, nil
}

// save writes a run.
func (f files) save(one kept) error {
	raw, err := json.Marshal(one)
	if err == nil {
		err = durable.Replace(f.path(one.Run.ID), raw)
	}
	if err != nil {
		return fmt.Errorf("tests: keep run %s: %w", one.Run.ID, err)
	}
	return nil
}

// remove deletes a run. That there is none is no error.
func (f files) remove(id string) error {
	if err := os.Remove(f.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("tests: delete run %s: %w", id, err)
	}
	return nil
}

func errAttr(err error) slog.Attr { return slog.Any("error", err) }
