package imports

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

const maxParams = 16

// archive is as much of HAR 1.2 as rules are made of.
type archive struct {
	Log *struct {
		Entries []entry `json:"entries"`
	} `json:"log"`
}

type entry struct {
	Request struct {
		Method   string `json:"method"`
		URL      string `json:"url"`
		Headers  []pair `json:"headers"`
		PostData *struct {
			MimeType string  `json:"mimeType"`
			Text     *string `json:"text"`
			Encoding string  `json:"encoding"`
			Params   []pair  `json:"params"`
		} `json:"postData"`
	} `json:"request"`
	Response struct {
		Status  int    `json:"status"`
		Headers []pair `json:"headers"`
		Content struct {
			MimeType string  `json:"mimeType"`
			Text     *string `json:"text"`
			Encoding string  `json:"encoding"`
			Size     int64   `json:"size"`
		} `json:"content"`
	} `json:"response"`
}

type pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// har makes a rule of each entry, by method, path and query, and an example of each that has a body.
func (m *maker) har(text []byte) error {
	var in archive
	if err := json.Unmarshal(text, &in); err != nil {
		return invalid("not a HAR: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if in.Log == nil {
		return invalid("not a HAR: there is no log")
	}
	seen := map[string]string{}
	for i := range in.Log.Entries {
		e := &in.Log.Entries[i]
		at := fmt.Sprintf("log.entries.%d", i)
		path, pairs, err := e.target()
		if err != nil {
			m.leaveOut(at, "%v", err)
			continue
		}
		if sample, found, sampleErr := e.example(path, pairs); sampleErr != nil {
			m.leaveOut(at+".request", "%v", sampleErr)
		} else if found {
			sample.At = at + ".request"
			m.keep(sample)
		}
		rule, key := e.rule(path, pairs)
		if before := seen[key]; before != "" {
			m.leaveOut(at, "the same request as %s, whose rule answers first", before)
			continue
		}
		answer, err := e.answer()
		if err != nil {
			m.leaveOut(at, "%v", err)
			continue
		}
		seen[key] = at
		m.add(at, rule, answer)
	}
	return nil
}

// target returns where an entry was sent to: the path, below the endpoint where it is one of ours, and the pairs of the
// query.
func (e *entry) target() (path string, pairs []string, err error) {
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Host == "" || e.Request.Method == "" {
		return "", nil, fmt.Errorf("the request has no method or no URL")
	}
	path = u.EscapedPath()
	if below, ours := strings.CutPrefix(path, "/hooks/"); ours {
		_, below, _ = strings.Cut(below, "/")
		path = "/" + below
	}
	if path == "" {
		path = "/"
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		_, valueErr := url.QueryUnescape(value)
		// A secret is checked before the rules, and does not belong into one, nor to another endpoint.
		if name != "" && name != "secret" && name != "token" && nameErr == nil && valueErr == nil && len(pairs) < maxParams {
			pairs = append(pairs, pair)
		}
	}
	return path, pairs, nil
}

// rule returns the matchers of an entry; key is the same for requests that they cannot tell apart.
func (e *entry) rule(path string, pairs []string) (rule webhook.AnswerRule, key string) {
	rule.Name = e.Request.Method + " " + path
	rule.Match = []webhook.Matcher{equals(webhook.PartMethod, "", e.Request.Method), equals(webhook.PartPath, "", path)}
	key = rule.Name
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		value, _ = url.QueryUnescape(value)
		rule.Match = append(rule.Match, equals(webhook.PartQuery, name, value))
		key += "\x00" + pair
	}
	return rule, key
}

func (e *entry) answer() (webhook.Plan, error) {
	r := &e.Response
	out := webhook.Plan{Status: r.Status}
	if r.Status < 200 || r.Status > 599 {
		return out, fmt.Errorf("status %d is no answer", r.Status)
	}
	typed := false
	for _, h := range r.Headers {
		out.Header = append(out.Header, webhook.Field{Name: h.Name, Value: h.Value})
		typed = typed || strings.EqualFold(h.Name, "Content-Type")
	}
	c := &r.Content
	if !typed && c.MimeType != "" && c.Text != nil {
		out.Header = append(out.Header, webhook.Field{Name: "Content-Type", Value: c.MimeType})
	}
	switch {
	case c.Text == nil && c.Size > 0:
		return out, fmt.Errorf("the archive does not hold the body of %d bytes", c.Size)
	case c.Text == nil:
	case c.Encoding == "base64":
		body, err := base64.StdEncoding.DecodeString(*c.Text)
		if err != nil {
			return out, fmt.Errorf("the body is not base64")
		}
		out.Body = body
	case c.Encoding != "":
		return out, fmt.Errorf("the body has the unknown encoding %.40q", c.Encoding)
	default:
		out.Body = []byte(*c.Text)
	}
	return out, nil
}
