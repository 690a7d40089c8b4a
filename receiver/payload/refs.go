package payload

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// presigned is the key that a body with references has.
const presigned = "presigned_url"

// MayHaveRefs reports whether Refs could find anything in body; false is certain, true is not. It
// only looks for the key's name, so it is cheap enough to be asked before an answer leaves.
func MayHaveRefs(body []byte) bool {
	return bytes.Contains(body, []byte(presigned))
}

// Refs returns the presigned URLs that a body's top-level runs name, in the body's order and at
// most 2000: inputs_s3_urls.ROOT as "runs.N.inputs", another key K there as "runs.N.inputs.K",
// outputs_s3_urls likewise, and s3_urls.K as "runs.N.s3_urls.K". Names do not repeat. It returns nil
// for a body that is no valid JSON object or is nested deeper than 1000. It looks at the first 10,000
// runs, and leaves out keys over 256 bytes or with unprintable characters, which nobody could ask for
// by name.
func Refs(body []byte) []webhook.Ref {
	if !MayHaveRefs(body) {
		return nil
	}
	body = trimBOM(body)
	if _, valid := check(body); !valid {
		return nil
	}
	runs := member(gjson.ParseBytes(body), "runs")
	if !runs.IsArray() {
		return nil
	}
	var refs []webhook.Ref
	index := 0
	runs.ForEach(func(_, run gjson.Result) bool {
		if run.IsObject() {
			refs = runRefs(refs, "runs."+strconv.Itoa(index), run)
		}
		index++
		return len(refs) < maxRefs && index < maxRunsRead
	})
	return refs[:min(len(refs), maxRefs)]
}

// member returns the last member of that name, as browsers do and gjson's own lookup does not.
func member(object gjson.Result, name string) gjson.Result {
	var found gjson.Result
	if object.IsObject() {
		object.ForEach(func(key, value gjson.Result) bool {
			if key.String() == name {
				found = value
			}
			return true
		})
	}
	return found
}

func runRefs(refs []webhook.Ref, prefix string, run gjson.Result) []webhook.Ref {
	places := make([]place, 0, 3)
	run.ForEach(func(key, value gjson.Result) bool {
		var to place
		switch key.String() {
		case "inputs_s3_urls":
			to = place{name: prefix + ".inputs", rooted: true}
		case "outputs_s3_urls":
			to = place{name: prefix + ".outputs", rooted: true}
		case "s3_urls":
			to = place{name: prefix + ".s3_urls"}
		default:
			return true
		}
		to.urls = value
		for i := range places {
			if places[i].name == to.name {
				places[i] = to
				return true
			}
		}
		places = append(places, to)
		return true
	})
	for _, p := range places {
		refs = p.refs(refs)
	}
	return refs
}

// place is one of a run's maps of stored objects.
type place struct {
	name string
	// rooted is true where ROOT stands for the place itself.
	rooted bool
	urls   gjson.Result
}

func (p place) refs(refs []webhook.Ref) []webhook.Ref {
	if !p.urls.IsObject() {
		return refs
	}
	seen := make(map[string]int)
	p.urls.ForEach(func(key, entry gjson.Result) bool {
		name, ok := p.refName(key.String())
		if !ok {
			return true
		}
		url := member(entry, presigned)
		if url.Type != gjson.String || url.Str == "" {
			return true
		}
		if at, again := seen[name]; again {
			refs[at].URL = url.Str
			return true
		}
		seen[name] = len(refs)
		refs = append(refs, webhook.Ref{Name: name, URL: url.Str})
		return len(refs) < maxRefs
	})
	return refs
}

func (p place) refName(key string) (string, bool) {
	if p.rooted && key == "ROOT" {
		return p.name, true
	}
	if key == "" || len(key) > maxRefKey || !utf8.ValidString(key) {
		return "", false
	}
	for _, r := range key {
		if !unicode.IsPrint(r) {
			return "", false
		}
	}
	return p.name + "." + key, true
}
