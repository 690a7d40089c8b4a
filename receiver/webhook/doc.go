// Package webhook holds the nouns that every stage of the receiver and both of its watchers (inspector
// and scripts) share: endpoints, captures, deliveries, plans, outcomes and facts.
//
// It holds no behaviour beyond small accessors and imports the standard library only. Values that leave a
// stage are not changed afterwards: a stage that wants another value makes a copy.
package webhook

import "errors"

// Errors that cross the border between stages. They are wrapped with the operation; test with errors.Is.
var (
	// ErrNotFound: no such endpoint, capture, delivery or resolved object.
	ErrNotFound = errors.New("not found")
	// ErrExists: an endpoint or a token of that name is there already.
	ErrExists = errors.New("exists already")
	// ErrInvalid: a value that a user gave is refused; the wrapping text says which and what is accepted.
	ErrInvalid = errors.New("invalid")
	// ErrOverloaded: a bounded queue or quota of waiting answers is full. Answered 503 with Retry-After.
	ErrOverloaded = errors.New("overloaded")
	// ErrUnavailable: the store cannot write now (disk full, I/O error, shutting down). Answered 503 with Retry-After.
	ErrUnavailable = errors.New("unavailable")
	// ErrDamaged: a stored row does not match its checksum. The row is not served.
	ErrDamaged = errors.New("damaged")
)
