package command

import (
	"fmt"
	"strings"

	"github.com/hookrange/hookrange/fixtures"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// Example is a request of a document.
type Example struct {
	// Name is unique within the document.
	Name, Method string
	// Path follows the URL that it is sent to and may have a query.
	Path   string
	Header []webhook.Field
	Body   []byte
}

// example makes the delivery of an example of a document.
func (s *sending) example(document []byte) error {
	all, err := s.examples(document)
	if err != nil {
		return fmt.Errorf("--example: %w", err)
	}
	var known []string
	for i := range all {
		if all[i].Name != s.command.Example {
			known = append(known, fmt.Sprintf("%q", all[i].Name))
			continue
		}
		vector := all[i].vector(s.version)
		s.fresh = func() (fixtures.Vector, error) { return vector, nil }
		s.url = below(s.url, all[i].Path)
		return nil
	}
	if len(known) == 0 {
		return fmt.Errorf("%w: --example: %s has no request with a body", webhook.ErrInvalid, s.command.Fixture)
	}
	return fmt.Errorf("%w: --example: no example %q: use one of %s", webhook.ErrInvalid, s.command.Example, strings.Join(known, ", "))
}

// vector returns a delivery of the example. Neither its scheme nor its secret is known.
func (e *Example) vector(version string) fixtures.Vector {
	var head strings.Builder
	head.WriteString(e.Method + " / HTTP/1.1\r\nHost: \r\n")
	named := false
	for _, f := range e.Header {
		head.WriteString(f.Name + ": " + f.Value + "\r\n")
		named = named || strings.EqualFold(f.Name, "User-Agent")
	}
	if !named {
		head.WriteString("User-Agent: hookrange/" + version + "\r\n")
	}
	return fixtures.Vector{Name: e.Name, Method: e.Method, Head: []byte(head.String() + "\r\n"), Body: e.Body}
}

// below returns a URL with a path behind its own and a query behind its own.
func below(base, path string) string {
	base, _, _ = strings.Cut(base, "#")
	at, query, _ := strings.Cut(base, "?")
	more, pairs, _ := strings.Cut(path, "?")
	if more != "" {
		at = strings.TrimSuffix(at, "/") + more
	}
	if query != "" && pairs != "" {
		query += "&"
	}
	if query += pairs; query != "" {
		at += "?" + query
	}
	return at
}
