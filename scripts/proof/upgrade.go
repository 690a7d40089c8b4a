package proof

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// upgrades is the experiment on a file that the program's first version has made.
func upgrades() []Experiment {
	return []Experiment{{
		Name: "upgrade",
		Promise: "A program that is killed (SIGKILL at the n-th write, sync, truncation or renaming) while it brings a file of the first version to its own " +
			"is started again and has all of it, byte for byte, and so has each copy that it made before",
		Unit:     "kills",
		Goal:     300,
		Controls: []string{"migration-in-steps"},
		Tries:    100,
		Needs:    needsTool("strace"),
		Try:      tryingIn(memoryFolder, upgrade),
	}}
}

func upgrade(ctx context.Context, p *program, count *Count) error {
	const (
		calls = "fsync,fdatasync,pwrite64,write,ftruncate,unlinkat,renameat"
		most  = 160
	)
	if err := p.firstFile(filepath.Join("receiver", "store", "testdata", "version-1.db.gz")); err != nil {
		return err
	}
	p.before = []string{
		"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
		"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, 1+rand.IntN(most)), //nolint:gosec // no secret
	}
	count.Tried = 1
	if p.start(ctx) != nil {
		count.Sum("before it was ready", 1)
	}
	if err := errors.Join(p.kill(), ctx.Err()); err != nil {
		return err
	}
	copies, err := filepath.Glob(filepath.Join(p.data, "*.backup"))
	if err != nil {
		return err
	}
	if len(copies) > 0 {
		count.Sum("copies that were whole by then", int64(len(copies)))
	}
	p.before = nil
	if err = p.hasFirst(ctx, count, "the file"); err != nil {
		return err
	}
	if copies, err = filepath.Glob(filepath.Join(p.data, "*.backup")); err != nil {
		return err
	}
	for i, name := range copies {
		own, err := p.another(strconv.Itoa(i))
		if err != nil {
			return err
		}
		if err = os.Rename(name, own.database()); err != nil {
			return err
		}
		if err = own.hasFirst(ctx, count, "a copy"); err != nil {
			return err
		}
	}
	return nil
}

// firstFile unpacks a file of the sources as the program's.
func (p *program) firstFile(packed string) (err error) {
	in, err := os.Open(filepath.Join(p.build.lab.source, packed))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	text, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	if err = os.MkdirAll(p.data, 0o700); err != nil {
		return err
	}
	return os.WriteFile(p.database(), raw, 0o600)
}

// hasFirst starts a program and looks for what that file has: 39 different bodies, and the one of two attempts.
func (p *program) hasFirst(ctx context.Context, count *Count, what string) error {
	if err := p.start(ctx); err != nil {
		if ctx.Err() == nil {
			count.Break("%s cannot be served: %v", what, err)
		}
		return ctx.Err()
	}
	kept, err := p.export(ctx)
	if err == nil {
		var bodies map[digest]struct{}
		bodies, err = p.bodies(ctx)
		const captures, different = 43, 41 // two of them were refused, two have the same body
		if err == nil && (len(kept) != captures || len(bodies) != different+1) {
			count.Break("%s has %d captures and %d bodies, not %d and %d", what, len(kept), len(bodies), captures, different+1)
		}
	}
	return errors.Join(err, p.kill())
}
