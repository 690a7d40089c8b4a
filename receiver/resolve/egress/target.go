package egress

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// maxURL bounds a URL. Presigned ones with a session token are 2 to 4 KiB long.
const maxURL = 16 << 10

// target is a URL that has passed the policy: what is dialled comes from here and is not parsed
// again.
type target struct {
	url *url.URL
	// host is in lower case, without brackets or port.
	host string
	port uint16
	// addr is valid when host is an IP literal.
	addr netip.Addr
	// private: the policy names this host and port, so that its private addresses are accepted.
	private bool
	// own tells addresses that are never connected to, whatever the policy says; nil knows none.
	own    func(netip.AddrPort) bool
	policy webhook.FetchPolicy
}

// resolveTarget checks a URL as a payload has it: absolute, or relative to the policy's base.
func resolveTarget(raw string, policy webhook.FetchPolicy) (*target, *Error) {
	if policy.Off {
		return nil, blocked("fetch_off", "fetching is turned off for this endpoint")
	}
	if absolute(raw) {
		return parseTarget(raw, policy, false)
	}
	if policy.BaseURL == "" {
		return nil, blocked("base_url_missing", "the URL is relative and the endpoint has no base URL to join it to")
	}
	path, _, _ := strings.Cut(raw, "?")
	if strings.HasPrefix(raw, "//") || strings.Contains(raw, `\`) || dotted(path) {
		return nil, blocked("url_malformed", "the relative URL leaves the endpoint's base URL")
	}
	return parseTarget(strings.TrimRight(policy.BaseURL, "/")+"/"+strings.TrimLeft(raw, "/"), policy, true)
}

// absolute says whether a URL begins with a scheme: anything before a ':' that comes before '/',
// '?' or '#'.
func absolute(raw string) bool {
	i := strings.IndexAny(raw, ":/?#")
	return i >= 0 && raw[i] == ':'
}

// dotted says whether a path has a "." or ".." segment, encoded or not.
func dotted(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".", "..":
			return true
		}
	}
	return false
}

// parseTarget parses an absolute URL once and holds it against the policy. based is true for a URL
// that was joined to the policy's base URL, whose host needs no other leave.
func parseTarget(raw string, policy webhook.FetchPolicy, based bool) (*target, *Error) {
	u, refusal := parseURL(raw)
	if refusal != nil {
		return nil, refusal
	}
	t := &target{url: u, host: strings.ToLower(u.Hostname()), port: defaultPort(u.Scheme), policy: policy}
	if t.addr, refusal = checkHost(t.host); refusal != nil {
		return nil, refusal
	}
	if strings.HasPrefix(u.Host, "[") && !t.addr.Is6() {
		return nil, blocked("host_malformed", "the URL has something other than an IPv6 address in brackets")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return nil, blocked("port_not_allowed", "the URL's port is not a port number")
		}
		t.port = uint16(n)
	}
	t.private = optedIn(policy, t.host, t.port)
	return t, t.permit(based)
}

func (t *target) permit(based bool) *Error {
	switch {
	case t.private:
		return nil
	case t.addr.IsValid():
		return blocked("address_literal", "the URL names an IP address that the endpoint has not opted in to")
	case t.url.Scheme != "https":
		return blocked("scheme_not_allowed", "the URL is not https")
	case t.port != 443:
		return blocked("port_not_allowed", "the URL's port is not 443 and the endpoint has not opted in to it")
	case based, accepted(t.policy, t.host):
		return nil
	}
	return blocked("host_not_allowed", "the URL's host is not among the object stores that the endpoint accepts")
}

func parseURL(raw string) (*url.URL, *Error) {
	if len(raw) > maxURL {
		return nil, blocked("url_too_long", "the URL is longer than 16 KiB")
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] == 0x7f || raw[i] == '\\' {
			return nil, blocked("url_malformed", "the URL has a blank, a backslash or a control character")
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" && u.Scheme == "" {
		return nil, blocked("url_malformed", "the URL cannot be parsed")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, blocked("scheme_not_allowed", "the URL is not https")
	case u.User != nil:
		return nil, blocked("userinfo_not_allowed", "the URL has a user name before its host")
	case strings.HasSuffix(u.Host, ":"):
		return nil, blocked("port_not_allowed", "the URL has an empty port")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// checkHost accepts a host name of plain ASCII labels or an IP literal in its one canonical form.
// host is in lower case and without brackets.
func checkHost(host string) (netip.Addr, *Error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" || addr.Is4In6() || addr.String() != host {
			return netip.Addr{}, blocked("host_malformed", "the URL's host is an IP address in an unusual form")
		}
		return addr, nil
	}
	switch {
	case len(host) > 253 || !hostForm.MatchString(host):
		return netip.Addr{}, blocked("host_malformed", "the URL's host is not a plain host name")
	case numericEnd.MatchString(host):
		return netip.Addr{}, blocked("host_malformed", "the URL's host is a number and not a name")
	}
	return netip.Addr{}, nil
}

func defaultPort(scheme string) uint16 {
	if scheme == "http" {
		return 80
	}
	return 443
}

// redirect checks where an answer points to. The new place has to pass the policy by itself; the
// host that answered keeps the leave that it had.
func (t *target) redirect(location string) (*target, *Error) {
	refused := blocked("redirect_refused", "the object store redirects to a place that the endpoint does not accept")
	if len(location) > maxURL || strings.Contains(location, `\`) {
		return nil, refused
	}
	ref, err := url.Parse(location)
	if err != nil {
		return nil, refused
	}
	to := t.url.ResolveReference(ref)
	same := strings.EqualFold(to.Host, t.url.Host) && to.Scheme == t.url.Scheme
	next, refusal := parseTarget(to.String(), t.policy, same)
	if refusal != nil || t.url.Scheme == "https" && to.Scheme != "https" {
		return nil, refused
	}
	return next, nil
}

// ours says whether addr with the target's port is a listener of this program.
func (t *target) ours(addr netip.Addr) bool {
	return t.own != nil && t.own(netip.AddrPortFrom(addr, t.port))
}

// authority is the host and port to connect to when addr was chosen.
func (t *target) authority(addr netip.Addr) string {
	return net.JoinHostPort(addr.String(), strconv.Itoa(int(t.port)))
}
