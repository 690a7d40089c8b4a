package proof

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// evenness is the experiment that times the check of secrets.
func evenness() []Experiment {
	return []Experiment{{
		Name: "even-secrets",
		Promise: "The check of a secret takes as long for one that is right but for its last letter as for one that is all wrong " +
			"(Welch's t of the two within 4.5, in the query and in a header)",
		Unit:     "timings",
		Goal:     2_000_000,
		Controls: []string{"early-exit"},
		Certain:  true,
		Try:      timeSecrets,
	}}
}

// measured is a line of the benchmark: how many timings, and their t.
var measured = regexp.MustCompile(`(?m)^BenchmarkEvenness/(\w+)\S*\s+(\d+)\s.*\s(-?[\d.e+-]+) t\b`)

// timeSecrets looks at what the benchmark of the package says. A difference counts that is seen twice, the same way.
func timeSecrets(ctx context.Context, b *Build) (Count, error) {
	const most = 4.5
	var count Count
	first, err := timings(ctx, b, &count)
	if err != nil {
		return count, err
	}
	for where, t := range first {
		if math.Abs(t) <= most {
			count.Peak("t at most", math.Abs(t))
			continue
		}
		again, err := timings(ctx, b, &count)
		if err != nil {
			return count, err
		}
		if more := again[where]; math.Abs(more) > most && more*t > 0 {
			count.Peak("t at most", min(math.Abs(t), math.Abs(more)))
			count.Break("in the %s: t is %.1f, and %.1f in a second run", where, t, more)
		}
	}
	return count, nil
}

// timings runs the benchmark once and returns each t by where the secret was.
func timings(ctx context.Context, b *Build, count *Count) (map[string]float64, error) {
	const folder = "./receiver/secret"
	each := "100000x"
	if b.lab.Short {
		each = "10000x"
	}
	tests, err := b.Tests(ctx, folder)
	if err != nil {
		return nil, err
	}
	//nolint:gosec // the tests that were built
	cmd := exec.CommandContext(ctx, tests, "-test.run=^$", "-test.bench=^BenchmarkEvenness$", "-test.benchtime="+each)
	cmd.Dir = filepath.Join(b.lab.source, filepath.FromSlash(folder))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("the benchmark: %w: %s", err, lastLine(out))
	}
	found := make(map[string]float64)
	for _, line := range measured.FindAllStringSubmatch(string(out), -1) {
		n, err := strconv.ParseInt(line[2], 10, 64)
		t, err2 := strconv.ParseFloat(line[3], 64)
		if err = errors.Join(err, err2); err != nil {
			return nil, err
		}
		count.Tried += n
		found[line[1]] = t
	}
	const places = 2
	if len(found) != places {
		return nil, fmt.Errorf("the benchmark says nothing that is understood: %s", out)
	}
	return found, nil
}
