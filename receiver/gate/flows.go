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

// flows tells tries to connect from retransmissions and from connections that were made after all. It goes by what was
// seen between two borders and not by times: the kernel stamps a SYN late while stamping is being turned on. It has a
// lock of its own, because the counter must never wait for a gate that waits for the counter.
type flows struct {
	mu sync.Mutex
	// reached is what becomes of a SYN now; empty while the gate is open.
	reached webhook.Reached
	seen    map[flowKey]struct{}
	// own are the addresses from which the gate itself connects.
	own map[netip.AddrPort]struct{}
	// made are the peers whose connections were accepted near a border; they are noted while near is set.
	near  bool
	made  map[netip.AddrPort]struct{}
	fresh []flow
}

// approach is called before the gate leaves its state, and before the SYNs of that state are read.
func (f *flows) approach() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.near = true
	if len(f.fresh) == 0 {
		f.made = nil
	}
}

func (f *flows) begin(reached webhook.Reached) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached, f.own = reached, nil
}

// end is called when the gate is open and the SYNs from before have been read. It tells whether some of them are
// tries that may yet become connections; if so, take must follow.
func (f *flows) end() (pending bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached, f.own, f.near = "", nil, len(f.fresh) > 0
	return f.near
}

// mine notes an address from which the gate is about to connect to itself.
func (f *flows) mine(addr netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own == nil {
		f.own = map[netip.AddrPort]struct{}{}
	}
	f.own[addr] = struct{}{}
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
	if _, own := f.own[s.peer]; own || f.reached == "" {
		return false
	}
	f.fresh = append(f.fresh, flow{peer: s.peer, at: s.at, reached: f.reached})
	return true
}

// accepted notes that a connection was made.
func (f *flows) accepted(peer netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.near || len(f.made) >= maxFlows {
		return
	}
	if f.made == nil {
		f.made = map[netip.AddrPort]struct{}{}
	}
	f.made[netip.AddrPortFrom(peer.Addr().WithZone(""), peer.Port())] = struct{}{}
}

// take returns the new tries without those that became connections; none unless sure.
func (f *flows) take(sure bool) []flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !sure {
		return nil
	}
	found := f.fresh[:0:0]
	for _, one := range f.fresh {
		if _, made := f.made[one.peer]; made {
			delete(f.made, one.peer)
			continue
		}
		found = append(found, one)
	}
	f.fresh = nil
	if f.near = f.reached != ""; !f.near {
		f.made = nil
	}
	return found
}
