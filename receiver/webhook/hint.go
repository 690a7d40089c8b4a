package webhook

// hinted is an error with advice.
type hinted struct {
	error
	advice string
}

// Hint returns the advice.
func (h hinted) Hint() string { return h.advice }

// Unwrap returns the error itself.
func (h hinted) Unwrap() error { return h.error }

// WithHint returns err with advice on what to do about it, for people. errors.As finds it as an
// interface{ Hint() string }.
func WithHint(err error, advice string) error { return hinted{err, advice} }
