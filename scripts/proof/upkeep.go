package proof

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed modules.yaml
var modulesFile []byte

// upkeep are the experiments on how the program is built, and of what.
func upkeep() []Experiment {
	return []Experiment{
		{
			Name:    "same-build",
			Promise: "Two builds of the same sources in different folders are the same bytes (and without -trimpath they differ)",
			Unit:    "pairs of builds",
			Goal:    1,
			Certain: true,
			Long:    true,
			Try:     buildTwice,
		},
		{
			Name:    "modules",
			Promise: "At most 25 modules are linked into the program, each listed with a reason",
			Unit:    "modules",
			Goal:    1,
			Certain: true,
			Long:    true,
			Try:     listModules,
		},
		{
			Name:    "image",
			Promise: "What the image holds beside certificates, one static and stripped program, is at most 20 MB as it is pulled",
			Unit:    "builds",
			Goal:    1,
			Certain: true,
			Long:    true,
			Try:     weigh,
		},
	}
}

// weigh builds the program as the Dockerfile does and weighs it. It has its control in itself: a build with the symbols
// must be seen to have them.
func weigh(ctx context.Context, b *Build) (count Count, err error) {
	const most = 20 * megabyte
	folder, err := tryFolder()
	if err != nil {
		return count, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	count.Tried = 1
	for flags, stripped := range map[string]bool{"-ldflags=-s -w": true, "-ldflags=": false} {
		path := filepath.Join(folder, "hookrange")
		//nolint:gosec // the flags are this package's
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", flags, "-o", path, ".")
		cmd.Dir = b.lab.source
		cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if out, err := cmd.CombinedOutput(); err != nil {
			return count, fmt.Errorf("build: %w\n%s", err, out)
		}
		static, symbols, err := anatomy(path)
		if err != nil {
			return count, err
		}
		if symbols == stripped {
			count.Break("a build with %s has symbols: %v", flags, symbols)
		}
		if !stripped {
			continue
		}
		if !static {
			count.Break("the program wants a loader")
		}
		plain, packed, err := packedSize(path)
		if err != nil {
			return count, err
		}
		count.Peak("MB on disk", float64(plain)/megabyte)
		count.Peak("MB as pulled", float64(packed)/megabyte)
		if packed > most {
			count.Break("%d MB as pulled", packed/megabyte)
		}
	}
	return count, nil
}

// anatomy tells whether a program runs without a loader, and whether it has symbols.
func anatomy(path string) (static, symbols bool, err error) {
	file, err := elf.Open(path)
	if err != nil {
		return false, false, err
	}
	static = !slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	return static, file.Section(".symtab") != nil, file.Close()
}

// packedSize is how large a file is, as it is and as a registry keeps it.
func packedSize(path string) (plain, packed int64, err error) {
	raw, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return 0, 0, err
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err = w.Write(raw)
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, 0, err
	}
	return int64(len(raw)), int64(out.Len()), nil
}

// buildTwice builds two copies of the sources. It has its control in itself: without -trimpath the folders' names are in
// the program, so that builds in different folders can be seen to differ.
func buildTwice(ctx context.Context, b *Build) (count Count, err error) {
	folder, err := tryFolder()
	if err != nil {
		return count, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	names, err := sources(ctx, b.lab.source)
	if err != nil {
		return count, err
	}
	sums := make(map[string][]string)
	for _, place := range []string{"here", "elsewhere"} {
		at := filepath.Join(folder, place)
		for _, name := range names {
			if err = copyFile(filepath.Join(b.lab.source, name), filepath.Join(at, name)); err != nil {
				return count, err
			}
		}
		for _, flags := range []string{"-trimpath", "-ldflags=-s"} {
			sum, err := build(ctx, at, flags)
			if err != nil {
				return count, err
			}
			sums[flags] = append(sums[flags], sum)
		}
	}
	count.Tried = 1
	if sums["-trimpath"][0] != sums["-trimpath"][1] {
		count.Break("the two builds differ")
	}
	if sums["-ldflags=-s"][0] == sums["-ldflags=-s"][1] {
		count.Break("builds without -trimpath are the same too: the comparison sees nothing")
	}
	return count, nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil // deleted and not yet committed
	}
	if err != nil {
		return err
	}
	if err = os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600) //nolint:gosec // names of the sources
}

// build builds the program in a folder and returns its digest.
func build(ctx context.Context, folder, flags string) (string, error) {
	//nolint:gosec // the flags are this package's
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", flags, "-o", "hookrange.built", ".")
	cmd.Dir = folder
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build in %s: %w\n%s", folder, err, out)
	}
	built, err := os.ReadFile(filepath.Join(folder, "hookrange.built"))
	return fmt.Sprintf("%x", sha256.Sum256(built)), err
}

// listModules compares what is linked with what is listed.
func listModules(ctx context.Context, b *Build) (Count, error) {
	const most = 25
	var count Count
	reasons := make(map[string]string)
	if err := yaml.UnmarshalWithOptions(modulesFile, &reasons, yaml.Strict()); err != nil {
		return count, fmt.Errorf("modules.yaml: %w", err)
	}
	path, err := b.Program(ctx)
	if err != nil {
		return count, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return count, err
	}
	for _, dep := range info.Deps {
		count.Tried++
		if reasons[dep.Path] == "" {
			count.Break("%s is linked and not in modules.yaml", dep.Path)
		}
		delete(reasons, dep.Path)
	}
	for module := range reasons {
		count.Break("%s is in modules.yaml and not linked", module)
	}
	if count.Tried > most {
		count.Break("%d modules are linked, %d are the goal", count.Tried, most)
	}
	return count, nil
}

// Bill writes the modules of a built program as a bill of materials in CycloneDX's form.
func Bill(w io.Writer, program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	type component struct {
		Type    string `json:"type"`
		Ref     string `json:"bom-ref"`
		Name    string `json:"name"`
		Version string `json:"version"`
		URL     string `json:"purl"`
	}
	made := func(kind, path, version string) component {
		url := "pkg:golang/" + path + "@" + version
		return component{Type: kind, Ref: url, Name: path, Version: version, URL: url}
	}
	components := []component{made("library", "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		components = append(components, made("library", dep.Path, dep.Version))
	}
	slices.SortFunc(components, func(a, b component) int { return strings.Compare(a.Ref, b.Ref) })
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
		"metadata":   map[string]any{"component": made("application", info.Main.Path, info.Main.Version)},
		"components": components,
	})
}
