package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"grantwood/server"
)

// networkSettings say how the server meets what stands before it: TLS, proxies, pages of other sites, those who watch and stop it.
type networkSettings struct {
	AdminAddr     string        `help:"Address of the second listener, for metrics, health and profiles, which asks for no credentials; none when empty." default:"127.0.0.1:8081" env:"GRANTWOOD_ADMIN_ADDR"`
	TLSCert       string        `name:"tls-cert" help:"File with the certificate and its chain; without TLS when empty. Taken over when it changes." env:"GRANTWOOD_TLS_CERT" type:"path"`
	TLSKey        string        `name:"tls-key" help:"File with the certificate's key." env:"GRANTWOOD_TLS_KEY" type:"path"`
	CORSOrigins   []string      `name:"cors-origin" help:"Origins of which pages may call, such as https://app.example.com." env:"GRANTWOOD_CORS_ORIGIN" placeholder:"ORIGIN,..."`
	TrustedProxy  []string      `help:"Networks of proxies that are believed when they say for whom they ask, such as 10.0.0.0/8." env:"GRANTWOOD_TRUSTED_PROXY" placeholder:"CIDR,..."`
	ProxyHeader   string        `help:"Header in which they say it: x-forwarded-for (with x-forwarded-proto) or forwarded (RFC 7239)." enum:"x-forwarded-for,forwarded" default:"x-forwarded-for" env:"GRANTWOOD_PROXY_HEADER"`
	SlowOperation time.Duration `help:"How long an operation may run without being logged." default:"1s" env:"GRANTWOOD_SLOW_OPERATION"`
	DrainDelay    time.Duration `help:"How long the server says that it is not ready before it stops to listen, so that a load balancer notices." default:"0s" env:"GRANTWOOD_DRAIN_DELAY"`
}

// mostDrainDelay is more than any load balancer takes to notice.
const mostDrainDelay = 10 * time.Minute

// check refuses settings that cannot work, with what to do.
func (s networkSettings) check() error {
	if _, _, err := net.SplitHostPort(s.AdminAddr); err != nil && s.AdminAddr != "" {
		return fmt.Errorf("--admin-addr (GRANTWOOD_ADMIN_ADDR) is %q: give host and port, such as 127.0.0.1:8081, or nothing", s.AdminAddr)
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key (GRANTWOOD_TLS_CERT, GRANTWOOD_TLS_KEY) go together: give both or none")
	}
	if _, err := s.origins(); err != nil {
		return fmt.Errorf("--cors-origin (GRANTWOOD_CORS_ORIGIN): %w", err)
	}
	if _, err := s.proxies(); err != nil {
		return fmt.Errorf("--trusted-proxy (GRANTWOOD_TRUSTED_PROXY): %w", err)
	}
	if s.SlowOperation <= 0 {
		return fmt.Errorf("--slow-operation (GRANTWOOD_SLOW_OPERATION) is %v: give a time above 0, such as 1s", s.SlowOperation)
	}
	if s.DrainDelay < 0 || s.DrainDelay > mostDrainDelay {
		return fmt.Errorf("--drain-delay (GRANTWOOD_DRAIN_DELAY) is %v: give a time from 0s to %v", s.DrainDelay, mostDrainDelay)
	}
	return nil
}

// tls reports whether the server speaks TLS.
func (s networkSettings) tls() bool { return s.TLSCert != "" }

func (s networkSettings) origins() ([]string, error) {
	var list []string
	for _, text := range s.CORSOrigins {
		origin, err := server.ParseOrigin(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, origin) {
			list = append(list, origin)
		}
	}
	return list, nil
}

func (s networkSettings) proxies() (server.Proxies, error) {
	networks, err := server.ParseNetworks(s.TrustedProxy)
	return server.Proxies{Networks: networks, Header: server.ProxyHeader(s.ProxyHeader)}, err
}
