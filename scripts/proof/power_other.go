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

func many() []Experiment {
	return elsewhere("many-captures", "With 1 000 000 captures the program is ready within 5 s of its start after a power cut")
}

func viewing() []Experiment {
	return elsewhere("live-viewers", "Of 1 000 live viewers 100 stop reading: the others are shown each capture as fast as without them")
}

func cramped() []Experiment {
	return elsewhere("little-memory", "In a control group of 192 MB the program lives through large bodies and waiting answers")
}

// elsewhere stands for an experiment that needs Linux.
func elsewhere(name, promise string) []Experiment {
	return []Experiment{{
		Name: name, Promise: promise, Unit: "tries", Goal: 1,
		Needs: func() error { return fmt.Errorf("%w: it needs Linux", ErrNotHere) },
		Try:   func(context.Context, *Build) (Count, error) { return Count{}, ErrNotHere },
	}}
}
