package proof

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// confined is the experiment that watches which programs the program starts and which files it touches.
func confined() []Experiment {
	return []Experiment{{
		Name: "confined",
		Promise: "Under load (webhooks, hanging answers, lists, searches, exports, live viewers, changed settings) the program starts no other program, changes no file " +
			"outside its data folder, and reads none but its settings and what the system says of names, certificates and itself",
		Unit:     "calls that name a file",
		Goal:     2_000,
		Controls: []string{"starts-a-program", "reads-elsewhere", "writes-elsewhere"},
		Certain:  true,
		Needs:    needsTool("strace"),
		Try:      trying(confine),
	}}
}

// readable is what may be read outside of the data folder.
func readable(path string) bool {
	return path == "/dev/null" || path == "/dev/urandom" || slices.ContainsFunc([]string{
		"/proc/self/", "/proc/stat", "/proc/sys/", "/sys/kernel/mm/", "/sys/devices/system/cpu/", "/sys/fs/cgroup/", // itself, for its metrics and limits
		"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/services", "/etc/protocols", // names
		"/etc/ssl/", "/usr/share/ca-certificates/", // certificates
		"/etc/localtime", "/usr/share/zoneinfo/", "/etc/mime.types", "/etc/apache2/mime.types", "/etc/apache/mime.types", "/etc/httpd/conf/mime.types",
		"/usr/share/mime/", "/usr/local/share/mime/",
	}, func(known string) bool {
		return path == known || strings.HasSuffix(known, "/") && strings.HasPrefix(path, known)
	})
}

func confine(ctx context.Context, p *program, count *Count) error {
	trace := filepath.Join(p.folder, "trace")
	p.before = []string{"strace", "-f", "-qq", "-y", "-s", "4096", "-o", trace, "-e", "trace=%file"}
	if err := p.start(ctx); err != nil {
		return err
	}
	loaded, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if err := p.stressed(loaded, count); err != nil {
		return err
	}
	if err := p.stopBelow(); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Clean(trace))
	if err != nil {
		return err
	}
	// The folder around the data folder is opened to sync the entry of a new one.
	own := func(path string) bool {
		return path == p.data || strings.HasPrefix(path, p.data+"/") || path == filepath.Join(p.folder, "ready.json") ||
			strings.HasPrefix(path, filepath.Join(p.folder, ".hookrange-")) // on its way to be the ready file
	}
	started := 0
	for line := range strings.Lines(string(raw)) {
		call, paths := traced(line)
		if call == "" {
			continue
		}
		count.Tried++
		switch {
		case strings.HasPrefix(call, "exec"):
			if started++; started > 1 { // the first is strace starting the program
				count.Break("it starts a program: %.300s", line)
			}
		case looks(call):
		default:
			for _, path := range paths {
				reads := strings.Contains(line, "O_RDONLY") && !strings.Contains(line, "O_CREAT")
				if own(path) || reads && (readable(path) || path == p.folder || path == filepath.Join(p.folder, "hookrange.yaml")) {
					continue
				}
				count.Break("it touches %s: %.300s", path, line)
			}
		}
	}
	if started == 0 {
		return fmt.Errorf("strace saw nothing: %.300s", raw)
	}
	return nil
}

// stopBelow asks what runs below strace to end, which strace itself does not pass on.
func (p *program) stopBelow() error {
	pid := p.cmd.Process.Pid
	for child := range strings.FieldsSeq(readAll(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return err
		}
		process, err := os.FindProcess(n)
		if err != nil {
			return err
		}
		if err = process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
	}
	select {
	case err := <-p.exited:
		p.exited = nil
		return err
	case <-time.After(patience):
		return errors.Join(errors.New("the program did not end on SIGTERM"), p.kill())
	}
}

// looks tells calls that neither open nor change what they name.
func looks(call string) bool {
	return slices.Contains([]string{
		"access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "fstatat64", "statx", "statfs", "readlink", "readlinkat", "getcwd",
	}, call)
}

var (
	// oneCall is a line of strace -f; what is resumed has been counted.
	oneCall = regexp.MustCompile(`^(?:\[pid +)?\d+\]? +([a-z_0-9]+)\((.*)`)
	// oneName is a file name among a call's arguments, with the folder that it is relative to, if it says so.
	oneName = regexp.MustCompile(`(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"`)
)

// traced returns a call and the names in it.
func traced(line string) (call string, paths []string) {
	found := oneCall.FindStringSubmatch(line)
	if found == nil {
		return "", nil
	}
	for _, name := range oneName.FindAllStringSubmatch(found[2], -1) {
		path := name[2]
		if !filepath.IsAbs(path) {
			path = filepath.Join(name[1], path)
		}
		paths = append(paths, filepath.Clean(path))
	}
	return found[1], paths
}

// stressed uses the program in all its ways until ctx ends.
func (p *program) stressed(ctx context.Context, count *Count) error {
	for n := 0; ctx.Err() == nil; n++ {
		client := p.client()
		err := errors.Join(
			func() error {
				_, err := p.deliver(ctx, client, p.hook("default"), fmt.Appendf(nil, `{"n":%d}`, n))
				return err
			}(),
			p.hangUp(ctx, client, n),
			p.call(ctx, client, http.MethodGet, "/api/v1/endpoints/default/captures?q=n", ""),
			p.call(ctx, client, http.MethodGet, "/api/v1/endpoints/default/export?format=har", ""),
			p.call(ctx, client, http.MethodGet, "/", ""),
			p.call(ctx, client, http.MethodGet, "/metrics", ""),
			p.call(ctx, client, http.MethodPatch, "/api/v1/endpoints/default", fmt.Sprintf(`{"respond":"%d"}`, 200+n%3)),
		)
		client.CloseIdleConnections()
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			count.Sum("rounds of calls", 1)
		}
	}
	return nil
}
