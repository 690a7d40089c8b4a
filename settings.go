package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// settingsFile is hookrange.yaml: a key for each flag, and the endpoints that the file declares.
type settingsFile struct {
	// endpoints declared, in file order.
	endpoints []api.EndpointInput
}

// load reads the file for kong. Keys are the flags' names; '_' is taken for '-'.
func (f *settingsFile) load(r io.Reader) (kong.Resolver, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	var keys map[string]any
	if err = yaml.Unmarshal(raw, &keys); err != nil {
		return nil, fmt.Errorf("%w: settings file: %w", webhook.ErrInvalid, err)
	}
	if declared, ok := keys["endpoints"]; ok {
		delete(keys, "endpoints")
		if f.endpoints, err = declaredEndpoints(declared); err != nil {
			return nil, err
		}
	}
	values := make(map[string]any, len(keys))
	for key, value := range keys {
		values[strings.ReplaceAll(key, "_", "-")] = value
	}
	return settings(values), nil
}

func declaredEndpoints(declared any) ([]api.EndpointInput, error) {
	list, ok := declared.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: settings file: endpoints: want a list of endpoints", webhook.ErrInvalid)
	}
	inputs := make([]api.EndpointInput, 0, len(list))
	for i, item := range list {
		raw, err := json.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("%w: settings file: endpoints: number %d: %w", webhook.ErrInvalid, i+1, err)
		}
		input, err := api.DecodeEndpoint(raw)
		if err != nil {
			return nil, fmt.Errorf("settings file: endpoints: number %d: %w", i+1, err)
		}
		inputs = append(inputs, input)
	}
	return inputs, nil
}

// settings resolves flags from the file's keys.
type settings map[string]any

// Validate refuses keys that name no flag.
func (s settings) Validate(app *kong.Application) error {
	names := flagNames(app.Node)
	slices.Sort(names)
	names = slices.Compact(names)
	for key := range s {
		if !slices.Contains(names, key) {
			return fmt.Errorf("%w: settings file: unknown key %q; there are: endpoints, %s", webhook.ErrInvalid, key, strings.Join(names, ", "))
		}
	}
	return nil
}

// Resolve returns the value of a flag, or nil.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	return s[flag.Name], nil
}

func flagNames(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "config" {
			names = append(names, flag.Name)
		}
	}
	for _, child := range node.Children {
		names = append(names, flagNames(child)...)
	}
	return names
}
