package scripts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// Objects is an object store whose objects the payloads of a case can name by presigned URLs.
type Objects interface {
	// Presign keeps an object and returns a URL that leads to it for so long.
	Presign(ctx context.Context, name string, object []byte, expires time.Duration) (url string, err error)
}

const (
	defaultExpires = time.Hour
	// maxExpires is the longest life that presigned URLs have.
	maxExpires = 7 * 24 * time.Hour
)

// file returns a file of the script.
func (c *compiler) file(name string) ([]byte, error) {
	data, ok := c.out.script.files[name]
	if !ok {
		return nil, &lexError{name, "no such file in the script; " + oneOf(name, slices.Sorted(maps.Keys(c.out.script.files)))}
	}
	return data, nil
}

func (c *compiler) presign(st statement) error {
	name := st.args[0].text
	if err := webhook.CheckName(name); err != nil || slices.Contains(c.urls, name) || c.endpoints[name] != nil {
		return &lexError{name, "not a name for a URL, or taken; use letters, digits and dashes"}
	}
	data, err := c.file(st.args[1].text)
	if err != nil {
		return err
	}
	made := presignStep{line: st.line, name: name, object: bytes.TrimSpace(data), expires: defaultExpires}
	if text, ok := st.opts["expires"]; ok {
		if made.expires, err = time.ParseDuration(text); err != nil || made.expires < time.Second || made.expires > maxExpires {
			return &lexError{"expires=" + text, "want 1s to 168h"}
		}
	}
	if slices.ContainsFunc(c.out.steps, func(s step) bool { _, ok := s.(triggerStep); return ok }) {
		return &lexError{name, "comes after a trigger, whose payload is to name it"}
	}
	c.urls = append(c.urls, name)
	c.out.needs = append(c.out.needs, "objects")
	c.out.steps = append(c.out.steps, made)
	return nil
}

// presignStep puts an object into the store and its URL in the place of {NAME} in the payload.
type presignStep struct {
	line    int
	name    string
	object  []byte
	expires time.Duration
}

func (s presignStep) run(ctx context.Context, c *caseRun) {
	if c.config.Objects == nil {
		c.add(result.Check{Text: "presign " + s.name, Line: s.line, Verdict: result.Inconclusive, Reason: "there is no object store here"})
		c.stop = true
		return
	}
	url, err := c.config.Objects.Presign(ctx, c.about.ID+"/"+s.name, s.object, s.expires)
	if err != nil {
		c.broken(s.line, "presign "+s.name, err)
		return
	}
	c.urls[s.name] = url
}

// message is the script's own file that the sender is given to send, its URLs put in; nil when it is a fixture.
func (c *caseRun) message() []byte {
	body, own := c.script.files[c.payload]
	if !own {
		return nil
	}
	for name, url := range c.urls {
		quoted := strconv.Quote(url)
		body = bytes.ReplaceAll(body, []byte("{"+name+"}"), []byte(quoted[1:len(quoted)-1]))
	}
	return body
}

// about returns the endpoint that fetch or cmp is about, and its other words. A case with one endpoint need not name it.
func (c *compiler) about(st statement, words int) (name string, rest []string, err error) {
	for _, w := range st.args {
		rest = append(rest, w.text)
	}
	if path, ok := st.opts["url-from"]; ok {
		rest = append(rest, path)
	}
	if len(rest) == words && len(c.endpoints) == 1 {
		for only := range c.endpoints {
			rest = append([]string{only}, rest...)
		}
	}
	if len(rest) != words+1 {
		g, _ := grammarOf(st.name)
		return "", nil, &lexError{st.name, "usage: " + g.usage}
	}
	if at := c.endpoints[rest[0]]; at == nil || !at.waited {
		return "", nil, &lexError{rest[0], "no such endpoint, or no wait for it comes before"}
	}
	return rest[0], rest[1:], nil
}

func (c *compiler) fetch(st statement) error {
	name, words, err := c.about(st, 1)
	if err != nil {
		return err
	}
	f := fetchStep{
		line: st.line, text: st.raw, endpoint: name, path: words[0], status: 200, json: st.opts["json"] == "yes",
		sum: strings.ToLower(st.opts["sha256"]), level: c.level,
	}
	if sum, err := hex.DecodeString(f.sum); err != nil || len(sum) != 0 && len(sum) != sha256.Size {
		return &lexError{"sha256=" + f.sum, "want 64 hexadecimal digits"}
	}
	if text, ok := st.opts["status"]; ok {
		var err error
		if f.status, err = strconv.Atoi(text); err != nil || f.status < 200 || f.status > 599 {
			return &lexError{"status=" + text, "want 200 to 599"}
		}
	}
	if !slices.Contains([]string{"", "yes", "no"}, st.opts["json"]) {
		return &lexError{"json=" + st.opts["json"], "want yes or no"}
	}
	level, err := levelOf(st.opts["level"])
	if level != "" {
		f.level = level
	}
	c.out.steps = append(c.out.steps, f)
	return err
}

// compare compiles cmp, a check of the payload against a file.
func (c *compiler) compare(st statement) error {
	name, words, err := c.about(st, 2)
	if err != nil {
		return err
	}
	data, err := c.file(words[1])
	if err != nil {
		return err
	}
	same := compared{path: words[0], file: words[1]}
	if err = json.Unmarshal(data, &same.want); err != nil {
		return &lexError{words[1], "the file is not JSON: " + err.Error()}
	}
	level, err := levelOf(st.opts["level"])
	if level == "" {
		level = c.level
	}
	c.out.steps = append(c.out.steps, &checkStep{line: st.line, text: st.raw, endpoint: name, kind: "cmp", level: level, check: same})
	return err
}

// compared judges that every body has at a path what a file of the script says.
type compared struct {
	path, file string
	want       any
}

func (c compared) judge(e *evidence) finding {
	f := finding{verdict: result.Pass, expected: c.path + " as in " + c.file, actual: "the same", captures: seqs(e.all())}
	for _, a := range e.all() {
		body, ok := a.body()
		actual := "the body is not JSON"
		if ok {
			var value any
			if value, ok = at(body, c.path); ok {
				ok = reflect.DeepEqual(value, c.want)
			}
			raw, _ := json.Marshal(value)
			actual = string(raw)
		}
		if !ok {
			if len(actual) > 200 {
				actual = actual[:200] + "…"
			}
			return finding{
				verdict: result.Fail, expected: f.expected, actual: fmt.Sprintf("attempt %d: %s", a.n, actual), captures: []webhook.Seq{a.Seq},
			}
		}
	}
	return f
}

// fetchStep asks for the URLs that the payload names.
type fetchStep struct {
	line                 int
	text, endpoint, path string
	status               int
	json                 bool
	// sum is the SHA-256 that the objects have, in hexadecimal; empty for any.
	sum   string
	level result.Level
}

func (s fetchStep) run(ctx context.Context, c *caseRun) {
	at := c.endpoints[s.endpoint]
	shown := result.Check{Text: s.text, Line: s.line, Expected: fmt.Sprintf("status %d", s.status)}
	if s.json {
		shown.Expected += " and JSON"
	}
	if s.sum != "" {
		shown.Expected += " and SHA-256 " + s.sum
	}
	shown.Verdict, shown.Actual, shown.Reason = s.judge(ctx, c, at)
	shown.Verdict = levelled(shown.Verdict, s.level)
	shown.Actual = at.Mask().String(shown.Actual)
	for _, a := range at.evidence.all() {
		shown.Captures = append(shown.Captures, a.Seq)
	}
	c.add(shown)
}

func (s fetchStep) judge(ctx context.Context, c *caseRun, at *lentEndpoint) (verdict result.Verdict, actual, reason string) {
	urls := map[string]bool{}
	for _, a := range at.evidence.all() {
		if body, ok := a.body(); ok && a.Class == webhook.Accepted {
			for _, u := range every(body, strings.Split(s.path, ".")) {
				urls[u] = true
			}
		}
	}
	if len(urls) == 0 {
		return result.Skip, "", "no payload names a URL at " + s.path
	}
	if c.config.Fetcher == nil {
		return result.Inconclusive, "", "nothing can be fetched here"
	}
	for u := range urls {
		status, object, err := c.config.Fetcher.Fetch(ctx, u)
		switch {
		case err != nil:
			return result.Inconclusive, "", "cannot ask: " + err.Error()
		case status != s.status:
			return result.Fail, fmt.Sprintf("status %d", status), ""
		case s.json && !json.Valid(object):
			return result.Fail, fmt.Sprintf("%d bytes that are not JSON", len(object)), ""
		case s.sum != "" && s.sum != fmt.Sprintf("%x", sha256.Sum256(object)):
			return result.Fail, fmt.Sprintf("%d bytes with SHA-256 %x", len(object), sha256.Sum256(object)), ""
		}
	}
	return result.Pass, fmt.Sprintf("%d fetched", len(urls)), ""
}
