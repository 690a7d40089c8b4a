package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Millis is a duration that JSON shows as a number of milliseconds with at most three decimals.
type Millis time.Duration

// MarshalJSON writes the number, rounded to whole microseconds.
func (m Millis) MarshalJSON() ([]byte, error) {
	us := time.Duration(m).Round(time.Microsecond).Microseconds()
	return strconv.AppendFloat(nil, float64(us)/1000, 'f', -1, 64), nil
}

// UnmarshalJSON reads a number of milliseconds. It returns an error for anything else and for numbers that
// are not a duration of a nanosecond to 290 years.
func (m *Millis) UnmarshalJSON(b []byte) error {
	var ms float64
	if err := json.Unmarshal(b, &ms); err != nil {
		return fmt.Errorf("a duration is a number of milliseconds, not %.40s", b)
	}
	ns := ms * float64(time.Millisecond)
	// Less than a nanosecond is not none, which means something else.
	if math.IsNaN(ns) || math.Abs(ns) >= math.MaxInt64 || ms != 0 && math.Round(ns) == 0 {
		return fmt.Errorf("%s milliseconds is out of range", b)
	}
	*m = Millis(math.Round(ns))
	return nil
}

// Duration returns m as a time.Duration.
func (m Millis) Duration() time.Duration { return time.Duration(m) }

func millis(d *time.Duration) *Millis {
	if d == nil {
		return nil
	}
	return new(Millis(*d))
}
