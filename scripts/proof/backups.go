package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// backups are the experiments on what happens to the store while somebody else reads it for long.
func backups() []Experiment {
	return []Experiment{
		{
			Name:     "backup",
			Promise:  "`hookrange backup` under load holds all that was answered with a 2xx before, byte for byte, in a copy that can be served, and the log that it held up is small again afterwards",
			Unit:     "backups",
			Goal:     100,
			Controls: []string{"backup-without-log"},
			Try:      serving(settings, backUp),
		},
		{
			Name:     "held-reader",
			Promise:  "While exports stall in the hands of their readers, 1 GB of webhooks is taken in, and the write-ahead log stays within 128 MB",
			Unit:     "MB taken in",
			Goal:     5_000,
			Controls: []string{"no-checkpoints"},
			Certain:  true,
			Try:      serving(boundedSettings, stall),
		},
	}
}

// mostLog is how large the write-ahead log may get.
const mostLog = 128 * megabyte

func (p *program) logSize() int64 {
	info, err := os.Stat(filepath.Join(p.data, "hookrange.db-wal"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// backUp backs the program up under load, and asks a program that serves the copy for what was answered before.
func backUp(ctx context.Context, p *program, count *Count) error {
	l := newLedger()
	senders := l.send(ctx, p.hook("default"), load)
	defer senders.end()
	wait(ctx, 200*time.Millisecond, time.Second)
	copied := filepath.Join(p.folder, "copy")
	began := time.Now()
	//nolint:gosec // the program that was built
	cmd := exec.CommandContext(ctx, p.binary, "--data", p.data, "backup", copied)
	cmd.Dir, cmd.Env = p.folder, []string{"PATH=/usr/bin:/bin", "HOME=" + p.folder}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("backup: %w: %s", err, out)
	}
	count.Tried = 1
	count.Peak("s for a backup at most", time.Since(began).Seconds())
	count.Peak("MB of log at most", float64(p.logSize())/megabyte)
	wait(ctx, 50*time.Millisecond, 100*time.Millisecond)
	senders.end()
	p.eventually(ctx, 15*time.Second, func() bool { return p.logSize() < mostLog })
	if size := p.logSize(); size >= mostLog {
		count.Break("the log has %d MB 15 s after a backup", size/megabyte)
	}
	restored := &program{binary: p.binary, folder: filepath.Join(p.folder, "restored"), data: copied, log: new(output)}
	if err := os.MkdirAll(restored.folder, 0o700); err != nil {
		return err
	}
	if err := restored.declare(settings); err != nil {
		return err
	}
	if err := restored.start(ctx); err != nil {
		count.Break("the copy cannot be served: %v", err)
		return ctx.Err()
	}
	lost, err := l.missing(ctx, restored)
	if err = errors.Join(err, restored.kill()); err != nil {
		return err
	}
	var before int64
	for _, at := range l.times() {
		if at.Before(began) {
			before++
		}
	}
	count.Sum("captures answered with a 2xx before", before)
	if len(lost) > 0 && lost[0].Before(began) { // the oldest comes first
		count.Break("a capture that was answered %v before the backup is not in it", began.Sub(lost[0]).Round(time.Microsecond))
	}
	return nil
}

// times are when bodies were answered.
func (l *ledger) times() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]time.Time, 0, len(l.answered))
	for _, at := range l.answered {
		list = append(list, at)
	}
	return list
}

// boundedSettings keep so few that the disk does not fill while much passes through.
const boundedSettings = `endpoints:
  - {name: default, secret: ` + secret + `, retention: {accepted: {count: 400, bytes: 200000000}}}
`

// stall lets readers of exports stall, and sends.
func stall(ctx context.Context, p *program, count *Count) error {
	const readers, each = 8, 200_000
	filled, bodies := int64(300), int64(5000)
	if p.short {
		filled, bodies = 50, 100
	}
	if err := p.pour(ctx, filled, each); err != nil {
		return err
	}
	for range readers {
		conn, err := p.stalled(ctx)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck,gocritic // all of them stall until the end
	}
	ended, watching := make(chan struct{}), make(chan float64)
	go func() {
		most := 0.0
		for {
			select {
			case <-ended:
				watching <- most
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, float64(p.logSize()))
			}
		}
	}()
	err := p.pour(ctx, bodies, each)
	close(ended)
	most := <-watching
	if err != nil {
		return err
	}
	count.Tried = bodies * each / megabyte
	count.Peak("MB of log at most", most/megabyte)
	if most > mostLog {
		count.Break("the log has %.0f MB", most/megabyte)
	}
	return nil
}

// pour sends n bodies of a size.
func (p *program) pour(ctx context.Context, n int64, size int) error {
	var sent atomic.Int64
	failures := make(chan error, load)
	var all sync.WaitGroup
	for range load {
		all.Go(func() {
			client := p.client()
			defer client.CloseIdleConnections()
			for {
				i := sent.Add(1)
				if i > n || ctx.Err() != nil {
					return
				}
				status, err := p.deliver(ctx, client, p.hook("default"), append(fmt.Appendf(nil, "%d-%d ", i, time.Now().UnixNano()), bytes.Repeat([]byte("x"), size)...))
				if err != nil || (status != http.StatusOK && status != http.StatusServiceUnavailable) {
					failures <- fmt.Errorf("a webhook was answered %d, %w", status, err)
					return
				}
			}
		})
	}
	all.Wait()
	close(failures)
	return <-failures
}

// stalled asks for an export and reads its first bytes only.
func (p *program) stalled(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(p.Inspector, "http://"))
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetReadBuffer(4096)
	}
	if err == nil {
		_, err = fmt.Fprintf(conn, "GET /api/v1/endpoints/default/export?format=jsonl&reveal=true HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
			strings.TrimPrefix(p.Inspector, "http://"), p.Token)
	}
	head := make([]byte, len("HTTP/1.1 200"))
	if err == nil {
		_, err = conn.Read(head)
	}
	if err == nil && !bytes.HasSuffix(head, []byte(" 200")) {
		err = fmt.Errorf("the export was answered %q", head)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
