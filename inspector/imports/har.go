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
		Method string `json:"method"`
		URL    string `json:"url"`
	} `json:"request"`
	Response struct {
		Status  int `json:"status"`
		Headers []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
		Content struct {
			MimeType string  `json:"mimeType"`
			Text     *string `json:"text"`
			Encoding string  `json:"encoding"`
			Size     int64   `json:"size"`
		} `json:"content"`
	} `json:"response"`
}

// har makes a rule of each entry, by method, path and query.
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
		rule, key, err := e.rule()
		if err != nil {
			m.leaveOut(at, "%v", err)
			continue
		}
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

// rule returns the matchers of an entry; key is the same for requests that they cannot tell apart.
func (e *entry) rule() (rule webhook.AnswerRule, key string, err error) {
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Host == "" || e.Request.Method == "" {
		return rule, "", fmt.Errorf("the request has no method or no URL")
	}
	path := u.EscapedPath()
	if below, ours := strings.CutPrefix(path, "/hooks/"); ours {
		_, below, _ = strings.Cut(below, "/")
		path = "/" + below
	}
	if path == "" {
		path = "/"
	}
	rule.Name = e.Request.Method + " " + path
	rule.Match = []webhook.Matcher{equals(webhook.PartMethod, "", e.Request.Method), equals(webhook.PartPath, "", path)}
	key = rule.Name
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		// A secret is checked before the rules, and does not belong into one.
		if name == "" || name == "secret" || name == "token" || nameErr != nil || valueErr != nil || len(rule.Match) > maxParams {
			continue
		}
		rule.Match = append(rule.Match, equals(webhook.PartQuery, name, value))
		key += "\x00" + pair
	}
	return rule, key, nil
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
