package gate

import (
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

func stateFor(fault webhook.Fault) state {
	switch fault {
	case webhook.Refuse:
		return stateShut
	case webhook.Blackhole:
		return stateHole
	default:
		return stateOpen
	}
}

func reachedBy(s state) webhook.Reached {
	if s == stateHole {
		return webhook.ConnDropped
	}
	return webhook.ConnRefused
}

// adjust makes the valve agree with the current step. mu is held, and free in between.
func (g *Gate) adjust() {
	for !g.closed && g.valve != nil {
		if g.moving {
			g.moved.Wait()
			continue
		}
		plan, left := g.steps.Connection(g.place)
		want := stateFor(plan.Fault)
		if want == g.state && (want == stateOpen || plan.Step == g.held.plan.Step) {
			return
		}
		// Tries that were seen belong to the step that ends here.
		g.count()
		g.settle()
		g.release()
		g.moving = true
		g.turn(want)
		g.moving = false
		g.moved.Broadcast()
		if want != stateOpen && !g.closed {
			g.hold(plan, left)
		}
	}
}

// hold keeps the gate shut for a step that has left more places to go.
func (g *Gate) hold(plan webhook.Plan, left int) {
	g.holds++
	g.held = hold{plan: plan, byTries: left > 0 && (plan.For == 0 || left > 1)}
	if plan.For > 0 && left > 0 {
		number := g.holds
		g.held.timer = time.AfterFunc(plan.For, func() { g.expire(number) })
	}
}

// release ends what keeps the gate shut.
func (g *Gate) release() {
	if g.held.timer != nil {
		g.held.timer.Stop()
	}
	g.held = hold{}
}

// expire ends a step whose time has passed.
func (g *Gate) expire(number int) {
	g.mu.Lock()
	defer g.unlock()
	plan, left := g.steps.Connection(g.place)
	if g.closed || g.holds != number || plan.Step != g.held.plan.Step || g.held.timer == nil {
		return
	}
	g.place += left
	g.adjust()
}

// count reads what the counter's sockets have received up to now.
func (g *Gate) count() {
	if g.config.Counter != nil {
		g.config.Counter.drain()
	}
}

// counted is called by the counter after it has seen tries to connect.
func (g *Gate) counted() {
	g.mu.Lock()
	defer g.unlock()
	for g.moving {
		g.moved.Wait()
	}
	g.settle()
	g.adjust()
}

// settle takes over the tries to connect that were seen while the gate was shut. mu is held and the accept loop stands
// still, or has met every connection that was accepted before.
func (g *Gate) settle() {
	if g.closed {
		return
	}
	for _, f := range g.flows.take(g.state != stateOpen) {
		g.tell(f)
	}
}

func (g *Gate) tell(f flow) {
	c := webhook.Connection{Endpoint: g.config.Endpoint, Peer: f.peer, At: f.at.UTC(), Reached: f.reached}
	c.Fault, c.Step = webhook.Refuse, string(webhook.Refuse)
	if f.reached == webhook.ConnDropped {
		c.Fault, c.Step = webhook.Blackhole, string(webhook.Blackhole)
	}
	if g.held.plan.Fault == c.Fault {
		c.Step = g.held.plan.Text
	}
	g.due = append(g.due, c)
	if here, left := g.steps.Connection(g.place); g.held.byTries && left > 0 && here.Step == g.held.plan.Step {
		g.place++
	}
}

// doubtTime is how long a SYN from the moment of opening may take to become a connection.
const doubtTime = 500 * time.Millisecond

// doubt looks later at the tries that came while the valve was being opened: those that were accepted are none.
func (g *Gate) doubt() {
	g.running.Go(func() {
		for g.wait(doubtTime); g.ctx.Err() == nil && g.valve.queued() > 0; {
			g.wait(doubtTime / 10)
		}
		g.mu.Lock()
		defer g.unlock()
		if g.state == stateOpen && !g.moving {
			for _, f := range g.flows.take(true) {
				g.tell(f)
			}
		}
	})
}
