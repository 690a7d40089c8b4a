package store

import (
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// lane is one class of one endpoint, with a quota of its own. Only the writer changes and reads its plain
// fields.
type lane struct {
	id       int64
	endpoint string
	quota    webhook.Quota
	laneState
	// touched is the number of the transaction that changed it last.
	touched uint64
	// visible is count as of the last commit, for everyone.
	visible atomic.Int64
}

// laneState is what a rollback restores.
type laneState struct {
	count, bytes int64
	// through is the newest seq up to which retention has deleted all.
	through int64
	// rangeSeq is the newest deletion fact of a range of this lane; a newer one takes its place.
	rangeSeq int64
}

// defaultQuota holds what the zero fields of a quota stand for.
func defaultQuota(class webhook.Class) webhook.Quota {
	const day = 24 * time.Hour
	switch class {
	case webhook.Rejected:
		return webhook.Quota{Count: 1000, Age: 7 * day, Bytes: 32 << 20}
	case webhook.Incomplete:
		return webhook.Quota{Count: 1000, Age: 7 * day, Bytes: 64 << 20}
	default:
		return webhook.Quota{Count: 10_000, Age: 30 * day, Bytes: 1 << 30}
	}
}

func quotaOf(ep *webhook.Endpoint, class webhook.Class) webhook.Quota {
	quota, fallback := ep.Retention.Of(class), defaultQuota(class)
	quota.Count = or(quota.Count, fallback.Count)
	quota.Age = or(quota.Age, fallback.Age)
	quota.Bytes = or(quota.Bytes, fallback.Bytes)
	return quota
}

// over tells whether the lane has so much that retention must begin. A quota may be exceeded by a 64th (at
// most 256 captures), so that a full lane is trimmed in steps and not with each capture. The newest capture is kept
// whatever its size: it was acknowledged.
func (l *lane) over() bool {
	count, bytes := l.quota.Count, l.quota.Bytes
	return l.count > 1 && (count >= 0 && l.count > count+min(count/64, trimRows) ||
		bytes >= 0 && l.bytes > bytes+bytes/64)
}

// within tells whether n captures of size bytes fewer would be within the quota.
func (l *lane) within(n, size int64) bool {
	count, bytes := l.quota.Count, l.quota.Bytes
	return l.count-n <= 1 || (count < 0 || l.count-n <= count) && (bytes < 0 || l.bytes-size <= bytes)
}

// surplus returns how many captures one step of trimming must look at.
func (l *lane) surplus() int64 {
	if l.heavy() {
		return trimRows
	}
	return min(l.count-l.quota.Count, trimRows)
}

// heavy tells whether the lane has more bytes than its quota.
func (l *lane) heavy() bool { return l.quota.Bytes >= 0 && l.bytes > l.quota.Bytes }

// place is what the writer knows of an endpoint for as long as it is there: its id and its lanes. An update
// keeps it; an endpoint that was deleted and made again has another.
type place struct {
	id    int64
	name  string
	lanes [3]*lane
	// connections counts those recorded since the start; kept bounds those that are there. Both are the writer's.
	connections int64
	kept        webhook.Quota
	// gone is the writer's.
	gone bool
}

func newPlace(id int64, name string) *place {
	p := &place{id: id, name: name}
	for i := range p.lanes {
		p.lanes[i] = &lane{id: id*4 + int64(i), endpoint: name}
	}
	return p
}

func (p *place) setQuotas(ep *webhook.Endpoint) {
	for i, class := range allClasses() {
		p.lanes[i].quota = quotaOf(ep, class)
	}
	p.kept = ep.Retention.Connections
	p.kept.Count = or(p.kept.Count, maxConnections)
	p.kept.Age = or(p.kept.Age, connectionAge)
}

// entry is one version of an endpoint.
type entry struct {
	*place
	endpoint *webhook.Endpoint
	// answers tells the endpoint's answers from other ones.
	answers uint64
}

func newEntry(p *place, ep *webhook.Endpoint) *entry {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%q %#v", ep.Respond, ep.Rules)
	return &entry{place: p, endpoint: ep, answers: h.Sum64()}
}

// directory is an immutable picture of all endpoints.
type directory struct {
	byName map[string]*entry
	byID   map[int64]*entry
	sorted []*webhook.Endpoint
}

// nameOf returns the endpoint of a lane; false when it was deleted.
func (d *directory) nameOf(laneID int64) (string, bool) {
	e, ok := d.byID[laneID>>2]
	if !ok {
		return "", false
	}
	return e.name, true
}
