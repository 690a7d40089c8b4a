//go:build !linux

package proof

import (
	"context"
	"fmt"
)

func powerCuts() []Experiment {
	return elsewhere("power-cut", "What was answered with a 2xx is there, byte for byte, after a power cut under load")
}

func diskFaults() []Experiment {
	return elsewhere("disk-fault", "While the disk fails nothing is answered 2xx that is not kept")
}

// elsewhere stands for an experiment that needs Linux.
func elsewhere(name, promise string) []Experiment {
	return []Experiment{{
		Name: name, Promise: promise, Unit: "tries", Goal: 1,
		Needs: func() error { return fmt.Errorf("%w: it needs Linux", ErrNotHere) },
		Try:   func(context.Context, *Build) (Count, error) { return Count{}, ErrNotHere },
	}}
}
