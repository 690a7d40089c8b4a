package store_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hookrange/hookrange/receiver/store"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const crashDir = "HOOKRANGE_TEST_CRASH_DIR"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" && os.Getenv(crashDir+"_VERSION") != "" {
		version, err := strconv.Atoi(os.Getenv(crashDir + "_VERSION"))
		if err == nil {
			err = store.OpenDying(context.Background(), store.Config{Dir: dir}, version)
		}
		fmt.Fprintln(os.Stderr, "the process lives:", err)
		os.Exit(1)
	} else if dir != "" {
		if err := recordUntilKilled(dir, os.Getenv(crashDir+"_EARLY") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// recordUntilKilled records under load and prints the seq and body digest of each acknowledged capture. With early it
// prints before Record returns, which is the mistake that the test must be able to catch.
func recordUntilKilled(dir string, early bool) error {
	s, err := store.Open(context.Background(), store.Config{Dir: dir})
	if err != nil {
		return err
	}
	_, err = s.SaveEndpoint(context.Background(), webhook.Endpoint{Name: "hook"}, true)
	if err != nil && !errors.Is(err, webhook.ErrExists) {
		return err
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for {
				body := strings.Repeat(fmt.Sprint(rand.Uint64()), 1+rand.IntN(300))
				c := capture(s.Arrive("hook", key(body), true, time.Now()), body)
				c.ReceivedAt = time.Now()
				acknowledge := func() {
					mu.Lock()
					defer mu.Unlock()
					fmt.Printf("%s %x\n", c.ID, c.Request.BodySHA256)
				}
				c.ID = uuid.NewString()
				if early {
					acknowledge()
				}
				ticket, err := s.Record(context.Background(), c, false)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					continue
				}
				if !early {
					acknowledge()
				}
				_ = s.Finish(context.Background(), ticket, webhook.Outcome{Status: 200})
			}
		})
	}
	group.Wait()
	return nil
}

// killed runs a process that records into dir, kills it after it acknowledged so many captures and returns these: id and
// digest of the body.
func killed(t *testing.T, dir string, after int, early bool) map[string]string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	if early {
		cmd.Env = append(cmd.Env, crashDir+"_EARLY=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(map[string]string)
	lines := bufio.NewReader(out)
	for {
		// What was printed before the kill is read to its end; a last line may be cut.
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		id, sum, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Fatalf("unexpected line %q", line)
		}
		acknowledged[id] = sum
		if len(acknowledged) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(acknowledged) < after {
		t.Fatalf("the process ended by itself after %d captures", len(acknowledged))
	}
	return acknowledged
}

// missing returns how many of the acknowledged captures the folder does not have, byte for byte.
func missing(t *testing.T, dir string, acknowledged map[string]string) int {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found := make(map[string]string)
	for after := webhook.Seq(0); ; {
		page, err := s.Captures(t.Context(), webhook.Query{Limit: 500, After: after, Ascending: true, WithBody: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, c := range page {
			sum := sha256.Sum256(c.Request.Body)
			found[c.ID] = hex.EncodeToString(sum[:])
			if c.Outcome == nil {
				t.Errorf("capture %d has no outcome after the restart", c.Seq)
			}
		}
		after = page[len(page)-1].Seq
	}
	lost := 0
	for id, sum := range acknowledged {
		if found[id] != sum {
			lost++
		}
	}
	return lost
}

func TestKilledUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	all := make(map[string]string)
	for range 5 {
		maps.Copy(all, killed(t, dir, 1+rand.IntN(400), false))
		if lost := missing(t, dir, all); lost > 0 {
			t.Fatalf("%d of %d acknowledged captures are lost", lost, len(all))
		}
	}
}

// TestKilledControl shows that the test above can fail: a receiver that answers before the commit loses captures.
func TestKilledControl(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := t.TempDir()
		if missing(t, dir, killed(t, dir, 1+rand.IntN(100), true)) > 0 {
			return
		}
	}
	t.Error("captures that were acknowledged before their commit were all found: the test sees nothing")
}
