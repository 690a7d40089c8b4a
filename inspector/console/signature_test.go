package console_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/inspector/console"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func TestSignature(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t)
	var out bytes.Buffer
	settings := console.Settings{Secret: new("first-secret")}
	if err := console.CreateEndpoint(t.Context(), c, console.EndpointOptions{Name: "orders", Settings: settings}, &out); err != nil {
		t.Fatal(err)
	}
	w.capture(t, "one")
	list, err := w.store.Captures(t.Context(), webhook.Query{Endpoint: "orders", Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	seq := api.CaptureRef(list[0].Seq)
	for name, tc := range map[string]struct {
		proof console.Proof
		met   bool
		want  []string
	}{
		"the endpoint's": {console.Proof{}, true, []string{"verified by scheme query\n"}},
		"another secret": {
			console.Proof{Secret: new("second-secret")},
			false,
			[]string{"not verified by scheme query: secret_wrong\n", "other_secret: ", "\n  used: the current secret of endpoint orders\n"},
		},
		"another scheme": {
			console.Proof{Scheme: new("github"), Secret: new("second-secret")},
			false,
			[]string{"not verified by scheme github: signature_missing\n", "signature_missing: "},
		},
	} {
		out.Reset()
		err := console.Signature(t.Context(), c, console.SignatureOptions{Endpoint: "orders", Capture: seq, Proof: tc.proof}, &out)
		if (err == nil) != tc.met || (err != nil) != errors.Is(err, console.ErrNotMet) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tc.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, out.String())
			}
		}
		if strings.Contains(out.String(), "first-secret") || strings.Contains(out.String(), "second-secret") {
			t.Errorf("%s: a secret is printed:\n%s", name, out.String())
		}
	}
	out.Reset()
	if err := console.Signature(t.Context(), c, console.SignatureOptions{Endpoint: "orders", Capture: api.Latest, JSON: true}, &out); err != nil {
		t.Fatal(err)
	}
	var got api.Signature
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || !got.Verified {
		t.Errorf("%v: %s", err, out.String())
	}
	err = console.Signature(t.Context(), c, console.SignatureOptions{Endpoint: "orders", Capture: seq + 100}, &out)
	var told *console.Error
	if !errors.As(err, &told) || told.Status != 404 {
		t.Errorf("a capture that is not there: %v", err)
	}
}
