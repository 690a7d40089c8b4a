package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Decode reads one JSON value into dst. Unknown fields, wrong types and anything after the value are an
// ErrInvalid that names the field.
func Decode(text []byte, dst any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(dst); err != nil {
		return fmt.Errorf("%w: %s", webhook.ErrInvalid, decodeError(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the JSON value", webhook.ErrInvalid)
	}
	return nil
}

// decodeError names the field and what it may hold, without Go's names for types.
func decodeError(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
		if field == "" {
			field = "value"
		}
		return fmt.Sprintf("%s: a JSON %s does not fit here", field, wrong.Value)
	}
	if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return "unknown field " + name
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// EndpointInput is an endpoint as a settings file declares it: all of its settings, defaults included.
type EndpointInput struct {
	Name string
	form Endpoint
}

// DecodeEndpoint reads an endpoint's JSON form. It returns an ErrInvalid that names the field.
func DecodeEndpoint(text []byte) (EndpointInput, error) {
	var in EndpointInput
	if err := Decode(text, &in.form); err != nil {
		return in, err
	}
	if err := webhook.CheckName(in.form.Name); err != nil {
		return in, err
	}
	in.Name = in.form.Name
	return in, nil
}

// Apply returns the endpoint that the input declares. Stored is the one of that name that is there already,
// or nil; only its secret is kept, and only if the input has none. It returns an ErrInvalid that names the
// field. Secrets and plan are not checked beyond that.
func (in EndpointInput) Apply(stored *webhook.Endpoint) (webhook.Endpoint, error) {
	form := in.form
	if stored == nil {
		return Settings(form, Endpoint{}, nil)
	}
	if form.Secret == "" && len(stored.Secret.Secrets) > 0 {
		form.Secret = Hidden
	}
	exact := View{Mask: Exact{}, HookURL: func(*webhook.Endpoint, bool) string { return "" }}
	return Settings(form, exact.Endpoint(stored), stored)
}
