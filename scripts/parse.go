package scripts

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// maxCases bounds the cases that one script's each commands may make.
const maxCases = 1000

// Script is a parsed script. It is not changed by running it.
type Script struct {
	// File is where it came from, Name what its profile line says, Title a sentence about it.
	File, Name, Title string
	profile           statement
	// vars are those of set, before the first case.
	vars  map[string]string
	cases []block
	files map[string][]byte
}

// statement is one line, split but with its variables in place.
type statement struct {
	line int
	name string
	raw  string
	args []word
	opts map[string]string
}

// block is a case before its each commands made cases of it.
type block struct {
	head statement
	body []statement
	each []statement
}

// Parse reads a script. All problems that it finds are joined; each is a LineError.
func Parse(file string, data []byte) (*Script, error) {
	archive := txtar.Parse(data)
	s := &Script{File: file, vars: map[string]string{}, files: map[string][]byte{}}
	for _, f := range archive.Files {
		s.files[f.Name] = f.Data
	}
	var problems []error
	for i, text := range strings.Split(string(archive.Comment), "\n") {
		st, err := parseLine(text)
		if err == nil && st.name != "" {
			st.line = i + 1
			err = s.add(st)
		}
		if err != nil {
			problems = append(problems, s.at(i+1, err))
		}
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(path.Base(filepath.ToSlash(file)), path.Ext(file))
	}
	if len(s.cases) == 0 && len(problems) == 0 {
		problems = append(problems, s.at(1, errors.New("no case")))
	}
	return s, errors.Join(problems...)
}

// at makes a LineError of an error.
func (s *Script) at(line int, err error) error {
	p := &LineError{File: s.File, Line: line, Text: err.Error()}
	if lexed, ok := errors.AsType[*lexError](err); ok {
		p.Token, p.Text = lexed.token, lexed.text
	}
	return p
}

// parseLine splits a line and checks it against its command's grammar. A blank line has no name.
func parseLine(text string) (statement, error) {
	words, err := lex(text)
	if err != nil || len(words) == 0 {
		return statement{}, err
	}
	st := statement{name: words[0].text, opts: map[string]string{}}
	raw := make([]string, len(words))
	for i, w := range words {
		raw[i] = w.raw
	}
	st.raw = strings.Join(raw, " ")
	g, ok := grammarOf(st.name)
	if !ok {
		return statement{}, &lexError{st.name, "no such command; " + oneOf(st.name, commandNames())}
	}
	for _, w := range words[1:] {
		key, value, ok := w.option()
		if !ok {
			st.args = append(st.args, w)
			continue
		}
		if _, twice := st.opts[key]; twice {
			return statement{}, &lexError{w.raw, "given twice"}
		}
		if !slices.Contains(g.options, key) {
			return statement{}, &lexError{w.raw, fmt.Sprintf("%s has no %s=; %s", st.name, key, oneOf(key, g.options))}
		}
		st.opts[key] = value
	}
	if len(st.args) < g.least || g.most >= 0 && len(st.args) > g.most {
		return statement{}, &lexError{st.name, "usage: " + g.usage}
	}
	return st, nil
}

// add puts a statement where it belongs.
func (s *Script) add(st statement) error {
	g, _ := grammarOf(st.name)
	inCase := len(s.cases) > 0
	switch {
	case inCase && g.place == placeHead:
		return &lexError{st.name, "stands before the first case"}
	case !inCase && g.place == placeCase:
		return &lexError{st.name, "stands in a case"}
	case st.name == "profile":
		if s.Name != "" {
			return &lexError{st.name, "given twice"}
		}
		s.profile, s.Name = st, st.args[0].text
		if len(st.args) > 1 {
			s.Title = st.args[1].text
		}
	case st.name == "case":
		s.cases = append(s.cases, block{head: st})
	case !inCase:
		return s.set(st, s.vars)
	case st.name == "each":
		last := &s.cases[len(s.cases)-1]
		last.each = append(last.each, st)
	default:
		last := &s.cases[len(s.cases)-1]
		last.body = append(last.body, st)
	}
	return nil
}

// set carries out set.
func (*Script) set(st statement, vars map[string]string) error {
	if err := checkSet(st); err != nil {
		return err
	}
	name := st.args[0].text
	if len(st.args) != 2 {
		return &lexError{st.name, "usage: set NAME VALUE; only a case has something to compute from"}
	}
	value, unknown := expand(st.args[1].text, vars)
	if unknown != "" {
		return noVariable(unknown, vars)
	}
	vars[name] = value
	return nil
}

// checkSet checks the name of a variable.
func checkSet(st statement) error {
	name := st.args[0].text
	if !variableForm.MatchString("$"+name) || strings.ContainsAny(name, "${}") {
		return &lexError{name, "a variable's name is made of a-z, 0-9 and _"}
	}
	return nil
}

func noVariable(name string, vars map[string]string) error {
	return &lexError{"$" + name, "no such variable; " + oneOf(name, slices.Sorted(maps.Keys(vars)))}
}

// Vars returns the variables that the script sets and a user may set otherwise.
func (s *Script) Vars() map[string]string { return maps.Clone(s.vars) }

// expandStatement returns the statement with its variables replaced.
func expandStatement(st statement, vars map[string]string) (statement, error) {
	var missing string
	put := func(text string) string {
		out, unknown := expand(text, vars)
		if missing == "" {
			missing = unknown
		}
		return out
	}
	out := statement{line: st.line, name: st.name, raw: put(st.raw), opts: map[string]string{}}
	for _, w := range st.args {
		out.args = append(out.args, word{put(w.raw), put(w.text)})
	}
	for key, value := range st.opts {
		out.opts[key] = put(value)
	}
	if missing != "" {
		return out, noVariable(missing, vars)
	}
	return out, nil
}

// variants returns the variables of each case that a block's each commands make, and the ends of their ids.
func (b *block) variants(base map[string]string) (vars []map[string]string, ends []string) {
	vars, ends = []map[string]string{base}, []string{""}
	for _, st := range b.each {
		var nextVars []map[string]string
		var nextEnds []string
		for i, before := range vars {
			for _, value := range st.args[1:] {
				with := maps.Clone(before)
				with[st.args[0].text] = value.text
				nextVars = append(nextVars, with)
				nextEnds = append(nextEnds, ends[i]+"-"+value.text)
			}
		}
		if vars, ends = nextVars, nextEnds; len(vars) > maxCases {
			return vars[:maxCases+1], ends[:maxCases+1]
		}
	}
	return vars, ends
}
