package report_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/scripts/report"
	"github.com/hookrange/hookrange/scripts/result"
)

// TestTicks holds the axis to round times, six at most beside zero.
func TestTicks(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]string{
		0:                      "0 s,1 ms,2 ms", // the first byte came after 2 ms
		4 * ms:                 "0 s,1 ms,2 ms,3 ms,4 ms",
		7 * ms:                 "0 s,2 ms,4 ms,6 ms",
		480 * ms:               "0 s,100 ms,200 ms,300 ms,400 ms",
		1300 * ms:              "0 s,500 ms,1 s",
		11 * s:                 "0 s,2 s,4 s,6 s,8 s,10 s",
		300 * s:                "0 s,100 s,200 s,300 s",
		30 * 24 * 3600 * s:     "0 s,138h53m20s,277h46m40s,416h40m0s,555h33m20s,694h26m40s",
		200 * 365 * 86400 * s:  "",
		-200 * 365 * 86400 * s: "",
	} {
		a := attempt(1, 1, 0, 200)
		a.Done = &took
		runs := only(result.Pass, false, "ended")
		runs[0].Cases[0].Endpoints = []result.Endpoint{{Name: "main", Deliveries: []result.Delivery{{ID: "d", Attempts: []result.Attempt{a}}}}}
		var got []string
		for _, m := range regexp.MustCompile(`<text class="axis"[^>]*>([^<]*)<`).FindAllStringSubmatch(write(t, "html", runs, report.Options{}), -1) {
			got = append(got, m[1])
		}
		if diff := cmp.Diff(want, strings.Join(got, ",")); want != "" && diff != "" || len(got) > 7 || len(got) < 2 {
			t.Errorf("%v: %q (-want +got):\n%s", took, got, diff)
		}
	}
}
