package secret

import (
	"strconv"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// times says what is wrong with the fields that are signed beside the body. These are facts, whether or not the
// signature fits.
func (e *explanation) times() {
	f := &e.search.form
	if f.idField != "" {
		if id := find(e.claim.Request.Head, f.idField); len(id.value) == 0 {
			e.add("id_missing", "header", f.idField)
		}
	}
	if f.stampField == "" {
		return
	}
	stamp := e.search.parts.stamp
	if f.stampField != f.header {
		stamp = find(e.claim.Request.Head, f.stampField).value
	}
	if len(stamp) == 0 {
		if !e.has("signature_missing") || f.stampField != f.header {
			e.add("timestamp_missing", "header", f.stampField)
		}
		return
	}
	seconds, unit, ok := inSeconds(stamp)
	if !ok {
		e.add("timestamp_malformed", "header", f.stampField)
		return
	}
	if unit != "seconds" {
		e.add("timestamp_unit", "unit", unit)
	}
	tolerance := e.policy.Tolerance
	if skew := time.Unix(seconds, 0).Sub(e.claim.At); skew > tolerance || skew < -tolerance {
		code := "clock_behind"
		if skew > 0 {
			code = "clock_ahead"
		}
		e.add(code, "seconds", signed(skew), "tolerance in seconds", strconv.FormatFloat(tolerance.Seconds(), 'f', -1, 64))
	}
}

func (e *explanation) has(code string) bool {
	for i := range e.out.Findings {
		if e.out.Findings[i].Code == code {
			return true
		}
	}
	return false
}

func signed(d time.Duration) string {
	n := int64(d / time.Second)
	if n > 0 {
		return "+" + strconv.FormatInt(n, 10)
	}
	return strconv.FormatInt(n, 10)
}

// finding returns the finding of a code with pairs of evidence.
func finding(code string, evidence ...string) webhook.Finding {
	out := webhook.Finding{Code: code, Text: advice(code), Evidence: []webhook.Field{}}
	for i := 0; i+1 < len(evidence); i += 2 {
		out.Evidence = append(out.Evidence, webhook.Field{Name: evidence[i], Value: evidence[i+1]})
	}
	return out
}
