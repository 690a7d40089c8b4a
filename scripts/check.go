package scripts

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// finding is what a check says of the evidence, before its level is taken into account.
type finding struct {
	// verdict is Pass, Warning, Fail, Inconclusive or Error.
	verdict                  result.Verdict
	expected, actual, reason string
	captures                 []webhook.Seq
	connections              []webhook.Connection
	// lagged is true when the machine was too late to tell: another run may.
	lagged bool
	// few is true when less was counted than wanted: a sender that thinks its time is over does no more.
	few bool
	// given is true when more was counted than wanted, and may be because the sender gave up what was answered in time.
	given bool
	// silent is true when nothing came that the check could be about.
	silent bool
}

// check is one kind of check with its words.
type check interface {
	// judge looks at evidence that has an attempt at least, unless free.
	judge(e *evidence) finding
}

// nature says what a kind of check needs of the evidence.
type nature struct {
	name, usage string
	// least and most bound the words after the kind.
	least, most int
	options     []string
	// proof is true for a check of the requests themselves, which rejected attempts have too.
	proof bool
	// counts is true when it holds for the watched time only.
	counts bool
	// wire is true when it is about the connection: a proxy in between has its own.
	wire bool
	// timed is true when it fails by when the sender acted, which it may have been kept from.
	timed bool
	make  func(s *Script, st statement) (check, error)
}

// kinds returns all kinds of checks.
func kinds() []nature {
	count := func(what string) func(*Script, statement) (check, error) {
		return func(_ *Script, st statement) (check, error) { return newCount(what, st) }
	}
	return []nature{
		{name: "attempts", usage: "attempts [==|!=|<=|>=|<|>] N", least: 1, most: 2, counts: true, make: count("attempts")},
		{name: "deliveries", usage: "deliveries [==|...] N", least: 1, most: 2, counts: true, make: count("deliveries")},
		{name: "connections", usage: "connections [==|...] N", least: 1, most: 2, counts: true, wire: true, make: count("connections")},
		{
			name: "spacing", usage: "spacing exponential|growing|constant|any", least: 1, most: 1,
			options: []string{"factor", "tolerance"}, timed: true, make: newSpacing,
		},
		{name: "gap", usage: "gap N [min=] [max=]", least: 1, most: 1, options: []string{"min", "max"}, timed: true, make: newGap},
		{
			name: "hangup", usage: "hangup after=5s", options: []string{"after", "attempt", "early", "late"},
			wire: true, timed: true, make: newHangup,
		},
		{
			name: "answered", usage: "answered [attempt=1] [limit=]", options: []string{"attempt", "limit"},
			wire: true, timed: true, make: newAnswered,
		},
		{name: "secret", usage: "secret", proof: true, make: newProof},
		{name: "header", usage: "header NAME [VALUE|~REGEXP]", least: 1, most: 2, proof: true, make: newProof},
		{name: "query", usage: "query NAME [VALUE|~REGEXP]", least: 1, most: 2, proof: true, make: newProof},
		{name: "method", usage: "method NAME", least: 1, most: 1, proof: true, make: newProof},
		{name: "proto", usage: "proto VERSION", least: 1, most: 1, proof: true, wire: true, make: newProof},
		{name: "schema", usage: "schema NAME", least: 1, most: 1, proof: true, make: newSchema},
		{name: "json", usage: "json PATH [VALUE|~REGEXP]", least: 1, most: 2, proof: true, make: newProof},
		{name: "same-payload", usage: "same-payload", proof: true, make: newSame},
		{name: "expr", usage: "expr 'EXPRESSION'", least: 1, most: 1, make: newExpression},
	}
}

func kindOf(name string) (nature, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(n nature) bool { return n.name == name })
	if i < 0 {
		return nature{}, false
	}
	return all[i], true
}

// newCheck makes the check of an expect; st.args has the endpoint and the kind first.
func newCheck(s *Script, kind string, st statement) (check, error) {
	n, ok := kindOf(kind)
	if !ok {
		var names []string
		for _, k := range kinds() {
			names = append(names, k.name)
		}
		return nil, &lexError{kind, "no such kind of check; " + oneOf(kind, names)}
	}
	if extra := len(st.args) - 2; extra < n.least || extra > n.most {
		return nil, &lexError{kind, "usage: " + st.name + " NAME " + n.usage}
	}
	for key := range st.opts {
		if key != "level" && !slices.Contains(n.options, key) {
			return nil, &lexError{key + "=", fmt.Sprintf("%s has no %s=; %s", kind, key, oneOf(key, append(n.options, "level")))}
		}
	}
	return n.make(s, st)
}

// patienceLeast is how long senders wait for an answer at least, as far as that is not known better.
const patienceLeast = 3 * time.Second

// bearable is how late an answer may be, or a sender on this machine be woken, so that what the sender does is still
// about the planned answer and not about the lateness: less when the plan itself comes near to the sender's patience. A
// plan leaves a second of that, which the connection, the request and the answer may each take a part of.
func (e *evidence) bearable() time.Duration {
	for _, a := range e.all() {
		if a.Plan.After > 0 {
			return scaled(time.Second/chained, e.scale)
		}
	}
	return scaled(patienceLeast/chained, e.scale)
}

// count compares a number.
type count struct {
	what, op string
	want     int
}

func newCount(what string, st statement) (check, error) {
	op, text := "==", st.args[2].text
	if len(st.args) > 3 {
		op, text = text, st.args[3].text
	}
	ops := []string{"==", "!=", "<=", ">=", "<", ">"}
	if !slices.Contains(ops, op) {
		return nil, &lexError{op, "no such comparison; " + oneOf(op, ops)}
	}
	want, err := strconv.Atoi(text)
	if err != nil || want < 0 {
		return nil, &lexError{text, "want a number from 0"}
	}
	return count{what, op, want}, nil
}

func (c count) holds(n int) bool {
	switch c.op {
	case "==":
		return n == c.want
	case "!=":
		return n != c.want
	case "<=":
		return n <= c.want
	case ">=":
		return n >= c.want
	case "<":
		return n < c.want
	default:
		return n > c.want
	}
}

// needsSilence tells whether more events could have made it false.
func (c count) needsSilence() bool { return c.op != ">=" && c.op != ">" }

func (c count) judge(e *evidence) finding {
	f := finding{verdict: result.Pass, expected: fmt.Sprintf("%s %s %d", c.what, c.op, c.want)}
	var got []int
	switch c.what {
	case "deliveries":
		got = []int{e.messages()}
		f.captures = seqs(e.all())
	case "connections":
		if e.uncounted != "" {
			return finding{verdict: result.Inconclusive, expected: f.expected, reason: e.uncounted}
		}
		got, f.connections = []int{len(e.connections)}, e.connections
	default:
		for _, d := range e.deliveries {
			got = append(got, len(d.attempts))
		}
		if got == nil {
			got = []int{0} // of an endpoint that the sender was not told of: its silence is counted, not passed over
		}
		f.captures = seqs(e.all())
		if late := e.late(); len(late) > 0 || e.lag > e.bearable() {
			return finding{
				verdict: result.Inconclusive, expected: f.expected, actual: join(got), captures: seqs(late), lagged: true,
				reason: fmt.Sprintf("this machine was up to %s late, so the sender may have seen other answers than planned", short(e.lag)),
			}
		}
	}
	bad := slices.IndexFunc(got, func(n int) bool { return !c.holds(n) })
	f.actual = join(got)
	if bad < 0 || got[bad] < c.want {
		f.actual += fmt.Sprintf(", watched for %s after the last event", short(e.watched))
	}
	switch {
	case bad >= 0 && got[bad] < c.want && e.unfinished() != "":
		f.verdict, f.reason = result.Inconclusive, e.unfinished()
	case bad >= 0:
		f.verdict, f.reason, f.few = result.Fail, c.story(e, bad), got[bad] < c.want
		f.given = c.what == "attempts" && !slices.ContainsFunc(e.deliveries, func(d delivery) bool { return !c.excused(&d, e.scale) })
	case c.needsSilence() && e.watched < e.quiet:
		f.verdict, f.reason = result.Inconclusive, fmt.Sprintf("watched for less than %s: the wait's timeout came first", short(e.quiet))
	}
	return f
}

// excused tells whether the count of a delivery holds, or would but for attempts that may have followed a timeout of a
// sender that was kept from reading its answer.
func (c count) excused(d *delivery, scale float64) bool {
	n := len(d.attempts)
	for least := n - d.impatient(scaled(patienceLeast, scale)); n >= least; n-- {
		if c.holds(n) {
			return true
		}
	}
	return false
}

// story tells what was counted, in words.
func (c count) story(e *evidence, bad int) string {
	switch {
	case c.what == "connections":
		return e.tried()
	case c.what == "attempts" && bad < len(e.deliveries):
		return e.deliveries[bad].story()
	default:
		return ""
	}
}

func join(numbers []int) string {
	text := make([]string, len(numbers))
	for i, n := range numbers {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, ", ")
}

func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	default:
		return d.Round(time.Millisecond).String()
	}
}

func shortList(list []time.Duration) string {
	text := make([]string, len(list))
	for i, d := range list {
		text[i] = short(d)
	}
	return strings.Join(text, ", ")
}

func median[T int64 | float64 | time.Duration](list []T) T {
	sorted := slices.Sorted(slices.Values(list))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// percent reads an option such as 30%.
func percent(st statement, key string, otherwise float64) (float64, error) {
	text, ok := st.opts[key]
	if !ok {
		return otherwise, nil
	}
	value, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || !(value >= 0 && value <= 1000) {
		return 0, &lexError{key + "=" + text, "want a share such as 30%"}
	}
	return value / 100, nil
}

// ordinal reads an option that numbers an attempt.
func ordinal(st statement, key string) (int, error) {
	text, ok := st.opts[key]
	if !ok {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, &lexError{key + "=" + text, "want a number from 1"}
	}
	return n, nil
}
