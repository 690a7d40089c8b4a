package proof

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// The comments between which the README's table is.
const (
	begin = "<!-- proof: written by make proof -->"
	end   = "<!-- proof: end -->"
)

// Table is what is known of all experiments, as a table in Markdown, with the machine above it.
func (s *Session) Table(experiments []Experiment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, with the load on the same machine.\n\n", Machine())
	b.WriteString("| promise | tried | without a guard | verdict | measured |\n|---|---|---|---|---|\n")
	for i := range experiments {
		e := &experiments[i]
		r := s.kept.Results[e.Name]
		if r == nil {
			r = &Result{Date: "never"}
		}
		var failed []string
		for _, name := range e.Controls {
			c := r.Controls[name]
			failed = append(failed, fmt.Sprintf("%s: broken in %s of %s", s.lab.controls[name].Without, number(c.Broken), number(c.Tried)))
		}
		figures, verdict := r.Count.figures(e.Unit, e.Goal), string(r.Verdict(e))
		if r.Count.Tried == 0 {
			figures = "none"
		}
		if r.Why != "" {
			verdict += ": " + r.Why
		}
		if r.Count.Seen != "" {
			verdict += ": " + r.Count.Seen
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s `make proof ONLY=%s` |\n", cell(e.Promise), cell(figures),
			cell(strings.Join(failed, "; ")), cell(verdict), strings.TrimSpace(r.Date+" "+r.Commit), e.Name)
	}
	return b.String()
}

// cell makes a text fit a cell.
func cell(text string) string {
	const most = 400
	text = strings.NewReplacer("|", `\|`, "\n", " ").Replace(text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// keep returns a table with the rows of the one before it for what has not been measured here.
func keep(table, before string) string {
	measured := func(line string) string {
		_, by, _ := strings.Cut(line, "`make proof ONLY=")
		return by
	}
	rows := make(map[string]string)
	for line := range strings.Lines(before) {
		if by := measured(line); by != "" {
			rows[by] = line
		}
	}
	var b strings.Builder
	for line := range strings.Lines(table) {
		if old, there := rows[measured(line)]; there && strings.Contains(line, "| never `make proof ") {
			line = old
		}
		b.WriteString(line)
	}
	return b.String()
}

// WriteTable puts a table between the two comments of a file. Rows of what was never measured here stay as they are there.
func WriteTable(path, table string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(raw), begin)
	old, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the table: put the comments %s and %s where it is to be", path, begin, end)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	//nolint:gosec // the caller names the file
	return os.WriteFile(path, []byte(before+begin+"\n"+keep(table, old)+end+after), info.Mode().Perm())
}

// Machine says what machine this is.
func Machine() string {
	var memory string
	for line := range strings.Lines(readAll("/proc/meminfo")) {
		var kb int64
		if n, err := fmt.Sscanf(line, "MemTotal: %d kB", &kb); err == nil && n == 1 {
			memory = fmt.Sprintf(", %d GB", (kb+1<<19)>>20)
		}
	}
	text := fmt.Sprintf("%s/%s, %d processors%s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memory)
	if release := strings.Fields(readAll("/proc/sys/kernel/osrelease")); len(release) == 1 {
		text += ", Linux " + release[0]
	}
	return text
}

func readAll(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw)
}
