package search

import (
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxClauseMarks bounds the marks of one alternative: more make it slower to look up and hardly any narrower.
const maxClauseMarks = 12

// Narrow says which captures a store may leave out, as their marks were made by MarkCapture: none that match.
func (q *Query) Narrow() webhook.Narrowing { return q.narrow }

// narrow adds what a term says. One that is negated says nothing.
func narrow(n *webhook.Narrowing, t term) {
	if t.negate {
		return
	}
	if name, found := strings.CutPrefix(t.field, "header."); found {
		n.Clauses = append(n.Clauses, webhook.Clause{fieldMarks(fieldHeader, fold(name))})
		n.Clauses = append(n.Clauses, literals(t, markCutText)...)
		return
	}
	if path, found := strings.CutPrefix(t.field, "body."); found {
		n.Clauses = append(n.Clauses, memberClauses(path, t)...)
		return
	}
	switch field := strings.ToLower(t.field); field {
	case "path":
		n.Clauses = append(n.Clauses, literals(t, markCutText)...)
	case "":
		n.Clauses = append(n.Clauses, textClauses(strings.ToLower(t.value), markCutText)...)
	case fieldStatus:
		n.Clauses = append(n.Clauses, statusClause(t.value))
	case "attempt":
		n.Clauses = append(n.Clauses, numberClause(field, t.value, attemptScale()))
	case "size":
		n.Clauses = append(n.Clauses, numberClause(field, t.value, sizeScale()))
	case fieldMethod, fieldClass, fieldReason, fieldDelivery, fieldEndpoint:
		// The letter that these are compared with is a small one, which need not be equal to it but for the case.
		n.Clauses = append(n.Clauses, webhook.Clause{fieldMarks(field, fold(strings.ToLower(t.value)))})
	case fieldKind:
		n.Clauses = append(n.Clauses, webhook.Clause{fieldMarks(field, fold(t.value))})
	default:
		narrowBeside(n, field, t.value)
	}
}

// narrowBeside is narrow for what a capture has beside its request.
func narrowBeside(n *webhook.Narrowing, field, value string) {
	// The term itself was compiled a moment ago, when -1h was earlier.
	const slack = time.Minute
	switch field {
	case "before", "after":
		at, err := moment(field, value, time.Now())
		switch {
		case err != nil:
		case field == "before" && (n.Until.IsZero() || at.Before(n.Until)):
			n.Until = at
		case field == "after" && at.Add(-slack).After(n.Since):
			n.Since = at.Add(-slack)
		}
	case "note":
		n.Noted = true
	case "pinned":
		n.Noted = n.Noted || value == "true"
	}
}

// literals returns the clauses of what stands between the stars of a value.
func literals(t term, cuts ...webhook.Mark) []webhook.Clause {
	want := strings.ToLower(t.value)
	if t.quoted {
		return textClauses(want, cuts...)
	}
	var clauses []webhook.Clause
	for part := range strings.SplitSeq(want, "*") {
		clauses = append(clauses, textClauses(part, cuts...)...)
	}
	return clauses
}

// textClauses returns what a text in lower case must have that has literal in it. Text beyond what was marked is
// told by cuts.
func textClauses(literal string, cuts ...webhook.Mark) []webhook.Clause {
	var clauses []webhook.Clause
	for {
		part := literal[:min(len(literal), window)]
		if marks := gramMarks(part); len(marks) > 0 {
			clauses = append(clauses, orCut(webhook.Clause{marks}, cuts...))
		}
		if len(part) == len(literal) || len(clauses) == 2 {
			return clauses
		}
		// The end tells as much as the beginning.
		literal = literal[max(len(part), len(literal)-window):]
	}
}

func orCut(c webhook.Clause, cuts ...webhook.Mark) webhook.Clause {
	for _, cut := range cuts {
		c = append(c, []webhook.Mark{cut})
	}
	return c
}

// gramMarks returns marks of a text, of the longest rows that it has, spread over it.
func gramMarks(text string) []webhook.Mark {
	size, mark := longGram, longMark
	if len(text) < longGram {
		size, mark = shortGram, shortMark
	}
	count := len(text) - size + 1
	if count < 1 {
		return nil
	}
	var marks []webhook.Mark
	for i, n := 0, min(count, maxClauseMarks); i < n; i++ {
		from := 0
		if n > 1 {
			from = i * (count - 1) / (n - 1)
		}
		var row uint64
		for _, b := range []byte(text[from : from+size]) {
			row = row<<8 | uint64(b)
		}
		marks = append(marks, mark(row))
	}
	return marks
}

// memberClauses returns what a body must have that has a value at a path.
func memberClauses(path string, t term) []webhook.Clause {
	const cut = 2
	cuts := [cut]webhook.Mark{markCutText, markCutLeaves}
	plain, asWritten := pathKind(path)
	if !asWritten || !plain && computed(t) {
		return nil
	}
	if plain && (t.quoted || !strings.Contains(t.value, "*")) {
		// The value itself at that place, or a list or an object that has it somewhere.
		value := orCut(webhook.Clause{
			pathMarks(fieldLeaf, []byte(path), strings.ToLower(t.value)), pathMarks(fieldNode, []byte(path), ""),
		}, markCutLeaves)
		return append([]webhook.Clause{value}, literals(t, cuts[:]...)...)
	}
	clauses := literals(t, cuts[:]...)
	if plain {
		for part := range strings.SplitSeq(path, ".") {
			if part[0] < '0' || part[0] > '9' {
				clauses = append(clauses, textClauses(strings.ToLower(part), cuts[:]...)...)
			}
		}
	}
	return clauses
}

// pathKind tells of a gjson path whether it names one value by names and indexes alone, and whether what it finds is
// written in the body, or at least each part of it without punctuation.
func pathKind(path string) (plain, asWritten bool) {
	plain = true
	for part := range strings.SplitSeq(path, ".") {
		isIndex := strings.Trim(part, "0123456789") == ""
		isName := strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
		if part == "" || !isName || isIndex && len(part) > 1 && part[0] == '0' {
			plain = false
		}
	}
	return plain, plain || !strings.ContainsAny(path, "{[") && !strings.HasPrefix(path, "..")
}

// computed tells whether a value may be one that a path makes of a body, such as a count or a list, and that is not
// written there.
func computed(t term) bool {
	for _, c := range []byte(t.value) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-*", rune(c)) {
			return true
		}
	}
	// A literal that is a number may be a count.
	for part := range strings.SplitSeq(t.value, "*") {
		if part != "" && strings.Trim(part, "0123456789-") == "" {
			return true
		}
	}
	return t.quoted && strings.Contains(t.value, "*")
}

// statusClause returns what a value of status accepts. An outcome that was not there yet may be any.
func statusClause(text string) webhook.Clause {
	open := []webhook.Mark{markOpen}
	if first, found := anyOfHundred(text); found {
		return webhook.Clause{{statusScale().atLeast(100 * first), statusScale().atMost(100 * first)}, open}
	}
	if op, n, err := comparison(fieldStatus, text); err == nil && (op == "" || op == "=") {
		return webhook.Clause{fieldMarks(fieldStatus, strconv.FormatInt(n, 10)), open}
	}
	return append(numberClause(fieldStatus, text, statusScale()), open)
}

// numberClause returns where on a scale a number stands that a comparison accepts.
func numberClause(field, text string, on scale) webhook.Clause {
	op, n, err := comparison(field, text)
	if err != nil {
		return webhook.Clause{{}}
	}
	switch op {
	case "<", "<=":
		return webhook.Clause{{on.atMost(n)}}
	case ">", ">=":
		return webhook.Clause{{on.atLeast(n)}}
	default:
		return webhook.Clause{{on.atLeast(n), on.atMost(n)}}
	}
}
