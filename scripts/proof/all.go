package proof

import "slices"

// Experiments returns all of them, in the table's order.
func Experiments() ([]Experiment, error) {
	tested, err := suites()
	if err != nil {
		return nil, err
	}
	guarded, err := guards()
	return slices.Concat(
		powerCuts(), killings(), diskFaults(), many(), bitFlips(), upgrades(), alone(), backups(), paces(),
		rawProbes(), proxied(), abuses(), slow(), cramped(), floods(), spoofed(), evenness(), viewing(), copies(), secrets(),
		crashes(), stress(), confined(), upkeep(), tested, guarded,
	), err
}
