package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/store"
)

// memoryLimit is from where on garbage is collected as often as it takes to stay below.
const memoryLimit = 224 << 20

// room is how much memory the control group of this process may use, in bytes; 0 is no limit that is known.
type room int64

// givenRoom reads it, from a control group of either version.
func givenRoom() room {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	return roomIn("/sys/fs/cgroup", string(raw))
}

// roomIn is givenRoom for control groups under a folder, with the text of /proc/self/cgroup.
func roomIn(under, groups string) room {
	const most = 1 << 46 // what stands for no limit is larger
	least := room(0)
	for line := range strings.Lines(groups) {
		id, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(rest, ":")
		kind, name := "", "memory.max"
		if id != "0" {
			kind, name = "memory", "memory.limit_in_bytes"
		}
		if controllers != kind {
			continue
		}
		// A group is bounded by those around it; in a container only its own is to be seen, at the top.
		for at := path; ; at = filepath.Dir(at) {
			raw, err := os.ReadFile(filepath.Join(under, kind, at, name))
			n, bad := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
			if err == nil && bad == nil && n > 0 && n < most && (least == 0 || room(n) < least) {
				least = room(n)
			}
			if at == "/" || at == "." {
				break
			}
		}
	}
	return least
}

// share is a part of the room where that is less than usual; 0 is as usual.
func (r room) share(part, usual int64) int64 {
	if n := int64(r) / part; r > 0 && n < usual {
		return n
	}
	return 0
}

// waiting is how many answers may wait at once, each for 25 kB.
func (r room) waiting() int64 { return r.share(6*25_000, 10_000) }

// listed is how many bytes of bodies one list may have.
func (r room) listed() int64 { return r.share(16, 64<<20) }

// inFlight is how many bytes of bodies may be on their way to the disk, where they take about three times as much. There
// is always room for one.
func (r room) inFlight(body int64) int64 {
	n := r.share(12, 256<<20)
	if n == 0 {
		return 0
	}
	return max(n, body)
}

// limit leaves as much room for garbage as there is held, and more where little is. What SQLite and the system hold for
// this process is no part of it.
func (r room) limit(held uint64) int64 {
	least, most := int64(memoryLimit), 2*int64(held) //nolint:gosec // no machine has so much
	if r > 0 {
		const eighth, three, five = 8, 3, 5
		least, most = min(least, int64(r)/eighth*three), min(most, int64(r)/eighth*five)
	}
	return max(least, most)
}

// follow lets the limit go up while more is held than garbage can be collected from, until ctx ends. With ten thousand
// answers waiting, staying below it took most of the processor's time and gained nothing. A limit that somebody else has
// set stays.
func (r room) follow(ctx context.Context) error {
	const every = time.Second
	if debug.SetMemoryLimit(-1) != memoryLimit {
		<-ctx.Done()
		return nil
	}
	debug.SetMemoryLimit(r.limit(0))
	defer debug.SetMemoryLimit(memoryLimit)
	held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			metrics.Read(held)
			debug.SetMemoryLimit(r.limit(held[0].Value.Uint64() + held[1].Value.Uint64()))
		case <-ctx.Done():
			return nil
		}
	}
}

// errLittleMemory says that the system may soon end this process.
var errLittleMemory = errors.New("memory is almost used up")

// Ready returns nil, or that hardly any memory is left.
func (r room) Ready() error {
	const part, of = 9, 10
	if r == 0 {
		return nil
	}
	if used := resident(); used > int64(r)/of*part {
		return fmt.Errorf("%w: %d of %d MB: give the program more, or bodies less with --max-body", errLittleMemory, used>>20, r>>20)
	}
	return nil
}

// resident is how much memory this process has that is no file's, in bytes; 0 where that cannot be told.
func resident() int64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, all, shared int64
	if _, err = fmt.Sscan(string(raw), &size, &all, &shared); err != nil {
		return 0
	}
	return (all - shared) * int64(os.Getpagesize())
}

// roomyStore is a store that is not ready either while memory is short.
type roomyStore struct {
	*store.Store
	room room
}

// Ready returns nil, or why captures cannot be accepted now, or may soon not be.
func (s roomyStore) Ready() error { return errors.Join(s.Store.Ready(), s.room.Ready()) }
