package result_test

import (
	"testing"

	"github.com/hookrange/hookrange/scripts/result"
)

func TestWorst(t *testing.T) {
	t.Parallel()
	order := []result.Verdict{"", result.Info, result.Pass, result.Skip, result.Warning, result.Inconclusive, result.Fail, result.Error}
	for i, worse := range order {
		for _, better := range order[:i+1] {
			if a, b := result.Worst(better, worse), result.Worst(worse, better); a != worse || b != worse {
				t.Errorf("the worst of %q and %q is %q and %q", better, worse, a, b)
			}
		}
	}
	if got := result.Worst(); got != "" {
		t.Errorf("the worst of none is %q", got)
	}
}
