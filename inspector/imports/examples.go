package imports

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const maxExamples = 200

// Example is a request of a document that can be sent.
type Example struct {
	// Name is unique among the examples of the document, At is where it stands there.
	Name, At string
	Method   string
	// Path follows the URL that it is sent to and may have a query; empty is that URL itself.
	Path string
	// Header lacks what is about one connection, and credentials, which are for whom they were made for.
	Header []webhook.Field
	Body   []byte
	// Made is true for a body that was made of a schema, because the document gives no example.
	Made bool
}

// keep adds an example and makes its name unique.
func (m *maker) keep(e Example) {
	if len(m.result.Examples) >= maxExamples {
		m.leaveOut(e.At, "there are %d examples already, which is the most that are read", maxExamples)
		return
	}
	if !isToken(e.Method) {
		m.leaveOut(e.At, "%.40q is no method", e.Method)
		return
	}
	e.Header = slices.DeleteFunc(slices.Clone(e.Header), func(f webhook.Field) bool {
		return ofConnection(f.Name) || ofCaller(f.Name) || !isToken(f.Name) || strings.ContainsFunc(f.Value, isControl)
	})
	e.Name = m.samples.name(e.Name)
	m.result.Examples = append(m.result.Examples, e)
}

// ofCaller tells fields that go with the one who sent, or with where it was sent to.
func ofCaller(name string) bool {
	return slices.Contains([]string{"host", "cookie", "authorization", "proxy-authorization", "accept-encoding", "expect"}, strings.ToLower(name))
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// requests makes examples of an operation's request bodies. Shared are the parameters of its path.
func (m *maker) requests(doc *openAPI, operation object, shared any, base Example) {
	if operation["requestBody"] == nil {
		return
	}
	base.At += ".requestBody"
	body, err := doc.object(operation["requestBody"])
	if err != nil {
		m.leaveOut(base.At, "%v", err)
		return
	}
	doc.place(&base, shared, operation["parameters"])
	content, _ := body["content"].(object)
	if len(content) == 0 {
		return
	}
	kind := preferred(content)
	media, err := doc.object(content[kind])
	if err != nil {
		m.leaveOut(base.At, "%v", err)
		return
	}
	if !strings.Contains(kind, "*") {
		base.Header = append([]webhook.Field{{Name: "Content-Type", Value: kind}}, base.Header...)
	}
	values, given := doc.values(media)
	for _, v := range values {
		one := base
		one.Body, one.Made = bodyOf(kind, v.value), !given
		if v.label != "" {
			one.Name += " (" + v.label + ")"
		}
		m.keep(one)
	}
}

// place puts parameters where they belong: into the path, and where they are required or have an example into the query
// and the header.
func (d *openAPI) place(e *Example, lists ...any) {
	path, query := e.Path, url.Values{}
	seen := map[string]bool{}
	// What an operation says of a parameter stands before what its path says.
	for _, list := range slices.Backward(lists) {
		all, _ := list.([]any)
		for _, one := range all {
			p, err := d.object(one)
			if err != nil {
				continue
			}
			name, _ := p["name"].(string)
			in, _ := p["in"].(string)
			value, exemplary := d.parameter(p)
			if required, _ := p["required"].(bool); name == "" || seen[in+" "+name] || in != "path" && !required && !exemplary {
				continue
			}
			seen[in+" "+name] = true
			switch in {
			case "path":
				path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
			case "query":
				query.Set(name, value)
			case "header":
				e.Header = append(e.Header, webhook.Field{Name: name, Value: value})
			}
		}
	}
	if e.Path = path; len(query) > 0 {
		e.Path += "?" + query.Encode()
	}
}

// parameter returns a value for a parameter, and whether the document gives it as an example.
func (d *openAPI) parameter(p object) (value string, exemplary bool) {
	values, exemplary := d.values(p)
	switch v := values[0].value.(type) {
	case nil, object, []any:
		return "", false
	default:
		return fmt.Sprint(v), exemplary
	}
}

// labelled is a value with the name that the document gives it, or "".
type labelled struct {
	label string
	value any
}

// values returns the examples of a media type or a parameter, at least one; given is false for one that was made of the
// schema.
func (d *openAPI) values(holder object) (list []labelled, given bool) {
	named, _ := holder["examples"].(object)
	for _, label := range slices.Sorted(maps.Keys(named)) {
		if example, err := d.object(named[label]); err == nil && example["value"] != nil && len(list) < maxNamed {
			list = append(list, labelled{label, example["value"]})
		}
	}
	if len(list) > 0 {
		return list, true
	}
	if example, found := holder["example"]; found {
		return []labelled{{value: example}}, true
	}
	d.made = 0
	schema, err := d.object(holder["schema"])
	_, own := schema["example"]
	return []labelled{{value: d.example(holder["schema"], 0)}}, err == nil && own
}

// example returns the request of an entry, or false for one without a body.
func (e *entry) example(path string, pairs []string) (out Example, found bool, err error) {
	post := e.Request.PostData
	if post == nil {
		return out, false, nil
	}
	out = Example{Name: e.Request.Method + " " + path, Method: e.Request.Method}
	typed := false
	for _, h := range e.Request.Headers {
		out.Header = append(out.Header, webhook.Field{Name: h.Name, Value: h.Value})
		typed = typed || strings.EqualFold(h.Name, "Content-Type")
	}
	if !typed && post.MimeType != "" {
		out.Header = append(out.Header, webhook.Field{Name: "Content-Type", Value: post.MimeType})
	}
	switch {
	case post.Text != nil && post.Encoding == "base64":
		out.Body, err = base64.StdEncoding.DecodeString(*post.Text)
		if err != nil {
			return out, false, errors.New("the body is not base64")
		}
	case post.Text != nil && post.Encoding == "":
		out.Body = []byte(*post.Text)
	case post.Text != nil:
		return out, false, fmt.Errorf("the body has the unknown encoding %.40q", post.Encoding)
	case len(post.Params) > 0 && strings.HasPrefix(post.MimeType, "application/x-www-form-urlencoded"):
		var pairs []string
		for _, p := range post.Params {
			pairs = append(pairs, url.QueryEscape(p.Name)+"="+url.QueryEscape(p.Value))
		}
		out.Body = []byte(strings.Join(pairs, "&"))
	case len(post.Params) > 0:
		return out, false, fmt.Errorf("the archive does not hold the body of a form of type %.60q", post.MimeType)
	}
	if path != "/" {
		out.Path = path
	}
	if len(pairs) > 0 {
		out.Path += "?" + strings.Join(pairs, "&")
	}
	return out, true, nil
}
