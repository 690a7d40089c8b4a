package proof

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// bitFlips is the experiment that damages the file of a stopped program.
func bitFlips() []Experiment {
	return []Experiment{{
		Name: "bit-flip",
		Promise: "A flipped bit, a block of zeros or noise, or a cut anywhere in the stored file is harmless, or found and said: " +
			"no changed capture is ever served, and none is gone in silence",
		Unit:     "damages",
		Goal:     10_000,
		Controls: []string{"no-checksums"},
		Tries:    500,
		Try:      tryingIn(memoryFolder, damageFile),
	}}
}

// damageFile fills a file and damages copies of it, several at once: each is served by a program of its own.
func damageFile(ctx context.Context, p *program, count *Count) error {
	damages, beside := 200, runtime.NumCPU()
	if p.short {
		damages = 20
	}
	whole, file, err := fill(ctx, p)
	if err != nil {
		return err
	}
	var turn atomic.Int64
	counts, failed := make([]Count, beside), make([]error, beside)
	var all sync.WaitGroup
	for i := range beside {
		all.Go(func() {
			own, err := p.another(strconv.Itoa(i))
			for err == nil && ctx.Err() == nil && turn.Add(1) <= int64(damages) {
				counts[i].Tried++
				err = damaged(ctx, own, whole, file, &counts[i])
			}
			failed[i] = errors.Join(err, own.kill())
		})
	}
	all.Wait()
	for i := range counts {
		count.Add(counts[i])
	}
	return errors.Join(append(failed, ctx.Err())...)
}

// another returns a program like p, not started, with data of its own that goes when p's folder does.
func (p *program) another(name string) (*program, error) {
	own := programIn(filepath.Join(p.folder, name), p.binary, p.build)
	if err := os.MkdirAll(own.data, 0o700); err != nil {
		return own, err
	}
	return own, own.declare(settings)
}

func (p *program) database() string { return filepath.Join(p.data, "hookrange.db") }

// fill lets the program record captures and end well, and returns them as they are exported, and the file.
func fill(ctx context.Context, p *program) (whole map[int64][]byte, file []byte, err error) {
	captures := 20 + rand.IntN(150) //nolint:gosec // no secret
	if err = p.start(ctx); err != nil {
		return nil, nil, err
	}
	l := newLedger()
	senders := l.send(ctx, p.hook("default"), load)
	for l.count() < captures && ctx.Err() == nil {
		wait(ctx, time.Millisecond, 2*time.Millisecond)
	}
	senders.end()
	// The last outcomes are written a moment after their answers; a restart shows what is on disk.
	if _, err = p.stop(); err == nil {
		err = p.start(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	if whole, err = p.export(ctx); err != nil {
		return nil, nil, err
	}
	if _, err = p.stop(); err != nil {
		return nil, nil, err
	}
	file, err = os.ReadFile(p.database())
	return whole, file, err
}

// export returns the captures as lines of JSON, by their seq. What comes before an error is returned with it.
func (p *program) export(ctx context.Context) (map[int64][]byte, error) {
	body, err := p.get(ctx, "/api/v1/endpoints/default/export?format=jsonl&reveal=true")
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it was read to its end
	lines := bufio.NewReaderSize(body, 1<<20)
	found := make(map[int64][]byte)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return found, nil
		}
		var one struct {
			Seq int64 `json:"seq"`
		}
		if err == nil {
			err = json.Unmarshal(line, &one)
		}
		if err != nil {
			return found, fmt.Errorf("read the export: %w", err)
		}
		found[one.Seq] = bytes.TrimSpace(line)
	}
}

// damaged damages a copy of the file, starts the program with it, and judges what it serves.
func damaged(ctx context.Context, p *program, whole map[int64][]byte, file []byte, count *Count) error {
	bad, how := spoil(bytes.Clone(file))
	for _, companion := range []string{"-wal", "-shm"} {
		if err := os.Remove(p.database() + companion); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.WriteFile(p.database(), bad, 0o600); err != nil {
		return err
	}
	p.log = new(output)
	if err := p.start(ctx); err != nil {
		if strings.Contains(p.log.String(), "hookrange: error:") && ctx.Err() == nil {
			count.Sum("refused at the start", 1)
			return nil
		}
		return fmt.Errorf("%s: %w", how, err)
	}
	served, err := p.export(ctx)
	// What it logged is here when it has ended.
	if killErr := p.kill(); killErr != nil {
		return killErr
	}
	said := err != nil || strings.Contains(p.log.String(), `"level":"ERROR"`)
	changed, missing, what := 0, len(whole), ""
	for seq, line := range served {
		if _, known := whole[seq]; known {
			missing--
		}
		if !same(whole[seq], line, said) {
			changed++
			what = difference(whole[seq], line)
		}
	}
	switch {
	case changed > 0:
		count.Break("%s: %d captures were served with other content: %s", how, changed, what)
	case missing > 0 && !said:
		count.Break("%s: %d captures are gone in silence", how, missing)
	case err != nil:
		count.Sum("said while listing, which broke off", 1)
	case missing > 0:
		count.Sum("kept back, with the rest served", 1)
	case said:
		count.Sum("said, with all captures served", 1)
	default:
		count.Sum("harmless", 1)
	}
	return nil
}

// same tells whether a capture is served as it was. An outcome may be left out, or said to be lost, when damage was said.
func same(was, is []byte, said bool) bool {
	if bytes.Equal(was, is) {
		return true
	}
	var before, after map[string]any
	if json.Unmarshal(was, &before) != nil || json.Unmarshal(is, &after) != nil {
		return false
	}
	outcome, _ := after["outcome"].(map[string]any)
	note, _ := outcome["note"].(string)
	if said && (outcome == nil || strings.HasPrefix(note, "the file was damaged")) {
		before["outcome"] = after["outcome"]
	}
	return reflect.DeepEqual(before, after)
}

// difference names a member that differs, and both its values.
func difference(was, is []byte) string {
	var before, after map[string]any
	if json.Unmarshal(was, &before) != nil || json.Unmarshal(is, &after) != nil {
		return "it was not served before"
	}
	for name := range after {
		if !reflect.DeepEqual(before[name], after[name]) {
			return fmt.Sprintf("%s is %.100v, was %.100v", name, after[name], before[name])
		}
	}
	return "a member is gone"
}

// spoil damages a file somewhere and says how.
//
//nolint:gosec // no secrets
func spoil(file []byte) (bad []byte, how string) {
	const block = 4096
	at := rand.IntN(len(file))
	switch n := rand.IntN(100); {
	case n < 80:
		file[at] ^= 1 << rand.IntN(8)
		return file, fmt.Sprintf("a bit of byte %d flipped", at)
	case n < 88:
		at -= at % block
		clear(file[at:min(at+block, len(file))])
		return file, fmt.Sprintf("a block at %d zeroed", at)
	case n < 95:
		for i := at; i < min(at+512, len(file)); i++ {
			file[i] = byte(rand.Uint32())
		}
		return file, fmt.Sprintf("noise of 512 bytes at %d", at)
	default:
		return file[:at], fmt.Sprintf("cut at %d", at)
	}
}
