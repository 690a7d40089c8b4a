package api

import (
	"encoding/json"
	"time"
)

// Pair is a name and its value: a header line in wire order and case.
type Pair [2]string

// Endpoint is a named URL with its settings. In requests every field but the read-only ones (URL, Declared,
// URLs, Listener.Problem, CreatedAt, UpdatedAt, Counts, LastSeq) may be set.
type Endpoint struct {
	Name           string           `json:"name"`
	URL            string           `json:"url"`
	URLs           []Way            `json:"urls"`
	Listener       Listener         `json:"listener"`
	Secret         string           `json:"secret"`
	PreviousSecret string           `json:"previous_secret"`
	Scheme         string           `json:"scheme"`
	Param          string           `json:"param"`
	Header         string           `json:"header"`
	Prefix         string           `json:"prefix"`
	Encoding       string           `json:"encoding"`
	Hash           string           `json:"hash"`
	Timestamp      string           `json:"timestamp_header"`
	Tolerance      Millis           `json:"tolerance_ms"`
	Expect         []Expectation    `json:"expect"`
	Respond        string           `json:"respond"`
	Rules          []AnswerRule     `json:"rules"`
	CORS           CORS             `json:"cors"`
	Refusal        Refusal          `json:"refusal"`
	Fetch          Fetch            `json:"fetch"`
	Forwards       []Forward        `json:"forwards"`
	Retention      Retention        `json:"retention"`
	Declared       bool             `json:"declared"`
	CreatedAt      time.Time        `json:"created_at"`
	UpdatedAt      time.Time        `json:"updated_at"`
	Counts         map[string]int64 `json:"counts"`
	LastSeq        int64            `json:"last_seq"`
}

// Way is one of the URLs of an endpoint: Via is "shared" (the receiver's port), "port" (one of its own) or "name" (on
// the shared TLS port).
type Way struct {
	Via string `json:"via"`
	URL string `json:"url"`
}

// Listener is what an endpoint has for itself: Kind is "none", "plain" or "tls" (a port of its own) or "name" (on the
// shared TLS port). Port 0 takes a free one. Problem says why it is not there, or is empty.
type Listener struct {
	Kind    string `json:"kind"`
	H2      bool   `json:"h2"`
	Port    int    `json:"port"`
	Problem string `json:"problem"`
}

// Expectation is a header that each request must carry; an empty value accepts any.
type Expectation struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Refusal is the answer to a request that proves nothing.
type Refusal struct {
	Status  int    `json:"status"`
	Headers []Pair `json:"headers"`
	Body    string `json:"body"`
}

// Fetch bounds what is fetched behind the presigned URLs of a payload.
type Fetch struct {
	Off      bool     `json:"off"`
	Hosts    []string `json:"hosts"`
	Private  []string `json:"private"`
	BaseURL  string   `json:"base_url"`
	MaxBytes int64    `json:"max_bytes"`
}

// Retention bounds what is kept, per class.
type Retention struct {
	Accepted   Quota `json:"accepted"`
	Rejected   Quota `json:"rejected"`
	Incomplete Quota `json:"incomplete"`
	// Connections are those to the endpoint's own listener.
	Connections ConnectionQuota `json:"connections"`
}

// Quota bounds one class: 0 takes the store's default, -1 is unbounded.
type Quota struct {
	Count int64  `json:"count"`
	Age   Millis `json:"age_ms"`
	Bytes int64  `json:"bytes"`
}

// ConnectionQuota bounds connections: 0 takes the store's default, -1 is unbounded.
type ConnectionQuota struct {
	Count int64  `json:"count"`
	Age   Millis `json:"age_ms"`
}

// Endpoints is the answer of the list of endpoints.
type Endpoints struct {
	Endpoints []Endpoint `json:"endpoints"`
}

// Capture is one inbound request and what was done to it. In lists and on the live feed its payload is the
// summary: without Rule, Run and Runs.
type Capture struct {
	Seq         int64      `json:"seq"`
	ID          string     `json:"id"`
	Endpoint    string     `json:"endpoint"`
	ReceivedAt  time.Time  `json:"received_at"`
	Class       string     `json:"class"`
	Reason      string     `json:"reason"`
	RemoteAddr  string     `json:"remote_addr"`
	Proto       string     `json:"proto"`
	TLS         *TLS       `json:"tls"`
	Method      string     `json:"method"`
	Target      string     `json:"target"`
	Path        string     `json:"path"`
	Query       string     `json:"query"`
	Headers     []Pair     `json:"headers"`
	BodySize    int64      `json:"body_size"`
	BodySHA256  string     `json:"body_sha256"`
	ContentType string     `json:"content_type"`
	Declared    *int64     `json:"content_length"`
	Truncated   bool       `json:"truncated"`
	Delivery    string     `json:"delivery"`
	DeliveryBy  string     `json:"delivery_by"`
	Attempt     int        `json:"attempt"`
	Gap         *Millis    `json:"gap_ms"`
	Plan        Plan       `json:"plan"`
	Outcome     *Outcome   `json:"outcome"`
	Payload     Payload    `json:"payload"`
	Resolved    []Resolved `json:"resolved"`
	Note        *Note      `json:"note"`
}

// TLS is what is known of the connection's TLS.
type TLS struct {
	Version    string `json:"version"`
	Cipher     string `json:"cipher"`
	ServerName string `json:"server_name"`
	ALPN       string `json:"alpn"`
	Resumed    bool   `json:"resumed"`
}

// Plan is what a capture was to get. Seed is text because it does not fit a JSON number of a browser.
type Plan struct {
	Text    string `json:"text"`
	Rule    string `json:"rule"`
	Step    int    `json:"step"`
	Status  int    `json:"status"`
	Fault   string `json:"fault"`
	After   Millis `json:"after_ms"`
	For     Millis `json:"for_ms"`
	Rate    int    `json:"rate"`
	Headers []Pair `json:"headers"`
	Body    string `json:"body"`
	Seed    string `json:"seed"`
	Close   bool   `json:"close"`
}

// Outcome is what really happened on the wire. Times count from arrival; null is "did not happen".
type Outcome struct {
	Seq       int64   `json:"seq"`
	Status    int     `json:"status"`
	Fault     string  `json:"fault"`
	Bytes     int64   `json:"bytes"`
	FirstByte *Millis `json:"first_byte_ms"`
	Done      *Millis `json:"done_ms"`
	HungUp    *Millis `json:"sender_hung_up_ms"`
	HungUpBy  string  `json:"sender_hung_up_by"`
	Note      string  `json:"note"`
}

// Payload is what a body says. Rule with Runs, or Run, are set for the kinds that have them, and SentAt where the
// sender says when it sent the message.
type Payload struct {
	Kind     string    `json:"kind"`
	Variant  string    `json:"variant"`
	Title    string    `json:"title"`
	Snippet  string    `json:"snippet"`
	SentAt   string    `json:"sent_at,omitempty"`
	Problems []Problem `json:"problems"`
	Rule     *Rule     `json:"rule,omitempty"`
	Runs     []Run     `json:"runs,omitempty"`
	Run      *AgentRun `json:"run,omitempty"`
}

// Problem is something that the payload's schema or documentation does not expect.
type Problem struct {
	Code    string `json:"code"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Rule is the head of a LangSmith rule payload; its runs are in Payload.Runs, the first 250 of RunCount.
type Rule struct {
	ID       string          `json:"id"`
	Start    string          `json:"start"`
	End      string          `json:"end"`
	RunCount int             `json:"run_count"`
	Feedback json.RawMessage `json:"feedback"`
}

// Run is one run of a rule payload.
type Run struct {
	Index       int             `json:"index"`
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Status      string          `json:"status"`
	Error       string          `json:"error"`
	TraceID     string          `json:"trace_id"`
	DottedOrder string          `json:"dotted_order"`
	AppPath     string          `json:"app_path"`
	Session     string          `json:"session"`
	StartTime   string          `json:"start_time"`
	EndTime     string          `json:"end_time"`
	Latency     *Millis         `json:"latency_ms"`
	TotalTokens *int64          `json:"total_tokens"`
	TotalCost   string          `json:"total_cost"`
	Inputs      json.RawMessage `json:"inputs"`
	Outputs     json.RawMessage `json:"outputs"`
	Feedback    json.RawMessage `json:"feedback"`
}

// AgentRun is the payload of an Agent Server run webhook.
type AgentRun struct {
	RunID       string          `json:"run_id"`
	ThreadID    string          `json:"thread_id"`
	AssistantID string          `json:"assistant_id"`
	GraphID     string          `json:"graph_id"`
	Status      string          `json:"status"`
	Error       string          `json:"error"`
	CreatedAt   string          `json:"created_at"`
	StartedAt   string          `json:"started_at"`
	EndedAt     string          `json:"ended_at"`
	SentAt      string          `json:"sent_at"`
	Duration    *Millis         `json:"duration_ms"`
	Multitask   string          `json:"multitask"`
	Values      json.RawMessage `json:"values"`
	Kwargs      json.RawMessage `json:"kwargs"`
	Metadata    json.RawMessage `json:"metadata"`
}

// Resolved is one stored object that a payload names. Status equals State.
type Resolved struct {
	Seq         int64      `json:"seq"`
	Capture     int64      `json:"capture"`
	Name        string     `json:"name"`
	URL         string     `json:"url"`
	State       string     `json:"state"`
	Status      string     `json:"status"`
	HTTPStatus  int        `json:"http_status"`
	Code        string     `json:"code"`
	Message     string     `json:"message"`
	Size        int64      `json:"size"`
	SHA256      string     `json:"sha256"`
	ContentType string     `json:"content_type"`
	Tries       int        `json:"tries"`
	ExpiresAt   *time.Time `json:"expires_at"`
	NextTryAt   *time.Time `json:"next_try_at"`
	DoneAt      *time.Time `json:"done_at"`
}

// Captures is a page of captures. Next is where the following page begins (as before, or as after when
// ascending), or null at the end. Complete is false when a search stopped at its bound before the page was full.
type Captures struct {
	Captures []Capture `json:"captures"`
	Next     *int64    `json:"next"`
	Complete bool      `json:"complete"`
}

// Deleted says how many captures were deleted, and how many connections.
type Deleted struct {
	Deleted     int `json:"deleted"`
	Connections int `json:"connections"`
}

// Connection is one connection to an endpoint's own listener, or a try to make one. Times count from At; null is "did
// not happen". Seq is 0 while it is open.
type Connection struct {
	Seq        int64      `json:"seq"`
	Endpoint   string     `json:"endpoint"`
	At         time.Time  `json:"at"`
	RemoteAddr string     `json:"remote_addr"`
	Reached    string     `json:"reached"`
	Fault      string     `json:"fault"`
	Step       string     `json:"step"`
	Handshake  *Handshake `json:"handshake"`
	Requests   int        `json:"requests"`
	Ended      *Millis    `json:"ended_ms"`
	EndedBy    string     `json:"ended_by"`
	EndedWith  string     `json:"ended_with"`
}

// Handshake is what is known of a connection's TLS handshake; Error says why it broke off.
type Handshake struct {
	Done       Millis `json:"done_ms"`
	Version    string `json:"version"`
	ServerName string `json:"server_name"`
	ALPN       string `json:"alpn"`
	Error      string `json:"error"`
}

// Connections is a page of connections that have ended, newest first, with those that are open now. Next is the
// following page's before, or null. Shut is the fault that keeps connections away now. Counted tells whether tries that
// are refused or dropped are among the connections, NotCounted why not.
type Connections struct {
	Connections []Connection `json:"connections"`
	Next        *int64       `json:"next"`
	Open        []Connection `json:"open"`
	Shut        string       `json:"shut"`
	Counted     bool         `json:"counted"`
	NotCounted  string       `json:"not_counted"`
}

// Delivery is all kept attempts of one message, oldest first.
type Delivery struct {
	ID           string    `json:"id"`
	Endpoint     string    `json:"endpoint"`
	DeliveryBy   string    `json:"delivery_by"`
	AttemptCount int       `json:"attempt_count"`
	FirstSeq     int64     `json:"first_seq"`
	LastSeq      int64     `json:"last_seq"`
	Attempts     []Capture `json:"attempts"`
}

// Deliveries is a page of deliveries, newest first. Next is the following page's before, or null.
type Deliveries struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       *int64     `json:"next"`
}

// Wait is the answer of a wait, met or not, with the captures that matched.
type Wait struct {
	Met      bool      `json:"met"`
	Count    int       `json:"count"`
	Captures []Capture `json:"captures"`
	// Last is the newest seq that was looked at: the after of a wait for what comes next.
	Last int64 `json:"last"`
}

// Info describes the server.
type Info struct {
	Version  string `json:"version"`
	HookBase string `json:"hook_base"`
	LastSeq  int64  `json:"last_seq"`
	Masked   string `json:"masked"`
	// Policies are those that a replay can be delivered by.
	Policies []string `json:"policies"`
	Caller   Caller   `json:"caller"`
}

// Health is the answer of the health and readiness checks.
type Health struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// Event is one message of the live feed. Type is "ready" (with Last) or "fact"; Fact is then "arrival",
// "outcome", "resolved", "note", "deletion", "connection" or "replay" and names the field that is set.
type Event struct {
	Type       string      `json:"type"`
	Last       *int64      `json:"last,omitempty"`
	Seq        int64       `json:"seq,omitempty"`
	Fact       string      `json:"fact,omitempty"`
	Endpoint   string      `json:"endpoint,omitempty"`
	Of         int64       `json:"of,omitempty"`
	Capture    *Capture    `json:"capture,omitempty"`
	Outcome    *Outcome    `json:"outcome,omitempty"`
	Object     *Resolved   `json:"object,omitempty"`
	Deletion   *Deletion   `json:"deletion,omitempty"`
	Connection *Connection `json:"connection,omitempty"`
	Note       *Note       `json:"note,omitempty"`
	Replay     *Replay     `json:"replay,omitempty"`
}

// Deletion says which captures are gone: those listed, or all of Class ("" is every class) up to Through; or, with
// Connections, that no captures but the connections up to Through are.
type Deletion struct {
	Captures    []int64 `json:"captures"`
	Class       string  `json:"class"`
	Through     int64   `json:"through"`
	Endpoint    bool    `json:"endpoint"`
	Connections bool    `json:"connections"`
}

// ProblemDetails are those of RFC 9457, with a code for programs and the request's id for the log.
type ProblemDetails struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	// Role is the least that would be allowed, where that is the problem.
	Role string `json:"role,omitempty"`
}
