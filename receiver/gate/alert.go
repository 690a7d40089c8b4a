package gate

import "errors"

// errAlert is tls-alert: an error of the hook that looks at the sender's first message makes crypto/tls answer with
// the alert internal_error.
var errAlert = errors.New("tls-alert: broken off by an alert, as planned")
