package inspector_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wireEcho reads requests byte for byte.
type wireEcho struct {
	listener net.Listener
	mu       sync.Mutex
	got      []wireRequest
}

type wireRequest struct {
	Line   string
	Fields []string
	Body   []byte
}

func newEcho(t *testing.T) *wireEcho {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &wireEcho{listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if one, err := readWire(bufio.NewReader(conn)); err == nil {
				e.mu.Lock()
				e.got = append(e.got, one)
				e.mu.Unlock()
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return e
}

func readWire(in *bufio.Reader) (wireRequest, error) {
	var out wireRequest
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return out, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch name, value, _ := strings.Cut(line, ":"); {
		case out.Line == "":
			out.Line = line
		case line == "":
			out.Body = make([]byte, length)
			_, err = io.ReadFull(in, out.Body)
			slices.Sort(out.Fields)
			return out, err
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return out, err
			}
		case !strings.EqualFold(name, "Host"):
			out.Fields = append(out.Fields, name+":"+strings.TrimSpace(value))
		}
	}
}

// TestExportCurl runs the script and looks at what curl sent.
func TestExportCurl(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := hostile(t, r)
	dir := t.TempDir()
	script := filepath.Join(dir, "captures.sh")
	text := exported(t, r, "format=curl&reveal=true").text
	if err := os.WriteFile(script, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x202e || r == 0xfffd }); i >= 0 {
		t.Errorf("the script has %q, which a terminal would act on", text[i:min(len(text), i+20)])
	}
	echo := newEcho(t)
	run := exec.CommandContext(t.Context(), "bash", script, "http://"+echo.listener.Addr().String())
	run.Dir = dir
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8"}
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := bytes.Count(out, []byte(": 200\n")); n != len(all) {
		t.Errorf("%d of %d were answered: %s", n, len(all), out)
	}
	echo.mu.Lock()
	defer echo.mu.Unlock()
	if len(echo.got) != len(all) {
		t.Fatalf("%d requests came, want %d", len(echo.got), len(all))
	}
	for i := range all {
		req := &all[i].Request
		whole := append(slices.Clone(req.Head), req.Body...)
		want, err := readWire(bufio.NewReader(bytes.NewReader(whole)))
		if err != nil {
			t.Fatal(err)
		}
		want.Body = req.Body
		if diff := cmp.Diff(want, echo.got[i]); diff != "" {
			t.Errorf("capture %d (-captured +sent by curl):\n%s", i, diff)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the script left something behind: %v, %v", files, err)
	}
}
