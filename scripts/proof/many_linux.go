package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// many is the experiment on starting with a large file.
func many() []Experiment {
	return []Experiment{{
		Name:     "many-captures",
		Promise:  "With 1 000 000 captures the program is ready within 5 s of its start after a power cut under load, and has all that was answered",
		Unit:     "power cuts",
		Goal:     20,
		Controls: []string{"checks-first"},
		Certain:  true,
		Needs:    needsDisks,
		Try:      trying(startWithMany),
	}}
}

// startWithMany fills a disk, takes the power away under load some times, and times each start.
func startWithMany(ctx context.Context, p *program, count *Count) (err error) {
	const spare = 1 << 30
	cuts, from, size := 5, "", int64(0)
	if p.short {
		cuts = 1
	} else if from, size, err = p.build.million(ctx); err != nil {
		return err
	}
	d, err := newDisk(ctx, p.folder, size+spare)
	if err != nil {
		return err
	}
	// A disk is removed when nothing runs on it.
	defer func() { err = errors.Join(err, p.kill(), d.remove()) }()
	p.data = filepath.Join(d.mount, "data")
	if from != "" {
		// What is only copied in memory would be gone with the power.
		if err = errors.Join(command(ctx, "cp", "-r", from, p.data), command(ctx, "sync", "-f", d.mount)); err != nil {
			return err
		}
	}
	r := &rig{program: p, ledger: newLedger(), count: count}
	if err = p.start(ctx); err != nil {
		return r.late(err)
	}
	for range cuts {
		r.ledger = newLedger()
		senders := r.ledger.send(ctx, p.hook("default"), load)
		wait(ctx, 500*time.Millisecond, 1500*time.Millisecond)
		if err = r.cut(ctx, d, senders); err != nil {
			return err
		}
		if err = r.again(ctx); err != nil || count.Broken > 0 {
			return err
		}
	}
	return nil
}

// late makes a start that took longer than anybody waits a broken promise of the experiment, and not trouble.
func (r *rig) late(err error) error {
	if err != nil && r.program.exited == nil && r.program.slow {
		r.count.Tried++
		r.count.Break("it was not ready within %v", patience)
		return nil
	}
	return err
}

// again starts the program, times that, and looks for what was answered. A start counts unless it was somewhat
// late on a machine that was too busy to be in time with anything.
func (r *rig) again(ctx context.Context) error {
	const inTime, busy = 5 * time.Second, 20 * time.Millisecond
	start, lag := time.Now(), lagging(ctx)
	err := r.program.start(ctx)
	took, late := time.Since(start), lag()
	if err != nil {
		return r.late(err)
	}
	if took > inTime && took < 3*inTime && late > busy {
		r.count.Sum("starts not judged: the machine was busy with something else", 1)
		return r.lost(ctx)
	}
	r.count.Tried++
	r.count.Peak("s until it was ready at most", took.Seconds())
	if took > inTime && !r.program.short {
		r.count.Break("it was ready after %v", took.Round(time.Millisecond))
	}
	return r.lost(ctx)
}

// lagging begins to measure how late a goroutine is woken that sleeps again and again; what it returns ends that and says
// what one in ten exceeded.
func lagging(ctx context.Context) func() time.Duration {
	const nap = 5 * time.Millisecond
	ctx, end := context.WithCancel(ctx)
	found := make(chan []time.Duration, 1)
	go func() {
		var late []time.Duration
		for ctx.Err() == nil {
			due := time.Now().Add(nap)
			time.Sleep(nap)
			late = append(late, time.Since(due))
		}
		found <- late
	}()
	return func() time.Duration {
		end()
		late := <-found
		if len(late) == 0 {
			return 0
		}
		slices.Sort(late)
		return late[len(late)*9/10]
	}
}

// million returns a data folder with so many captures, of the kind that the inspector is measured with, and its size. It
// is made once for each version of the file, in some minutes, and copied for each try: a file of an earlier version would
// be brought to this one at its first start, which is not what is timed.
func (b *Build) million(ctx context.Context) (folder string, size int64, err error) {
	const captures = "1000000"
	versions, err := filepath.Glob(filepath.Join(b.lab.source, "receiver", "store", "schema", "*.sql"))
	if err != nil {
		return "", 0, err
	}
	kept := filepath.Join(b.lab.cache, "captures", fmt.Sprint("version-", len(versions)))
	folder = filepath.Join(kept, captures)
	file := filepath.Join(folder, "hookrange.db")
	// The benchmark leaves a file of this name when it has made all of them.
	if _, err = os.Stat(filepath.Join(folder, "whole")); err == nil {
		return sized(folder, file)
	}
	tests, err := b.lab.Whole().Tests(ctx, "./inspector")
	if err != nil {
		return "", 0, err
	}
	//nolint:gosec // the tests that were built
	cmd := exec.CommandContext(ctx, tests, "-test.run=^$", "-test.bench=^BenchmarkFind$/^captures="+captures+"$/^(record|open)$", "-test.benchtime=1x", "-test.timeout=2h")
	cmd.Dir = filepath.Join(b.lab.source, "inspector")
	// A fifth of the time would go into collecting garbage.
	cmd.Env = append(cmd.Environ(), "HOOKRANGE_BENCH_DATA="+kept, "GOGC=800")
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	ownGroup(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", 0, fmt.Errorf("make a file of %s captures: %w: %s", captures, err, lastLine(out))
	}
	return sized(folder, file)
}

func sized(folder, file string) (string, int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", 0, err
	}
	return folder, info.Size(), nil
}
