package egress

// Kind says at which stage a Get came to its end without an answer.
type Kind string

// The kinds.
const (
	// Blocked: our own policy refused to ask. Asking again gives the same.
	Blocked Kind = "blocked"
	// TooLarge: the object is over the bound, before or after decompression.
	TooLarge Kind = "too_large"
	// Network: the name, the connection or the answer failed. Asking again may help.
	Network Kind = "network"
	// Timeout: one of the limits on time ran out. Asking again may help.
	Timeout Kind = "timeout"
	// Decode: the object's content encoding is unknown or its data damaged.
	Decode Kind = "decode"
)

// Error is how a Get fails. It never holds a URL, a query, a signature or an address, and wraps no
// other error that might.
type Error struct {
	Kind Kind
	// Code is one word in snake case, such as "host_not_allowed".
	Code string
	// Message is one sentence for a person.
	Message string
}

// Error returns code and message.
func (e *Error) Error() string { return "egress: " + e.Code + ": " + e.Message }

func blocked(code, message string) *Error { return &Error{Blocked, code, message} }
