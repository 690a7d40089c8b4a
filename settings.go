package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/hookrange/hookrange/inspector/access"
	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

// settingsFile is hookrange.yaml: a key for each flag, and the endpoints and tokens that the file declares.
type settingsFile struct {
	// endpoints declared, in file order, and tokens.
	endpoints []api.EndpointInput
	tokens    []access.Declared
	// lookup finds a variable of the environment, which comes before the file.
	lookup func(name string) (string, bool)
}

// load reads the file for kong. Keys are the flags' names; '_' is taken for '-'.
func (f *settingsFile) load(r io.Reader) (kong.Resolver, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	keys, err := readKeys(raw)
	if err != nil {
		// Without the lines around it, which may hold secrets.
		return nil, fmt.Errorf("%w: settings file: %s", webhook.ErrInvalid, yaml.FormatError(err, false, false))
	}
	if declared, ok := keys["endpoints"]; ok {
		delete(keys, "endpoints")
		if f.endpoints, err = declaredEndpoints(declared); err != nil {
			return nil, err
		}
	}
	if declared, ok := keys["tokens"]; ok {
		delete(keys, "tokens")
		if f.tokens, err = declaredTokens(declared); err != nil {
			return nil, err
		}
	}
	values := make(map[string]any, len(keys))
	for key, value := range keys {
		values[strings.ReplaceAll(key, "_", "-")] = value
	}
	return settings{values: values, lookup: f.lookup}, nil
}

func readKeys(raw []byte) (map[string]any, error) {
	var keys map[string]any
	file, err := parser.ParseBytes(raw, 0)
	if err != nil || len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return keys, err
	}
	if len(file.Docs) > 1 {
		return nil, errors.New("there is a second document after a line of ---, which nothing would read: make them one")
	}
	ast.Walk(asWritten{}, file.Docs[0].Body)
	return keys, yaml.NodeToValue(file.Docs[0].Body, &keys)
}

// asWritten takes plain numbers and words as the texts that they are where a text is wanted: respond: 503, secret: 0123.
type asWritten struct{}

// Visit changes one pair.
func (v asWritten) Visit(node ast.Node) ast.Visitor {
	pair, ok := node.(*ast.MappingValueNode)
	if !ok {
		return v
	}
	switch key := pair.Key.String(); key {
	case "respond", "secret", "secret_env", "name", "param":
	default:
		return v
	}
	switch pair.Value.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		at := pair.Value.GetToken()
		pair.Value = ast.String(token.String(at.Value, at.Origin, at.Position))
	default:
	}
	return v
}

// declaredEndpoints decodes a list of endpoints, or their settings by name.
func declaredEndpoints(declared any) ([]api.EndpointInput, error) {
	if named, ok := declared.(map[string]any); ok {
		list, err := listed(named)
		if err != nil {
			return nil, err
		}
		declared = list
	}
	list, err := declaredList(declared, "endpoints", api.DecodeEndpoint)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i := range list {
		if name := list[i].Name; names[name] {
			return nil, fmt.Errorf("%w: settings file: endpoints: there are two of the name %q", webhook.ErrInvalid, name)
		}
		names[list[i].Name] = true
	}
	return list, nil
}

// listed makes a list of endpoints whose settings stand under their names.
func listed(named map[string]any) ([]any, error) {
	list := make([]any, 0, len(named))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		one, ok := named[name].(map[string]any)
		if !ok && named[name] != nil {
			return nil, fmt.Errorf("%w: settings file: endpoints: %s: want its settings, such as {respond: 503x2 200}", webhook.ErrInvalid, name)
		}
		settings := maps.Clone(one)
		if settings == nil {
			settings = make(map[string]any, 1)
		}
		if other, given := settings["name"]; given && other != name {
			return nil, fmt.Errorf("%w: settings file: endpoints: %s: it has another name, %v", webhook.ErrInvalid, name, other)
		}
		settings["name"] = name
		list = append(list, settings)
	}
	return list, nil
}

func declaredTokens(declared any) ([]access.Declared, error) {
	return declaredList(declared, "tokens", func(raw []byte) (d access.Declared, err error) {
		err = api.Decode(raw, &d)
		return d, err
	})
}

// declaredList decodes each item of what the file has under a key.
func declaredList[T any](declared any, key string, decode func(raw []byte) (T, error)) ([]T, error) {
	list, ok := declared.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: settings file: %s: want a list of %s", webhook.ErrInvalid, key, key)
	}
	out := make([]T, 0, len(list))
	for i, item := range list {
		raw, err := json.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("%w: settings file: %s: number %d: %w", webhook.ErrInvalid, key, i+1, err)
		}
		one, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("settings file: %s: number %d: %w", key, i+1, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// settings resolves flags from the file's keys.
type settings struct {
	values map[string]any
	lookup func(name string) (string, bool)
}

// Validate refuses keys that name no flag.
func (s settings) Validate(app *kong.Application) error {
	names := flagNames(app.Node)
	slices.Sort(names)
	names = slices.Compact(names)
	for key := range s.values {
		if !slices.Contains(names, key) {
			return fmt.Errorf("%w: settings file: unknown key %q; there are: endpoints, tokens, %s", webhook.ErrInvalid, key, strings.Join(names, ", "))
		}
	}
	return nil
}

// Resolve returns the value of a flag, or nil when the file has none or the environment has one.
func (s settings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, given := s.lookup(name); given {
			return nil, nil //nolint:nilnil // how kong is told that there is no value
		}
	}
	return s.values[flag.Name], nil
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
