package proof

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// bomb sends bodies that others have made to hurt parsers, and as many that nobody has, and shows and exports what was
// kept.
func bomb(ctx context.Context, p *program, count *Count) error {
	n := 32
	if p.short {
		n = 4
	}
	usual := harmless()
	all := known()
	for range n {
		all = append(all, generated(rand.Uint64())) //nolint:gosec // no secret
	}
	client := p.client()
	defer client.CloseIdleConnections()
	for range 3 { // the first one pays for memory that the next ones find there
		if _, _, err := p.cost(ctx, client, usual); err != nil {
			return err
		}
	}
	for i := range all {
		count.Tried++
		if err := p.judge(ctx, client, [2]*explosive{&all[i], &usual}, count); err != nil {
			count.Break("%s: %v", all[i].name, err)
			return ctx.Err() // it may have ended
		}
	}
	kept, err := p.bodies(ctx)
	if err != nil {
		count.Break("what was kept cannot be read: %v", err)
		return ctx.Err()
	}
	for i := range all {
		if _, ok := kept[sha256.Sum256(all[i].body)]; !ok {
			count.Break("%s is not kept byte for byte", all[i].name)
		}
	}
	return nil
}

// judge looks at what the first of two bodies costs. Where it costs too much it is tried again, by turns with the other
// one, which is as large and meant to hurt nobody: a machine that does something else makes either dear at times.
func (p *program) judge(ctx context.Context, client *http.Client, both [2]*explosive, count *Count) error {
	e := both[0]
	const ever, turns = 2 * time.Second, 4
	used, answered, err := p.cost(ctx, client, *e)
	if err != nil {
		return err
	}
	count.Peak("s until the slowest was answered", answered.Seconds())
	usual := time.Duration(0)
	for range turns {
		if used <= e.may(usual) || p.short && used < ever/2 {
			break
		}
		now, _, err := p.cost(ctx, client, *both[1])
		if err != nil {
			return err
		}
		again, _, err := p.cost(ctx, client, *e)
		if err != nil {
			return err
		}
		usual, used = max(usual, now), min(used, again)
	}
	if e.weight() == 1 {
		count.Peak("s of processor for the dearest", used.Seconds())
	} else {
		count.Peak("s of processor for the dearest that unpacks to up to 64 MB", used.Seconds())
	}
	if usual > 0 {
		count.Peak("s for a harmless body beside a dear one", usual.Seconds())
	}
	if used > e.may(usual) && !p.short || used > ever {
		count.Break("%s cost %v of the processor, a harmless body as large %v", e.name, used, usual)
	}
	return nil
}

// explode sends one.
func (p *program) explode(ctx context.Context, client *http.Client, e *explosive) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.hook("default"), bytes.NewReader(e.body))
	if err != nil {
		return err
	}
	if e.media != "" {
		req.Header.Set("Content-Type", e.media)
	}
	if e.encoding != "" {
		req.Header.Set("Content-Encoding", e.encoding)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %d", resp.StatusCode)
	}
	return err
}

// cost sends a body, lists it, waits until nothing is done with it any more, and returns what it has used of the
// processors and when it was answered.
func (p *program) cost(ctx context.Context, client *http.Client, e explosive) (used, answered time.Duration, err error) {
	before := p.processor()
	start := time.Now()
	if err = p.explode(ctx, client, &e); err != nil {
		return 0, 0, err
	}
	answered = time.Since(start)
	list, err := p.get(ctx, "/api/v1/endpoints/default/captures?limit=1")
	if err != nil {
		return 0, 0, fmt.Errorf("cannot be shown: %w", err)
	}
	_, err = io.Copy(io.Discard, list)
	if err = errors.Join(err, list.Close()); err != nil {
		return 0, 0, fmt.Errorf("cannot be shown: %w", err)
	}
	if !p.short {
		p.settle(ctx)
	}
	return p.processor() - before, answered, nil
}

// processor is how long the program has used processors; 0 where that cannot be told.
func (p *program) processor() time.Duration {
	const ticks = 100
	_, rest, _ := strings.Cut(readAll(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11], &user); err != nil {
		return 0
	}
	if _, err := fmt.Sscan(fields[12], &system); err != nil {
		return 0
	}
	return time.Duration(user+system) * time.Second / ticks
}
