package gate

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"syscall"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Ports is a range of ports, both ends included. Its zero value is 20000 to 20999.
type Ports struct{ First, Last int }

// WithDefaults returns the range with its default filled in.
func (p Ports) WithDefaults() Ports {
	if p == (Ports{}) {
		return Ports{First: 20000, Last: 20999}
	}
	return p
}

// Check returns an ErrInvalid for a range that is none, or that has ports which the system gives to outgoing
// connections: a gate that is shut could not keep such a port.
func (p Ports) Check() error {
	if p.First < 1 || p.Last < p.First || p.Last > 65535 {
		return fmt.Errorf("%w: ports %d-%d: give two of 1 to 65535, the smaller first", webhook.ErrInvalid, p.First, p.Last)
	}
	low, high := ephemeral()
	if p.First <= high && p.Last >= low {
		return fmt.Errorf("%w: ports %d-%d: %d to %d are for outgoing connections on this system; choose ports outside of them",
			webhook.ErrInvalid, p.First, p.Last, low, high)
	}
	return nil
}

// ephemeral returns the range of ports that the system gives to outgoing connections; 0, 0 when that is not known.
func ephemeral() (low, high int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0
	}
	if _, err = fmt.Sscan(string(text), &low, &high); err != nil {
		return 0, 0
	}
	return low, high
}

// Open listens for an endpoint on config.Addr or, when its port is 0, on the first free port of the range, counted
// from a place that the endpoint's name gives, so that it mostly stays the same. Ports that are taken are passed over.
func (p Ports) Open(config Config) (*Gate, error) {
	host, port := config.Addr.Addr(), int(config.Addr.Port())
	if port != 0 {
		if err := (Ports{port, port}).Check(); err != nil {
			return nil, err
		}
		return Open(config)
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(config.Endpoint))
	size := p.Last - p.First + 1
	begin := int(hash.Sum32() % uint32(size)) //nolint:gosec // at most 65535
	for i := range size {
		config.Addr = netip.AddrPortFrom(host, uint16(p.First+(begin+i)%size)) //nolint:gosec // checked above
		g, err := Open(config)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return g, err
		}
	}
	return nil, fmt.Errorf("%w: endpoint %s: all ports of %d-%d are taken: give the receiver a larger range",
		webhook.ErrUnavailable, config.Endpoint, p.First, p.Last)
}
