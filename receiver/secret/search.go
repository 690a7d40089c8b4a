package secret

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as in hmac.go
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxHashed bounds the bytes that one search hashes.
const maxHashed = 64 << 20

// construction is how key and message become a digest.
type construction struct {
	code string
	make func(h func() hash.Hash, key []byte, message [][]byte) []byte
}

func constructions() []construction {
	plain := func(h func() hash.Hash, parts ...[]byte) []byte {
		sum := h()
		for _, part := range parts {
			sum.Write(part)
		}
		return sum.Sum(nil)
	}
	return []construction{
		{"", func(h func() hash.Hash, key []byte, message [][]byte) []byte {
			mac := hmac.New(h, key)
			for _, part := range message {
				mac.Write(part)
			}
			return mac.Sum(nil)
		}},
		{"hash_of_key_and_body", func(h func() hash.Hash, key []byte, message [][]byte) []byte {
			return plain(h, append([][]byte{key}, message...)...)
		}},
		{"hash_of_body_and_key", func(h func() hash.Hash, key []byte, message [][]byte) []byte {
			return plain(h, append(append([][]byte{}, message...), key)...)
		}},
		{"hash_without_key", func(h func() hash.Hash, _ []byte, message [][]byte) []byte {
			return plain(h, message...)
		}},
	}
}

// hashOf returns the hash whose digests have this size.
func hashOf(size int) (string, func() hash.Hash) {
	switch size {
	case sha1.Size:
		return "sha1", sha1.New
	case sha512.Size:
		return "sha512", sha512.New
	default:
		return "sha256", sha256.New
	}
}

// match is the way by which a received digest was made.
type match struct {
	received     received
	key, body    variant
	layout       layout
	construction string
	// converted is true when seconds were signed and another unit was sent.
	converted bool
}

// search tries ways to make one of the received digests.
type search struct {
	form     form
	received []received
	parts    parts
	// The right choice is the first of each.
	keys    []variant
	own     int
	bodies  []variant
	layouts []layout
	made    []construction

	sizes  []int
	hashed int
	// partial is true when the bound was met.
	partial bool
}

func newSearch(claim *webhook.Claim, p webhook.SecretPolicy, f form) *search {
	s := &search{
		form: f, received: receivedIn(claim.Request.Head, &f), parts: partsOf(claim.Request, &f),
		layouts: layouts(f.layout), made: constructions(),
	}
	s.keys, s.own = keysOf(claim, p)
	seen := map[int]bool{}
	for i := range s.received {
		if size := len(s.received[i].sum); !seen[size] {
			seen[size] = true
			s.sizes = append(s.sizes, size)
		}
	}
	return s
}

// run returns how a received digest was made: first with one mistake in what is hashed, then with two.
func (s *search) run(claim *webhook.Claim) *match {
	if len(s.received) == 0 {
		return nil
	}
	s.bodies = []variant{{bytes: claim.Request.Body}}
	if m := s.try(0, 0, 0, 0); m != nil {
		return m
	}
	s.bodies = bodies(claim)
	counts := [4]int{len(s.keys), len(s.bodies), len(s.layouts), len(s.made)}
	for i, n := range counts {
		for at := 1; at < n; at++ {
			var choice [4]int
			choice[i] = at
			if m := s.try(choice[0], choice[1], choice[2], choice[3]); m != nil {
				return m
			}
		}
	}
	counts[0] = s.own
	for i := range counts {
		for j := i + 1; j < len(counts); j++ {
			if m := s.pairs(counts, i, j); m != nil {
				return m
			}
		}
	}
	return nil
}

func (s *search) pairs(counts [4]int, i, j int) *match {
	for a := 1; a < counts[i]; a++ {
		for b := 1; b < counts[j]; b++ {
			var choice [4]int
			choice[i], choice[j] = a, b
			if m := s.try(choice[0], choice[1], choice[2], choice[3]); m != nil || s.partial {
				return m
			}
		}
	}
	return nil
}

// try makes a digest in one way, in every size that was received, and compares it with all that were. A timestamp in
// another unit is tried in seconds too.
func (s *search) try(key, body, layout, made int) *match {
	m := &match{key: s.keys[key], body: s.bodies[body], layout: s.layouts[layout], construction: s.made[made].code}
	if r := s.equal(&s.parts, m, s.made[made]); r != nil {
		m.received = *r
		return m
	}
	if seconds, ok := s.parts.seconds(); ok {
		if r := s.equal(seconds, m, s.made[made]); r != nil {
			m.received, m.converted = *r, true
			return m
		}
	}
	return nil
}

func (s *search) equal(p *parts, m *match, made construction) *received {
	message := p.message(m.layout, m.body.bytes)
	if message == nil {
		return nil
	}
	length := 0
	for _, part := range message {
		length += len(part)
	}
	var found *received
	for _, size := range s.sizes {
		// The first few are always tried: they are the verifier's own work.
		if s.hashed += length; s.hashed > maxHashed && s.hashed > 4*length {
			s.partial = true
			return nil
		}
		_, h := hashOf(size)
		sum := made.make(h, m.key.bytes, message)
		for i := range s.received {
			if hmac.Equal(sum, s.received[i].sum) && found == nil {
				found = &s.received[i]
			}
		}
	}
	return found
}
