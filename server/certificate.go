package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificateEvery is how often files of a certificate are looked at.
const certificateEvery = 3 * time.Second

// Certificate is a pair of PEM files, certificate with chain and key, that may be replaced while the server runs.
type Certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	stamp             string // of the files as they were last tried
	failed            bool   // when they were
	metrics           *Metrics
	log               *slog.Logger
}

// LoadCertificate reads the files; an error when they are no pair.
func LoadCertificate(certFile, keyFile string, m *Metrics, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, metrics: m, log: log}
	c.stamp = c.look()
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// Config says how TLS is spoken: version 1.2 or newer, with HTTP/2.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}

// Watch takes over files that change, until ctx ends: new connections get the new certificate. While the new files are no pair, as
// between the writing of one and the other, the old pair stays; that is an error in the log and in the metrics, once for each change.
func (c *Certificate) Watch(ctx context.Context) {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.refresh(ctx)
		}
	}
}

func (c *Certificate) refresh(ctx context.Context) {
	stamp := c.look()
	changed := stamp != c.stamp
	if !changed && !c.failed { // what failed is tried again: a file may have been read while it was being written
		return
	}
	c.stamp = stamp
	err := c.load()
	c.failed = err != nil
	switch {
	case err == nil:
		c.log.InfoContext(ctx, "certificate replaced", "expires", c.current.Load().Leaf.NotAfter)
	case changed:
		c.metrics.certificateFailures.Inc()
		c.log.ErrorContext(ctx, "the new certificate cannot be used; the old one stays", "error", err)
	}
}

// look tells one state of the files from another.
func (c *Certificate) look() string {
	text := ""
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			text += err.Error() + "\n"
			continue
		}
		text += fmt.Sprintln(info.ModTime().UnixNano(), info.Size())
	}
	return text
}

func (c *Certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	c.metrics.certificate(pair.Leaf.NotAfter)
	return nil
}
