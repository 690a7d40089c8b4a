package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// dataset writes examples as LangSmith datasets take them: a JSON object a line with inputs, outputs and metadata.
//
// A run becomes an example once, however many attempts brought it. Its inputs and outputs are those of the payload, or
// what was fetched where the payload names them by a presigned URL. A correction in the run's feedback takes the place
// of its outputs. Runs without inputs cannot be examples and are counted as left out.
type dataset struct {
	encoder *json.Encoder
	about   About
	// seen has a digest of the id of each run that became an example, missing of each that could not yet.
	seen, missing map[[16]byte]struct{}

	tally Tally
}

func newDataset(out io.Writer, about About) Writer {
	d := &dataset{encoder: json.NewEncoder(out), about: about, seen: map[[16]byte]struct{}{}, missing: map[[16]byte]struct{}{}}
	d.encoder.SetEscapeHTML(false)
	d.tally.Why = "runs whose inputs are absent or were not resolved, and captures without runs"
	return d
}

type example struct {
	Inputs   json.RawMessage `json:"inputs"`
	Outputs  json.RawMessage `json:"outputs"`
	Metadata metadata        `json:"metadata"`
}

type metadata struct {
	RunID    string `json:"run_id"`
	TraceID  string `json:"trace_id,omitempty"`
	ThreadID string `json:"thread_id,omitempty"`
	Name     string `json:"run_name,omitempty"`
	Type     string `json:"run_type,omitempty"`
	Status   string `json:"status,omitempty"`
	RuleID   string `json:"rule_id,omitempty"`
	// OutputsFrom is "correction", "resolved" or "payload"; empty without outputs.
	OutputsFrom string `json:"outputs_from,omitempty"`
	// Feedback is the key of the feedback that the correction is from.
	Feedback string `json:"feedback_key,omitempty"`
	Endpoint string `json:"endpoint"`
	Capture  int64  `json:"capture"`
}

// ruleBody is what is read of a rule's payload.
type ruleBody struct {
	RuleID   string          `json:"rule_id"`
	Runs     []ruleRun       `json:"runs"`
	Feedback json.RawMessage `json:"feedback"`
}

type ruleRun struct {
	ID       string          `json:"id"`
	TraceID  string          `json:"trace_id"`
	Name     string          `json:"name"`
	Type     string          `json:"run_type"`
	Status   string          `json:"status"`
	Inputs   json.RawMessage `json:"inputs"`
	Outputs  json.RawMessage `json:"outputs"`
	Stats    json.RawMessage `json:"feedback_stats"`
	Feedback json.RawMessage `json:"feedback"`
}

// agentBody is what is read of an Agent Server's payload.
type agentBody struct {
	RunID    string `json:"run_id"`
	ThreadID string `json:"thread_id"`
	Status   string `json:"status"`
	Kwargs   struct {
		Input json.RawMessage `json:"input"`
	} `json:"kwargs"`
	Values json.RawMessage `json:"values"`
}

// Add writes an example for each run of a capture.
func (d *dataset) Add(e *Entry) error {
	switch webhook.PayloadKind(e.Capture.Payload.Kind) {
	case webhook.PayloadRule:
		return d.rule(e)
	case webhook.PayloadRun:
		return d.agentRun(e)
	default:
		if e.Capture.Payload.Kind == "" || len(e.Text) > 0 {
			d.tally.LeftOut++
		}
		return nil
	}
}

func (d *dataset) rule(e *Entry) error {
	var body ruleBody
	if err := json.Unmarshal(e.Text, &body); err != nil {
		d.tally.LeftOut++
		return nil //nolint:nilerr // a payload of another form has no examples; it is counted
	}
	for i := range body.Runs {
		run := &body.Runs[i]
		one := example{Metadata: metadata{
			RunID: run.ID, TraceID: run.TraceID, Name: run.Name, Type: run.Type, Status: run.Status, RuleID: body.RuleID,
			Endpoint: e.Capture.Endpoint, Capture: e.Capture.Seq,
		}}
		inputs, _, err := value(e, run.Inputs, fmt.Sprintf("runs.%d.inputs", i))
		if err != nil {
			return err
		}
		outputs, from, err := value(e, run.Outputs, fmt.Sprintf("runs.%d.outputs", i))
		if err != nil {
			return err
		}
		one.Inputs, one.Outputs, one.Metadata.OutputsFrom = object(inputs, "input"), object(outputs, "output"), from
		if key, correction := corrected(run, body.Feedback); correction != nil {
			// As the documented receiver makes its examples.
			one.Outputs, one.Metadata.OutputsFrom, one.Metadata.Feedback = wrapped("output", correction), "correction", key
		}
		if err = d.write(&one); err != nil {
			return err
		}
	}
	return nil
}

func (d *dataset) agentRun(e *Entry) error {
	var body agentBody
	if err := json.Unmarshal(e.Text, &body); err != nil {
		d.tally.LeftOut++
		return nil //nolint:nilerr // as above
	}
	one := example{
		Inputs: object(body.Kwargs.Input, "input"), Outputs: object(body.Values, "output"),
		Metadata: metadata{
			RunID: body.RunID, ThreadID: body.ThreadID, Status: body.Status, Endpoint: e.Capture.Endpoint, Capture: e.Capture.Seq,
		},
	}
	if one.Outputs != nil {
		one.Metadata.OutputsFrom = "payload"
	}
	return d.write(&one)
}

// write writes an example, unless the run cannot be one or has become one already.
func (d *dataset) write(one *example) error {
	sum := sha256.Sum256([]byte(one.Metadata.RunID))
	key, named := [16]byte(sum[:16]), one.Metadata.RunID != ""
	if _, again := d.seen[key]; named && again {
		return nil
	}
	if one.Inputs == nil {
		if named {
			d.missing[key] = struct{}{}
		} else {
			d.tally.LeftOut++
		}
		return nil
	}
	if named {
		d.seen[key] = struct{}{}
		delete(d.missing, key)
	}
	d.tally.Written++
	return d.encoder.Encode(one)
}

// Close has nothing left to write.
func (*dataset) Close() error { return nil }

// Tally says what was written.
func (d *dataset) Tally() Tally {
	out := d.tally
	out.LeftOut += len(d.missing)
	return out
}

// value is what a payload has in a place, or what was fetched for it, and which of the two; nil when neither is there.
func value(e *Entry, inline json.RawMessage, name string) (data json.RawMessage, from string, err error) {
	if !null(inline) {
		return inline, "payload", nil
	}
	for i := range e.Capture.Resolved {
		if e.Capture.Resolved[i].Name != name || e.Capture.Resolved[i].State != string(webhook.Resolved) {
			continue
		}
		fetched, resolved, err := e.Object(name)
		if err != nil || !resolved || null(fetched) {
			return nil, "", err
		}
		if !json.Valid(fetched) {
			fetched, err = json.Marshal(string(bytes.ToValidUTF8(fetched, []byte("\uFFFD"))))
		}
		return fetched, "resolved", err
	}
	return nil, "", nil
}

func null(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || string(raw) == "null"
}

// object returns a value that is an object as it is, and another one under a name, for examples hold objects only.
func object(raw json.RawMessage, name string) json.RawMessage {
	switch {
	case null(raw):
		return nil
	case bytes.TrimSpace(raw)[0] == '{':
		return raw
	default:
		return wrapped(name, raw)
	}
}

func wrapped(name string, raw json.RawMessage) json.RawMessage {
	out, err := json.Marshal(map[string]json.RawMessage{name: raw})
	if err != nil {
		return nil
	}
	return out
}

// feedback is one entry of a run's feedback.
type feedback struct {
	Key        string          `json:"key"`
	RunID      string          `json:"run_id"`
	Correction json.RawMessage `json:"correction"`
}

// corrected returns the first correction in a run's own feedback, in the payload's for this run, or in the run's
// statistics, whose keys go in order of their names; nil when there is none.
func corrected(run *ruleRun, all json.RawMessage) (key string, correction json.RawMessage) {
	for _, list := range []struct {
		raw json.RawMessage
		own bool
	}{{run.Feedback, true}, {all, false}} {
		var entries []feedback
		if json.Unmarshal(list.raw, &entries) != nil {
			continue
		}
		for _, f := range entries {
			if !null(f.Correction) && (f.RunID == run.ID || list.own && f.RunID == "") {
				return f.Key, f.Correction
			}
		}
	}
	var stats map[string]json.RawMessage
	if json.Unmarshal(run.Stats, &stats) != nil {
		return "", nil
	}
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		var f feedback
		if json.Unmarshal(stats[name], &f) == nil && !null(f.Correction) {
			return name, f.Correction
		}
	}
	return "", nil
}
