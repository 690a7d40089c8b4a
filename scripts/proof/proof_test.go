package proof_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookrange/hookrange/scripts/proof"
)

const source = "../.."

// laboratory builds the program once for all short versions.
func laboratory(t *testing.T) *proof.Lab {
	t.Helper()
	lab, err := proof.NewLab(source, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// TestShort tries each experiment on the program once, and controls of two until they fail. Those that are tests of
// another package run there.
func TestShort(t *testing.T) {
	t.Parallel()
	lab := laboratory(t)
	lab.Short = true
	for _, e := range experiments(t) {
		if e.Elsewhere || e.Long {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			if e.Needs != nil {
				if err := e.Needs(); errors.Is(err, proof.ErrNotHere) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
			}
			count, err := e.Try(t.Context(), lab.Whole())
			if err != nil {
				t.Fatal(err)
			}
			if count.Tried == 0 || count.Broken > 0 {
				t.Errorf("%d tried, %d broken: %s", count.Tried, count.Broken, count.Seen)
			}
			// One of each kind; make proof tries all of them.
			if e.Name == "kill" || e.Name == "raw-http" {
				mustFail(t, lab, &e, e.Controls[len(e.Controls)-1])
			}
		})
	}
}

// mustFail tries a control until the promise is broken: an experiment that cannot fail proves nothing.
func mustFail(t *testing.T, lab *proof.Lab, e *proof.Experiment, control string) {
	t.Helper()
	b, err := lab.Without(control)
	if err != nil {
		t.Fatal(err)
	}
	for range 60 {
		count, err := e.Try(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if count.Broken > 0 {
			return
		}
	}
	t.Errorf("without %s the promise was kept: the experiment sees nothing", control)
}

// TestGuards takes three of all guards out, others each day, and runs the tests that must notice.
func TestGuards(t *testing.T) {
	t.Parallel()
	all := experiments(t)
	e := &all[slices.IndexFunc(all, func(e proof.Experiment) bool { return e.Name == "guards" })]
	lab := laboratory(t)
	const some = 3
	day := int(time.Now().Unix() / 86_400)
	for i := range some {
		control := e.Controls[(day*some+i)%len(e.Controls)]
		b, err := lab.Without(control)
		if err != nil {
			t.Fatal(err)
		}
		if count, err := e.Try(t.Context(), b); err != nil || count.Broken != 1 {
			t.Errorf("%s: no test notices that the guard is missing (%v)", control, err)
		}
	}
}

// TestFuzzTargetsKeepTheirCorpora: what fuzzing has found worth keeping is run with the other tests, too.
func TestFuzzTargetsKeepTheirCorpora(t *testing.T) {
	t.Parallel()
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	found := 0
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == ".cache" || name == ".git") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, name := range target.FindAllSubmatch(text, -1) {
			found++
			corpus := filepath.Join(filepath.Dir(path), "testdata", "fuzz", string(name[1]))
			if kept, err := os.ReadDir(corpus); err != nil || len(kept) < 10 {
				t.Errorf("%s in %s has a corpus of %d: %v", name[1], path, len(kept), err)
			}
		}
		return err
	})
	if err != nil || found < 20 {
		t.Errorf("%d fuzz targets, %v", found, err)
	}
}

func experiments(t *testing.T) []proof.Experiment {
	t.Helper()
	all, err := proof.Experiments()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestControlsApply: each control's pieces are in the sources, so that it does change something.
func TestControlsApply(t *testing.T) {
	t.Parallel()
	lab := laboratory(t)
	seen := make(map[string]bool)
	for _, e := range experiments(t) {
		if seen[e.Name] || e.Promise == "" || e.Unit == "" || e.Goal <= 0 || e.Try == nil {
			t.Errorf("the experiment %q is not whole, or its name is another's", e.Name)
		}
		seen[e.Name] = true
		for _, name := range e.Controls {
			b, err := lab.Without(name)
			if err != nil {
				t.Errorf("%s: %v", e.Name, err)
				continue
			}
			if err := b.Check(); err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		}
	}
	if _, err := lab.Without("nothing"); err == nil {
		t.Error("a control that is in no file was found")
	}
}

// TestSession runs made-up experiments: their verdicts, the goal, the table, and going on where the last session stopped.
func TestSession(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lab, err := proof.NewLab(source, folder)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	keeps := func(broken func(b *proof.Build) bool) func(context.Context, *proof.Build) (proof.Count, error) {
		return func(_ context.Context, b *proof.Build) (proof.Count, error) {
			tries++
			c := proof.Count{Tried: 1}
			c.Sum("captures", 1000)
			c.Peak("s at most", float64(tries))
			if broken(b) {
				c.Break("one | broke")
			}
			return c, nil
		}
	}
	guard := []string{"synchronous-off"}
	all := []proof.Experiment{
		{Name: "holds", Promise: "p1", Unit: "cuts", Goal: 5, Controls: guard, Try: keeps(func(b *proof.Build) bool { return !b.Whole() })},
		{Name: "blind", Promise: "p2", Unit: "cuts", Goal: 5, Controls: guard, Try: keeps(func(*proof.Build) bool { return false })},
		{Name: "breaks", Promise: "p3", Unit: "cuts", Goal: 5, Try: keeps(func(*proof.Build) bool { return true })},
		{Name: "absent", Promise: "p4", Unit: "cuts", Goal: 5, Needs: func() error { return proof.ErrNotHere }},
		{Name: "trouble", Promise: "p5", Unit: "cuts", Goal: 5, Try: func(context.Context, *proof.Build) (proof.Count, error) {
			return proof.Count{}, io.ErrUnexpectedEOF
		}},
	}
	session := func() []*proof.Result {
		t.Helper()
		s, err := proof.NewSession(t.Context(), lab, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		results, err := s.Run(t.Context(), all, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		table := filepath.Join(folder, "table.md")
		if _, err := os.Stat(table); err != nil {
			if err = proof.WriteTable(table, "x"); err == nil {
				t.Error("a file that is not there was written")
			}
			mustWrite(t, table, "before\nno comments\n")
			if err = proof.WriteTable(table, "x"); err == nil {
				t.Error("a file without a place for the table was written")
			}
			mustWrite(t, table, "before\n<!-- proof: written by make proof -->old<!-- proof: end -->\nafter\n")
		}
		if err := proof.WriteTable(table, s.Table(all)); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(table)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"before\n", "\nafter\n", "| p1 | 5 of 5 cuts, 5 000 captures,", "broken in 3 of 3 |", "| holds |",
			"broken in 0 of 10 |", "proves nothing", "**broken**: one \\| broke", "not run: ", "trouble: ", "make proof ONLY=holds",
		} {
			if !strings.Contains(string(raw), want) {
				t.Errorf("the table lacks %q:\n%s", want, raw)
			}
		}
		return results
	}
	want := []proof.Verdict{proof.Holds, proof.Nothing, proof.Broken, proof.NotRun, proof.Trouble}
	for i, r := range session() {
		if got := r.Verdict(&all[i]); got != want[i] {
			t.Errorf("%s: %s, want %s", r.Name, got, want[i])
		}
	}
	before := tries
	session()
	if tries != before {
		t.Errorf("%d further tries of what was tried as often as wanted", tries-before)
	}
}

// TestTableKeepsRows of what was measured elsewhere.
func TestTableKeepsRows(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "table.md")
	const (
		one = "| one | 5 of 5 | | holds | 2026-01-01 abc `make proof ONLY=one` |\n"
		two = "| two | 5 of 5 | | holds | 2026-01-01 abc `make proof ONLY=two` |\n"
	)
	mustWrite(t, file, "<!-- proof: written by make proof -->\n"+one+two+"<!-- proof: end -->\n")
	fresh := strings.Replace(two, "abc", "def", 1)
	if err := proof.WriteTable(file, "| one | none | | not run | never `make proof ONLY=one` |\n"+fresh); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if want := one + fresh + "<!-- proof: end -->"; err != nil || !strings.Contains(string(raw), want) {
		t.Errorf("%v, the table is\n%s", err, raw)
	}
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
