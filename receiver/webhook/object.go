package webhook

import "time"

// State is where the resolving of one stored object stands.
type State string

// The states. All but Pending are final.
const (
	Pending State = "pending"
	// Resolved: fetched and stored.
	Resolved State = "resolved"
	// Expired: its time had passed, known from the URL or from the store's answer.
	Expired State = "expired"
	// Denied: the object store refused; Code has its error code.
	Denied State = "denied"
	// Missing: the object store has no such object.
	Missing State = "missing"
	// Blocked: our own policy refused to ask (host, address, scheme, redirect).
	Blocked State = "blocked"
	// TooLarge: over the size bound, before or after decompression.
	TooLarge State = "too_large"
	// Failed: tried until it expired or tries ran out.
	Failed State = "failed"
)

// Ref is a presigned URL that a payload names.
type Ref struct {
	// Name is the dotted place it stands for: "runs.0.inputs", "runs.0.outputs", "runs.0.s3_urls.error".
	Name string
	// URL as the payload has it: absolute, or relative to FetchPolicy.BaseURL.
	URL string
}

// Object is one resolved input or output: the object behind a presigned URL.
type Object struct {
	// Seq of the newest fact about it; set by the store.
	Seq Seq
	// Capture that names it, and its endpoint.
	Capture  Seq
	Endpoint string
	Ref
	State State
	// Code is the object store's error code ("AccessDenied"), or ours in snake case ("host_not_allowed").
	Code string
	// Message is one sentence for a person; it holds no URL, secret or signature.
	Message string
	// ExpiresAt is when the URL ends, known from the URL itself; zero if unknown.
	ExpiresAt time.Time
	// Tries so far, and when the next is due (zero: at once).
	Tries   int
	NextTry time.Time
	// Status of the last HTTP answer, or 0.
	Status int
	// ContentType as the object store says.
	ContentType string
	// Size and SHA256 of Data, which is the object after decompression. Lists leave Data out.
	Size   int64
	SHA256 [32]byte
	Data   []byte
	// DoneAt is when the state became final.
	DoneAt time.Time
}
