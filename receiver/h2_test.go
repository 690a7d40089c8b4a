package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// overHTTP2 is an endpoint with a listener that speaks HTTP/2, and a sender that does too.
func overHTTP2(t *testing.T, respond string) (e *edge, client *http.Client, url string) {
	t.Helper()
	ep := open("rules", "s", respond)
	ep.Listener = &webhook.ListenerPolicy{H2: true}
	e = newEdge(t, own(), ep)
	return e, e.sender(t, true), e.hookURL(t, "rules")
}

// answer is what a client saw of one request.
type answer struct {
	status int
	length int64
	body   string
	err    error
	// reused tells that it went over a connection that had been used before.
	reused bool
	// head is when the head was there, parts when each read of the body returned.
	head  time.Duration
	parts []time.Duration
}

func ask(t *testing.T, client *http.Client, url string) answer {
	t.Helper()
	var a answer
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { a.reused = info.Reused }})
	// A body that cannot be read twice keeps net/http from trying again by itself.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.MultiReader(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	resp, err := client.Do(req)
	a.head, a.err = time.Since(start), err
	if err != nil {
		return a
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("answered over %s", resp.Proto)
	}
	a.status, a.length = resp.StatusCode, resp.ContentLength
	buf := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			a.parts = append(a.parts, time.Since(start))
			a.body += string(buf[:n])
		}
		if errors.Is(err, io.EOF) {
			return a
		}
		if err != nil {
			a.err = err
			return a
		}
	}
}

// TestBrokenAnswersOnHTTP2: a fault does over HTTP/2 what it means, and the outcome says what was done.
func TestBrokenAnswersOnHTTP2(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status int
		length int64
		body   string
		// errs are what the client may say; none for an answer that is whole.
		errs []string
		// stays tells that the connection does.
		stays bool
	}{
		"truncate/body=0123456789":       {200, 10, "01234", []string{"INTERNAL_ERROR"}, true},
		`truncate/body=""`:               {200, 16, "", []string{"INTERNAL_ERROR"}, true},
		"reset@body/body=0123456789":     {200, 10, "01234", []string{"reset by peer", "EOF", "broken pipe", "closed network connection"}, false},
		"garbage":                        {0, 0, "", []string{"frame too large"}, false},
		"garbage/body=hello":             {0, 0, "", []string{"EOF"}, false},
		"drip/rate=100/body=0123456789":  {200, 10, "0123456789", nil, true},
		"trickle-head/for=300ms/body=ab": {200, 2, "ab", nil, true},
		"200/size=3MB":                   {200, 3_000_000, "", nil, true},
		"truncate/size=1MB":              {200, 1_000_000, "", []string{"INTERNAL_ERROR"}, true},
	}
	for respond, want := range tests {
		t.Run(respond, func(t *testing.T) {
			t.Parallel()
			e, client, url := overHTTP2(t, respond+" 200")
			got := ask(t, client, url)
			if want.body == "" && got.length > 1000 {
				got.body = "" // its length is what counts
			}
			if got.status != want.status || got.length != want.length || got.body != want.body {
				t.Errorf("answer %d of %d bytes with %q, %v", got.status, got.length, got.body, got.err)
			}
			says := func(text string) bool { return got.err != nil && strings.Contains(got.err.Error(), text) }
			if want.errs == nil && got.err != nil || want.errs != nil && !slices.ContainsFunc(want.errs, says) {
				t.Errorf("the client says %v, want one of %q", got.err, want.errs)
			}
			next := ask(t, client, url)
			if next.err != nil || next.status != 200 || next.reused != want.stays {
				t.Errorf("the next answer is %d, %v; over the same connection: %v", next.status, next.err, next.reused)
			}
			fault, _, _ := strings.Cut(respond, "/")
			if fault == "200" {
				fault = ""
			}
			o := e.captures(t, "rules", 2)[0].Outcome
			if o.Fault != webhook.Fault(fault) || o.Status != want.status || o.Note != "" || o.HungUp != nil || o.FirstByte == nil || o.Bytes == 0 {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

// TestLargeHeadOnHTTP2: a head over the limit is answered 431 and recorded, and the connection stays.
func TestLargeHeadOnHTTP2(t *testing.T) {
	t.Parallel()
	e, client, url := overHTTP2(t, "200")
	send := func(size int) (status int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Large", strings.Repeat("x", size))
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for _, step := range []struct{ size, want int }{{60_000, 200}, {70_000, 431}, {120_000, 431}, {1, 200}} {
		if got := send(step.size); got != step.want {
			t.Errorf("a field of %d bytes is answered %d, want %d", step.size, got, step.want)
		}
	}
	for i, want := range []webhook.Reason{"", webhook.HeadTooLarge, webhook.HeadTooLarge, ""} {
		if got := e.captures(t, "rules", 4)[i].Reason; got != want {
			t.Errorf("capture %d: %q, want %q", i, got, want)
		}
	}
}

// TestDripsDataFrames: the head comes at once, the body a frame at a time.
func TestDripsDataFrames(t *testing.T) {
	t.Parallel()
	_, client, url := overHTTP2(t, "drip/for=800ms/body=01234567")
	got := ask(t, client, url)
	if got.err != nil || got.body != "01234567" || len(got.parts) < 2 {
		t.Fatalf("%q came in %d parts, %v", got.body, len(got.parts), got.err)
	}
	if last := got.parts[len(got.parts)-1]; last < 800*time.Millisecond || got.parts[0] >= last {
		t.Errorf("head after %v, parts after %v", got.head, got.parts)
	}
}

// TestTricklesHeadOnHTTP2: the head is not there before its time, though bytes come all the while.
func TestTricklesHeadOnHTTP2(t *testing.T) {
	t.Parallel()
	e, client, url := overHTTP2(t, "trickle-head/for=700ms/body=abc")
	if warm := ask(t, client, strings.Replace(url, "rules", "no-such", 1)); warm.status != http.StatusNotFound {
		t.Fatal(warm)
	}
	got := ask(t, client, url)
	if got.err != nil || got.body != "abc" || got.head < 700*time.Millisecond || !got.reused {
		t.Fatalf("%+v", got)
	}
	o := e.captures(t, "rules", 1)[0].Outcome
	if *o.FirstByte > *o.Done-400*time.Millisecond || o.Fault != webhook.TrickleHead || o.Status != 200 {
		t.Errorf("outcome %+v", o)
	}
}

// TestHangUpOnHTTP2: a sender that gives up in the middle of an answer resets its stream, and that is seen.
func TestHangUpOnHTTP2(t *testing.T) {
	t.Parallel()
	for _, respond := range []string{"drip/rate=1/body=0123456789", "trickle-head/for=60s", "drip/size=100MB/rate=10MB", "hang"} {
		t.Run(respond, func(t *testing.T) {
			t.Parallel()
			e, client, url := overHTTP2(t, respond)
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				resp, err := client.Do(req)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				done <- err
			}()
			for e.store.Last() < 1 {
				if _, err = e.bell.Wait(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
			}
			time.AfterFunc(300*time.Millisecond, hangUp)
			if err = <-done; err == nil {
				t.Fatal("answered to its end")
			}
			o := e.captures(t, "rules", 1)[0].Outcome
			fault, _, _ := strings.Cut(respond, "/")
			if o.HungUp == nil || *o.HungUp > 20*time.Second || *o.Done > 30*time.Second || o.Fault != webhook.Fault(fault) || o.Note != "" {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}

// TestFaultsLeaveOtherStreamsAlone: what happens on a stream does not touch another one of its connection.
func TestFaultsLeaveOtherStreamsAlone(t *testing.T) {
	t.Parallel()
	e, client, url := overHTTP2(t, `truncate/body=0123456789/when=body=="a" drip/rate=20/body=0123456789/when=body=="b" 200/size=2MB`)
	if warm := ask(t, client, strings.Replace(url, "rules", "no-such", 1)); warm.status != http.StatusNotFound {
		t.Fatal(warm)
	}
	post := func(ctx context.Context, body string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return "", err
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		all, err := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d bytes", len(all)), err
	}
	type end struct {
		body, said string
		err        error
	}
	ends := make(chan end)
	for i := range 12 {
		go func() {
			body := string("abc"[i%3])
			said, err := post(t.Context(), body)
			ends <- end{body, said, err}
		}()
	}
	for range 12 {
		got := <-ends
		want, fails := map[string]string{"a": "5 bytes", "b": "10 bytes", "c": "2000000 bytes"}[got.body], got.body == "a"
		if got.said != want || fails != (got.err != nil) {
			t.Errorf("%s was answered with %s, %v", got.body, got.said, got.err)
		}
	}
	if conns := e.connections(t, "rules", 0); len(conns) > 0 {
		t.Errorf("connections that ended: %+v", conns)
	}
}

// TestWhatCurlSeesOnHTTP2: a client that nobody here wrote takes the faults for what they are.
func TestWhatCurlSeesOnHTTP2(t *testing.T) {
	t.Parallel()
	for respond, want := range map[string]struct{ exits, says string }{
		"200/size=3MB":                  {"0", "2 200 3000000"},
		"drip/for=300ms/body=0123":      {"0", "2 200 4"},
		"trickle-head/for=300ms/body=0": {"0", "2 200 1"},
		"truncate/body=0123456789":      {"92", "2 200 5"},
		"reset@body/body=0123456789":    {"56|92|16", "2 200 5"},
		"garbage":                       {"16|52|56|92|55", "0 000 0|2 000 0"},
		"close@request":                 {"16|18|52|56|92", "0 000 0|2 000 0"},
		"reset@request":                 {"56|16|92|55", "0 000 0|2 000 0"},
		"hang/for=300ms":                {"92", "0 000 0|2 000 0"},
		"h2-reset":                      {"92", "0 000 0|2 000 0"},
	} {
		t.Run(respond, func(t *testing.T) {
			t.Parallel()
			curl, err := exec.LookPath("curl")
			if err != nil {
				t.Skip("curl is not installed")
			}
			e, _, url := overHTTP2(t, respond)
			ca := filepath.Join(t.TempDir(), "ca.pem")
			if err = os.WriteFile(ca, e.authority(t), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), curl, "-s", "--http2", "-o", os.DevNull, "-m", "30", "--cacert", ca, "-d", "x",
				"-w", "%{http_version} %{http_code} %{size_download}", url)
			said, _ := cmd.Output() // its exit status says more than the error
			exit := fmt.Sprint(cmd.ProcessState.ExitCode())
			if !slices.Contains(strings.Split(want.exits, "|"), exit) || !slices.Contains(strings.Split(want.says, "|"), string(said)) {
				t.Errorf("curl ended with %s and says %q, want %s and %q", exit, said, want.exits, want.says)
			}
			fault, _, _ := strings.Cut(respond, "/")
			if fault == "200" {
				fault = ""
			}
			if o := e.captures(t, "rules", 1)[0].Outcome; o.Fault != webhook.Fault(fault) || o.Note != "" {
				t.Errorf("outcome %+v", o)
			}
		})
	}
}
