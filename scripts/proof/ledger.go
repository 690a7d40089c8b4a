package proof

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// digest names a body.
type digest = [sha256.Size]byte

// ledger is the senders' side of the truth: which bodies were answered with a 2xx. It lives outside of the disk
// that is cut.
type ledger struct {
	mu       sync.Mutex
	answered map[digest]time.Time
	closed   bool
	// busy counts 503s with Retry-After, refused answers that are neither these nor 2xx, unanswered what got no answer.
	busy, refused, unanswered atomic.Int64
}

func newLedger() *ledger { return &ledger{answered: make(map[digest]time.Time)} }

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answered)
}

// close ends the ledger: later answers are not noted.
func (l *ledger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// senders send different bodies to one URL, each as fast as it is answered, until stopped.
type senders struct {
	ledger *ledger
	stop   context.CancelFunc
	group  sync.WaitGroup
	serial atomic.Int64
}

// send starts n senders. Those that get no answer try again until they are stopped.
func (l *ledger) send(ctx context.Context, target string, n int) *senders {
	ctx, stop := context.WithCancel(ctx)
	s := &senders{ledger: l, stop: stop}
	for i := range n {
		s.group.Go(func() {
			client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				if !s.once(ctx, client, target, i) {
					select { // a program that is gone is not asked in a tight loop
					case <-ctx.Done():
					case <-time.After(5 * time.Millisecond):
					}
				}
			}
		})
	}
	return s
}

// once sends one body and tells whether it was answered with a 2xx.
func (s *senders) once(ctx context.Context, client *http.Client, target string, sender int) bool {
	body := fmt.Appendf(nil, `{"sender":%d,"n":%d,"nonce":%d,"pad":"%s"}`,
		sender, s.serial.Add(1), rand.Uint64(), strings.Repeat("x", rand.IntN(5000))) //nolint:gosec // no secret
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		s.ledger.unanswered.Add(1)
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		s.ledger.mu.Lock()
		if !s.ledger.closed {
			s.ledger.answered[sha256.Sum256(body)] = time.Now()
		}
		s.ledger.mu.Unlock()
		return true
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		s.ledger.busy.Add(1)
	default:
		s.ledger.refused.Add(1)
	}
	return false
}

// end stops the senders and waits for them.
func (s *senders) end() {
	s.stop()
	s.group.Wait()
}

// missing returns when the bodies were answered that the program does not give back byte for byte.
func (l *ledger) missing(ctx context.Context, p *program) ([]time.Time, error) {
	kept, err := p.bodies(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost []time.Time
	for sum, at := range l.answered {
		if _, ok := kept[sum]; !ok {
			lost = append(lost, at)
		}
	}
	slices.SortFunc(lost, time.Time.Compare)
	return lost, nil
}

// bodies returns the digests of all bodies that the program serves.
func (p *program) bodies(ctx context.Context) (map[digest]struct{}, error) {
	export, err := p.get(ctx, "/api/v1/endpoints/default/export?format=jsonl&reveal=true")
	if err != nil {
		return nil, err
	}
	defer export.Close() //nolint:errcheck // it was read to its end
	kept := make(map[digest]struct{})
	lines := bufio.NewReaderSize(export, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err == io.EOF { //nolint:errorlint // ReadBytes returns it as it is
			return kept, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the export: %w", err)
		}
		var one struct {
			Body   string `json:"body"`
			Base64 string `json:"body_base64"`
		}
		if err = json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("read the export: %w", err)
		}
		body := []byte(one.Body)
		if one.Base64 != "" {
			if body, err = base64.StdEncoding.DecodeString(one.Base64); err != nil {
				return nil, fmt.Errorf("read the export: %w", err)
			}
		}
		kept[sha256.Sum256(body)] = struct{}{}
	}
}
