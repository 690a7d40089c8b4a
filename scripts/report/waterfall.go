package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hookrange/hookrange/scripts/result"
)

// Measures of a waterfall in pixels. Across it is measured in percent, so that its text keeps its size on any screen.
const (
	rowHeight  = 38
	axisHeight = 22
	// mostRows bounds the rows: a sender without a limit fills a screen soon.
	mostRows = 60
)

// waterfall is what one endpoint saw, on an axis of time.
type waterfall struct {
	Rows   []bar
	Ticks  []tick
	Height int
	// Left counts the rows that are not shown.
	Left int
	// Summary says the same for who cannot see it.
	Summary string
}

// bar is one attempt or connection. X and Width are percent, Y pixels.
type bar struct {
	Kind            string
	Label           string
	X, Width        float64
	Y, TextY, LineY int
	// GapX and GapWidth are the wait before it; GapWidth 0 is none.
	GapX, GapWidth float64
	// HungUp is where the sender hung up, or below 0.
	HungUp float64
}

type tick struct {
	X     float64
	Label string
	// Anchor is SVG's text-anchor.
	Anchor string
}

// event is a bar before its place on the axis is known.
type event struct {
	kind, label string
	at          time.Time
	length, gap time.Duration
	hungUp      *time.Duration
}

// newWaterfall draws an endpoint's attempts and connections in order of arrival.
func newWaterfall(ep result.Endpoint) waterfall {
	events := eventsOf(ep)
	var w waterfall
	if len(events) == 0 {
		return w
	}
	if len(events) > mostRows {
		w.Left = len(events) - mostRows
		events = events[:mostRows]
	}
	start, end := events[0].at, events[0].at
	for _, e := range events {
		if e.at.Before(start) {
			start = e.at
		}
		if done := e.at.Add(e.length); done.After(end) {
			end = done
		}
	}
	whole := max(end.Sub(start), time.Millisecond)
	// Some room on the right, for what ends there has marks and no length.
	whole += whole / 50
	percent := func(d time.Duration) float64 { return math.Round(float64(d)/float64(whole)*1e4) / 100 }
	var labels []string
	for i, e := range events {
		y := axisHeight + i*rowHeight
		b := bar{
			Kind: e.kind, Label: e.label, X: percent(e.at.Sub(start)), Width: max(percent(e.length), 0.4),
			Y: y + 20, TextY: y + 14, LineY: y + 26, HungUp: -1,
		}
		if e.gap > 0 {
			b.GapWidth = min(percent(e.gap), b.X)
			b.GapX = b.X - b.GapWidth
		}
		if e.hungUp != nil {
			b.HungUp = percent(e.at.Add(*e.hungUp).Sub(start))
		}
		w.Rows = append(w.Rows, b)
		labels = append(labels, e.label)
	}
	w.Height = axisHeight + len(events)*rowHeight + 6
	w.Ticks = ticks(whole, percent)
	w.Summary = strings.Join(labels, "; ")
	return w
}

func eventsOf(ep result.Endpoint) []event {
	var events []event
	many := len(ep.Deliveries) > 1
	for i, d := range ep.Deliveries {
		for _, a := range d.Attempts {
			e := event{kind: kindOf(a), at: a.At, length: lengthOf(a), hungUp: a.HungUp}
			var parts []string
			if many {
				parts = append(parts, fmt.Sprintf("delivery %d", i+1))
			}
			parts = append(parts, fmt.Sprintf("attempt %d", a.N), did(a))
			if a.Gap != nil {
				e.gap = *a.Gap
				parts = append(parts, "after "+span(*a.Gap))
			}
			e.label = strings.Join(parts, ", ")
			events = append(events, e)
		}
	}
	for _, c := range ep.Connections {
		what := string(c.Fault)
		if c.Note != "" {
			what = short(c.Note)
		}
		events = append(events, event{kind: "connection", label: "connection, no request: " + what, at: c.At})
	}
	return byTime(events)
}

// lengthOf is from an attempt's arrival to its end, as far as it is known.
func lengthOf(a result.Attempt) time.Duration {
	var length time.Duration
	for _, d := range []*time.Duration{a.FirstByte, a.Done, a.HungUp} {
		if d != nil {
			length = max(length, *d)
		}
	}
	return length
}

// kindOf is how a bar looks.
func kindOf(a result.Attempt) string {
	switch {
	case a.Fault != "":
		return "fault"
	case a.Status >= 200 && a.Status <= 299:
		return "ok"
	case a.Status >= 400:
		return "bad"
	default:
		return "other"
	}
}

// did says in short what was done to an attempt and how it ended.
func did(a result.Attempt) string {
	var parts []string
	if a.Status != 0 {
		parts = append(parts, fmt.Sprint(a.Status))
	}
	if a.Fault != "" {
		parts = append(parts, short(string(a.Fault)))
	}
	if a.HungUp != nil {
		by := ""
		if a.HungUpBy != "" {
			by = " (" + strings.ToUpper(short(string(a.HungUpBy))) + ")"
		}
		parts = append(parts, "sender hung up at "+span(*a.HungUp)+by)
	}
	if parts == nil {
		return "no answer"
	}
	return strings.Join(parts, ", ")
}

// ticks divides the axis at round times into six parts at most.
func ticks(whole time.Duration, percent func(time.Duration) float64) []tick {
	const most = 6
	step := time.Millisecond
	for i := 0; whole/step >= most; i++ {
		// 1, 2, 5, 10, 20, 50 ...
		if step *= 2; i%3 == 1 {
			step += step / 4
		}
	}
	var all []tick
	for at := time.Duration(0); at <= whole; at += step {
		t := tick{X: percent(at), Label: round(at), Anchor: "middle"}
		switch {
		case at == 0:
			t.Anchor = "start"
		case t.X > 94:
			t.Anchor = "end"
		default:
		}
		all = append(all, t)
	}
	return all
}

// round writes a time of the axis, which is a round one.
func round(d time.Duration) string {
	switch {
	case d < time.Second && d > 0:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Minute:
		return fmt.Sprintf("%g s", d.Seconds())
	default:
		return d.String()
	}
}

// byTime sorts events by their time, those of one time as they came.
func byTime(events []event) []event {
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	return events
}
