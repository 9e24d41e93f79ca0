package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"grantwood/server"
)

// logSettings say what is logged, to standard error.
type logSettings struct {
	LogFormat string `help:"Form of log lines: text or json." enum:"text,json" default:"text" env:"GRANTWOOD_LOG_FORMAT"`
	LogLevel  string `help:"Least level that is logged: debug, info, warn or error." enum:"debug,info,warn,error" default:"info" env:"GRANTWOOD_LOG_LEVEL"`
}

func (s logSettings) logger() *slog.Logger { return s.loggerTo(os.Stderr) }

func (s logSettings) loggerTo(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // one of the four
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if s.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	if tracingWanted() {
		handler = traceHandler{handler}
	}
	return slog.New(handler)
}

// httpSettings say where the server listens and under which address people reach it.
type httpSettings struct {
	networkSettings
	Addr      string `help:"Address to listen on." default:"127.0.0.1:8080" env:"GRANTWOOD_ADDR"`
	PublicURL string `help:"Address under which people reach the server, for links; http:// or https:// and the listening address when empty." env:"GRANTWOOD_PUBLIC_URL"`
	MaxCost   int    `help:"Largest cost of one operation, in points." default:"100000" env:"GRANTWOOD_MAX_COST"`

	MaxSockets           int                  `help:"Most WebSockets at once." default:"10000" env:"GRANTWOOD_MAX_SOCKETS"`
	MaxSocketsPerAddress int                  `help:"Most WebSockets at once from one address, or one /64 of IPv6." default:"2000" env:"GRANTWOOD_MAX_SOCKETS_PER_ADDRESS"`
	Patience             time.Duration        `help:"How long an operation waits for its turn, when there is much to do, before it is refused." default:"2s" env:"GRANTWOOD_PATIENCE"`
	Introspection        server.Introspection `help:"Who may ask for the schema: on (everybody), authenticated (callers with credentials) or off." default:"authenticated" env:"GRANTWOOD_INTROSPECTION"`
	TrustedDocuments     []string             `help:"Manifests of documents that run by their hashes: of GraphQL Code Generator's client preset or of Apollo's." type:"existingfile" env:"GRANTWOOD_TRUSTED_DOCUMENTS"`
	TrustedOnly          bool                 `help:"Run nothing but these for people; access tokens, keys and operators are free." env:"GRANTWOOD_TRUSTED_ONLY"`

	Limits server.Limits     `embed:"" group:"Limits of an operation"`
	Rates  server.RateLimits `embed:"" group:"Limits of a caller"`
}

// check refuses settings that cannot work, with what to do.
func (s httpSettings) check() error {
	if _, _, err := net.SplitHostPort(s.Addr); err != nil {
		return fmt.Errorf("--addr (GRANTWOOD_ADDR) is %q: give host and port, such as 127.0.0.1:8080", s.Addr)
	}
	if s.MaxCost < 1 {
		return fmt.Errorf("--max-cost (GRANTWOOD_MAX_COST) is %d: give a number above 0", s.MaxCost)
	}
	if s.MaxSockets < 1 || s.MaxSocketsPerAddress < 1 {
		return fmt.Errorf("--max-sockets (GRANTWOOD_MAX_SOCKETS) is %d and --max-sockets-per-address %d: give numbers above 0",
			s.MaxSockets, s.MaxSocketsPerAddress)
	}
	if s.TrustedOnly && len(s.TrustedDocuments) == 0 {
		return errors.New("--trusted-only (GRANTWOOD_TRUSTED_ONLY) needs documents: name a manifest with --trusted-documents")
	}
	if err := errors.Join(s.networkSettings.check(), s.Limits.Check(), s.Rates.Check()); err != nil {
		return err
	}
	if s.PublicURL == "" {
		return nil
	}
	if u, err := url.Parse(s.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("--public-url (GRANTWOOD_PUBLIC_URL) is %q: give an address such as https://accounts.example.com", s.PublicURL)
	}
	return nil
}

// server makes a server with the settings, which listens on addr. The playground may be nil.
func (s httpSettings) server(d *database, addr net.Addr, w watching, playground http.Handler, log *slog.Logger) (*server.Server, error) {
	origins, err := s.origins()
	proxies, err2 := s.proxies()
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	trusted := map[string]string{}
	for _, file := range s.TrustedDocuments {
		documents, err := server.ReadTrusted(file)
		if err != nil {
			return nil, err
		}
		maps.Copy(trusted, documents)
	}
	return server.New(server.Config{DB: d.DB, PublicURL: s.publicURL(addr), Version: version, MaxCost: s.MaxCost, Limits: s.Limits, Rates: s.Rates, Patience: s.Patience,
		Introspection: s.Introspection, Trusted: trusted, TrustedOnly: s.TrustedOnly, Playground: playground, Log: log,
		MaxSockets: s.MaxSockets, MaxSocketsPerAddress: s.MaxSocketsPerAddress,
		Metrics: w.metrics, Tracing: w.tracing, SlowOperation: s.SlowOperation, Origins: origins, Proxies: proxies})
}

// publicURL is the address for links, without a slash at the end, when the server listens on addr.
func (s httpSettings) publicURL(addr net.Addr) string {
	if s.PublicURL != "" {
		return strings.TrimSuffix(s.PublicURL, "/")
	}
	if s.tls() {
		return "https://" + addr.String()
	}
	return "http://" + addr.String()
}
