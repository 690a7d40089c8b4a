package proof

import "slices"

// Experiments returns all of them, in the table's order.
func Experiments() ([]Experiment, error) {
	tested, err := suites()
	if err != nil {
		return nil, err
	}
	guarded, err := guards()
	return slices.Concat(powerCuts(), killings(), diskFaults(), many(), bitFlips(), backups(), paces(), rawProbes(), proxied(), abuses(), slow(), viewing(), copies(), secrets(), stress(), confined(), upkeep(), tested, guarded), err
}
