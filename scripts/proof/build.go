package proof

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed controls.yaml
var controlsFile []byte

// edit replaces a piece of a source file that is there exactly once.
type edit struct {
	File string `yaml:"file"`
	Was  string `yaml:"was"`
	Now  string `yaml:"now"`
}

// control is a guard that is taken out at build time, so that no switch for it is in the product.
type control struct {
	Without string `yaml:"without"`
	Edits   []edit `yaml:"edits"`
}

func readControls() (map[string]control, error) {
	controls := make(map[string]control)
	if err := yaml.UnmarshalWithOptions(controlsFile, &controls, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("controls.yaml: %w", err)
	}
	return controls, nil
}

// Lab builds the program, whole or without a guard, and gives experiments their folders.
type Lab struct {
	// Short makes each try smaller, for tests.
	Short bool

	source, cache string
	controls      map[string]control

	mu    sync.Mutex
	built map[string]string
}

// NewLab returns a lab for the module's folder source; what it builds and keeps goes to cache.
func NewLab(source, cache string) (*Lab, error) {
	controls, err := readControls()
	if err != nil {
		return nil, err
	}
	cache, err = filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	if err = os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	return &Lab{source: source, cache: cache, controls: controls, built: make(map[string]string)}, nil
}

// Whole is the product as it is.
func (l *Lab) Whole() *Build { return &Build{lab: l} }

// Without is the product without the guard that a control takes out.
func (l *Lab) Without(control string) (*Build, error) {
	if _, ok := l.controls[control]; !ok {
		return nil, fmt.Errorf("controls.yaml has no control %q: it has %s", control, strings.Join(slices.Sorted(maps.Keys(l.controls)), ", "))
	}
	return &Build{lab: l, control: control}, nil
}

// Build is the product, whole or without a guard.
type Build struct {
	lab     *Lab
	control string
}

// Whole tells whether no guard was taken out.
func (b *Build) Whole() bool { return b.control == "" }

// tryFolder makes a folder for one try. The caller removes it.
func tryFolder() (string, error) { return os.MkdirTemp("", "hookrange-proof-") }

// memoryFolder is tryFolder in memory, where the system has a place for that: for what does not depend on the disk.
func memoryFolder() (string, error) {
	if folder, err := os.MkdirTemp("/dev/shm", "hookrange-proof-"); err == nil {
		return folder, nil
	}
	return tryFolder()
}

// Program builds the program, once, and returns its path.
func (b *Build) Program(ctx context.Context) (string, error) {
	return b.make(ctx, "hookrange", "build", "-trimpath", ".")
}

// Racing builds the program with the race detector, once, and returns its path.
func (b *Build) Racing(ctx context.Context) (string, error) {
	return b.make(ctx, "hookrange-racing", "build", "-race", "-trimpath", ".")
}

// Tests builds a package's tests, once, and returns their path.
func (b *Build) Tests(ctx context.Context, folder string) (string, error) {
	return b.make(ctx, strings.ReplaceAll(strings.TrimPrefix(folder, "./"), "/", "-")+".test", "test", "-c", folder)
}

// make runs go with -o and returns what it built.
func (b *Build) make(ctx context.Context, name, verb string, args ...string) (string, error) {
	b.lab.mu.Lock()
	defer b.lab.mu.Unlock()
	path := filepath.Join(b.lab.cache, "build", "whole", name)
	if b.control != "" {
		path = filepath.Join(b.lab.cache, "build", b.control, name)
	}
	if done, ok := b.lab.built[path]; ok {
		return done, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	flags := []string{verb, "-buildvcs=false", "-o", path}
	if b.control != "" {
		overlay, err := b.overlay(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		flags = append(flags, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(flags, args...)...) //nolint:gosec // the arguments are this package's
	cmd.Dir = b.lab.source
	if verb == "build" && !slices.Contains(args, "-race") { // as the product is built
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s without %q: %w\n%s", name, b.control, err, out)
	}
	b.lab.built[path] = path
	return path, nil
}

// forget deletes what was built: a guard's tests are as large as the program, and run once.
func (b *Build) forget() error {
	b.lab.mu.Lock()
	defer b.lab.mu.Unlock()
	folder := filepath.Join(b.lab.cache, "build", b.control)
	maps.DeleteFunc(b.lab.built, func(path, _ string) bool { return filepath.Dir(path) == folder })
	return os.RemoveAll(folder)
}

// Check returns an error when the guard cannot be taken out of the sources as they are.
func (b *Build) Check() error {
	folder, err := tryFolder()
	if err != nil {
		return err
	}
	_, err = b.overlay(folder)
	return errors.Join(err, os.RemoveAll(folder))
}

// environment makes tests that build the program themselves build it without the guard, too.
func (b *Build) environment(own []string) []string {
	if b.Whole() {
		return own
	}
	flags := "'-overlay=" + filepath.Join(b.lab.cache, "build", b.control, overlayFile) + "'"
	for _, variable := range own {
		if had, found := strings.CutPrefix(variable, "GOFLAGS="); found {
			flags = had + " " + flags
		}
	}
	return append(own, "GOFLAGS="+strings.TrimSpace(flags))
}

// overlayFile is what go's -overlay is given.
const overlayFile = "overlay.json"

// overlay writes the edited sources, and the file that go's -overlay wants.
func (b *Build) overlay(folder string) (string, error) {
	texts := make(map[string]string)
	for _, e := range b.lab.controls[b.control].Edits {
		path := filepath.Join(b.lab.source, filepath.FromSlash(e.File))
		text, ok := texts[path]
		if !ok {
			raw, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("control %s: %w", b.control, err)
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.Was); n != 1 {
			return "", fmt.Errorf("control %s: %s has the piece to replace %d times: bring controls.yaml up to date", b.control, e.File, n)
		}
		texts[path] = strings.Replace(text, e.Was, e.Now, 1)
	}
	replace := make(map[string]string)
	for i, path := range slices.Sorted(maps.Keys(texts)) {
		changed := filepath.Join(folder, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(changed, []byte(texts[path]), 0o600); err != nil {
			return "", err
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		replace[absolute] = changed
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, overlayFile)
	return path, os.WriteFile(path, raw, 0o600)
}
