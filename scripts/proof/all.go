package proof

import "slices"

// Experiments returns all of them, in the table's order.
func Experiments() ([]Experiment, error) {
	tested, err := suites()
	return slices.Concat(
		powerCuts(), killings(), diskFaults(), many(), bitFlips(), upgrades(), alone(), backups(), paces(),
		rawProbes(), proxied(), abuses(), slow(), cramped(), floods(), spoofed(), evenness(), viewing(), copies(), secrets(),
		stress(), upkeep(), tested,
	), err
}
