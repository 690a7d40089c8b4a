package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// diskFaults is the experiment that makes the disk fail under a running program, and lets it work again.
func diskFaults() []Experiment {
	return []Experiment{{
		Name: "disk-fault",
		Promise: "While the disk fails (EIO at sync or write, ENOSPC, EROFS, slow sync, a full disk, no file descriptors left) nothing is answered 2xx that a power cut " +
			"afterwards loses, every other answer is a 503 with Retry-After, and 5 s after the fault a 2xx is answered again, without a restart",
		Unit:     "failing or late calls",
		Goal:     10_000,
		Controls: []string{"takes-errors-for-success"},
		Tries:    40,
		Needs:    func() error { return errors.Join(needsTool("strace")(), needsDisks()) },
		Try:      onDisk(failDisk),
	}, {
		Name: "full-disk",
		Promise: "A disk that is filled under load, freed and filled again: captures are listed all the while, 5 s after room is there again a 2xx is answered, " +
			"without a restart, and what was answered with a 2xx is there after a power cut",
		Unit:     "fillings",
		Goal:     100,
		Controls: []string{"takes-errors-for-success"},
		Certain:  true,
		Needs:    needsDisks,
		Try:      onDisk(refill),
	}}
}

// diskFault makes a running program's disk fail, until over is called.
type diskFault func(ctx context.Context, r *rig, d *disk) (over func() error, err error)

// faultsByName are the ways in which a disk fails.
func faultsByName() map[string]diskFault {
	const syncs, writes = "fsync,fdatasync", "pwrite64"
	return map[string]diskFault{
		"EIO at sync":     injected(syncs, "error=EIO"),
		"EIO at write":    injected(writes, "error=EIO"),
		"ENOSPC at write": injected(writes, "error=ENOSPC"),
		"EROFS at write":  injected(writes, "error=EROFS"),
		"slow syncs":      injected(syncs, "delay_enter=200000"),
		"full disk":       filled,
		"EMFILE":          noDescriptors,
	}
}

// backInTime is how long after a fault the first 2xx may come.
const backInTime = 5 * time.Second

// failDisk makes the disk of one program fail again and again, with time to heal in between, and takes its power then.
func failDisk(ctx context.Context, r *rig, d *disk) error {
	times := 6
	if r.program.short {
		times = 3
	}
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	defer senders.end()
	names := make([]string, 0, len(faultsByName()))
	for name := range faultsByName() {
		names = append(names, name)
	}
	for range times {
		name := names[rand.IntN(len(names))] //nolint:gosec // no secret
		r.count.Sum("times "+name, 1)
		if err := r.fault(ctx, d, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return r.end(ctx, d, senders)
}

// refill fills the disk of one program and frees it, again and again.
func refill(ctx context.Context, r *rig, d *disk) error {
	times := 10
	if r.program.short {
		times = 2
	}
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	defer senders.end()
	for range times {
		wait(ctx, 20*time.Millisecond, 150*time.Millisecond)
		over, err := filled(ctx, r, d)
		if err != nil {
			return err
		}
		told := r.ledger.busy.Load()
		r.program.eventually(ctx, 3*time.Second, func() bool { return r.ledger.busy.Load() > told })
		if _, err = r.program.text(ctx, "/api/v1/endpoints/default/captures?limit=50"); err != nil {
			r.count.Break("on a full disk no captures are listed: %v", err)
		}
		if err = over(); err != nil {
			return err
		}
		r.healed(ctx, "full disk")
	}
	return r.end(ctx, d, senders)
}

// end takes the power of a program whose disk has failed, and looks for what it had answered.
func (r *rig) end(ctx context.Context, d *disk, senders *senders) error {
	err := r.cut(ctx, d, senders)
	r.story += "; cut at " + r.ended.Format("05.000000")
	if n := r.ledger.refused.Load(); n > 0 {
		r.count.Break("%d answers were neither 2xx nor 503 with Retry-After", n)
	}
	r.count.Sum("answers of 503 with Retry-After", r.ledger.busy.Load())
	// What was deleted a moment before the power went is back.
	if gone := os.Remove(d.ballast()); !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err != nil {
		return err
	}
	return r.account(ctx)
}

// fault makes the disk fail for a while under load and waits until a capture is answered with a 2xx again.
func (r *rig) fault(ctx context.Context, d *disk, name string) error {
	wait(ctx, 20*time.Millisecond, 150*time.Millisecond)
	over, err := faultsByName()[name](ctx, r, d)
	if err != nil {
		return err
	}
	wait(ctx, 100*time.Millisecond, 700*time.Millisecond)
	if err = over(); err != nil {
		return err
	}
	r.healed(ctx, name)
	return nil
}

// healed waits for the first 2xx after a fault.
func (r *rig) healed(ctx context.Context, name string) {
	cleared, answered := time.Now(), r.ledger.count()
	for r.ledger.count() == answered && time.Since(cleared) < 2*backInTime && ctx.Err() == nil {
		wait(ctx, time.Millisecond, 2*time.Millisecond)
	}
	took := time.Since(cleared)
	r.story += fmt.Sprintf("; %s, over at %s", name, cleared.Format("05.000000"))
	r.count.Peak("s at most until the first 2xx after a fault", took.Seconds())
	if took > backInTime {
		r.count.Break("no 2xx for %v after %s", took.Round(time.Millisecond), name)
	}
}

// when says which calls of a thread fail: all, the n-th, or from that on some, with others between them that do not.
//
//nolint:gosec // no secrets
func when() string {
	switch n := 1 + rand.IntN(20); rand.IntN(4) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(":when=%d", n)
	default:
		return fmt.Sprintf(":when=%d+%d", n, 1+rand.IntN(10))
	}
}

// injected lets strace make calls of the running program fail, or late.
func injected(calls, how string) diskFault {
	return func(ctx context.Context, r *rig, d *disk) (func() error, error) {
		trace := filepath.Join(filepath.Dir(d.mount), "trace")
		//nolint:gosec // the arguments are this package's
		cmd := exec.CommandContext(context.WithoutCancel(ctx), "strace", "-f", "-o", trace, "-e", "trace="+calls,
			"-e", "inject="+calls+":"+how+when(), "-p", fmt.Sprint(r.program.cmd.Process.Pid))
		said := new(output)
		cmd.Stderr = said
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		end := func() error {
			if err := cmd.Process.Signal(unix.SIGINT); err != nil {
				return err
			}
			_ = cmd.Wait() // it ends by the signal
			raw, err := os.ReadFile(trace)
			r.count.Tried += int64(strings.Count(string(raw), "INJECTED") + strings.Count(string(raw), "DELAYED"))
			return err
		}
		deadline := time.Now().Add(5 * time.Second)
		for !strings.Contains(said.String(), "attached") {
			if time.Now().After(deadline) || ctx.Err() != nil {
				return nil, errors.Join(fmt.Errorf("strace did not attach: %s", said.tail()), end())
			}
			wait(ctx, time.Millisecond, 2*time.Millisecond)
		}
		return end, nil
	}
}

func (d *disk) ballast() string { return filepath.Join(d.mount, "ballast") }

// filled takes all space of the disk.
func filled(_ context.Context, r *rig, d *disk) (func() error, error) {
	file, err := os.Create(d.ballast())
	if err != nil {
		return nil, err
	}
	var stat unix.Statfs_t
	if err = unix.Statfs(d.mount, &stat); err == nil {
		err = unix.Fallocate(int(file.Fd()), 0, 0, int64(stat.Bavail)*stat.Bsize) //nolint:gosec // a small disk
	}
	if err != nil && !errors.Is(err, unix.ENOSPC) {
		return nil, errors.Join(err, file.Close())
	}
	r.count.Tried++ // what it refuses is not counted
	zeros := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(zeros)
	}
	return func() error { return os.Remove(d.ballast()) }, file.Close()
}

// noDescriptors takes the program's right to open files.
func noDescriptors(_ context.Context, r *rig, _ *disk) (func() error, error) {
	var old unix.Rlimit
	r.count.Tried++ // what it refuses is not counted
	pid := r.program.cmd.Process.Pid
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old); err != nil {
		return nil, err
	}
	return func() error { return unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil) },
		unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}, nil)
}
