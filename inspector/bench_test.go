package inspector_test

import (
	"net/http"
	"testing"
)

// BenchmarkList measures a page of 50 captures of 2 KB, its summaries known.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	r.endpoint(b, "default")
	for range 1000 {
		r.capture(b, "default", ruleBody)
	}
	for b.Loop() {
		if a := r.call(b, http.MethodGet, captures, ""); a.StatusCode != http.StatusOK {
			b.Fatal(a.StatusCode)
		}
	}
}
