// Package throttle bounds what one client, or all of an endpoint's, may ask for: it tells clients apart by their address,
// also behind proxies that are trusted, counts their requests in token buckets, and counts their answers that wait.
package throttle

// Limits are what a client or an endpoint may ask for. The zero value has none.
type Limits struct {
	// Trusted proxies are asked where a request came from.
	Trusted Proxies
	// ClientRate and EndpointRate are in requests a second, of each client and of each endpoint; see CheckRate.
	ClientRate, EndpointRate float64
	// ClientWaiting is how many answers may wait for each client at once.
	ClientWaiting int64
}
