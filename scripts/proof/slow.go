package proof

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// slow is the experiment that lets a tool which others wrote hold connections.
func slow() []Experiment {
	return []Experiment{{
		Name:     "slowhttptest",
		Promise:  "The four modes of slowhttptest (slow heads, slow bodies, ranges, slow reading of a large answer): the program has let go of every connection within 15 s, and answers others all the while",
		Unit:     "connections",
		Goal:     40_000,
		Controls: []string{"patient", "waits-for-readers"},
		Certain:  true,
		Long:     true,
		Needs:    needsTool("slowhttptest"),
		Try:      serving(slowSettings, slowly),
	}}
}

const slowSettings = `endpoints:
  - {name: default, secret: ` + secret + `, retention: {accepted: {count: 100}}}
  - {name: large, secret: ` + secret + `, respond: 200/size=20MB, retention: {accepted: {count: 100}}}
`

const (
	slowConnections = 1000
	// letGo is how long a connection may be held.
	letGo = 15 * time.Second
)

// slowMode is one way of the tool's to hold connections.
type slowMode struct {
	name, flag, endpoint string
	more                 []string
}

// slowly runs the tool's modes one after the other, up to one that breaks the promise.
func slowly(ctx context.Context, p *program, count *Count) error {
	for _, m := range []slowMode{
		{name: "heads", flag: "-H", endpoint: "default"},
		{name: "bodies", flag: "-B", endpoint: "default"},
		{name: "ranges", flag: "-R", endpoint: "default"},
		// What the system's buffers take counts as read, and each 32 KB have 5 s.
		{name: "reading", flag: "-X", endpoint: "large", more: []string{"-w", "256", "-y", "512", "-n", "1", "-z", "32"}},
	} {
		if err := p.slowMode(ctx, count, &m); err != nil || count.Broken > 0 {
			return err
		}
	}
	return nil
}

// slowMode runs the tool until the program has let go of its connections, or for too long.
func (p *program) slowMode(ctx context.Context, count *Count, m *slowMode) error {
	base, report := p.sockets(), filepath.Join(p.folder, "slow")
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "slowhttptest", append([]string{ //nolint:gosec // the arguments are this package's
		m.flag, "-c", strconv.Itoa(slowConnections), "-r", strconv.Itoa(slowConnections), "-i", "1", "-l", "60", "-x", "10", "-p", "5", "-t", "POST",
		"-g", "-o", report, "-u", p.hook(m.endpoint),
	}, m.more...)...)
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	tool := make(chan struct{})
	go func() {
		defer close(tool)
		_ = cmd.Wait() // its status says what it found, which is counted here
	}()
	p.letGo(ctx, count, m, base, tool)
	count.Tried += slowConnections
	select {
	case <-tool:
	case <-time.After(5 * time.Second):
	}
	cancel()
	<-tool
	gone, err := unavailable(report + ".csv")
	if gone > 0 && m.endpoint == "default" { // the tool's own probe asks for the same, so it would have to read all of a large answer
		count.Break("the tool found the program unavailable for %d s during slow %s", gone, m.name)
	}
	return err
}

// letGo sends beside the tool until the program has let go of the tool's connections.
func (p *program) letGo(ctx context.Context, count *Count, m *slowMode, base int, tool <-chan struct{}) {
	client := p.client()
	defer client.CloseIdleConnections()
	most, waiting, last, others := 0, 0.0, time.Now(), int64(0)
	for running := true; ; others++ {
		// An answer begins to wait for its reader when its capture is on disk, which takes its time where many come at once.
		now, answers := p.sockets(), p.metric(ctx, "hookrange_waiting_answers")
		if now > most || answers > waiting {
			most, waiting, last = max(most, now), max(waiting, answers), time.Now()
		}
		// The tool may go on reading what the system still has for it; that is no connection of the program's.
		if now <= base+2 && (!running || time.Since(last) > 2*time.Second) || ctx.Err() != nil {
			break
		}
		if time.Since(last) > letGo {
			count.Break("%d connections of slow %s are held after %v", now-base, m.name, letGo)
			break
		}
		if status, err := p.deliver(ctx, client, p.hook("default"), fmt.Appendf(nil, "%d", others)); err != nil || status != http.StatusOK {
			count.Break("another was answered %d, %v during slow %s", status, err, m.name)
		}
		select {
		case <-tool:
			running = false
		case <-time.After(20 * time.Millisecond):
		}
		if !running {
			wait(ctx, 20*time.Millisecond, 21*time.Millisecond)
		}
	}
	count.Peak("s at most until all with slow "+m.name+" were let go", time.Since(last).Seconds())
	count.Sum("others answered meanwhile", others)
}

// sockets counts the program's open ones.
func (p *program) sockets() int {
	folder := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	list, err := os.ReadDir(folder)
	if err != nil {
		return 0
	}
	n := 0
	for _, entry := range list {
		if to, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// unavailable counts the seconds in which the tool's own probe was not answered. It writes its report when it ends by
// itself.
func unavailable(path string) (int, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return 0, err
	}
	n := 0
	for i, row := range rows {
		if i > 0 && row[len(row)-1] == "0" {
			n++
		}
	}
	return n, os.Remove(path)
}
