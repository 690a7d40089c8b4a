package scripts

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

//go:embed profiles/*.txtar
var profiles embed.FS

//go:embed new.txtar
var commented string

// Profiles returns the names of the profiles that come with the program, sorted.
func Profiles() []string {
	entries, err := fs.ReadDir(profiles, "profiles")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".txtar")
	}
	return names
}

// Profile returns the profile of that name, or an error that wraps webhook.ErrNotFound and names those there are.
func Profile(name string) (*Script, error) {
	raw, err := profiles.ReadFile("profiles/" + name + ".txtar")
	if err != nil {
		return nil, fmt.Errorf("%w: profile %q: %s", webhook.ErrNotFound, name, oneOf(name, Profiles()))
	}
	return Parse(name+".txtar", raw)
}

// New returns the text of a script to begin with, with comments, under a profile name.
func New(name string) (string, error) {
	if err := webhook.CheckName(name); err != nil {
		return "", fmt.Errorf("profile name: %w", err)
	}
	return strings.ReplaceAll(commented, "my-sender", name), nil
}
