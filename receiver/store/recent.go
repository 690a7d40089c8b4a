package store

// recent is a map that forgets the least recently used key beyond its limit. It is not safe for concurrent use.
type recent[K comparable, V any] struct {
	limit int
	nodes map[K]*node[K, V]
	// ring is the sentinel of a doubly linked ring: next is the newest, prev the oldest.
	ring node[K, V]
	// dropped is told what is forgotten. May be nil.
	dropped func(V)
}

type node[K comparable, V any] struct {
	key        K
	value      V
	prev, next *node[K, V]
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	r := &recent[K, V]{limit: max(limit, 1)}
	r.clear()
	return r
}

// clear forgets everything, without telling dropped.
func (r *recent[K, V]) clear() {
	r.nodes = make(map[K]*node[K, V])
	r.ring.prev, r.ring.next = &r.ring, &r.ring
}

func (r *recent[K, V]) len() int { return len(r.nodes) }

// get returns the value of key and makes it the newest.
func (r *recent[K, V]) get(key K) (V, bool) {
	n, ok := r.nodes[key]
	if !ok {
		var zero V
		return zero, false
	}
	n.unlink()
	r.link(n)
	return n.value, true
}

// put sets the value of key and makes it the newest.
func (r *recent[K, V]) put(key K, value V) {
	n, ok := r.nodes[key]
	if ok {
		n.unlink()
		n.value = value
	} else {
		n = &node[K, V]{key: key, value: value}
		r.nodes[key] = n
	}
	r.link(n)
	if len(r.nodes) > r.limit {
		r.drop(r.ring.prev)
	}
}

// remove forgets key.
func (r *recent[K, V]) remove(key K) {
	if n, ok := r.nodes[key]; ok {
		r.drop(n)
	}
}

func (r *recent[K, V]) drop(n *node[K, V]) {
	n.unlink()
	delete(r.nodes, n.key)
	if r.dropped != nil {
		r.dropped(n.value)
	}
}

func (r *recent[K, V]) link(n *node[K, V]) {
	n.prev, n.next = &r.ring, r.ring.next
	n.prev.next, n.next.prev = n, n
}

func (n *node[K, V]) unlink() {
	n.prev.next, n.next.prev = n.next, n.prev
}
