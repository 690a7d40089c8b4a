package scripts

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hookrange/hookrange/receiver/plan"
)

// scalePlan multiplies the waits of a plan text.
func scalePlan(text string, scale float64) (string, error) {
	program, err := plan.Parse(text)
	if err != nil || scale == 1 {
		return text, err
	}
	raw, err := program.MarshalJSON()
	if err != nil {
		return "", fmt.Errorf("scripts: scale %q: %w", text, err)
	}
	var steps []map[string]json.RawMessage
	if err = json.Unmarshal(raw, &steps); err != nil {
		return "", fmt.Errorf("scripts: scale %q: %w", text, err)
	}
	for _, step := range steps {
		for _, key := range []string{"after_ms", "for_ms"} {
			var ms float64
			if json.Unmarshal(step[key], &ms) == nil && ms > 0 {
				step[key] = fmt.Append(nil, ms*scale)
			}
		}
	}
	if raw, err = json.Marshal(steps); err == nil {
		program, err = plan.ParseJSON(raw)
	}
	if err != nil {
		return "", fmt.Errorf("scripts: scale %q: %w", text, err)
	}
	return program.String(), nil
}

// longestAfter is the longest wait before an answer of a valid plan text, zero when there is none.
func longestAfter(text string) time.Duration {
	program, err := plan.Parse(text)
	if err != nil {
		return 0
	}
	raw, err := program.MarshalJSON()
	if err != nil {
		return 0
	}
	var steps []struct {
		AfterMS float64 `json:"after_ms"`
	}
	if json.Unmarshal(raw, &steps) != nil {
		return 0
	}
	longest := 0.0
	for _, s := range steps {
		longest = max(longest, s.AfterMS)
	}
	return time.Duration(longest * float64(time.Millisecond))
}
