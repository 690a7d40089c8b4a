package scripts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts"
	"github.com/hookrange/hookrange/scripts/result"
)

// TestProblems has each mistake named with file, line, token and what there is.
func TestProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ script, want string }{
		"unknown command":      {"profile p\ncase A t level=must\nendpiont main 200\n", `f.txtar:3: "endpiont": no such command; did you mean "endpoint"?`},
		"unknown key":          {head + "wait main quite=1s\n", `f.txtar:6: "quite=1s": wait has no quite=; did you mean "quiet"?`},
		"key twice":            {head + "wait main quiet=1s quiet=2s\n", `f.txtar:6: "quiet=2s": given twice`},
		"unknown endpoint":     {head + "wait mian\n", `f.txtar:6: "mian": no such endpoint; did you mean "main"?`},
		"unknown kind":         {head + "expect main atempts == 1\n", `f.txtar:6: "atempts": no such kind of check; did you mean "attempts"?`},
		"key of another kind":  {head + "expect main attempts == 1 factor=2\n", `"factor=": attempts has no factor=`},
		"unknown comparison":   {head + "expect main attempts = 1\n", `"=": no such comparison`},
		"no number":            {head + "expect main attempts == one\n", `"one": want a number`},
		"bad level":            {head + "expect main attempts == 1 level=may\n", `"level=may": there are: must, should, unstated`},
		"bad spacing":          {head + "expect main spacing exponentially\n", `did you mean "exponential"?`},
		"bad share":            {head + "expect main spacing exponential tolerance=0.3\n", `"tolerance=0.3": want a share`},
		"bad expression":       {head + "expect main expr 'atempts > 1'\n", `"atempts > 1": unknown name atempts`},
		"expression no bool":   {head + "expect main expr '1 + 1'\n", `expected bool`},
		"bad regexp":           {head + "expect main header X ~(\n", `not a regular expression`},
		"bad duration":         {head + "wait main quiet=soon\n", `"quiet=soon": want a duration`},
		"bad plan":             {"profile p\ncase A t level=must\nendpoint main 2000\n", `f.txtar:3: invalid: respond: step 1, "2000"`},
		"no such file":         {"profile p\ncase A t level=must\nendpoint main 200/body=@nothing\n", `no such file in the script`},
		"unknown variable":     {head + "note '$statsu'\n", `"$statsu": no such variable`},
		"unknown need":         {"profile p\ncase A t level=must\nneeds direkt\n", `"direkt": no such need; did you mean "direct"?`},
		"another per":          {head + "endpoint other 200 per=connection\n", `"per=connection": answers are always per delivery`},
		"fetch of which":       {head + "endpoint other 200\nwait main\nfetch url-from=a\n", `"fetch": usage: fetch NAME PATH`},
		"fetch before wait":    {"profile p\ncase A t level=must\nendpoint main 200\nfetch url-from=a\nskip x\n", `"main": no such endpoint, or no wait`},
		"unknown scheme":       {"profile p\ncase A t level=must\nendpoint main 200 scheme=github2\n", `did you mean "github"?`},
		"expect before wait":   {"profile p\ncase A t level=must\nendpoint main 200\nexpect main secret\n", `no wait for this endpoint comes before`},
		"wait before trigger":  {"profile p\ncase A t level=must\nendpoint main 200\nwait main\n", `no trigger for this endpoint comes before`},
		"no check":             {head, `checks nothing`},
		"same id":              {head + "skip a\ncase A t level=must\nskip b\n", `line 2 has a case of this id`},
		"nothing":              {"", `no case`},
		"no case":              {"profile p\n", `no case`},
		"outside of a case":    {"profile p\nendpoint main 200\n", `"endpoint": stands in a case`},
		"set from nothing":     {"profile p\nset a main 'body.id'\n" + head[len("profile p\n"):], `"set": usage: set NAME VALUE`},
		"open quote":           {"profile p\ncase A 't level=must\n", `f.txtar:2: "'t level=must": the quote is not closed`},
		"escape":               {"profile p 'a\\q'\n", `no such escape`},
		"control character":    {"profile p a\x00b\n", `control character`},
		"too few words":        {"profile p\ncase A\n", `usage: case ID`},
		"bad date":             {"profile p\ncase A t level=must spec=http://a.test date=soon\nskip why\n", `"date=soon": want a day`},
		"bad address":          {"profile p spec=nowhere\ncase A t level=must\nskip why\n", `"spec=nowhere": want a URL`},
		"bad schema":           {head + "expect main schema s\n-- s --\n{\"type\": 7}\n", `schema s`},
		"replan of none":       {"profile p\ncase A t level=must\nreplan main 200\n", `no such endpoint; there are none`},
		"times":                {"profile p\ncase A t level=must\nendpoint main 200\ntrigger main times=0\n", `"times=0": want 1 to 100`},
		"too many cases":       {"profile p\ncase A t level=must\neach a " + strings.Repeat("1 ", 40) + "\neach b " + strings.Repeat("1 ", 40) + "\nskip w\n", `more than 1000 cases`},
		"each of a taken name": {"profile p\nset a b\ncase A t level=must\neach a 1\nskip w\n", `taken by set`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script, err := scripts.Parse("f.txtar", []byte(tt.script))
			if err == nil {
				err = scripts.Lint(script, nil)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %s", err, tt.want)
			}
			if _, ok := errors.AsType[*scripts.LineError](err); !ok || !errors.Is(err, webhook.ErrInvalid) {
				t.Errorf("%T is no LineError that wraps ErrInvalid", err)
			}
		})
	}
}

// TestAllProblems are told at once.
func TestAllProblems(t *testing.T) {
	t.Parallel()
	_, err := scripts.Parse("f.txtar", []byte("profile p\nfoo\ncase A t level=must\nbar\n"))
	if err == nil || !strings.Contains(err.Error(), "f.txtar:2:") || !strings.Contains(err.Error(), "f.txtar:4:") {
		t.Errorf("error %v, want both lines", err)
	}
}

func TestCases(t *testing.T) {
	t.Parallel()
	script := `# a comment
profile p 'a title' spec=https://example.com/a#frag date=2026-01-31
set word 'two words'
case A 'a $status, $word and $$5' level=should # not part of it
quote 'it\'s "so"'
each status 500 503
each how x/y
endpoint main $status per=delivery
trigger main
wait main quiet=6s
expect main attempts == 1
case B t level=must spec=https://example.com/b date=2025-01-31
skip 'why #not'
`
	parsed, err := scripts.Parse("f.txtar", []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := parsed.Cases(map[string]string{"word": "one", "nothing": "x"})
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ ID, Title, Quote, Source, Date, Level string }
	var got []row
	for _, c := range cases {
		r := c.Requirement
		got = append(got, row{c.ID, c.Title, r.Quote, r.Source, r.Date, string(r.Level)})
	}
	want := []row{
		{"A-500-x_y", "a 500, one and $5", `it's "so"`, "https://example.com/a#frag", "2026-01-31", "should"},
		{"A-503-x_y", "a 503, one and $5", `it's "so"`, "https://example.com/a#frag", "2026-01-31", "should"},
		{"B", "t", "", "https://example.com/b", "2025-01-31", "must"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
}

// TestProfiles are all clean, and what they demand has its source.
func TestProfiles(t *testing.T) {
	t.Parallel()
	names := scripts.Profiles()
	for _, name := range []string{
		"agent-server-js", "agent-server-python", "cloudevents-webhook", "github", "langsmith-engine", "langsmith-rules", "standard-webhooks",
	} {
		if !strings.Contains(strings.Join(names, " "), name) {
			t.Errorf("no profile %s", name)
		}
	}
	for _, name := range names {
		script, err := scripts.Profile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		cases, err := script.Cases(nil)
		if err != nil {
			t.Error(err)
		}
		if script.Name != name || script.Title == "" {
			t.Errorf("profile %s calls itself %q, %q", name, script.Name, script.Title)
		}
		for _, c := range cases {
			if c.Requirement.Source == "" || c.Requirement.Date == "" {
				t.Errorf("%s %s: no source or date", name, c.ID)
			}
			if name == "langsmith-rules" && c.Requirement.Level != "unstated" && c.Requirement.Quote == "" {
				t.Errorf("%s %s: no sentence", name, c.ID)
			}
		}
	}
	if _, err := scripts.Profile("langsmith-rule"); !errors.Is(err, webhook.ErrNotFound) || !strings.Contains(err.Error(), `"langsmith-rules"`) {
		t.Errorf("error %v", err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	text, err := scripts.New("ours")
	if err != nil {
		t.Fatal(err)
	}
	script, err := scripts.Parse("ours.txtar", []byte(text))
	if err == nil {
		err = scripts.Lint(script, nil)
	}
	if err != nil || script.Name != "ours" {
		t.Errorf("the start of a script: %v, name %q", err, script.Name)
	}
	if _, err := scripts.New("No Name"); !errors.Is(err, webhook.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}

// FuzzParse: no text ends the process, and each refusal says where.
func FuzzParse(f *testing.F) {
	for _, name := range scripts.Profiles() {
		f.Add("profile " + name + "\ncase A 'it\\'s' level=must\neach a 1 2\nendpoint main $a tls\ntrigger main\nwait main\nexpect main secret\n")
	}
	f.Add("profile p # c\n\"\\")
	f.Add(head + "sleep 2s\nset n main 'len(attempts)'\nset m $n\ncmp main a.0 f\nfetch main a sha256=00\nstop why\n-- f --\n[]\n")
	f.Add("profile p payload=f date=2026-01-31\ncase A t level=must spec=https://a line=1-2\nmeasured 'v 1' what\npresign u f expires=9s\n" +
		"endpoint main 200/size=9MB secret=s\ntrigger main manual=now\nwait main\nexpect main spacing any\n-- f --\n\"{u}\"\n")
	f.Add(head + "expect main header a ~( level=x\n-- f --\nbody")
	f.Fuzz(func(t *testing.T, text string) {
		script, err := scripts.Parse("f", []byte(text))
		if err == nil {
			err = scripts.Lint(script, map[string]string{"a": text})
		}
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*scripts.LineError](err); !ok || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%T %v does not say where", err, err)
		}
	})
}

// TestShortForms has what a script may leave out.
func TestShortForms(t *testing.T) {
	t.Parallel()
	p := &played{tries: []try{{}}}
	script, err := scripts.Parse("checks/mine.txtar", []byte("case A 'one'\nendpoint main 200\ntrigger main manual 'press it'\n"+
		"wait main quiet=1s\nexpect main attempts 1\nexpect main deliveries 2\ncase B 'two' level=SHOULD\nskip why\n"))
	if err != nil || scripts.Lint(script, nil) != nil {
		t.Fatal(err, scripts.Lint(script, nil))
	}
	if script.Name != "mine" {
		t.Errorf("the script is named %q", script.Name)
	}
	run := playScript(t, script, p, nil)
	want := []string{"attempts pass", "deliveries fail"}
	if diff := cmp.Diff(want, verdicts(run.Cases[0])); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := run.Cases[0].Requirement.Level; got != result.Must {
		t.Errorf("a case without level= is %s", got)
	}
	if got := run.Cases[1].Requirement.Level; got != result.Should {
		t.Errorf("level=SHOULD is %s", got)
	}
	if p.inputs[0].Manual != "press it" {
		t.Errorf("a person is told %q", p.inputs[0].Manual)
	}
	if script, err = scripts.Parse("f.txtar", []byte("case A t\nendpoint main 200\ntrigger main by-hand 'press it'\nskip w\n")); err != nil {
		t.Fatal(err)
	}
	if err = scripts.Lint(script, nil); err == nil || !strings.Contains(err.Error(), `"by-hand": only manual`) {
		t.Errorf("another word: %v", err)
	}
}
