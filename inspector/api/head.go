package api

import (
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

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
