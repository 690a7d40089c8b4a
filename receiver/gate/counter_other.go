//go:build !linux

package gate

// Counter counts nothing on this system. Its zero value is ready.
type Counter struct{}

// Countable tells whether tries can be counted here, and if not, why.
func (*Counter) Countable() (ok bool, reason string) {
	return false, "tries to connect are counted on Linux only"
}

func (*Counter) watch(*Gate) {}

func (*Counter) forget(*Gate) {}

func (*Counter) drain() {}
