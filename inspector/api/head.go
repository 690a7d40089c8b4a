package api

import (
	"bytes"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Fields returns the header lines of a request's head in wire order and case, without the request line. A
// folded line is joined to the one before it; a line without a colon is a name without a value.
func Fields(head []byte) []webhook.Field {
	_, rest, _ := bytes.Cut(head, []byte("\n"))
	fields := make([]webhook.Field, 0, bytes.Count(rest, []byte("\n")))
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1].Value += " " + string(bytes.Trim(line, " \t"))
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		fields = append(fields, webhook.Field{Name: string(name), Value: string(bytes.Trim(value, " \t"))})
	}
	return fields
}

// Header returns the value of the first field of that name, or "".
func Header(fields []webhook.Field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// SplitTarget returns the path and the query of a request target, neither decoded. An absolute target's
// scheme and authority belong to neither.
func SplitTarget(target string) (path, query string) {
	path, query, _ = strings.Cut(target, "?")
	if _, rest, found := strings.Cut(path, "://"); found && !strings.HasPrefix(path, "/") {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:], query
		}
		return "/", query
	}
	return path, query
}

func pairs(fields []webhook.Field) []Pair {
	out := make([]Pair, len(fields))
	for i, f := range fields {
		out[i] = Pair{f.Name, f.Value}
	}
	return out
}
