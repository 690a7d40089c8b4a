package gate

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// syn is a try to connect as it was seen on the wire. A retransmission has the same seq as the first.
type syn struct {
	peer netip.AddrPort
	to   netip.AddrPort
	seq  uint32
	at   time.Time
}

// flow is one try to connect to a gate that was not open.
type flow struct {
	peer    netip.AddrPort
	at      time.Time
	reached webhook.Reached
}

type flowKey struct {
	peer netip.AddrPort
	seq  uint32
}

// maxFlows bounds what is remembered to tell retransmissions from new tries.
const maxFlows = 16384

// flows tells tries to connect from retransmissions and from connections that were made after all. It has a lock of
// its own, because the counter must never wait for a gate that waits for the counter.
type flows struct {
	mu sync.Mutex
	// reached is what becomes of a SYN now; empty while the gate is open.
	reached webhook.Reached
	seen    map[flowKey]struct{}
	// made are the peers whose connections were accepted lately.
	made  map[netip.AddrPort]time.Time
	fresh []flow
}

func (f *flows) begin(reached webhook.Reached) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached = reached
}

func (f *flows) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached = ""
}

// saw notes a SYN and tells whether it is a new try that was not answered.
func (f *flows) saw(s syn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := flowKey{s.peer, s.seq}
	if _, again := f.seen[key]; again {
		return false
	}
	if f.seen == nil || len(f.seen) >= maxFlows {
		f.seen = map[flowKey]struct{}{}
	}
	f.seen[key] = struct{}{}
	if f.reached == "" {
		return false
	}
	f.fresh = append(f.fresh, flow{peer: s.peer, at: s.at, reached: f.reached})
	return true
}

// accepted notes that a connection was made.
func (f *flows) accepted(peer netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if len(f.made) >= maxFlows/16 {
		for old, at := range f.made {
			if now.Sub(at) > 10*time.Second {
				delete(f.made, old)
			}
		}
	}
	if f.made == nil {
		f.made = map[netip.AddrPort]time.Time{}
	}
	f.made[peer] = now
}

func (f *flows) pending() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.fresh) > 0
}

// take returns the new tries without those that became connections; none unless sure.
func (f *flows) take(sure bool) []flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !sure || len(f.fresh) == 0 {
		return nil
	}
	found := f.fresh[:0:0]
	for _, one := range f.fresh {
		// A connection comes after its SYN. One that was made before is an earlier one from the same port.
		if at, made := f.made[one.peer]; made && !at.Before(one.at) {
			continue
		}
		found = append(found, one)
	}
	f.fresh = nil
	return found
}
