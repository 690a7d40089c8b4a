package api

// Policy is what a sender claims of its deliveries: how long it waits for an answer, and what it tries again when.
type Policy struct {
	Name string `json:"name"`
	// Source says where it is published, and what of it is our own choice.
	Source string `json:"source"`
	// Timeout of one attempt; 0 is none.
	Timeout Millis `json:"timeout_ms"`
	// Retries is how many attempts may follow the first.
	Retries int `json:"retries"`
	// RetryStatuses are those from 100 to 599 that are tried again.
	RetryStatuses []int `json:"retry_statuses"`
	// RetryTimeout and RetryBroken say whether an attempt without an answer is tried again.
	RetryTimeout bool `json:"retry_timeout"`
	RetryBroken  bool `json:"retry_broken"`
	// Waits has the shortest and longest wait before each retry.
	Waits []Window `json:"waits"`
	// OwnWaits is true where the length of the waits is not published, only that they grow by Factor.
	OwnWaits bool    `json:"own_waits"`
	Factor   float64 `json:"factor"`
}

// Window is a wait of a policy, from its shortest to its longest.
type Window struct {
	Least Millis `json:"least_ms"`
	Most  Millis `json:"most_ms"`
}

// Policies is the answer of the list of policies.
type Policies struct {
	Policies []Policy `json:"policies"`
}
