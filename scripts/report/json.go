package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// JSON writes {"runs":[...]} with all that the runs hold, times in RFC 3339 and durations in nanoseconds. Nothing
// is left out or cut.
func JSON(w io.Writer, runs []result.Run, _ Options) error {
	if runs == nil {
		runs = []result.Run{}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	if err := out.Encode(map[string][]result.Run{"runs": runs}); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

// ReadJSON returns the runs of a JSON report. It returns webhook.ErrInvalid for what is none, or has no runs.
func ReadJSON(raw []byte) ([]result.Run, error) {
	var in struct {
		Runs []result.Run `json:"runs"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, fmt.Errorf("%w: JSON report: %w", webhook.ErrInvalid, err)
	}
	if len(in.Runs) == 0 {
		return nil, fmt.Errorf("%w: JSON report: it has no runs; give a file that --report json=FILE wrote", webhook.ErrInvalid)
	}
	return in.Runs, nil
}
