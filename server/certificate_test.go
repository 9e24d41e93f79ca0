package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"grantwood/server"
)

// tlsFiles are a certificate with its key, in files.
type tlsFiles struct{ cert, key string }

func newTLSFiles(t testing.TB) tlsFiles {
	dir := t.TempDir()
	return tlsFiles{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

// made makes a certificate for 127.0.0.1 with a serial number, and its key.
func made(t testing.TB, serial int64) (cert, key []byte, parsed *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Duration(serial) * 24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err = x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), parsed
}

// replace writes a file as a new one, so that it has another time.
func replace(t testing.TB, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// TestCertificate serves TLS with a certificate that is replaced, badly and well: new connections get the last one that works.
func TestCertificate(t *testing.T) {
	t.Parallel()
	files := newTLSFiles(t)
	m := server.NewMetrics("test")
	a := watched(t, func(c *server.Config) { c.Metrics = m })
	var log logText
	cert, key, first := made(t, 1)
	if _, err := server.LoadCertificate(files.cert, files.key, m, slog.New(slog.NewTextHandler(&log, nil))); err == nil {
		t.Error("files that are not there are a certificate")
	}
	replace(t, files.cert, cert)
	replace(t, files.key, key)
	c, err := server.LoadCertificate(files.cert, files.key, m, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c.Config())
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: a.srv, TLSConfig: c.Config()}
	go func() { _ = h.Serve(l) }()
	t.Cleanup(func() { _ = h.Close() })
	pool := x509.NewCertPool()
	serves := func(serial int64, failures float64) {
		t.Helper()
		if got := serialOf(t, l.Addr().String(), pool); got != serial {
			t.Errorf("the certificate is number %d, want %d", got, serial)
		}
		a.counts(t, map[string]float64{"grantwood_certificate_reload_failures_total": failures})
		if days := (a.metrics(t)["grantwood_certificate_expiry_timestamp_seconds"] - float64(time.Now().Unix())) / 86400; days > float64(serial) || days < float64(serial)-.5 {
			t.Errorf("it expires in %v days, want %d", days, serial)
		}
	}
	pool.AddCert(first)
	serves(1, 0)
	c.Refresh(t.Context())
	serves(1, 0)
	cert, key, second := made(t, 2)
	pool.AddCert(second)
	replace(t, files.cert, cert) // without its key
	c.Refresh(t.Context())
	c.Refresh(t.Context())
	serves(1, 1)
	replace(t, files.key, key)
	c.Refresh(t.Context())
	serves(2, 1)
	replace(t, files.key, []byte("nonsense"))
	c.Refresh(t.Context())
	if err := os.Remove(files.cert); err != nil {
		t.Fatal(err)
	}
	c.Refresh(t.Context())
	serves(2, 3)
	if text := log.String(); strings.Count(text, "level=ERROR") != 3 || !strings.Contains(text, "certificate replaced") || strings.Contains(text, "PRIVATE") {
		t.Errorf("the log says\n%s", text)
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

// serialOf gives the number of the certificate that a new connection gets. It must be for HTTP/2 where the client wants that.
func serialOf(t testing.TB, address string, pool *x509.CertPool) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	state := conn.ConnectionState()
	if state.NegotiatedProtocol != "h2" {
		t.Errorf("the protocol is %q", state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].SerialNumber.Int64()
}
