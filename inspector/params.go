package inspector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hookrange/hookrange/inspector/api"
	"github.com/hookrange/hookrange/receiver/webhook"
)

const maxRequestBody = 1 << 20

// isJSON tells other media types of JSON, none of which a page of another origin can send unasked.
var isJSON = regexp.MustCompile(`^application/[^/]+\+json$`)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{webhook.ErrInvalid}, args...)...)
}

// concerning names what an error of the store is about. Of an ErrNotFound nothing else is of use to a caller.
func concerning(err error, format string, args ...any) error {
	if errors.Is(err, webhook.ErrNotFound) {
		err = webhook.ErrNotFound
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// query is a request's query parameters, all of them known to the route.
type query struct{ values url.Values }

// params returns the query parameters of a request. A parameter that the route does not know, or one that is
// repeated where only class and with may be, is an ErrInvalid: a mistyped filter of a DELETE must not delete it all. Of
// what only reads, a parameter without a value is as if it were left out.
func params(r *http.Request, known ...string) (query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, invalid("the query string: %v", err)
	}
	for name, list := range values {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return query{}, invalid("unknown parameter %q: this route takes none", name)
			}
			return query{}, invalid("unknown parameter %q: this route takes %s", name, strings.Join(known, ", "))
		}
		if len(list) > 1 && name != "class" && name != "with" {
			return query{}, invalid("parameter %s is given %d times", name, len(list))
		}
		if r.Method != http.MethodDelete && len(list) == 1 && list[0] == "" && !isFlag(name) {
			delete(values, name)
		}
	}
	return query{values}, nil
}

// isFlag tells the parameters that need no value.
func isFlag(name string) bool { return slices.Contains([]string{"reveal", "none", "decoded"}, name) }

func (q query) has(name string) bool { return q.values.Has(name) }

func (q query) text(name string) string { return q.values.Get(name) }

// number returns a parameter between low and high, or fallback when it is not given.
func (q query) number(name string, fallback, low, high int64) (int64, error) {
	if !q.has(name) {
		return fallback, nil
	}
	n, err := strconv.ParseInt(q.text(name), 10, 64)
	if err != nil || n < low || n > high {
		return 0, invalid("parameter %s is %q: give a whole number from %d to %d", name, q.text(name), low, high)
	}
	return n, nil
}

// page returns what a list, newest first, is asked for: how much of it, and before what; 0 for the newest.
func (q query) page() (before int64, limit int, err error) {
	if before, err = q.number("before", 0, 0, math.MaxInt64); err != nil {
		return 0, 0, err
	}
	most, err := q.number("limit", defaultLimit, 1, maxLimit)
	return before, int(most), err
}

func (q query) flag(name string) (bool, error) {
	switch text := q.text(name); text {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	case "":
		return q.has(name), nil
	default:
		return false, invalid("parameter %s is %q: give true or false", name, text)
	}
}

// classes returns the classes of class=a&class=b or class=a,b; nil when there is none.
func (q query) classes() ([]webhook.Class, error) {
	var out []webhook.Class
	for _, value := range q.values["class"] {
		for text := range strings.SplitSeq(value, ",") {
			switch class := webhook.Class(text); class {
			case webhook.Accepted, webhook.Rejected, webhook.Incomplete:
				if !slices.Contains(out, class) {
					out = append(out, class)
				}
			default:
				return nil, invalid("class %q: use accepted, rejected or incomplete", text)
			}
		}
	}
	return out, nil
}

// endpointOf returns the endpoint that a request's path names, or ErrNotFound.
func (s *Server) endpointOf(r *http.Request) (*webhook.Endpoint, error) {
	name := mux.Vars(r)["endpoint"]
	ep, err := s.store.Endpoint(name)
	if errors.Is(err, webhook.ErrNotFound) {
		return nil, fmt.Errorf("endpoint %q: %w", name, webhook.ErrNotFound)
	}
	return ep, err
}

// captureOf returns the names that a capture's path holds. A number beyond any seq is an ErrNotFound.
func captureOf(r *http.Request) (endpoint string, seq webhook.Seq, err error) {
	vars := mux.Vars(r)
	n, err := strconv.ParseInt(vars["seq"], 10, 64)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("capture %s of endpoint %q: %w", vars["seq"], vars["endpoint"], webhook.ErrNotFound)
	}
	return vars["endpoint"], webhook.Seq(n), nil
}

// readInto decodes a request's body as readObject reads it.
func readInto(w http.ResponseWriter, r *http.Request, most int64, in any) error {
	body, err := readObject(w, r, most)
	if err != nil {
		return err
	}
	return api.Decode(body, in)
}

// readObject reads a request's body, which must be a JSON object. It refuses other content types
// (errMediaType) and bodies over a bound (errTooLarge).
func readObject(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && !isJSON.MatchString(media) {
		return nil, fmt.Errorf("%w, not %q", errMediaType, r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, fmt.Errorf("%w: at most %d bytes", errTooLarge, most)
		}
		return nil, invalid("the request's body cannot be read: %v", err)
	}
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) == 0 || text[0] != '{' {
		return nil, invalid("the request's body must be a JSON object")
	}
	return body, nil
}
