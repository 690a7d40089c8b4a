package report

import (
	"encoding/json"
	"fmt"
	"io"

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
