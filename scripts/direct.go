package scripts

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// passers are header fields that only those add who pass a request on: proxies, load balancers and tunnels. One that
// ends in "-" stands for all fields that begin so. What senders may send themselves, such as trace ids, is not there.
func passers() []string {
	return []string{
		"via", "forwarded", "x-forwarded-", "x-original-forwarded-for", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip",
		"x-envoy-", "x-ngrok-", "ngrok-", "cf-", "cdn-loop", "fly-", "fastly-", "x-vercel-", "x-azure-", "x-arr-", "tailscale-", "x-tunnel-",
	}
}

// passedOn says what shows that a request did not come from the sender itself, or "".
func (a *attempt) passedOn(asked *url.URL) string {
	for _, f := range a.fields {
		name := strings.ToLower(f.Name)
		if slices.ContainsFunc(passers(), func(p string) bool { return name == p || strings.HasSuffix(p, "-") && strings.HasPrefix(name, p) }) {
			return fmt.Sprintf("attempt %d has the header field %s, so a proxy or a tunnel passed it on", a.n, f.Name)
		}
	}
	peer := a.Request.Peer.Addr().Unmap()
	if asked != nil && near(peer) && !nearby(asked.Hostname()) {
		return fmt.Sprintf("attempt %d came from %s though it was sent to %s, so a proxy or a tunnel passed it on", a.n, peer, asked.Hostname())
	}
	return ""
}

// near tells whether an address is on this machine or its own network.
func near(addr netip.Addr) bool {
	return addr.IsValid() && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast())
}

// nearby tells whether a URL's host is: a name with a dot is somewhere else.
func nearby(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return near(addr.Unmap())
	}
	within := func(domain string) bool { return strings.HasSuffix(host, domain) }
	return !strings.Contains(host, ".") || slices.ContainsFunc([]string{".localhost", ".local", ".internal"}, within)
}

// between says why nothing of the wire can be told of what an endpoint saw, or "".
func (c *caseRun) between(at *lentEndpoint) (why string, captures []webhook.Seq) {
	if why, ok := c.config.Missing["direct"]; ok {
		return why, nil
	}
	asked, err := url.Parse(at.URL(1))
	if err != nil {
		asked = nil
	}
	for _, a := range at.evidence.all() {
		if why = a.passedOn(asked); why != "" {
			return why, []webhook.Seq{a.Seq}
		}
	}
	return "", nil
}

// straight ends a case that needs direct when what came did not come straight from the sender.
func (c *caseRun) straight(line int, at *lentEndpoint) {
	if c.stop || !slices.Contains(c.needs, "direct") {
		return
	}
	why, captures := c.between(at)
	if why == "" {
		return
	}
	check := result.Check{Text: "needs direct", Line: line, Verdict: result.Inconclusive, Reason: at.Mask().String(why), Captures: captures}
	if c.about.Requirement.Level == result.Unstated {
		check.Verdict = result.Skip
	}
	c.add(check)
	c.stop = true
}
