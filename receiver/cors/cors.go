// Package cors answers the preflight requests of browsers and says in other answers which pages may read them. It is
// pure; an endpoint without a policy has none of it.
package cors

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Bounds of a policy.
const (
	maxList   = 64
	maxMaxAge = 24 * time.Hour
	maxAsked  = 4 << 10
)

const every = "*"

var (
	token  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")
	origin = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/?#@\s\x00-\x1f"<>\\^` + "`" + `{|}]+$`)
)

// Policy is a webhook.CORSPolicy made ready. A nil one allows nothing and answers nothing.
type Policy struct{ policy webhook.CORSPolicy }

// New returns nil for no policy, and an ErrInvalid that begins with the field at fault.
func New(p *webhook.CORSPolicy) (*Policy, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // documented
	}
	wrong := func(field, format string, args ...any) error {
		return fmt.Errorf("%w: cors.%s: %s", webhook.ErrInvalid, field, fmt.Sprintf(format, args...))
	}
	if len(p.Origins) == 0 || len(p.Origins) > maxList || len(p.Methods) > maxList || len(p.Headers) > maxList {
		return nil, wrong("origins", "give 1 to %d origins, or * for any; at most as many methods and headers", maxList)
	}
	for _, o := range p.Origins {
		if o != every && o != "null" && (len(o) > 300 || !origin.MatchString(o)) {
			return nil, wrong("origins", "%.80q: give scheme, host and port as the browser says them, such as https://app.example.com, or *", o)
		}
	}
	if p.Credentials && slices.Contains(p.Origins, every) {
		return nil, wrong("credentials", "browsers refuse credentials with origin *; name the origins")
	}
	for field, list := range map[string][]string{"methods": p.Methods, "headers": p.Headers} {
		for _, name := range list {
			if !token.MatchString(name) {
				return nil, wrong(field, "%.80q is no name", name)
			}
		}
	}
	if p.MaxAge < 0 || p.MaxAge > maxMaxAge {
		return nil, wrong("max_age_ms", "give 0 to %d", maxMaxAge.Milliseconds())
	}
	return &Policy{*p}, nil
}

// IsPreflight reports whether a request is a preflight that the policy answers.
func (p *Policy) IsPreflight(method string, fields []webhook.Field) bool {
	return p != nil && method == http.MethodOptions && value(fields, "Origin") != "" && value(fields, "Access-Control-Request-Method") != ""
}

// Preflight returns the answer to a preflight: a 204 that allows, or one that does not.
func (p *Policy) Preflight(fields []webhook.Field) webhook.Plan {
	out := webhook.Plan{Text: "204 (CORS preflight)", Step: -1, Status: http.StatusNoContent, Header: p.Fields(fields)}
	if p.allowed(value(fields, "Origin")) == "" {
		out.Text = "204 (CORS preflight, origin not allowed)"
		return out
	}
	put := func(name string, list []string, asked string) {
		if len(list) > 0 {
			asked = strings.Join(list, ", ")
		} else if !isList(asked) {
			return
		}
		out.Header = append(out.Header, webhook.Field{Name: name, Value: asked})
	}
	put("Access-Control-Allow-Methods", p.policy.Methods, value(fields, "Access-Control-Request-Method"))
	put("Access-Control-Allow-Headers", p.policy.Headers, value(fields, "Access-Control-Request-Headers"))
	if p.policy.MaxAge > 0 {
		age := strconv.FormatInt(int64(p.policy.MaxAge/time.Second), 10)
		out.Header = append(out.Header, webhook.Field{Name: "Access-Control-Max-Age", Value: age})
	}
	return out
}

// Answer returns the plan with the fields that let a page read it. A field that the plan has is left alone.
func (p *Policy) Answer(plan webhook.Plan, fields []webhook.Field) webhook.Plan {
	if p == nil || plan.Status == 0 {
		return plan
	}
	plan.Header = slices.Clone(plan.Header)
	for _, f := range p.Fields(fields) {
		if f.Name == "Vary" || value(plan.Header, f.Name) == "" {
			plan.Header = append(plan.Header, f)
		}
	}
	return plan
}

// Fields returns what every answer says. Vary is there whether or not the origin is allowed, for the sake of caches.
func (p *Policy) Fields(fields []webhook.Field) []webhook.Field {
	out := []webhook.Field{{Name: "Vary", Value: "Origin"}}
	allowed := p.allowed(value(fields, "Origin"))
	if allowed == "" {
		return out
	}
	out = append(out, webhook.Field{Name: "Access-Control-Allow-Origin", Value: allowed})
	if p.policy.Credentials {
		out = append(out, webhook.Field{Name: "Access-Control-Allow-Credentials", Value: "true"})
	}
	return out
}

// allowed returns what Access-Control-Allow-Origin says to an origin, or "".
func (p *Policy) allowed(from string) string {
	switch {
	case from == "":
		return ""
	case slices.Contains(p.policy.Origins, every):
		return every
	case slices.Contains(p.policy.Origins, from):
		return from
	default:
		return ""
	}
}

// isList tells whether a value that a sender gave may be said back to it.
func isList(value string) bool {
	if value == "" || len(value) > maxAsked {
		return false
	}
	for name := range strings.SplitSeq(value, ",") {
		if !token.MatchString(strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}

func value(fields []webhook.Field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
