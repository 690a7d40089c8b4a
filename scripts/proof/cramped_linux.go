package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// backFromScarcity is how soon a webhook must be answered 2xx once there is enough again.
const backFromScarcity = 5 * time.Second

// cramped are the experiments in which the machine has too little for the program.
func cramped() []Experiment {
	return []Experiment{
		{
			Name: "few-descriptors",
			Promise: "With 256 file descriptors, and others holding as many connections as they get, who is connected is answered and shown what was captured, " +
				"who is not is answered within 5 s of the others' leaving, and nothing that was answered with a 2xx is lost",
			Unit:     "crowds",
			Goal:     20,
			Controls: []string{"ends-at-accept-errors"},
			Certain:  true,
			Try:      trying(fewDescriptors),
		},
		{
			Name: "little-memory",
			Promise: "In a control group of 192 MB the program lives through bodies of up to 2 MB from 16 senders at once, as many waiting answers as it takes, " +
				"and lists of them: what it cannot take is told to come again, and nothing that was answered with a 2xx is lost",
			Unit:     "seconds of load",
			Goal:     200,
			Controls: []string{"unbounded-memory"},
			Certain:  true,
			Needs:    needsMemoryGroups,
			Try:      trying(littleMemory),
		},
		{
			Name:     "frozen",
			Promise:  "Frozen for 30 s under load the program answers a 2xx again within 5 s of its thawing, and killed while it is frozen it has all that was answered with a 2xx",
			Unit:     "freezes",
			Goal:     50,
			Controls: []string{"answers-early"},
			Try:      crashing(freeze),
		},
	}
}

func fewDescriptors(ctx context.Context, p *program, count *Count) error {
	const connections, most = 400, "256"
	held := 4 * time.Second
	if p.short {
		held = time.Second
	}
	p.before = []string{"sh", "-c", "ulimit -n " + most + `; exec "$@"`, "sh"}
	if err := p.start(ctx); err != nil {
		return err
	}
	inside := p.client()
	inside.Transport = &http.Transport{DisableCompression: true}
	defer inside.CloseIdleConnections()
	if err := p.shown(ctx, inside); err != nil {
		return err
	}
	l := newLedger()
	senders := l.send(ctx, p.hook("default"), 4)
	p.eventually(ctx, patience, func() bool { return l.count() > 4 })
	count.Tried++
	c := new(crowd)
	for range connections {
		if err := c.join(ctx, p, "slow"); err != nil {
			count.Break("a connection was refused: %v", err)
			break
		}
	}
	before := l.count()
	count.Peak("descriptors at most", float64(p.descriptors()))
	wait(ctx, held, held+time.Millisecond)
	if now := l.count(); now == before {
		count.Break("none who was connected was answered meanwhile")
	}
	if err := p.shown(ctx, inside); err != nil {
		count.Break("who was connected is not shown what was captured: %v", err)
	}
	count.Peak("descriptors at most", float64(p.descriptors()))
	c.leave()
	p.comesBack(ctx, count)
	senders.end()
	return p.nothingLost(ctx, l, count)
}

// descriptors counts the program's open ones.
func (p *program) descriptors() int {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	return len(list)
}

// shown lists captures.
func (p *program) shown(ctx context.Context, client *http.Client) error {
	resp, err := p.ask(ctx, client, http.MethodGet, "/api/v1/endpoints/default/captures?limit=10", "")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the list was answered %s", resp.Status)
	}
	return err
}

// comesBack waits until a webhook on a new connection is answered with a 2xx.
func (p *program) comesBack(ctx context.Context, count *Count) {
	start := time.Now()
	p.eventually(ctx, 2*backFromScarcity, func() bool {
		client := p.client()
		client.Timeout = backFromScarcity
		defer client.CloseIdleConnections()
		status, err := p.deliver(ctx, client, p.hook("default"), []byte(`{"back":true}`))
		return err == nil && status == http.StatusOK
	})
	took := time.Since(start)
	count.Peak("s at most until a 2xx afterwards", took.Seconds())
	if took > backFromScarcity {
		count.Break("no 2xx within %v once there was enough again", took.Round(time.Millisecond))
	}
}

// nothingLost looks for what was answered with a 2xx, unless the promise is broken already.
func (p *program) nothingLost(ctx context.Context, l *ledger, count *Count) error {
	if count.Broken > 0 {
		return ctx.Err()
	}
	lost, err := l.missing(ctx, p)
	if err != nil {
		return err
	}
	count.Sum(wordsAnswered, int64(l.count()))
	count.Sum(wordsLost, int64(len(lost)))
	if len(lost) > 0 {
		count.Break("%d of %d answered captures are lost", len(lost), l.count())
	}
	return nil
}

const memoryGroups = "/sys/fs/cgroup/memory"

// needsMemoryGroups tells whether this process may bound another one's memory.
func needsMemoryGroups() error {
	group, err := newMemoryGroup(1 << 30)
	if err != nil {
		return fmt.Errorf("%w: it needs root and control groups of version 1 for memory: %w", ErrNotHere, err)
	}
	return os.Remove(group)
}

// newMemoryGroup makes a control group for so many bytes and returns its folder.
func newMemoryGroup(size int64) (string, error) {
	group, err := os.MkdirTemp(memoryGroups, "hookrange-proof-")
	if err != nil {
		return "", err
	}
	if err = os.WriteFile(filepath.Join(group, "memory.limit_in_bytes"), fmt.Append(nil, size), 0o600); err != nil {
		return "", errors.Join(err, os.Remove(group))
	}
	return group, nil
}

const memorySettings = `endpoints:
  - {name: default, secret: ` + secret + `, retention: {accepted: {count: -1, bytes: -1}}}
  - {name: large, secret: ` + secret + `, retention: {accepted: {count: 20}}}
  - {name: hang0, secret: ` + secret + `, respond: hang/for=10m}
  - {name: hang1, secret: ` + secret + `, respond: hang/for=10m}
  - {name: hang2, secret: ` + secret + `, respond: hang/for=10m}
`

func littleMemory(ctx context.Context, p *program, count *Count) (err error) {
	const size = 192 << 20
	group, err := newMemoryGroup(size)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, p.kill())
		p.eventually(context.WithoutCancel(ctx), patience, func() bool { return os.Remove(group) == nil })
	}()
	p.before = []string{"sh", "-c", "echo $$ > " + filepath.Join(group, "cgroup.procs") + ` && exec "$@"`, "sh"}
	if err = p.declare(memorySettings); err != nil {
		return err
	}
	if err = p.start(ctx); err != nil {
		return err
	}
	ends := p.exited
	l := newLedger()
	senders := l.send(ctx, p.hook("default"), 4)
	seconds := p.press(ctx, ends, count)
	senders.end()
	count.Tried += seconds
	select {
	case <-ends: //nolint:errcheck // it was killed
		p.exited = nil
		count.Break("the program was ended after %d s", seconds)
		return nil
	default:
	}
	if n := l.refused.Load(); n > 0 {
		count.Break("%d webhooks were answered neither 2xx nor 503 with Retry-After", n)
	}
	count.Sum("small ones told to come again", l.busy.Load())
	p.comesBack(ctx, count)
	return p.nothingLost(ctx, l, count)
}

// press sends, hangs and lists as much as it can for a while, or until the program ends, and returns for how long.
func (p *program) press(ctx context.Context, ends chan error, count *Count) (seconds int64) {
	const crowds = 340 // at each of three endpoints, more than may wait
	length := 10 * time.Second
	if p.short {
		length = 3 * time.Second
	}
	c := new(crowd)
	defer c.leave()
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	var taken, later atomic.Int64
	for range load {
		all.Go(func() {
			client := p.client()
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				body := repeated("large ", 500_000+rand.IntN(1_500_000)) //nolint:gosec // no secret
				switch status, err := p.deliver(ctx, client, p.hook("large"), body); {
				case err != nil:
					wait(ctx, 5*time.Millisecond, 50*time.Millisecond)
				case status == http.StatusOK:
					taken.Add(1)
				default:
					later.Add(1)
				}
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			if body, err := p.get(ctx, "/api/v1/endpoints/large/captures?limit=20"); err == nil {
				_, _ = io.Copy(io.Discard, body)
				_ = body.Close()
			} else if strings.Contains(err.Error(), "refused") {
				return
			}
		}
	})
	for i := range 3 {
		for range crowds {
			if c.join(ctx, p, fmt.Sprintf("hang%d", i)) != nil {
				break
			}
		}
	}
	start := time.Now()
	for time.Since(start) < length && len(ends) == 0 && ctx.Err() == nil {
		count.Peak("MB of memory at most", float64(p.resident())/megabyte)
		if body, err := p.get(ctx, "/readyz"); err == nil {
			_ = body.Close()
		} else if strings.Contains(err.Error(), "503") {
			count.Sum("times not ready", 1)
		}
		wait(ctx, 50*time.Millisecond, 51*time.Millisecond)
	}
	cancel()
	all.Wait()
	count.Sum("large bodies taken", taken.Load())
	count.Sum("large bodies told to come again", later.Load())
	count.Sum("answers too many to wait", c.refused.Load())
	return max(1, int64(time.Since(start).Seconds()+0.5))
}

// freeze stops the program under load for a while, and lets it go on or kills it.
func freeze(ctx context.Context, r *rig) error {
	p, frozen := r.program, 30*time.Second
	if p.short {
		frozen = time.Second
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	senders := r.ledger.send(ctx, p.hook("default"), load)
	defer senders.end()
	wait(ctx, 50*time.Millisecond, 600*time.Millisecond)
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	// What was on its way when it froze may still come.
	wait(ctx, 100*time.Millisecond, 101*time.Millisecond)
	before := r.ledger.count()
	if rand.IntN(2) == 0 || !p.build.Whole() { //nolint:gosec // no secret
		r.count.Sum("killed while frozen", 1)
		return p.kill()
	}
	wait(ctx, frozen, frozen+time.Millisecond)
	if n := r.ledger.count() - before; n > 0 {
		r.count.Break("%d webhooks were answered by a program that was frozen", n)
	}
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	p.comesBack(ctx, r.count)
	if n := r.ledger.refused.Load(); n > 0 {
		r.count.Break("%d webhooks were answered neither 2xx nor 503 with Retry-After", n)
	}
	return p.kill()
}
