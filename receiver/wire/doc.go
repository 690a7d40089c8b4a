// Package wire keeps an inbound HTTP/1.1 request exactly as it was sent.
//
// net/http sorts, joins and rewrites header fields and hides how a body was framed. So the listener wraps each
// connection, the wrapper logs the bytes that net/http reads, and the handler cuts its request out of that log:
//
//	TCP ── Conn (log, clock, hang-up) ── net/http ── handler ── Limits.Read ── webhook.Request
//
// The same wrapper is the only place that sees how and when a sender hangs up, and how many bytes left.
package wire
