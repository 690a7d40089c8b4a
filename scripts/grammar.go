package scripts

import "slices"

// place says where a command may stand.
type place int

const (
	placeAny place = iota
	placeHead
	placeCase
)

// grammar is what a command accepts.
type grammar struct {
	name, usage string
	// least and most bound the words after the name; most is -1 for no bound.
	least, most int
	options     []string
	place       place
}

// grammars returns all commands, in the order in which they are explained.
func grammars() []grammar {
	checked := []string{"level", "factor", "tolerance", "min", "max", "after", "attempt", "early", "late", "limit"}
	return []grammar{
		{"profile", "profile NAME ['title']", 1, 2, []string{"payload", "scheme", "param", "spec", "date"}, placeHead},
		{"set", "set NAME VALUE, or in a case set NAME ENDPOINT 'EXPRESSION'", 2, 3, nil, placeAny},
		{"case", "case ID 'title' [level=must|should|unstated]", 2, 2, []string{"level", "spec", "date", "line"}, placeAny},
		{"quote", "quote 'sentence'", 1, 1, nil, placeCase},
		{"measured", "measured VERSION 'what it did'", 2, 2, []string{"date"}, placeCase},
		{"each", "each NAME VALUE...", 2, -1, nil, placeCase},
		{"needs", "needs NEED...", 1, -1, nil, placeCase},
		{"payload", "payload FIXTURE", 1, 1, nil, placeCase},
		{"header-set", "header-set NAME VALUE", 2, 2, nil, placeCase},
		{"presign", "presign NAME FILE [expires=1h]", 2, 2, []string{"expires"}, placeCase},
		{"endpoint", "endpoint NAME STEP... [tls] [h2] [secret=]", 1, -1, []string{"scheme", "param", "secret", "per"}, placeCase},
		{
			"trigger", "trigger NAME [times=N] [operation=OP] [input=JSON] [manual 'what to do']", 1, 3,
			[]string{"times", "operation", "input", "manual"},
			placeCase,
		},
		{"wait", "wait NAME [attempts=N] [quiet=6s] [timeout=60s]", 1, 1, []string{"attempts", "quiet", "timeout"}, placeCase},
		{"replan", "replan NAME STEP...", 2, -1, nil, placeCase},
		{"sleep", "sleep DURATION", 1, 1, nil, placeCase},
		{
			"fetch", "fetch NAME PATH [status=200] [json=yes] [sha256=]", 0, 2,
			[]string{"url-from", "status", "json", "sha256", "level"},
			placeCase,
		},
		{"cmp", "cmp NAME PATH FILE", 2, 3, []string{"level"}, placeCase},
		{"expect", "expect NAME KIND ...", 2, -1, checked, placeCase},
		{"require", "require NAME KIND ...", 2, -1, checked, placeCase},
		{"note", "note 'text'", 1, 1, nil, placeCase},
		{"skip", "skip 'why'", 1, 1, nil, placeCase},
		{"stop", "stop 'why'", 1, 1, nil, placeCase},
	}
}

func grammarOf(name string) (grammar, bool) {
	all := grammars()
	i := slices.IndexFunc(all, func(g grammar) bool { return g.name == name })
	if i < 0 {
		return grammar{}, false
	}
	return all[i], true
}

func commandNames() []string {
	var names []string
	for _, g := range grammars() {
		names = append(names, g.name)
	}
	return names
}

// Operations returns what a trigger may ask of a sender that is an Agent Server: the seven operations that take a
// webhook, and a run that is resumed, cancelled or rolled back.
func Operations() []string {
	return []string{
		"create-run", "create-thread-cron", "stream-run", "wait-run", "create-cron", "stream-run-stateless", "wait-run-stateless",
		"resume-run", "cancel-run", "rollback-run",
	}
}

// need is something that a case cannot be judged without.
type need struct {
	name string
	// skips is true when a case without it does not apply, rather than cannot be measured.
	skips bool
}

// needs returns what a case may need.
func needs() []need {
	return []need{
		{name: "direct"},
		{name: "tls"},
		{name: "h2"},
		{name: "cap-net-raw"},
		{name: "connection-faults"},
		{name: "own-secret"},
		{name: "objects", skips: true},
		{name: "custom-headers", skips: true},
		{name: "operations", skips: true},
	}
}

func needOf(name string) (need, bool) {
	all := needs()
	i := slices.IndexFunc(all, func(n need) bool { return n.name == name })
	if i < 0 {
		return need{}, false
	}
	return all[i], true
}

func needNames() []string {
	names := []string{"var:NAME"}
	for _, n := range needs() {
		names = append(names, n.name)
	}
	return names
}
