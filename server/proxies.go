package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// ProxyHeader is a header in which proxies say for whom they ask.
type ProxyHeader string

// Headers of proxies. One is believed, not both: a proxy sets its own and passes the other one on as the caller wrote it.
const (
	XForwardedFor ProxyHeader = "x-forwarded-for" // with X-Forwarded-Proto, as most proxies say it
	Forwarded     ProxyHeader = "forwarded"       // RFC 7239
)

// Proxies say whose word about callers is believed, and in which header. Without networks nobody's is.
type Proxies struct {
	Networks []netip.Prefix
	Header   ProxyHeader // XForwardedFor when empty
}

// ParseNetworks reads networks such as 10.0.0.0/8 and single addresses.
func ParseNetworks(list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for _, text := range list {
		text = strings.TrimSpace(text)
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no network: give one such as 10.0.0.0/8 or 2001:db8::/32, or an address", text)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 { // callers are compared by the address of IPv4 that it means
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func (p Proxies) trusts(a netip.Addr) bool {
	for _, network := range p.Networks {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// hop is what a proxy says of whoever asked it.
type hop struct {
	address string
	https   bool
}

// Of says where a request comes from, and whether its caller spoke TLS to a proxy. The address is the nearest to the server that no
// trusted proxy has: what is written left of it anybody can have written. A word that is no address ends the way, at the last proxy that
// spoke sense.
func (p Proxies) Of(r *http.Request) (address string, https bool) {
	peer, ok := parseHop(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr, false // not of a network
	}
	if !p.trusts(peer) {
		return peer.String(), false
	}
	hops := p.hops(r.Header)
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := parseHop(hops[i].address)
		if !ok {
			break
		}
		peer, https = a, hops[i].https
		if !p.trusts(a) {
			break
		}
	}
	return peer.String(), https
}

// hops gives what all lines of the header say, from the caller to the nearest proxy.
func (p Proxies) hops(h http.Header) []hop {
	if p.Header == Forwarded {
		return forwardedHops(strings.Join(h.Values("Forwarded"), ","))
	}
	https := false // the nearest proxy says it last
	for proto := range strings.SplitSeq(strings.Join(h.Values("X-Forwarded-Proto"), ","), ",") {
		https = strings.EqualFold(strings.TrimSpace(proto), "https")
	}
	var out []hop
	for address := range strings.SplitSeq(strings.Join(h.Values("X-Forwarded-For"), ","), ",") {
		out = append(out, hop{strings.TrimSpace(address), https})
	}
	return out
}

// forwardedHops reads the elements of Forwarded, RFC 7239 section 4: pairs of name and value, in quotes where the value has a colon.
func forwardedHops(text string) []hop {
	var out []hop
	for _, element := range splitOutsideQuotes(text, ',') {
		var h hop
		for _, pair := range splitOutsideQuotes(element, ';') {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if inside, quoted := strings.CutPrefix(value, `"`); quoted {
				value = strings.TrimSuffix(inside, `"`)
			}
			switch strings.ToLower(name) {
			case "for":
				h.address = value
			case "proto":
				h.https = strings.EqualFold(value, "https")
			}
		}
		out = append(out, h)
	}
	return out
}

func splitOutsideQuotes(text string, separator rune) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(text, func(c rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == separator:
			return !quoted
		}
		return false
	})
}

// parseHop reads an address with or without a port, in brackets or not, and leaves its zone out: that is this machine's own name for a
// cable.
func parseHop(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if inside, ok := strings.CutPrefix(text, "["); ok {
		if inside, ok = strings.CutSuffix(inside, "]"); !ok {
			return netip.Addr{}, false
		}
		text = inside
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}
