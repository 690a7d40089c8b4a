package store

import "time"

// leap is by how much more or less than time passed a clock may move before it has jumped, and how far in the future an
// arrival must be to have been noted by a clock that had.
const leap = time.Minute

// steadiness tells for how long the clock has run without a jump. What is deleted for its age while a clock is wrong is
// gone when it is right again: one that is set by the network a while after the start, or that of a virtual machine that
// was halted. Order never depends on the clock: it is that of the seqs.
type steadiness struct {
	known bool
	// wall is what the clock showed last, passed what had passed by then since some moment, since what when it began to run
	// steadily.
	wall          time.Time
	passed, since time.Duration
}

// look notes what the clock shows after so much has passed, and returns for how long it has been steady.
func (s *steadiness) look(wall time.Time, passed time.Duration) time.Duration {
	wall = wall.Round(0)
	if off := wall.Sub(s.wall) - (passed - s.passed); !s.known || off.Abs() > leap {
		s.since = passed
	}
	s.known, s.wall, s.passed = true, wall, passed
	return passed - s.since
}
