package plan

import (
	"math/rand/v2"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Connects reports whether the sequence has a step before HTTP. Its place is then the listener's, not a delivery's.
func (p *Program) Connects() bool {
	for _, i := range p.sequence {
		if natureOf(p.steps[i].plan.Fault).connects {
			return true
		}
	}
	return false
}

// Protocols reports whether the program has faults of TLS and of HTTP/2; the latter need both.
func (p *Program) Protocols() (tls, h2 bool) {
	for i := range p.steps {
		switch p.steps[i].plan.Fault {
		case webhook.TLSAlert, webhook.TLSReset, webhook.TLSBadCert:
			tls = true
		case webhook.H2Reset, webhook.H2GoAway:
			tls, h2 = true, true
		default:
		}
	}
	return tls, h2
}

// Connection returns what a connection meets at a place of the sequence: the plan of the step there and for how many
// places, this one included, the step goes on; 0 for ever. The plan's Fault is empty for a step at HTTP level.
func (p *Program) Connection(place int) (out webhook.Plan, left int) {
	at := p.at(place)
	if at < 0 || !natureOf(p.steps[at].plan.Fault).connects {
		return webhook.Plan{}, 0
	}
	last := len(p.sequence) - 1
	if at != p.sequence[last] {
		for k, i := range p.sequence {
			if i == at {
				left = p.ends[k] - max(place, 0)
			}
		}
	}
	return p.steps[at].plan, left
}

// Chance returns the first rule before HTTP that the seed draws for a connection; its Fault is empty when none is.
func (p *Program) Chance(seed uint64) webhook.Plan {
	var source rand.PCG
	source.Seed(seed, 0)
	for _, i := range p.rules {
		s := &p.steps[i]
		if s.chance != nil && draw(&source) < *s.chance && natureOf(s.plan.Fault).connects {
			out := s.plan
			out.Seed = seed
			return out
		}
	}
	return webhook.Plan{}
}

// Request returns the place of the step that a request gets which comes at a place: that one or, where it is before
// HTTP, the next that is not; place itself when there is none.
func (p *Program) Request(place int) int {
	for at := place; ; {
		plan, left := p.Connection(at)
		switch {
		case plan.Fault == "":
			return at
		case left == 0:
			return place
		}
		at += left
	}
}

// Has reports whether a step has the fault.
func (p *Program) Has(fault webhook.Fault) bool {
	for i := range p.steps {
		if p.steps[i].plan.Fault == fault {
			return true
		}
	}
	return false
}

// Waits returns a step that ends only when tries to connect are counted, or "".
func (p *Program) Waits() string {
	for k, i := range p.sequence {
		s := &p.steps[i]
		fault := natureOf(s.plan.Fault)
		if k < len(p.sequence)-1 && fault.connects && fault.lasts && s.plan.For == 0 {
			return s.spec.text(true)
		}
	}
	return ""
}
