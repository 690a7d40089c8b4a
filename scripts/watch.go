package scripts

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// patience is how many times the last gap the quiet time is at least: an exponential sender doubles it.
const patience = 3

// lentEndpoint is an endpoint of a running case.
type lentEndpoint struct {
	Endpoint
	spec     Spec
	triggers int
	// spawned is when the program of each trigger was started, by the trigger's path.
	spawned map[string]time.Time
	// ended has a value for each trigger that has come back; done counts those that were taken out.
	ended chan struct{}
	done  int
	// cameBack is when the last of them was taken out.
	cameBack time.Time
	// unanswered says why a sender that did not wait for an answer may be right, as a check of that found.
	unanswered string
	// evidence is as of the last wait.
	evidence         evidence
	watched, silence time.Duration
}

// moment is what a wait looks at.
type moment struct {
	// last is when the last thing happened, zero when nothing has.
	last time.Time
	// open is true while an answer has not ended, or a trigger has not come back.
	open bool
	// enough is true when each trigger's attempts have come and ended, over when one has even more than were expected.
	enough, over bool
	// gap is the longest of the newest gaps.
	gap time.Duration
}

// watch blocks until a wait is over, or ctx ends.
func (l *lentEndpoint) watch(ctx context.Context, w waitStep) error {
	started := time.Now()
	deadline := started.Add(w.timeout)
	var after webhook.Seq
	// settled is the last event as of when it was certain that nothing older was still on its way to the disk.
	var settled *time.Time
	for {
		now, err := l.look(ctx, w.attempts)
		if err != nil {
			return err
		}
		l.silence = max(w.quiet, patience*now.gap)
		back := l.triggered()
		from := now.last
		if from.IsZero() {
			from = latest(started, l.cameBack)
		}
		quietAt := from.Add(l.silence)
		switch at := time.Now(); {
		case w.enough && now.enough, now.over:
			l.silence, l.watched = 0, at.Sub(from)
			return nil
		case !at.Before(deadline), !now.open && !at.Before(quietAt) && (!now.last.IsZero() || back):
			if settled != nil && settled.Equal(now.last) {
				return nil
			}
			settled, l.watched = &now.last, at.Sub(from)
			if err = l.Settle(ctx); err != nil {
				return err
			}
			continue
		}
		until := deadline
		if !now.open && (!now.last.IsZero() || back) && quietAt.Before(deadline) {
			until = quietAt
		}
		if after, err = l.next(ctx, after, until); err != nil {
			return err
		}
	}
}

// triggered tells whether every trigger has come back: a sender that is still at work may yet send its first.
func (l *lentEndpoint) triggered() bool {
	for {
		select {
		case <-l.ended:
			l.came()
		default:
			return l.done == l.triggers
		}
	}
}

// came notes that a trigger came back.
func (l *lentEndpoint) came() {
	l.done++
	l.cameBack = time.Now()
}

// brief tells whether the programs of all triggers have come back, after the last thing that was seen of them and so
// soon that none can think its time over: they have done all that they would. One that only tells another to send comes
// back before.
func (l *lentEndpoint) brief(e *evidence) bool {
	for _, at := range e.spawned {
		if l.cameBack.Sub(at) >= scaled(patienceLeast, e.scale) {
			return false
		}
	}
	var last time.Time
	for _, a := range e.all() {
		ended, ok := end(&a.Capture)
		if !ok {
			return false
		}
		last = latest(last, ended)
	}
	for i := range e.connections {
		last = latest(last, e.connections[i].At)
	}
	return l.done == l.triggers && !l.cameBack.Before(last)
}

// next blocks until something was seen, a trigger came back, or the time has come.
func (l *lentEndpoint) next(ctx context.Context, after webhook.Seq, until time.Time) (webhook.Seq, error) {
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	back := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-l.ended:
			close(back)
			cancel()
		case <-waiting.Done():
		}
	}()
	seq, err := l.Wait(waiting, after)
	cancel()
	<-stopped
	select {
	case <-back:
		l.came()
	default:
	}
	if err != nil && ctx.Err() != nil {
		return seq, ctx.Err()
	}
	if err != nil && waiting.Err() == nil {
		return seq, err
	}
	return max(seq, after), nil
}

// look reads what has happened so far.
func (l *lentEndpoint) look(ctx context.Context, attempts int) (moment, error) {
	captures, err := l.Captures(ctx, false)
	if err != nil {
		return moment{}, err
	}
	now := moment{enough: attempts > 0}
	deliveries := l.group(captures)
	for i := range deliveries {
		d := &deliveries[i]
		for j := range d.attempts {
			a := &d.attempts[j]
			at, ended := end(&a.Capture)
			now.open = now.open || !ended
			now.last = latest(now.last, a.ReceivedAt, at)
		}
		if last := d.attempts[len(d.attempts)-1]; last.gap != nil {
			now.gap = max(now.gap, *last.gap)
		}
		now.enough = now.enough && len(d.attempts) >= attempts
		now.over = now.over || len(d.attempts) > attempts
	}
	// Not before the last delivery was looked at: an answer of any of them may be under way.
	now.enough = now.enough && len(deliveries) >= l.triggers && !now.open
	now.over = now.over && now.enough
	connections, err := l.Connections(ctx)
	if err != nil && !errors.Is(err, webhook.ErrUnavailable) {
		return moment{}, err
	}
	for i := range connections {
		now.last = latest(now.last, connections[i].At)
		if i == len(connections)-1 && i > 0 {
			now.gap = max(now.gap, connections[i].At.Sub(connections[i-1].At))
		}
	}
	// A sender that is still at work may yet try again, however long it has been quiet.
	now.open = now.open || !l.triggered()
	return now, nil
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}

// collect keeps the evidence as of now.
func (l *lentEndpoint) collect(ctx context.Context, c *caseRun) error {
	until := time.Now()
	captures, err := l.Captures(ctx, true)
	if err != nil {
		return err
	}
	connections, err := l.Connections(ctx)
	uncounted := ""
	if err != nil {
		if !errors.Is(err, webhook.ErrUnavailable) {
			return err
		}
		uncounted = err.Error()
	}
	l.evidence = evidence{
		deliveries: l.group(captures), connections: connections, uncounted: uncounted,
		until: until, atWork: !l.triggered(), watched: l.watched, quiet: l.silence, scale: c.config.Scale, vars: c.vars,
	}
	return nil
}
