package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"
)

// load is how many senders send at once in the experiments of durability.
const load = 16

const (
	wordsAnswered = "captures answered with a 2xx"
	wordsLost     = "of them lost"
)

// killings are the experiments that end the program under load, in ever other ways.
func killings() []Experiment {
	return []Experiment{
		{
			Name:     "kill",
			Promise:  "What was answered with a 2xx is there, byte for byte, after `kill -9` at any moment under load",
			Unit:     "kills",
			Goal:     500,
			Controls: []string{"answers-early"},
			Try:      crashing(killAtRandom),
		},
		{
			Name:     "kill-syscall",
			Promise:  "The same after SIGKILL at the n-th write, sync or truncation, n at random, also while it starts",
			Unit:     "kills",
			Goal:     1000,
			Controls: []string{"answers-early"},
			Needs:    needsTool("strace"),
			Try:      crashing(killAtSyscall),
		},
		{
			Name:     "sigterm",
			Promise:  "SIGTERM under load, with answers hanging: what was answered is there, and it ends well within 10 s",
			Unit:     "SIGTERMs",
			Goal:     200,
			Controls: []string{"answers-long-before"},
			Try:      crashing(terminate),
		},
	}
}

func needsTool(name string) func() error {
	return func() error {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: %s is not installed", ErrNotHere, name)
		}
		return nil
	}
}

// rig is one try's program and its senders' ledger.
type rig struct {
	program *program
	ledger  *ledger
	count   *Count
	// ended is when the program was, and story what happened before, for the report of a loss.
	ended time.Time
	story string
}

// crashing is a try: a fresh program, ended by end, is started again and asked for all it had answered.
func crashing(end func(context.Context, *rig) error) func(context.Context, *Build) (Count, error) {
	return trying(func(ctx context.Context, p *program, count *Count) error {
		r := &rig{program: p, ledger: newLedger(), count: count}
		count.Tried = 1
		if err := end(ctx, r); err != nil {
			return err
		}
		r.ended = time.Now()
		return r.account(ctx)
	})
}

// account starts the program again and looks for everything that was answered.
func (r *rig) account(ctx context.Context) error {
	r.program.before = nil
	start := time.Now()
	if err := r.program.start(ctx); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	r.count.Peak("s to start again at most", time.Since(start).Seconds())
	if err := r.lost(ctx); err != nil {
		return err
	}
	return r.program.kill()
}

// lost looks for everything that was answered before the program ended.
func (r *rig) lost(ctx context.Context) error {
	lost, err := r.ledger.missing(ctx, r.program)
	if err != nil {
		return err
	}
	r.count.Sum(wordsAnswered, int64(r.ledger.count()))
	r.count.Sum(wordsLost, int64(len(lost)))
	if len(lost) > 0 {
		r.count.Break("%d of %d answered captures are lost, answered %v to %v before the end%s", len(lost), r.ledger.count(),
			r.ended.Sub(lost[0]).Round(time.Microsecond), r.ended.Sub(lost[len(lost)-1]).Round(time.Microsecond), r.story)
	}
	return nil
}

// wait waits for a while at random, or until ctx ends.
func wait(ctx context.Context, least, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(least + rand.N(most-least)): //nolint:gosec // no secret
	}
}

func killAtRandom(ctx context.Context, r *rig) error {
	if err := r.program.start(ctx); err != nil {
		return err
	}
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	defer senders.end()
	wait(ctx, 50*time.Millisecond, 600*time.Millisecond)
	return r.program.kill()
}

// killAtSyscall lets strace kill the program when one of its threads makes its n-th call of those that change a file.
func killAtSyscall(ctx context.Context, r *rig) error {
	const (
		calls   = "fsync,fdatasync,pwrite64,write,ftruncate,unlinkat,renameat"
		most    = 150
		waiting = 4 * time.Second
	)
	r.program.before = []string{
		"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls,
		"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, 1+rand.IntN(most)), //nolint:gosec // no secret
	}
	if err := r.program.start(ctx); err != nil {
		if r.program.exited == nil && ctx.Err() == nil {
			r.count.Sum("killed while it started", 1)
			return nil
		}
		return err
	}
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	defer senders.end()
	select {
	case <-r.program.exited: //nolint:errcheck // it was killed
		r.program.exited = nil
	case <-ctx.Done():
	case <-time.After(waiting):
		r.count.Sum("killed by time", 1)
	}
	return r.program.kill()
}

func terminate(ctx context.Context, r *rig) error {
	const (
		hanging = 50
		inTime  = 10 * time.Second
	)
	if err := r.program.start(ctx); err != nil {
		return err
	}
	slow := newLedger().send(ctx, r.program.hook("slow"), hanging)
	defer slow.end()
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	defer senders.end()
	wait(ctx, 50*time.Millisecond, 600*time.Millisecond)
	took, err := r.program.stop()
	r.count.Peak("s to end at most", took.Seconds())
	if err != nil {
		r.count.Break("it did not end well: %v", err)
	} else if took > inTime {
		r.count.Break("it took %v to end", took)
	}
	return nil
}
