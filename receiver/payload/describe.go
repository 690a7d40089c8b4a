package payload

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of the texts, in runes.
const (
	maxTitle   = 120
	maxSnippet = 160
)

// Describe says what a body is, as far as can be told, and lists its problems, at most 100. The
// body is what is left after Decode; contentType is the header's value as sent, "" without one. It
// never fails: what nothing is known of is text or binary. It is linear in len(body).
func Describe(contentType string, body []byte) webhook.Payload {
	d := description{body: trimBOM(body), sent: contentType}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil && media == "" {
		media, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(contentType)), ";")
	}
	d.media, d.params = media, params
	d.recognise()
	d.out.Title = first(clip(d.out.Title, maxTitle), string(d.out.Kind))
	d.out.Snippet = clip(d.out.Snippet, maxSnippet)
	d.out.Problems = d.problems.list
	return d.out
}

// description is a payload being made.
type description struct {
	body []byte
	// sent is the Content-Type as it is, media and params its parts.
	sent, media string
	params      map[string]string
	problems    problems
	out         webhook.Payload
}

func (d *description) recognise() {
	switch trimmed := bytes.TrimLeft(d.body, " \t\r\n"); {
	case len(d.body) == 0:
		d.out.Kind, d.out.Title = webhook.PayloadEmpty, "empty"
	case d.isJSONMedia() || startsLikeObject(trimmed):
		d.fromJSON()
	case bytes.HasPrefix(trimmed, []byte("[")) && d.fromArray():
	case strings.HasPrefix(d.media, "multipart/"):
		d.multipart()
	case d.media == "application/x-www-form-urlencoded", d.media == "" && looksLikeForm(d.body):
		d.form()
	default:
		d.opaque()
	}
}

func (d *description) isJSONMedia() bool {
	return d.media == "application/json" || d.media == "text/json" || strings.HasSuffix(d.media, "+json")
}

// startsLikeObject tells an object, also one that was cut, from other text that begins with a
// brace.
func startsLikeObject(trimmed []byte) bool {
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return false
	}
	inner := bytes.TrimLeft(trimmed[1:], " \t\r\n")
	return len(inner) > 0 && (inner[0] == '"' || inner[0] == '}')
}

// fromArray describes a body as JSON if it is some, whatever its type says.
func (d *description) fromArray() bool {
	s, valid := check(d.body)
	if !valid && !s.tooDeep {
		return false
	}
	d.fromJSON()
	return true
}

func (d *description) fromJSON() {
	s, valid := check(d.body)
	if !valid && !s.tooDeep && looksBinary(d.body) {
		d.opaque()
		d.problems.add(contentType, "", fmt.Sprintf("The Content-Type says %s, but the body is binary.", clip(d.sent, 80)))
		return
	}
	d.out.Kind = webhook.PayloadJSON
	d.out.Snippet = string(d.body[:min(len(d.body), 4*maxSnippet)])
	if !d.isJSONMedia() {
		as := "without a Content-Type"
		if d.sent != "" {
			as = "as " + clip(d.sent, 80)
		}
		d.problems.add(contentType, "", "The body is JSON, but it was sent "+as+"; a receiver that insists on application/json refuses it.")
	}
	if !valid {
		d.invalid(s)
		return
	}
	if !utf8.Valid(d.body) {
		d.problems.add(encoding, "", "The body is JSON, but not all of it is UTF-8, which JSON has to be.")
	}
	d.byShape(gjson.ParseBytes(d.body))
}

func (d *description) invalid(s scanner) {
	if s.tooDeep {
		d.out.Title = "JSON, nested too deep"
		d.problems.add(tooDeep, "", fmt.Sprintf("The body is nested deeper than %d levels at byte %d; it is not looked into.", maxDepth, s.pos))
		return
	}
	line, column := lineAt(d.body, s.pos)
	d.out.Title = "invalid JSON"
	d.problems.add(invalidJSON, "", fmt.Sprintf("The body is no valid JSON from byte %d on (line %d, column %d): %s.", s.pos, line, column, s.fault))
}

// byShape tells the families apart. Each may lack a field or two and still be told.
func (d *description) byShape(root gjson.Result) {
	top := membersOf(root)
	kind := top.text("type")
	switch {
	case isRule(top):
		d.rule(top)
	case isAgentRun(top):
		d.agentRun(top)
	case strings.HasPrefix(kind, "issue.") && top.value["data"].Get("object").IsObject():
		d.engine(kind, top)
	case strings.HasPrefix(kind, "context_hub."):
		d.contextHub(kind, top)
	default:
		d.generic(root, top)
	}
	d.problems.repeated(top)
}

func isRule(top members) bool {
	runs, window := top.value["runs"].IsArray(), top.has("start_time") && top.has("end_time")
	return top.has("rule_id") && (runs || window) || runs && window
}

func isAgentRun(top members) bool {
	if top.text("run_id") == "" {
		return false
	}
	hints := 0
	for _, name := range []string{
		"kwargs", "webhook_sent_at", "thread_id", "assistant_id", "multitask_strategy", "run_started_at", "run_ended_at",
	} {
		if top.has(name) {
			hints++
		}
	}
	return hints >= 2
}

func (d *description) engine(kind string, top members) {
	d.out.Kind, d.out.Variant = webhook.PayloadEngine, kind
	of := membersOf(top.value["data"].Get("object"))
	d.out.Title = kind + named(first(of.text("name"), of.text("session_name"), short(of.text("id"))))
	d.out.Snippet = first(of.text("error_message"), of.text("description"), d.out.Snippet)
	for _, name := range []string{"id", "created"} {
		if !top.has(name) {
			d.problems.add(missingField, name, "The documented field "+name+" is missing.")
		}
	}
}

func (d *description) contextHub(kind string, top members) {
	d.out.Kind, d.out.Variant = webhook.PayloadContextHub, kind
	commit := membersOf(top.value["data"].Get("commit"))
	d.out.Title = kind + named(first(commit.text("repo_handle"), short(commit.text("commit_hash"))))
	var files []string
	commit.value["files_changed"].ForEach(func(_, file gjson.Result) bool {
		files = append(files, textAt(file, "action")+" "+textAt(file, "path"))
		return len(files) < 10
	})
	d.out.Snippet = first(strings.Join(files, ", "), d.out.Snippet)
	if !top.value["data"].Get("commit").IsObject() {
		d.problems.add(missingField, "data.commit", "The documented field data.commit is missing.")
	}
}

// generic names JSON of no known family by what senders commonly call their events.
func (d *description) generic(root gjson.Result, top members) {
	switch {
	case root.IsArray():
		d.out.Title = "JSON array of " + plural(countItems(root.Raw), "item")
	case !root.IsObject():
		d.out.Title = "JSON " + strings.ToLower(root.Type.String())
	case top.has("alert_rule_id"):
		d.out.Title = "alert" + named(first(top.text("alert_rule_name"), short(top.text("alert_rule_id"))))
	case top.has("prompt_id") && top.has("commit_hash"):
		d.out.Title = "prompt commit" + named(top.text("prompt_name")) + named(short(top.text("commit_hash")))
	default:
		d.out.Title = first(top.text("type"), top.text("event"), top.text("event_type"), top.text("action"))
		if d.out.Title == "" {
			d.out.Title = "JSON" + named(strings.Join(top.keys[:min(len(top.keys), 6)], ", "))
		}
	}
}

// first returns the first of texts that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return " · " + name
}

// short is the beginning of an id, enough to know it by.
func short(id string) string {
	return clip(id[:min(len(id), 8)], 9)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
