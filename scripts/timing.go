package scripts

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/scripts/result"
)

const (
	// grown is the least ratio of two gaps that counts as growth: timers and networks make less by themselves.
	grown = 1.25
	// drawn is the least ratio of two waits for the same attempt that no clock makes: the sender draws them.
	drawn = 1.1
	// noWait is what a gap takes that nobody meant as a wait.
	noWait = 20 * time.Millisecond
	// chained is how many times in a row the machine may have been late between two moments, unseen by the canary: the
	// sender's timer, the sender itself, the connection's reader. A fail must not have that for its cause.
	chained = 3
	// lagShare is how much of the shorter gap the machine's own lateness may be, so that ratios mean something.
	lagShare = 0.2
)

// spacing judges how the gaps between the attempts of a delivery grow.
type spacing struct {
	form              string
	factor, tolerance float64
}

func newSpacing(_ *Script, st statement) (check, error) {
	s := spacing{form: st.args[2].text, factor: 2}
	switch s.form {
	case "exponential", "growing", "constant", "any":
	default:
		return nil, &lexError{s.form, oneOf(s.form, []string{"exponential", "growing", "constant", "any"})}
	}
	var err error
	if text, ok := st.opts["factor"]; ok {
		if s.factor, err = strconv.ParseFloat(text, 64); err != nil || !(s.factor > grown) || s.form != "exponential" {
			return nil, &lexError{"factor=" + text, fmt.Sprintf("want a number above %v, and spacing exponential", grown)}
		}
	}
	s.tolerance, err = percent(st, "tolerance", 0.3)
	return s, err
}

func (s spacing) wants() string {
	switch s.form {
	case "exponential":
		return fmt.Sprintf("gaps that grow by a factor of %v ±%.0f%%", s.factor, s.tolerance*100)
	case "growing":
		return "gaps that grow"
	case "any":
		return "gaps of any length"
	default:
		return fmt.Sprintf("gaps that stay the same ±%.0f%%", s.tolerance*100)
	}
}

func (s spacing) judge(e *evidence) finding {
	f := finding{expected: s.wants(), captures: seqs(e.all())}
	g := gapsOf(e)
	text := "gaps of each delivery: " + strings.Join(g.texts, "; ")
	if s.form == "any" {
		f.verdict, f.actual = result.Pass, text
		if !slices.ContainsFunc(e.all(), func(a *attempt) bool { return a.gap != nil }) {
			f.verdict, f.reason = result.Inconclusive, "no delivery has two attempts"
		}
		return f
	}
	if len(g.ratios) == 0 {
		f.verdict, f.actual, f.reason = result.Inconclusive, text, "it takes two gaps to compare, so three attempts of a delivery"
		return f
	}
	ratio := median(g.ratios)
	f.actual = fmt.Sprintf("%s. Each is %.2f times the one before (median)", text, ratio)
	switch {
	case median(g.longer) < noWait:
		f.verdict, f.reason = result.Fail, "the sender does not wait between attempts"
		if s.form == "constant" {
			f.verdict = result.Pass
		}
	case float64(median(g.doubts)) > lagShare*float64(median(g.shorter)) && !s.beyondDoubt(g):
		f.verdict, f.lagged = result.Inconclusive, true
		f.reason = "this machine was late by " + shortList(g.doubts) + ", too much to compare such gaps"
	default:
		f.verdict, f.reason = s.compare(ratio)
		if f.verdict == result.Warning && median(g.shorter) < noWait {
			f.reason = "the gaps grow, but the sender does not wait before some of its retries"
		}
		if f.verdict != result.Pass && (s.passes(median(g.least)) || s.passes(median(g.most)) || s.straddles(median(g.least), median(g.most))) {
			f.verdict, f.lagged = result.Inconclusive, true
			f.reason = "this machine was late by " + shortList(g.doubts) + ", which can be all that is wrong with these gaps"
		} else if f.verdict == result.Fail && s.form != "constant" && g.varied() {
			// Not to be tried until chance makes them grow, unless the machine may have made the difference.
			f.verdict, f.lagged = result.Inconclusive, e.lag > noWait
			f.reason = fmt.Sprintf("the waits differ from delivery to delivery, so by chance (jitter), and %d deliveries do not show whether they grow",
				len(g.ratios))
		} else if s.form != "constant" && g.varied() {
			f.actual += ". They differ from delivery to delivery, so by chance (jitter): another run may be judged otherwise"
		}
	}
	return f
}

// growths are how each gap of the deliveries compares to the one before.
type growths struct {
	// gaps are those of each delivery, with what each may be wrong by.
	gaps, late [][]time.Duration
	// least and most are what the ratios may be, as late as this machine was.
	ratios, least, most     []float64
	shorter, longer, doubts []time.Duration
	// texts has the gaps of each delivery.
	texts []string
}

func gapsOf(e *evidence) growths {
	var g growths
	for _, d := range e.deliveries {
		var gaps, doubt []time.Duration
		for i := range d.attempts {
			if a := &d.attempts[i]; a.gap != nil {
				gaps, doubt = append(gaps, *a.gap), append(doubt, e.doubtOf(a))
			}
		}
		g.gaps, g.late = append(g.gaps, gaps), append(g.late, doubt)
		g.texts = append(g.texts, cmp.Or(shortList(gaps), "none"))
		for i := 1; i < len(gaps); i++ {
			late := max(doubt[i-1], doubt[i])
			g.ratios = append(g.ratios, ratioOf(gaps[i], gaps[i-1]))
			g.least, g.most = append(g.least, ratioOf(gaps[i]-late, gaps[i-1]+late)), append(g.most, ratioOf(gaps[i]+late, gaps[i-1]-late))
			g.shorter, g.longer = append(g.shorter, min(gaps[i-1], gaps[i])), append(g.longer, max(gaps[i-1], gaps[i]))
			g.doubts = append(g.doubts, late)
		}
	}
	return g
}

// varied tells whether a sender waits longer in one delivery than in another before the same attempt, by more than the
// machine's lateness can explain.
func (g growths) varied() bool {
	for i, gaps := range g.gaps {
		for j, other := range g.gaps {
			for n := range min(len(gaps), len(other)) {
				least, most := gaps[n]-g.late[i][n], other[n]+g.late[j][n]
				if least-most > noWait && float64(least) > drawn*float64(most) {
					return true
				}
			}
		}
	}
	return false
}

func ratioOf(gap, before time.Duration) float64 {
	return float64(max(gap, 0)) / float64(max(before, time.Millisecond))
}

// beyondDoubt tells whether the gaps grow by more than is wanted however late the machine was: no wait at all before the
// first retry makes any lateness too much, and nothing uncertain.
func (s spacing) beyondDoubt(g growths) bool {
	return s.form == "exponential" && median(g.least) > s.factor*(1+s.tolerance)
}

func (s spacing) passes(ratio float64) bool {
	verdict, _ := s.compare(ratio)
	return verdict == result.Pass
}

// straddles tells whether the right ratio is between two wrong ones.
func (s spacing) straddles(least, most float64) bool {
	want := s.factor
	if s.form == "constant" {
		want = 1
	}
	return s.form != "growing" && least < want && want < most
}

// compare judges a ratio that can be trusted.
func (s spacing) compare(ratio float64) (result.Verdict, string) {
	within := ratio >= s.factor*(1-s.tolerance) && ratio <= s.factor*(1+s.tolerance)
	switch {
	case s.form == "constant":
		if ratio >= 1-s.tolerance && ratio <= 1+s.tolerance {
			return result.Pass, ""
		}
		return result.Fail, ""
	case ratio < grown:
		return result.Fail, "the gaps do not grow"
	case s.form == "exponential" && !within:
		return result.Warning, "the gaps grow, but not by the factor; jitter can be the cause"
	default:
		return result.Pass, ""
	}
}

// gapCheck bounds one gap.
type gapCheck struct {
	n              int
	least, longest time.Duration
}

func newGap(_ *Script, st statement) (check, error) {
	g := gapCheck{}
	var err error
	if g.n, err = strconv.Atoi(st.args[2].text); err != nil || g.n < 1 {
		return nil, &lexError{st.args[2].text, "want the number of the attempt before the gap, from 1"}
	}
	if err = durationOption(st, "min", &g.least); err == nil {
		err = durationOption(st, "max", &g.longest)
	}
	if err == nil && g.least == 0 && g.longest == 0 {
		err = &lexError{"gap", "give min= or max= or both"}
	}
	return g, err
}

func (g gapCheck) judge(e *evidence) finding {
	least, longest := scaled(g.least, e.scale), scaled(g.longest, e.scale)
	f := finding{verdict: result.Pass, expected: fmt.Sprintf("gap %d between %s and %s", g.n, short(least), short(longest))}
	switch {
	case longest == 0:
		f.expected = fmt.Sprintf("gap %d of at least %s", g.n, short(least))
	case least == 0:
		f.expected = fmt.Sprintf("gap %d of at most %s", g.n, short(longest))
	}
	var gaps, doubts []time.Duration
	for i := range e.deliveries {
		if d := &e.deliveries[i]; len(d.attempts) > g.n && d.attempts[g.n].gap != nil {
			gaps, doubts = append(gaps, *d.attempts[g.n].gap), append(doubts, e.doubtOf(&d.attempts[g.n]))
			f.captures = append(f.captures, d.attempts[g.n-1].Seq, d.attempts[g.n].Seq)
		}
	}
	if len(gaps) == 0 {
		f.verdict, f.reason = result.Inconclusive, fmt.Sprintf("no delivery has %d attempts", g.n+1)
		return f
	}
	f.actual = shortList(gaps)
	for i, gap := range gaps {
		short := gap < least
		long := longest > 0 && gap > longest
		// A late machine makes a wait longer at any of the sender's steps.
		if short && gap+doubts[i] < least || long && gap-max(doubts[i], chained*e.lag) > longest {
			f.verdict, f.lagged, f.reason = result.Fail, false, ""
			return f
		}
		if short || long {
			f.verdict, f.lagged = result.Inconclusive, true
			f.reason = "this machine was late by more than the gap is beyond its bound"
		}
	}
	return f
}

// hangup judges when the sender gave up waiting.
type hangup struct {
	after       time.Duration
	attempt     int
	early, late float64
}

func newHangup(_ *Script, st statement) (check, error) {
	h := hangup{}
	err := durationOption(st, "after", &h.after)
	if err == nil && h.after <= 0 {
		err = &lexError{"hangup", "give after="}
	}
	if err == nil {
		h.attempt, err = ordinal(st, "attempt")
	}
	if err == nil {
		h.early, err = percent(st, "early", 0.2)
	}
	if err == nil {
		h.late, err = percent(st, "late", 0.05)
	}
	return h, err
}

// judge takes the band to be wide on the early side: the sender's clock begins before our accept, by DNS, connecting
// and start-up. On the late side nothing but the machine's lateness excuses.
func (h hangup) judge(e *evidence) finding {
	after := scaled(h.after, e.scale)
	low, high := scaled(after, 1-h.early), scaled(after, 1+h.late)
	f := finding{expected: fmt.Sprintf("on attempt %d the sender hangs up after %s: between %s and %s, as seen from here",
		h.attempt, short(after), short(low), short(high))}
	var times, doubts, ahead []time.Duration
	var kept []*attempt
	for i := range e.deliveries {
		if len(e.deliveries[i].attempts) < h.attempt {
			continue
		}
		a := &e.deliveries[i].attempts[h.attempt-1]
		f.captures = append(f.captures, a.Seq)
		if a.Outcome != nil && a.Outcome.HungUp != nil {
			times = append(times, *a.Outcome.HungUp)
			doubts = append(doubts, e.doubt(a.ReceivedAt, a.ReceivedAt.Add(*a.Outcome.HungUp)))
			ahead = append(ahead, e.ahead(a, after))
		} else {
			kept = append(kept, a)
		}
	}
	switch {
	case len(f.captures) == 0:
		f.verdict, f.reason = result.Inconclusive, fmt.Sprintf("no delivery has %d attempts", h.attempt)
		return f
	case len(kept) > 0:
		h.patient(&f, e, kept, high)
		if len(times) > 0 {
			f.actual = "hung up after " + shortList(times) + ", but not in every delivery: " + f.actual
		}
		return f
	}
	f.actual = "hung up after " + shortList(times)
	h.measure(&f, e.lag, after, waited{median(times), median(doubts), median(ahead)})
	return f
}

// waited is the time to the hang-up, by how much it may be wrong, and by how much the sender's clock may be ahead.
type waited struct{ middle, doubt, ahead time.Duration }

func (h hangup) measure(f *finding, late, after time.Duration, w waited) {
	low, high, sure := scaled(after, 1-h.early), scaled(after, 1+h.late), chained*late
	switch {
	case float64(w.doubt) > max(h.early, h.late)*float64(after):
		f.verdict, f.lagged, f.reason = result.Inconclusive, true, "this machine was late by "+short(w.doubt)+", more than the check tolerates"
	case w.middle >= low && w.middle <= high:
		f.verdict = result.Pass
	case w.middle > high && w.middle-sure <= high, w.middle < low && w.middle+sure >= low:
		f.verdict, f.lagged, f.reason = result.Inconclusive, true, "this machine was up to "+short(late)+" late, which may explain it"
	case w.middle < low && w.middle+w.ahead >= low:
		f.verdict, f.lagged, f.reason = result.Inconclusive, true, startedBefore(w.ahead)
	default:
		f.verdict = result.Fail
	}
}

// startedBefore is why an early hang-up of a sender that is a program of its own proves nothing.
func startedBefore(ahead time.Duration) string {
	return "the sender's program was started " + short(ahead) + " before the request arrived, so its clock may have begun long before"
}

// patient says what it means that a sender did not hang up: nothing, unless there was time enough.
func (hangup) patient(f *finding, e *evidence, kept []*attempt, high time.Duration) {
	f.verdict, f.reason = result.Inconclusive, "the answer or the watching ended before the sender's time was over"
	for _, a := range kept {
		waited := e.until.Sub(a.ReceivedAt)
		actual := "the sender still waits, " + short(waited) + " after its request"
		if a.Outcome != nil && a.Outcome.Done != nil {
			waited = *a.Outcome.Done
			actual = "the sender waited " + short(waited) + ", until the receiver ended it"
		}
		switch {
		case waited-chained*e.lag > high:
			f.verdict, f.lagged, f.actual, f.reason = result.Fail, false, actual, ""
			return
		case waited > high:
			f.lagged, f.reason = true, "this machine was up to "+short(e.lag)+" late, which may explain it"
			f.actual = actual
		case f.actual == "":
			f.actual = actual
		}
	}
}

// answered judges that the sender waited for an answer.
type answered struct {
	attempt int
	limit   time.Duration
}

func newAnswered(_ *Script, st statement) (check, error) {
	a := answered{}
	err := durationOption(st, "limit", &a.limit)
	if err == nil {
		a.attempt, err = ordinal(st, "attempt")
	}
	return a, err
}

func (c answered) judge(e *evidence) finding {
	f := finding{verdict: result.Pass, expected: fmt.Sprintf("the sender waits for the answer to attempt %d", c.attempt)}
	for i := range e.deliveries {
		if len(e.deliveries[i].attempts) < c.attempt {
			continue
		}
		a := &e.deliveries[i].attempts[c.attempt-1]
		f.captures = append(f.captures, a.Seq)
		switch o := a.Outcome; {
		case o == nil:
			f.verdict, f.reason = result.Inconclusive, "the answer had not ended yet"
			return f
		case o.HungUp == nil:
			f.actual = "answered after " + short(*o.Done)
		case c.limit > 0 && *o.HungUp+max(chained*e.lag, e.doubt(a.ReceivedAt, a.ReceivedAt.Add(*o.HungUp))) >= scaled(c.limit, e.scale):
			f.verdict, f.lagged = result.Inconclusive, true
			f.actual = "hung up after " + short(*o.HungUp)
			f.reason = "this machine was up to " + short(e.lag) + " late, so the sender's time may have been over"
			return f
		case c.limit > 0 && *o.HungUp+e.ahead(a, scaled(c.limit, e.scale)) >= scaled(c.limit, e.scale):
			f.verdict, f.lagged = result.Inconclusive, true
			f.actual, f.reason = "hung up after "+short(*o.HungUp), startedBefore(e.ahead(a, scaled(c.limit, e.scale)))
			return f
		default:
			f.verdict, f.actual = result.Fail, fmt.Sprintf("hung up after %s; the answer was planned for %s", short(*o.HungUp), short(a.Plan.After))
			return f
		}
	}
	if len(f.captures) == 0 {
		f.verdict, f.reason = result.Inconclusive, fmt.Sprintf("no delivery has %d attempts", c.attempt)
	}
	return f
}
