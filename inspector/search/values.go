package search

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// pattern returns what tells whether a text matches a value that was written without quotation marks: where it has
// stars, they stand for any text and the whole must match; else plain decides. Case does not count.
func pattern(t term, plain func(text, want string) bool) func(text string) bool {
	want := strings.ToLower(t.value)
	if t.quoted || !strings.Contains(want, "*") {
		return func(text string) bool { return plain(strings.ToLower(text), want) }
	}
	parts := strings.Split(want, "*")
	first, last, middle := parts[0], parts[len(parts)-1], parts[1:len(parts)-1]
	return func(text string) bool {
		rest, found := strings.CutPrefix(strings.ToLower(text), first)
		if !found {
			return false
		}
		for _, part := range middle {
			if _, rest, found = strings.Cut(rest, part); !found {
				return false
			}
		}
		return strings.HasSuffix(rest, last)
	}
}

func equal(text, want string) bool { return text == want }

// moments are the forms of a time; those without a zone are UTC.
func moments() []string {
	return []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"}
}

// moment returns the time that a value names: one of moments, or one before now such as -90s, -15m, -1h or -2d.
func moment(field, text string, now time.Time) (time.Time, error) {
	for _, form := range moments() {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	if ago, found := strings.CutPrefix(text, "-"); found {
		if days, isDays := strings.CutSuffix(ago, "d"); isDays {
			if n, err := strconv.ParseUint(days, 10, 16); err == nil {
				return now.AddDate(0, 0, -int(n)), nil
			}
		}
		if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
			return now.Add(-d), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s:%s: give a time such as 2026-11-22T12:00:00Z, or how long ago, such as -15m, -1h or -2d", field, text)
}
