package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// secret is that of the endpoint that experiments send to.
	secret = "proof-secret-that-is-no-secret"
	// patience bounds each start and stop.
	patience = 60 * time.Second
)

// settings declares the endpoints: two that keep all they get, and one whose answers hang.
const settings = `endpoints:
  - {name: default, secret: ` + secret + `, retention: {accepted: {count: -1, bytes: -1}}}
  - {name: slow, secret: ` + secret + `, respond: hang/for=10m}
`

// program is a running hookrange with a data folder of its own.
type program struct {
	binary, folder, data string
	// before starts the program under another one, such as strace; it may be empty.
	before []string
	// flags are further ones of serve.
	flags []string
	// short asks for a smaller load.
	short bool
	// build is what it was built from.
	build *Build
	// slow tells that the last start was given up because it took too long.
	slow bool

	Receiver  string `json:"receiver"`
	Inspector string `json:"inspector"`
	Token     string `json:"token"`
	// Endpoints have the URLs of those with listeners of their own.
	Endpoints []endpointURL `json:"endpoints"`

	cmd    *exec.Cmd
	log    *output
	exited chan error
}

// newProgram prepares a program that keeps its data in folder/data.
func newProgram(ctx context.Context, b *Build, folder string) (*program, error) {
	binary, err := b.Program(ctx)
	if err != nil {
		return nil, err
	}
	p := programIn(folder, binary, b)
	return p, p.declare(settings)
}

type endpointURL struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func programIn(folder, binary string, b *Build) *program {
	return &program{binary: binary, folder: folder, data: filepath.Join(folder, "data"), short: b.lab.Short, build: b, log: new(output)}
}

// trying is a try on a fresh program that is not started yet, in a folder of its own. In the end both are gone.
func trying(try func(ctx context.Context, p *program, count *Count) error) func(context.Context, *Build) (Count, error) {
	return tryingIn(tryFolder, try)
}

// tryingIn is trying in a folder that where makes.
func tryingIn(
	where func() (string, error), try func(ctx context.Context, p *program, count *Count) error,
) func(context.Context, *Build) (Count, error) {
	return func(ctx context.Context, b *Build) (count Count, err error) {
		folder, err := where()
		if err != nil {
			return count, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		p, err := newProgram(ctx, b, folder)
		if err != nil {
			return count, err
		}
		defer func() { err = errors.Join(err, p.kill()) }()
		err = try(ctx, p, &count)
		return count, err
	}
}

// declare sets the file of settings for the next start.
func (p *program) declare(settings string) error {
	return os.WriteFile(filepath.Join(p.folder, "hookrange.yaml"), []byte(settings), 0o600)
}

// start starts the program and returns when it accepts.
func (p *program) start(ctx context.Context) error {
	file := filepath.Join(p.folder, "ready.json")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	args := append([]string{}, p.before...)
	args = append(args, p.binary, "serve", "--listen", "127.0.0.1:0", "--inspect", "127.0.0.1:0", "--data", p.data, "--ready-file", file)
	args = append(args, p.flags...)
	//nolint:gosec // the program that was built
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.folder, p.log, p.log
	p.cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + p.folder}
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.slow = false
	cmd, exited := p.cmd, make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	p.exited = exited
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(raw, p) == nil {
			return nil
		}
		select {
		case err = <-p.exited:
			p.exited = nil
			return fmt.Errorf("the program ended before it was ready: %w: %s", err, p.log.tail())
		case <-ctx.Done():
			p.slow = errors.Is(ctx.Err(), context.DeadlineExceeded)
			return errors.Join(fmt.Errorf("the program was not ready in time: %s", p.log.tail()), p.kill())
		case <-tick.C:
		}
	}
}

// kill ends the program at once, with what started it. It may have ended already.
func (p *program) kill() error {
	if p.exited == nil {
		return nil
	}
	err := killGroup(p.cmd.Process.Pid)
	<-p.exited //nolint:errcheck // it was killed
	p.exited = nil
	return err
}

// stop asks the program to end and returns how long it took. That it did not end well is an error.
func (p *program) stop() (time.Duration, error) {
	if p.exited == nil {
		return 0, nil
	}
	start := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return 0, errors.Join(err, p.kill())
	}
	select {
	case err := <-p.exited:
		p.exited = nil
		return time.Since(start), err
	case <-time.After(patience):
		return time.Since(start), errors.Join(errors.New("the program did not end on SIGTERM"), p.kill())
	}
}

// hook is the URL of an endpoint with its secret.
func (p *program) hook(endpoint string) string {
	return p.Receiver + "/hooks/" + endpoint + "?secret=" + secret
}

// get asks the inspector for a path of the API and returns the answer's body, to be closed.
func (p *program) get(ctx context.Context, path string) (io.ReadCloser, error) {
	// A connection that is kept would count where connections are counted.
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := p.ask(ctx, client, http.MethodGet, path, "")
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return nil, errors.Join(fmt.Errorf("GET %s: %s: %s", path, resp.Status, text), resp.Body.Close())
	}
	return resp.Body, nil
}

// ask calls the inspector with the token; a body is JSON.
func (p *program) ask(ctx context.Context, client *http.Client, method, path, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.Inspector+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return client.Do(req)
}

// live opens the live feed, whose path may have a query.
func (p *program) live(ctx context.Context, dialer *websocket.Dialer, query string) (*websocket.Conn, error) {
	conn, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(p.Inspector, "http")+"/api/v1/live"+query, nil)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	if err = conn.WriteJSON(map[string]string{"token": p.Token}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// client returns a client with connections of its own.
func (*program) client() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true, IdleConnTimeout: time.Second}}
}

// output keeps the end of what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const most = 8 << 20
	if o.text.Len() > most {
		o.text.Reset()
	}
	return o.text.Write(p)
}

// String returns what was kept.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// tail returns the last lines.
func (o *output) tail() string {
	const most = 600
	text := strings.TrimSpace(o.String())
	return text[max(0, len(text)-most):]
}
