package proof

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// bomb sends every bomb, and shows and exports what was kept. What one costs is also compared with a body as large that is
// meant to hurt nobody.
func bomb(ctx context.Context, p *program, count *Count) error {
	client := p.client()
	defer client.CloseIdleConnections()
	var usual time.Duration
	for range 3 { // the first one pays for memory that the next ones find there
		used, _, err := p.cost(ctx, client, harmless())
		if err != nil {
			return err
		}
		usual = used
	}
	for name, body := range bombs() {
		count.Tried++
		used, answered, err := p.cost(ctx, client, body)
		if err != nil {
			count.Break("%s: %v", name, err)
			return nil // it may have ended
		}
		count.Peak("s of processor for the dearest", used.Seconds())
		count.Peak("s of processor for a harmless body as large", usual.Seconds())
		count.Peak("s until the slowest was answered", answered.Seconds())
		if used > 2*time.Second {
			count.Break("%s cost %v of the processor", name, used)
		}
	}
	kept, err := p.bodies(ctx)
	if err != nil {
		count.Break("what was kept cannot be read: %v", err)
		return ctx.Err()
	}
	for name, body := range bombs() {
		if _, ok := kept[sha256.Sum256(body)]; !ok {
			count.Break("%s is not kept byte for byte", name)
		}
	}
	return nil
}

// cost sends a body, lists it, waits until nothing is done with it any more, and returns what it has used of the
// processors and when it was answered.
func (p *program) cost(ctx context.Context, client *http.Client, body []byte) (used, answered time.Duration, err error) {
	before := p.processor()
	start := time.Now()
	status, err := p.deliver(ctx, client, p.hook("default"), body)
	answered = time.Since(start)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	if err != nil {
		return 0, 0, err
	}
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

// largeBody is just within what a body may be.
const largeBody = 10<<20 - 1000

// harmless is a large body of an ordinary kind.
func harmless() []byte {
	var b bytes.Buffer
	b.WriteString(`{"runs":[`)
	for n := 0; b.Len() < largeBody-200; n++ {
		fmt.Fprintf(&b, `{"number":%d,"name":"an ordinary run","ok":true,"tags":["a","b"],"cost":0.25},`, n)
	}
	b.WriteString(`{}]}`)
	return b.Bytes()
}

// bombs are bodies that have stopped or slowed parsers elsewhere.
func bombs() map[string][]byte {
	const large = largeBody
	repeat := func(text string, size int) []byte { return []byte(strings.Repeat(text, size/len(text))) }
	return map[string][]byte{
		"10 MB of [":            repeat("[", large),
		"160 kB of [":           repeat("[", 160_000),
		"10 MB of {\"a\":":      repeat(`{"a":`, large),
		"nesting that closes":   append(repeat("[", large/2), repeat("]", large/2)...),
		"a rule around nesting": append([]byte(`{"rule_id":"x","runs":[{"inputs":`), repeat("[", large)...),
		"a million keys":        append(append([]byte("{"), repeat(`"k":1,`, large-10)...), `"z":1}`...),
		"one long text":         append(append([]byte(`{"a":"`), repeat("x", large-10)...), `"}`...),
		"escapes":               append(append([]byte(`{"a":"`), repeat(`\u0000`, large-10)...), `"}`...),
		"lone surrogates":       append(append([]byte(`{"a":"`), repeat(`\ud800`, large-10)...), `"}`...),
		"one long number":       repeat("9", large),
		"broken UTF-8":          repeat("\xff\xfe", large),
		"spaces":                repeat(" ", large),
		"NUL":                   repeat("\x00", large),
		"quotes":                repeat(`"`, large),
		"doubled keys":          []byte(`{"id":"1","id":"2","rule_id":"a","rule_id":"b","runs":[],"runs":[{}]}`),
		"garbage and an id":     []byte(`garbage{"id":"x"}`),
	}
}
