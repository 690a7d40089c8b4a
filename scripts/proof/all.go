package proof

import "slices"

// Experiments returns all of them, in the table's order.
func Experiments() ([]Experiment, error) {
	tested, err := suites()
	return slices.Concat(powerCuts(), killings(), diskFaults(), bitFlips(), backups(), rawProbes(), abuses(), slow(), copies(), secrets(), stress(), upkeep(), tested), err
}
