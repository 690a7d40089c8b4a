package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKilledUnderLoad kills the program again and again in the middle of many webhooks, as kill -9 does, and looks
// afterwards for every one that was answered with a 2xx.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	server := (&rig{t: t, binary: program(t)}).serve()
	acknowledged := map[string]string{}
	for round := range 4 {
		before := len(acknowledged)
		load(t, server, round, acknowledged)
		if len(acknowledged)-before < 150 {
			t.Fatalf("only %d were answered in round %d", len(acknowledged)-before, round)
		}
		server.restart()
	}
	kept := map[string]int64{}
	for after := int64(0); ; {
		var page struct {
			Captures []struct {
				Seq  int64  `json:"seq"`
				Hash string `json:"body_sha256"`
			} `json:"captures"`
		}
		server.call(http.MethodGet, fmt.Sprintf("/endpoints/default/captures?after=%d&order=asc&limit=1000", after), nil, &page)
		if len(page.Captures) == 0 {
			break
		}
		for _, c := range page.Captures {
			kept[c.Hash] = c.Seq
			after = max(after, c.Seq)
		}
	}
	for hash, body := range acknowledged {
		seq, ok := kept[hash]
		if !ok {
			t.Fatalf("a webhook that was answered is lost: %.60s", body)
		}
		if got := server.bytesOf(fmt.Sprintf("/endpoints/default/captures/%d/body?reveal=true", seq)); string(got) != body {
			t.Fatalf("capture %d has another body", seq)
		}
	}
	t.Logf("%d answered, %d kept", len(acknowledged), len(kept))
}

// load sends from 16 senders until the server is killed in their midst, and notes what was answered with a 2xx.
func load(t *testing.T, server *server, round int, acknowledged map[string]string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var senders sync.WaitGroup
	enough := make(chan struct{})
	goal := len(acknowledged) + 200
	for i := range 16 {
		senders.Go(func() {
			client := &http.Client{Timeout: patience, Transport: &http.Transport{}}
			for n := 0; ctx.Err() == nil; n++ {
				body := fmt.Sprintf(`{"round":%d,"sender":%d,"n":%d,"pad":%q}`, round, i, n, strings.Repeat("x", rand.IntN(5000)))
				resp, err := client.Post(server.hook(""), "application/json", bytes.NewReader([]byte(body)))
				if err != nil {
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode/100 != 2 {
					return
				}
				sum := sha256.Sum256([]byte(body))
				mu.Lock()
				acknowledged[hex.EncodeToString(sum[:])] = body
				if len(acknowledged) == goal {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(patience):
	}
	if err := server.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-server.exited
	server.exited = nil
	stop()
	senders.Wait()
}
