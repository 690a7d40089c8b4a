package webhook

import (
	"errors"
	"fmt"
	"runtime"
)

// PanicWords returns what a log may say of a panic's value: the text of a fault that Go's own runtime found, which quotes
// no data, and of any other value only its type, for it may quote a request and its secrets.
func PanicWords(value any) string {
	if err, ok := value.(error); ok {
		if fault := runtime.Error(nil); errors.As(err, &fault) {
			return fault.Error()
		}
	}
	return fmt.Sprintf("a value of type %T", value)
}
