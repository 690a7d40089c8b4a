package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// proxied is the experiment on what gets through proxies that others wrote.
func proxied() []Experiment {
	return []Experiment{{
		Name: "proxies",
		Promise: "Behind nginx and behind haproxy, which keep their connections to the receiver, each ambiguous request that gets through is one accepted capture, " +
			"none smuggles a second one in, and the answers that follow belong to their requests",
		Unit:     "requests through a proxy",
		Goal:     1000,
		Controls: []string{"takes-any-body"},
		Certain:  true,
		Long:     true,
		Needs:    needsProxy,
		Try:      serving(echoSettings, throughProxies),
	}}
}

// echoSettings have an endpoint that answers with what the request says, so that an answer shows whose it is.
const echoSettings = settings + `  - {name: next, secret: ` + secret + `, respond: '200/template=on/json={"mark":"{{.Body.mark}}"}'}
`

// proxy is one of those that others wrote: a program, its settings, and how it is started with a file of them.
type proxy struct {
	name, settings string
	args           []string
}

// proxyList names the proxies. Both log for each request its line's target and the status that went to the client, stream
// bodies as they come, and keep connections to the receiver for whoever comes next.
func proxyList() []proxy {
	return []proxy{{
		name: "nginx",
		settings: `daemon off; pid FOLDER/pid; error_log FOLDER/error.log; worker_processes 1;
events { worker_connections 256; }
http {
  log_format short '$request_uri $status';
  access_log FOLDER/access.log short;
  client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/temp; fastcgi_temp_path FOLDER/f; uwsgi_temp_path FOLDER/u; scgi_temp_path FOLDER/s;
  upstream receiver { server TARGET; keepalive 4; }
  server {
    listen LISTEN; client_body_timeout 3s; client_header_timeout 3s;
    location / { proxy_pass http://receiver; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; }
  }
}
`,
		args: []string{"-p", "FOLDER", "-c", "FILE"},
	}, {
		name: "haproxy",
		settings: `defaults
  mode http
  timeout connect 3s
  timeout client 3s
  timeout server 20s
  timeout http-request 3s
  option http-keep-alive
  http-reuse always
  log stdout format raw local0
  log-format "%HU %ST"
frontend front
  bind LISTEN
  default_backend receiver
backend receiver
  server receiver TARGET
`,
		args: []string{"-db", "-f", "FILE"},
	}}
}

func needsProxy() error {
	for _, p := range proxyList() {
		if err := needsTool(p.name)(); err != nil {
			return err
		}
	}
	return nil
}

func throughProxies(ctx context.Context, p *program, count *Count) error {
	for _, x := range proxyList() {
		if err := x.try(ctx, p, count); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return nil
}

// try starts the proxy, sends all through it and compares its log with what the program has.
func (x *proxy) try(ctx context.Context, p *program, count *Count) (err error) {
	folder := filepath.Join(p.folder, x.name)
	if err = os.Mkdir(folder, 0o755); err != nil { //nolint:gosec // nginx's workers are another user
		return err
	}
	address, stop, err := x.start(ctx, folder, strings.TrimPrefix(p.Receiver, "http://"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	list, err := smuggling(len(x.mark(0)))
	if err != nil {
		return err
	}
	client := p.client()
	defer client.CloseIdleConnections()
	for i, text := range list {
		mark := x.mark(i)
		text = strings.ReplaceAll(text, strings.Repeat(hole, len(mark)), mark)
		count.Tried++
		if err = through(ctx, address, text); err != nil {
			return err
		}
		// Whoever comes next must get its own answer, on whatever connection is left.
		for n := range 3 {
			next := fmt.Sprintf("%s-next-%d", mark, n)
			if said, askErr := echo(ctx, client, "http://"+address+"/hooks/next?secret="+secret, next); askErr != nil {
				count.Break("%s: after %.200q the next request: %v", x.name, text, askErr)
			} else if said != next {
				count.Break("%s: after %.200q the answer to %s is %q", x.name, text, next, said)
			}
		}
	}
	if err = stop(); err != nil {
		return err
	}
	return x.compare(ctx, p, folder, list, count)
}

// hole stands for each character of a mark, so that lengths are right before marks are known.
const hole = "~"

// mark names a request; all are of one length.
func (x *proxy) mark(i int) string { return fmt.Sprintf("%s-%04d", x.name, i) }

// start starts the proxy on a free port; stop ends it once.
func (x *proxy) start(ctx context.Context, folder, target string) (address string, stop func() error, err error) {
	free, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = free.Addr().String()
	if err = free.Close(); err != nil {
		return "", nil, err
	}
	file := filepath.Join(folder, "settings")
	fill := strings.NewReplacer("FOLDER", folder, "LISTEN", address, "TARGET", target, "FILE", file)
	if err = os.WriteFile(file, []byte(fill.Replace(x.settings)), 0o600); err != nil {
		return "", nil, err
	}
	out, err := os.Create(filepath.Join(folder, "stdout"))
	if err != nil {
		return "", nil, err
	}
	args := make([]string, len(x.args))
	for i := range args {
		args[i] = fill.Replace(x.args[i])
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), x.name, args...) //nolint:gosec // one of the list
	cmd.Stdout, cmd.Stderr = out, out
	ownGroup(cmd)
	if err = cmd.Start(); err != nil {
		return "", nil, errors.Join(err, out.Close())
	}
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		err := killGroup(cmd.Process.Pid)
		_ = cmd.Wait() // it was killed
		return errors.Join(err, out.Close())
	}
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		if conn, dialErr := (&net.Dialer{}).DialContext(ctx, "tcp", address); dialErr == nil {
			return address, stop, conn.Close()
		}
		wait(ctx, 20*time.Millisecond, 21*time.Millisecond)
	}
	return "", nil, errors.Join(fmt.Errorf("it does not listen: %s", readAll(filepath.Join(folder, "stdout"))), stop())
}

// through sends a request on a connection of its own and waits until that ends or nothing more comes.
func through(ctx context.Context, address, text string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is to be kept
	if _, err = conn.Write([]byte(text)); err != nil {
		return nil // it was refused before its end
	}
	half, ok := conn.(*net.TCPConn)
	if ok && strings.HasSuffix(text, "half") { // its end never comes
		wait(ctx, 100*time.Millisecond, 101*time.Millisecond)
		_ = half.CloseWrite()
	}
	for {
		if err = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			return err
		}
		if _, err = conn.Read(make([]byte, 4096)); err != nil {
			return nil // it was closed, or nothing more comes
		}
	}
}

// echo sends a webhook and returns the mark that its answer has.
func echo(ctx context.Context, client *http.Client, target, mark string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(`{"mark":"`+mark+`"}`))
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	var said struct {
		Mark string `json:"mark"`
	}
	raw, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(raw, &said) != nil {
		return "", fmt.Errorf("answered %d: %.100q", resp.StatusCode, raw)
	}
	return said.Mark, nil
}

// compare holds the program's accepted captures against the proxy's log: as many of each mark as the proxy passed on and
// saw answered 2xx, and none of what was only the body of another.
func (x *proxy) compare(ctx context.Context, p *program, folder string, list []string, count *Count) error {
	passed := make(map[string]int)
	log := readAll(filepath.Join(folder, "access.log"))
	if log == "" {
		log = readAll(filepath.Join(folder, "stdout"))
	}
	for line := range strings.Lines(log) {
		target, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(status, "2") {
			passed[markOf(target)]++
		}
	}
	accepted, err := p.acceptedTargets(ctx)
	if err != nil {
		return err
	}
	kept := make(map[string]int)
	for _, target := range accepted {
		kept[markOf(target)]++
	}
	for i, text := range list {
		mark := x.mark(i)
		count.Sum("passed on by "+x.name, int64(passed[mark]))
		if kept[mark] != passed[mark] {
			count.Break("%s passed %.200q on %d times, %d captures were accepted", x.name, text, passed[mark], kept[mark])
		}
		if n := kept["smuggled-"+mark]; n != passed["smuggled-"+mark] {
			count.Break("%s: %.200q has smuggled a request in", x.name, text)
		}
	}
	return nil
}

// markOf is the last part of a target's path.
func markOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// acceptedTargets returns those of all accepted captures.
func (p *program) acceptedTargets(ctx context.Context) ([]string, error) {
	kept, err := p.export(ctx)
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, line := range kept {
		var one struct {
			Target string `json:"target"`
			Class  string `json:"class"`
		}
		if err = json.Unmarshal(line, &one); err != nil {
			return nil, err
		}
		if one.Class == "accepted" {
			targets = append(targets, one.Target)
		}
	}
	return targets, nil
}

// smuggling makes requests whose length can be read in two ways, in all the spellings of their fields, with a whole other
// request where one of the two readings ends. They have a hole of that width for a mark.
func smuggling(width int) ([]string, error) {
	const chunked = "transfer-encoding: chunked"
	mark := strings.Repeat(hole, width)
	hook := "/hooks/default/" + mark + "?secret=" + secret
	hidden := "POST /hooks/default/smuggled-" + mark + "?secret=" + secret + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
	spellings := []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding: \x0bchunked",
		"Transfer-Encoding: chunked\x0b", "Transfer-Encoding: xchunked", "Transfer-Encoding: Chunked", "Transfer-Encoding: chunked, identity",
		"Transfer-Encoding: identity, chunked", "Transfer-Encoding: identity", "Transfer-Encoding:\r\n chunked", "X: y\nTransfer-Encoding: chunked",
		"X: y\rTransfer-Encoding: chunked", " Transfer-Encoding: chunked", "Transfer_Encoding: chunked", "Transfer-Encoding\x00: chunked",
		"Transfer-Encoding: \"chunked\"", "Transfer-Encoding: cow\r\n" + chunked, chunked + "\r\nTransfer-Encoding: cow", "Transfer-Encoding: chunked;q=1",
		"Connection: Transfer-Encoding\r\n" + chunked, "Connection: Content-Length\r\n" + chunked, "\xefTransfer-Encoding: chunked",
	}
	var list []string
	for _, field := range spellings {
		for _, version := range []string{"1.1", "1.0"} {
			head := "POST " + hook + " HTTP/" + version + "\r\nHost: h\r\n"
			chunks := "0\r\n\r\n" + hidden
			list = append(list,
				// The length says that all of it is one body, the chunks that it ends before the hidden request.
				fmt.Sprintf("%s%s\r\nContent-Length: %d\r\n\r\n%s", head, field, len(chunks), chunks),
				fmt.Sprintf("%sContent-Length: %d\r\n%s\r\n\r\n%s", head, len(chunks), field, chunks),
				// The length says that the body ends before the hidden request, the chunks that it is in the first one.
				fmt.Sprintf("%s%s\r\nContent-Length: 4\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, field, len(hidden), hidden))
		}
	}
	for _, lengths := range []string{"Content-Length: 0\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 0", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length: 0x5", "Content-Length: 5 ", "Content-Length : 5", "Content-Length: -5"} {
		list = append(list, "POST "+hook+" HTTP/1.1\r\nHost: h\r\n"+lengths+"\r\n\r\nabcde")
	}
	// Bodies that never come whole.
	list = append(list,
		"POST "+hook+" HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
		"POST "+hook+" HTTP/1.1\r\nHost: h\r\n"+chunked+"\r\n\r\na\r\nhalf",
		"POST "+hook+" HTTP/1.1\r\nHost: h\r\n"+chunked+"\r\n\r\n4\r\nfour\r\n4\r\nhalf")
	probes, err := readProbes()
	if err != nil {
		return nil, err
	}
	for i := range probes {
		if text := probes[i].Send; strings.Contains(text, "{hook}") {
			list = append(list, strings.NewReplacer("{hook}", hook, "{secret}", secret).Replace(text))
		}
	}
	return list, nil
}
