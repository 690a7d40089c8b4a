package scripts

import "time"

// Words returns every command, every kind of check and every need of the language.
func Words() (commands, checks, needed []string) {
	for _, k := range kinds() {
		checks = append(checks, k.name)
	}
	for _, n := range needs() {
		needed = append(needed, n.name)
	}
	return commandNames(), checks, needed
}

// StartedAhead is what a program's start may have taken of its own limit on a machine that was late by lag.
var StartedAhead = startedAhead

// Watched gives a run's canary a clock.
func Watched(config *Config, now func() time.Time) { config.now = now }
