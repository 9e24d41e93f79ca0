package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
	"grantwood/server"
)

func networks(t testing.TB, list ...string) server.Proxies {
	t.Helper()
	n, err := server.ParseNetworks(list)
	if err != nil {
		t.Fatal(err)
	}
	return server.Proxies{Networks: n}
}

// TestProxies: whose word is believed, by the peer and what it says. An address is that of the caller as far as trusted proxies know it.
func TestProxies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer    string
		header  []string // lines of X-Forwarded-For
		proto   []string
		address string
		https   bool
	}{
		"no proxy":                          {"203.0.113.7:1234", nil, nil, "203.0.113.7", false},
		"spoofed by a stranger":             {"203.0.113.7:1234", []string{"198.51.100.1"}, []string{"https"}, "203.0.113.7", false},
		"one proxy":                         {"10.1.2.3:1234", []string{"198.51.100.1"}, []string{"https"}, "198.51.100.1", true},
		"one proxy by http":                 {"10.1.2.3:1234", []string{"198.51.100.1"}, []string{"http"}, "198.51.100.1", false},
		"spoofed through a proxy":           {"10.1.2.3:1234", []string{"192.0.2.9, 198.51.100.1"}, []string{"https, http"}, "198.51.100.1", false},
		"spoofed trusted address":           {"10.1.2.3:1234", []string{"10.9.9.9, 198.51.100.1"}, nil, "198.51.100.1", false},
		"spoofed in a line of its own":      {"10.1.2.3:1234", []string{"192.0.2.9", "198.51.100.1"}, nil, "198.51.100.1", false},
		"two proxies":                       {"10.1.2.3:1234", []string{"198.51.100.1, 10.4.4.4"}, nil, "198.51.100.1", false},
		"three proxies on lines":            {"10.1.2.3:1234", []string{"198.51.100.1,10.4.4.4", "2001:db8::1"}, nil, "198.51.100.1", false},
		"all trusted":                       {"10.1.2.3:1234", []string{"10.5.5.5, 10.4.4.4"}, nil, "10.5.5.5", false},
		"proxy that says nothing":           {"10.1.2.3:1234", nil, []string{"https"}, "10.1.2.3", false},
		"malformed":                         {"10.1.2.3:1234", []string{"198.51.100.1, nonsense"}, []string{"https"}, "10.1.2.3", false},
		"malformed behind an honest one":    {"10.1.2.3:1234", []string{"nonsense, 10.4.4.4"}, nil, "10.4.4.4", false},
		"empty":                             {"10.1.2.3:1234", []string{" , "}, nil, "10.1.2.3", false},
		"port":                              {"10.1.2.3:1234", []string{"198.51.100.1:443"}, nil, "198.51.100.1", false},
		"IPv6":                              {"[2001:db8::1]:1234", []string{"2001:DB8:ffff::0:5"}, nil, "2001:db8:ffff::5", false},
		"IPv6 with port":                    {"[2001:db8::1]:1234", []string{"[2a00::5]:443"}, nil, "2a00::5", false},
		"IPv6 in brackets":                  {"[2001:db8::1]:1234", []string{"[2a00::5]"}, nil, "2a00::5", false},
		"IPv6 in half a bracket":            {"[2001:db8::1]:1234", []string{"[2a00::5"}, nil, "2001:db8::1", false},
		"zone of the peer":                  {"[fe80::1%eth0]:1234", []string{"2a00::5"}, nil, "2a00::5", false},
		"zone of the caller":                {"10.1.2.3:1234", []string{"fe80::9%eth1"}, nil, "fe80::9", false},
		"IPv4 written as IPv6, trusted":     {"[::ffff:10.1.2.3]:1234", []string{"::ffff:198.51.100.1"}, nil, "198.51.100.1", false},
		"just outside the network":          {"11.1.2.3:1234", []string{"198.51.100.1"}, nil, "11.1.2.3", false},
		"a single address":                  {"192.0.2.1:1234", []string{"198.51.100.1"}, nil, "198.51.100.1", false},
		"the neighbour of a single address": {"192.0.2.2:1234", []string{"198.51.100.1"}, nil, "192.0.2.2", false},
	} {
		p := networks(t, "10.0.0.0/8", "2001:db8::/64", "fe80::1", "192.0.2.1")
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.header, "X-Forwarded-Proto": c.proto,
			"Forwarded": {"for=192.0.2.55;proto=https"}}} // which is not the header that is believed
		if address, https := p.Of(r); address != c.address || https != c.https {
			t.Errorf("%s: %s %v, want %s %v", name, address, https, c.address, c.https)
		}
	}
}

// TestForwarded reads the examples of RFC 7239 and what else may be in such a header.
func TestForwarded(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		`for=192.0.2.43`: "192.0.2.43", `For="[2001:db8:cafe::17]:4711"`: "2001:db8:cafe::17", `for=192.0.2.60;proto=HTTPS;by=203.0.113.43`: "192.0.2.60 https",
		`for=192.0.2.43, for=198.51.100.17`: "198.51.100.17", `for=192.0.2.43,for="10.0.0.9:80" ; proto=https`: "192.0.2.43",
		`proto=https;for=192.0.2.1, for=10.0.0.9`: "192.0.2.1 https", `for="_gazonk"`: "10.1.2.3", `for=unknown`: "10.1.2.3", ``: "10.1.2.3",
		`for="a,b;for=192.0.2.9"`: "10.1.2.3", `for="192.0.2.9\", for=198.51.100.1`: "10.1.2.3", `host=x`: "10.1.2.3", `for=192.0.2.9, host=x`: "10.1.2.3",
	} {
		p := networks(t, "10.0.0.0/8")
		p.Header = server.Forwarded
		r := &http.Request{RemoteAddr: "10.1.2.3:1234", Header: http.Header{"Forwarded": {header}, "X-Forwarded-For": {"192.0.2.99"}, "X-Forwarded-Proto": {"https"}}}
		address, https := p.Of(r)
		if https {
			address += " https"
		}
		if diff := cmp.Diff(want, address); diff != "" {
			t.Errorf("%s (-want +got):\n%s", header, diff)
		}
	}
}

// TestWrongNetworks refuses what is no network.
func TestWrongNetworks(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "10.0.0.0/33", "10.0.0", "proxy.example", "fe80::1%eth0", "*"} {
		if n, err := server.ParseNetworks([]string{text}); err == nil {
			t.Errorf("%q is %v", text, n)
		}
	}
}

// behind sends a sign-in through a proxy that says for whom.
func behind(t testing.TB, a api, email, forwarded string) answer {
	t.Helper()
	req := client{api: a}.newRequest(t, toSignIn.document(), variables(input{"email": email, "password": "a wrong password"}))
	req.Header.Set("X-Forwarded-For", forwarded)
	return send(t, req)
}

// TestThrottleBehindAProxy: tries count against the address that a trusted proxy tells. What a caller writes before it changes nothing,
// and without trust nothing does.
func TestThrottleBehindAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trusting := watched(t, func(c *server.Config) { c.Proxies = networks(t, "127.0.0.0/8") })
	slow := func(a answer) bool { return strings.Contains(string(a.Body), "RATE_LIMITED") }
	for i := range graph.FreeOfPair {
		if a := behind(t, trusting.api, w.owner.email, spoofed(i)+", 203.0.113.71"); slow(a) {
			t.Fatalf("try %d is refused: %s", i, a.Body)
		}
	}
	if a := behind(t, trusting.api, w.owner.email, spoofed(99)+", 203.0.113.71"); !slow(a) {
		t.Errorf("another first address opens the way: %s", a.Body)
	}
	if a := behind(t, trusting.api, w.owner.email, "203.0.113.72"); slow(a) {
		t.Errorf("another caller has to wait: %s", a.Body)
	}
	other := newWorld(t)
	distrusting := watched(t, nil)
	for i := range graph.FreeOfPair {
		if a := behind(t, distrusting.api, other.owner.email, spoofed(i)); slow(a) {
			t.Fatalf("try %d is refused: %s", i, a.Body)
		}
	}
	if a := behind(t, distrusting.api, other.owner.email, spoofed(99)); !slow(a) {
		t.Errorf("a header that nobody trusts opens the way: %s", a.Body)
	}
}

func spoofed(i int) string { return "198.51.100." + number(i+1) }

// TestTrailBehindAProxy: the audit trail has the address of the caller, and the spoofed one of nobody.
func TestTrailBehindAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for address, change := range map[string]func(*server.Config){
		"203.0.113.80": func(c *server.Config) { c.Proxies = networks(t, "127.0.0.1") },
		"127.0.0.1":    nil,
	} {
		a := watched(t, change)
		req := client{a.api, w.owner.token}.newRequest(t, `mutation { createUnit(input: {name: "U", kind: REGION}) { userErrors { code } } }`, nil)
		req.Header.Set("X-Forwarded-For", "198.51.100.5, 203.0.113.80:5555")
		send(t, req)
		got := w.owner.text(t, `{ account { auditEvents(first: 1) { nodes { ipAddress } } } }`, nil, "account.auditEvents.nodes.0.ipAddress")
		if got != address {
			t.Errorf("the trail says %s, want %s", got, address)
		}
	}
}

// TestSecureBehindAProxy: cookies are for TLS, and browsers are told to stay with it, when the public address says so, or a trusted proxy.
func TestSecureBehindAProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*server.Config)
		proto  string
		secure bool
	}{
		"plain":            {nil, "", false},
		"spoofed":          {nil, "https", false},
		"proxy by https":   {func(c *server.Config) { c.Proxies = networks(t, "127.0.0.1") }, "https", true},
		"proxy by http":    {func(c *server.Config) { c.Proxies = networks(t, "127.0.0.1") }, "http", false},
		"public URL https": {func(c *server.Config) { c.PublicURL = "https://grantwood.example" }, "", true},
	} {
		a := watched(t, c.change)
		req := client{api: a.api}.newRequest(t, toSignIn.document(), variables(input{"email": w.owner.email, "password": password}))
		if c.proto != "" {
			req.Header.Set("X-Forwarded-For", "203.0.113.90")
			req.Header.Set("X-Forwarded-Proto", c.proto)
		}
		got := send(t, req)
		if cookie := cookieOf(t, got); cookie.Secure != c.secure {
			t.Errorf("%s: cookie %v", name, cookie)
		}
		if strict := got.Header.Get("Strict-Transport-Security"); (strict != "") != c.secure {
			t.Errorf("%s: Strict-Transport-Security %q", name, strict)
		}
	}
}
