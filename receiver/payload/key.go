package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Key returns what attempts of one delivery have in common. In order: a webhook-id or
// X-GitHub-Delivery header ("webhook-id"); rule_id, start_time, end_time and the ids of all runs
// ("rule"); run_id and status ("run"); id and, where there is one, type ("id"); else the body's digest sum ("body"), as
// for anything that is no JSON object or is nested deeper than 1000. The method and the path
// always take part, the query never does. Of repeated keys the last one counts, as in browsers. It
// is linear in len(body) and neither blocks nor fails.
func Key(method, path string, head []webhook.Field, body []byte, sum [32]byte) webhook.DeliveryKey {
	if id := eventID(head); id != "" {
		return newKey("webhook-id", method, path, []byte(id))
	}
	var found ids
	if found.read(body) {
		switch {
		case len(found.rule.raw) > 0 && len(found.start.raw) > 0 && len(found.end.raw) > 0 && found.runsOK:
			return newKey("rule", method, path, found.rule.text(nil), found.start.text(nil), found.end.text(nil), found.runs.Sum(nil))
		case len(found.run.raw) > 0 && len(found.status.raw) > 0:
			return newKey("run", method, path, found.run.text(nil), found.status.text(nil))
		case len(found.id.raw) > 0:
			return newKey("id", method, path, found.id.text(nil), found.kind.text(nil))
		}
	}
	return newKey("body", method, path, sum[:])
}

// eventID returns the first event id in a head. A sender that repeats the field repeats its value.
func eventID(head []webhook.Field) string {
	for _, f := range head {
		if strings.EqualFold(f.Name, "webhook-id") || strings.EqualFold(f.Name, "x-github-delivery") {
			if value := strings.TrimSpace(f.Value); value != "" {
				return value
			}
		}
	}
	return ""
}

// newKey hashes by, method, path and parts, each after its length so that no two lists look the
// same.
func newKey(by, method, path string, parts ...[]byte) webhook.DeliveryKey {
	h := sha256.New()
	writePart(h, []byte(by))
	writePart(h, []byte(method))
	writePart(h, []byte(path))
	for _, part := range parts {
		writePart(h, part)
	}
	key := webhook.DeliveryKey{By: by}
	copy(key.Sum[:], h.Sum(nil))
	return key
}

func writePart(h hash.Hash, part []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(part)))
	h.Write(size[:])
	h.Write(part)
}

// ids are the values of a body that can identify a delivery; nil where absent or no string.
type ids struct {
	rule, start, end, run, status, id, kind quoted

	// runs is the digest of the runs' ids so far; runsOK is true when runs is an array and each has one.
	runs   hash.Hash
	runsOK bool
	// pending are ids on their way into runs: many small writes to a digest are slow.
	pending []byte
	// inRuns is true inside the runs array, runID the id of the run being read.
	inRuns bool
	runID  quoted
	// resolved is where escapes of run ids are resolved.
	resolved []byte
}

// Depths at which ids stand.
const (
	depthTop  = 1
	depthRuns = 2
	depthRun  = 3
)

// read fills the ids from body and reports whether it is a valid JSON object.
func (k *ids) read(body []byte) bool {
	s := scanner{data: trimBOM(body)}
	if s.next() != tokenOpen || !s.object {
		return false
	}
	var slot *quoted
	var toRuns bool
	for {
		switch t := s.next(); t {
		case tokenEnd:
			return true
		case tokenBad:
			return false
		case tokenKey:
			slot, toRuns = k.slot(&s)
		case tokenOpen:
			k.opened(&s, toRuns)
			slot, toRuns = nil, false
		case tokenClose:
			k.closed(&s)
		case tokenString:
			if slot != nil {
				*slot = s.quoted()
			}
			k.plain(&s)
			slot, toRuns = nil, false
		default:
			k.plain(&s)
			slot, toRuns = nil, false
		}
	}
}

// slot returns where the value of the key just read goes, emptied because the last of equal keys
// counts.
func (k *ids) slot(s *scanner) (slot *quoted, toRuns bool) {
	// Nothing longer is looked for, even if each of its letters is escaped.
	var room [len("start_time") * len(`\u0000`)]byte
	if s.depth > depthRun || s.end-s.start > len(room) {
		return nil, false
	}
	switch s.depth {
	case depthTop:
		switch string(s.quoted().text(room[:])) {
		case "rule_id":
			slot = &k.rule
		case "start_time":
			slot = &k.start
		case "end_time":
			slot = &k.end
		case "run_id":
			slot = &k.run
		case "status":
			slot = &k.status
		case "id":
			slot = &k.id
		case "type":
			slot = &k.kind
		case "runs":
			k.runsOK = false
			return nil, true
		}
	case depthRun:
		if k.inRuns && string(s.quoted().text(room[:])) == "id" {
			slot = &k.runID
		}
	}
	if slot != nil {
		*slot = quoted{}
	}
	return slot, false
}

func (k *ids) opened(s *scanner, toRuns bool) {
	switch {
	case toRuns && s.depth == depthRuns && !s.object:
		k.inRuns, k.runsOK = true, true
		k.runs, k.pending = sha256.New(), k.pending[:0]
	case k.inRuns && s.depth == depthRun:
		k.runID = quoted{}
	}
}

func (k *ids) closed(s *scanner) {
	if !k.inRuns {
		return
	}
	const enough = 4096
	switch s.depth {
	case depthTop:
		k.inRuns = false
		k.runs.Write(k.pending)
	case depthRuns:
		k.runsOK = k.runsOK && len(k.runID.raw) > 0
		if k.runsOK {
			id := k.runID.text(k.resolved)
			if k.runID.escaped {
				k.resolved = id
			}
			k.pending = binary.BigEndian.AppendUint64(k.pending, uint64(len(id)))
			k.pending = append(k.pending, id...)
		}
		if len(k.pending) >= enough {
			k.runs.Write(k.pending)
			k.pending = k.pending[:0]
		}
		k.runID = quoted{}
	}
}

// plain notes a string, number or literal that stands where a run should.
func (k *ids) plain(s *scanner) {
	if k.inRuns && s.depth == depthRuns {
		k.runsOK = false
	}
}

// trimBOM drops the byte order mark that some senders put before JSON.
func trimBOM(body []byte) []byte {
	return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
}
