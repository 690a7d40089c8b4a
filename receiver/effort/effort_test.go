package effort_test

import (
	"testing"

	"github.com/expr-lang/expr"

	"github.com/hookrange/hookrange/receiver/effort"
)

func TestCounted(t *testing.T) {
	t.Parallel()
	type environment struct {
		List   []any                     `expr:"list"`
		Effort func(...any) (any, error) `expr:"effort__"`
	}
	for text, want := range map[string]int{
		`1 == 1`:                                    0,
		`any(list, # == 3)`:                         3,
		`all(list, # > 0)`:                          4,
		`len(filter(list, # > 2)) == 2`:             4,
		`sum(map(list, # * 2)) == 20`:               4,
		`count(list, # == 1) == 1`:                  4,
		`find(list, # > 1) == 2`:                    2,
		`reduce(list, #acc + #, 0) == 10`:           4,
		`!any(list, any(list, # == 5))`:             20,
		`len(sortBy(list, -#)) == 4`:                4,
		`len(groupBy(list, # % 2)) == 2`:            4,
		`none(list, let x = #; any(list, # > x+9))`: 20,
	} {
		program, err := expr.Compile(text, expr.Env(environment{}), expr.AsBool(), expr.Patch(effort.Counted{}))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		run := func(steps int) (any, error) {
			return expr.Run(program, environment{List: []any{1, 2, 3, 4}, Effort: effort.Steps(steps)})
		}
		if got, err := run(want); err != nil || got != true {
			t.Errorf("%s in %d steps: %v, %v", text, want, got, err)
		}
		if want > 0 {
			if _, err := run(want - 1); err == nil {
				t.Errorf("%s needs no more than %d steps, want %d", text, want-1, want)
			}
		}
	}
}
