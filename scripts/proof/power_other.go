//go:build !linux

package proof

import (
	"context"
	"fmt"
)

func powerCuts() []Experiment {
	return []Experiment{{
		Name:    "power-cut",
		Promise: "What was answered with a 2xx is there, byte for byte, after a power cut under load",
		Unit:    "power cuts",
		Goal:    500,
		Needs:   func() error { return fmt.Errorf("%w: it needs Linux", ErrNotHere) },
		Try:     func(context.Context, *Build) (Count, error) { return Count{}, ErrNotHere },
	}}
}
