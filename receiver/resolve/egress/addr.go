package egress

import (
	"net/netip"

	"code.dny.dev/ssrf"
)

// guard decides about addresses. It is default-deny: what is not plain public unicast is refused,
// but for private addresses of a host that a policy opts in to.
type guard struct {
	public *ssrf.Guardian
	// metadata is never connected to, whatever a policy says.
	metadata []netip.Prefix
	// private is what an opt-in opens.
	private []netip.Prefix
}

func newGuard() *guard {
	return &guard{
		public: ssrf.New(ssrf.WithAnyPort()),
		metadata: prefixes(
			"169.254.0.0/16", "fe80::/10", // link-local: AWS, GCP, Azure, OpenStack, ECS tasks
			"168.63.129.16/32",   // Azure's wire server, a public address
			"100.100.100.200/32", // Alibaba Cloud
			"192.0.0.192/32",     // Oracle Cloud
			"fd00:ec2::/32",      // AWS over IPv6
			"fd20:ce::/32",       // GCP over IPv6
		),
		private: prefixes("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
			"::1/128", "fc00::/7"),
	}
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// permits says whether addr may be connected to. private is true for a host and port that the
// policy names.
func (g *guard) permits(addr netip.Addr, private bool) bool {
	if !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() || isatap(addr) || within(g.metadata, addr) {
		return false
	}
	return g.public.SafeAddr(addr) == nil || private && within(g.private, addr)
}

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// isatap tells interface identifiers that carry an IPv4 address (RFC 5214, 6.1), under any prefix.
// No object store has one.
func isatap(addr netip.Addr) bool {
	if !addr.Is6() {
		return false
	}
	b := addr.As16()
	return b[8]&^0x03 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
