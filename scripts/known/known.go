// Package known reads a list of failures that are known and applies it to conformance runs, so that a sender's old
// failures do not hide its new ones.
//
// The list is a YAML mapping from a case, or a case and the text of one of its checks, to the reason:
//
//	RETRY-1-503: the client waits the same time before each retry, its issue 12
//	"FINAL-1-408:expect main attempts == 1": the client retries a 408
package known

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// List is a list of known failures. Its zero value is empty.
type List struct {
	entries []entry
}

type entry struct {
	// key is what the list has; it is made of id and check, which may be empty.
	key, id, check, reason string
}

// Scope says what Apply is to hold the list against.
type Scope struct {
	// Strict: a warning is a failure, which can be known.
	Strict bool
	// Partial: not all cases were run, so that an entry whose case is missing is not stale.
	Partial bool
}

// Parse reads a list. Errors wrap webhook.ErrInvalid and name the file and the entry.
func Parse(file string, raw []byte) (List, error) {
	var items yaml.MapSlice
	if err := yaml.Unmarshal(raw, &items); err != nil {
		return List{}, fmt.Errorf("known failures: %s: %w: %s", file, webhook.ErrInvalid, reason(err))
	}
	var list List
	for _, item := range items {
		key, isText := item.Key.(string)
		why, hasReason := item.Value.(string)
		e := entry{key: key, reason: strings.TrimSpace(why)}
		id, check, hasCheck := strings.Cut(key, ":")
		e.id, e.check = strings.TrimSpace(id), blanks(check)
		switch {
		case !isText || e.id == "" || hasCheck && e.check == "":
			return List{}, fmt.Errorf(`known failures: %s: %w: "%v" is neither CASE nor "CASE:check text"`, file, webhook.ErrInvalid, item.Key)
		case !hasReason || e.reason == "":
			return List{}, fmt.Errorf("known failures: %s: %w: %q has no reason: write why it fails, as text", file, webhook.ErrInvalid, key)
		case slices.ContainsFunc(list.entries, func(other entry) bool { return other.id == e.id && other.check == e.check }):
			return List{}, fmt.Errorf("known failures: %s: %w: %q stands there twice", file, webhook.ErrInvalid, key)
		}
		list.entries = append(list.entries, e)
	}
	return list, nil
}

// reason is a syntax error's first line: the rest shows the file's text.
func reason(err error) string {
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		token := syntax.GetToken()
		if token == nil || token.Position == nil {
			return syntax.GetMessage()
		}
		return fmt.Sprintf("line %d: %s", token.Position.Line, syntax.GetMessage())
	}
	return err.Error()
}

// Apply marks the cases of the runs that failed as the list has it: all their failed checks are listed, or the case
// is. It writes each entry's reason into the checks', and makes the verdict of a run with such a case anew: a known
// failure counts as a skip. An error and what could not be measured are never known.
//
// It returns the stale entries, in the list's order, each with what is wrong with it: those that no run failed by.
// They are to fail the command, for what they say of the sender is no longer so.
func (l List) Apply(s Scope, runs ...*result.Run) (stale []string) {
	used := make([]bool, len(l.entries))
	met := make([]bool, len(l.entries))
	for _, run := range runs {
		verdicts := make([]result.Verdict, len(run.Cases))
		some := false
		for i := range run.Cases {
			c := &run.Cases[i]
			if c.Known = l.apply(s, c, used, met); c.Known {
				verdicts[i], some = result.Skip, true
				continue
			}
			verdicts[i] = c.Verdict
		}
		if some && run.Verdict != "" {
			run.Verdict = result.Worst(verdicts...)
		}
	}
	for i, e := range l.entries {
		switch {
		case used[i]:
		case met[i]:
			stale = append(stale, fmt.Sprintf("%q is listed as failing and did not fail", e.key))
		case !s.Partial:
			stale = append(stale, fmt.Sprintf("%q is listed as failing and is no case or check that was run", e.key))
		}
	}
	return stale
}

// apply tells whether a case failed as listed. It notes which entries had something to say of the case, and which of
// them were right.
func (l List) apply(s Scope, c *result.Case, used, met []bool) bool {
	judged := c.Verdict == result.Fail || s.Strict && c.Verdict == result.Warning
	failing := func(k result.Check) bool { return k.Verdict == result.Fail || s.Strict && k.Verdict == result.Warning }
	covered := make([]bool, len(c.Checks))
	whole := false
	for i, e := range l.entries {
		if e.id != c.ID {
			continue
		}
		// A case that was not measured says nothing of the entry.
		open := c.Verdict == "" || c.Verdict == result.Inconclusive || c.Verdict == result.Error || c.Verdict == result.Skip
		if e.check == "" {
			met[i] = true
			used[i] = used[i] || judged || open
			whole = whole || judged
		}
		for n := range c.Checks {
			k := &c.Checks[n]
			if e.check != "" && blanks(k.Text) != e.check {
				continue
			}
			met[i] = true
			if failing(*k) && judged {
				used[i], covered[n] = true, true
				k.Reason = joined("known failure: "+e.reason, k.Reason)
			}
			used[i] = used[i] || open
		}
	}
	if whole || !judged {
		return whole
	}
	for n, k := range c.Checks {
		if failing(k) && !covered[n] {
			return false
		}
	}
	return slices.Contains(covered, true)
}

// joined puts a reason before the one that is there already.
func joined(known, old string) string {
	if old == "" || strings.HasPrefix(old, "known failure: ") {
		return known
	}
	return known + "; " + old
}

// blanks makes every run of blanks one, for a script may align its words.
func blanks(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
