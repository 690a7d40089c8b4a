package bucket

import (
	"net/http"
	"net/url"
	"time"
)

// Signer is signer, to be compared with others.
type Signer struct{ ID, Secret, Region string }

// Presign is presign.
func (s Signer) Presign(method string, where url.URL, at time.Time, expires time.Duration) string {
	return signer{s.ID, s.Secret, s.Region}.presign(method, where, at, expires)
}

// Signed is signed.
func (s Signer) Signed(r *http.Request, at time.Time, given string) bool {
	return signer{s.ID, s.Secret, s.Region}.signed(r, at, given)
}
