package throttle

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/hookrange/hookrange/receiver/webhook"
)

// Proxies are the networks whose word on where a request came from is taken. The zero value trusts nobody.
type Proxies []netip.Prefix

// ParseProxies reads networks, such as 10.0.0.0/8 and 2001:db8::/32; an address alone is a network of one. It returns
// webhook.ErrInvalid for what is neither, and for a network with bits set behind its length: of those two the writer meant
// only one.
func ParseProxies(texts []string) (Proxies, error) {
	proxies := make(Proxies, 0, len(texts))
	for _, text := range texts {
		one, err := parseProxy(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		proxies = append(proxies, one)
	}
	return proxies, nil
}

func parseProxy(text string) (netip.Prefix, error) {
	const mapped = 96 // bits in front of an IPv4 address that is written as IPv6
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = plain(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, fmt.Errorf("%w: %q: want a network, such as 10.0.0.0/8, or an address", webhook.ErrInvalid, text)
	}
	if network.Addr().Is4In6() && network.Bits() >= mapped {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped)
	}
	if network != network.Masked() {
		return network, fmt.Errorf("%w: %q: the address has bits set behind the network's %d: want %s, or the address alone",
			webhook.ErrInvalid, text, network.Bits(), network.Masked())
	}
	return network, nil
}

// Trusts tells whether addr is a trusted proxy's.
func (p Proxies) Trusts(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// Client returns the address that a request came from: its peer's, unless that is a trusted proxy. Then X-Forwarded-For is
// read from its end, where the nearest proxy wrote, for as long as what is read is a trusted proxy's too. What cannot be
// read ends the walk at the address before it. The address has no zone, and is IPv4 where it can be; when peer is not
// ADDRESS:PORT it is the zero Addr.
func (p Proxies) Client(peer string, header http.Header) netip.Addr {
	from, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(from.Addr())
	if len(p) == 0 {
		return client
	}
	for _, line := range slices.Backward(header["X-Forwarded-For"]) {
		for rest, more := line, true; more; {
			if !p.Trusts(client) {
				return client
			}
			var last string
			rest, last, more = cutLast(rest)
			next, ok := forwarded(strings.Trim(last, " \t"))
			if !ok {
				return client
			}
			client = next
		}
	}
	return client
}

// cutLast cuts the last item of a list off.
func cutLast(list string) (before, last string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:], true
	}
	return "", list, false
}

// forwarded reads an address as proxies write it: some with a port, and IPv6 in brackets then.
func forwarded(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		var both netip.AddrPort
		if both, err = netip.ParseAddrPort(text); err == nil {
			addr = both.Addr()
		} else if bare, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(bare, "]") {
			addr, err = netip.ParseAddr(bare[:len(bare)-1])
			if err == nil && !addr.Is6() {
				return netip.Addr{}, false
			}
		}
	}
	return plain(addr), err == nil
}

func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// Key stands for a client: an IPv4 address, or the /64 of an IPv6 address, since whoever has one address of such a network
// has them all. The zero Key stands for clients without an address.
type Key struct {
	bits   uint64
	family family
}

type family uint8

const (
	ipv4 family = 4
	ipv6 family = 6
)

// KeyOf returns the key of an address.
func KeyOf(addr netip.Addr) Key {
	switch addr = addr.Unmap(); {
	case addr.Is4():
		octets := addr.As4()
		return Key{uint64(binary.BigEndian.Uint32(octets[:])), ipv4}
	case addr.Is6():
		octets := addr.As16()
		return Key{binary.BigEndian.Uint64(octets[:8]), ipv6}
	default:
		return Key{}
	}
}
