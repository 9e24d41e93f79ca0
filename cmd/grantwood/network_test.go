package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificateFiles writes a certificate for 127.0.0.1 and its key.
func certificateFiles(t *testing.T, dir string, serial int64) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: raw}, "tls.key": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLS serves by TLS and HTTP/2: links are of https, cookies for it only, and a new certificate is taken over without a stop.
func TestTLS(t *testing.T) {
	t.Parallel()
	files, dir, pool := t.TempDir(), dataDir(t), x509.NewCertPool()
	pool.AddCert(certificateFiles(t, files, 1))
	env := environment("GRANTWOOD_TLS_CERT="+filepath.Join(files, "tls.crt"), "GRANTWOOD_TLS_KEY="+filepath.Join(files, "tls.key"))
	p := start(t, env, "serve", "--data-dir", dir)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
	get := func(path string) *http.Response {
		t.Helper()
		res, err := c.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	if out, err := run(t, env, "doctor", "--data-dir", dir); err != nil || !strings.Contains(out, "certificate: expires ") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	res := get("/readyz")
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %d %v", res.Proto, res.StatusCode, res.Header)
	}
	token, err := run(t, env, "operator", "create", "--label", "Test", "--scopes", "admin", "--data-dir", dir)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, p.url+"/graphql", strings.NewReader(`{"query":"mutation { createAccount(input: {name: \"T\", currency: \"EUR\", primaryEmail: \"o@test.example\"}) { link } }"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	made, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = made.Body.Close() }()
	body := make([]byte, 4096)
	n, _ := made.Body.Read(body)
	if !strings.Contains(string(body[:n]), `"link":"`+p.url+`/invitation#`) || !strings.HasPrefix(p.url, "https://") {
		t.Errorf("the link is no one of %s: %s", p.url, body[:n])
	}
	pool.AddCert(certificateFiles(t, files, 2))
	eventually(t, "the new certificate is taken over", func() bool { return get("/healthz").TLS.PeerCertificates[0].SerialNumber.Int64() == 2 })
	p.stop(t)
	if strings.Contains(p.out.String(), "level=ERROR") {
		t.Errorf("an ordinary stop is an error\n%s", p.out)
	}
}

// TestAdminListener: a taken address of the second listener ends serve with what to do, and not the demo; an empty one switches it off.
func TestAdminListener(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	out, err := run(t, environment(), "serve", "--data-dir", dataDir(t), "--addr", "127.0.0.1:0", "--admin-addr", taken.Addr().String())
	if err == nil || !strings.Contains(out, "--admin-addr") || !strings.Contains(out, taken.Addr().String()) {
		t.Errorf("%v: %s", err, out)
	}
	p := start(t, environment("GRANTWOOD_DEMO_DIR="+dataDir(t)), "demo", "--usage", "0", "--admin-addr", taken.Addr().String())
	if got := statusOf(p.url + "/readyz"); got != http.StatusOK || !strings.Contains(p.out.String(), "--admin-addr") {
		t.Errorf("%d\n%s", got, p.out)
	}
	p.stop(t)
	p = start(t, environment("GRANTWOOD_ADMIN_ADDR="), "serve", "--data-dir", dataDir(t), "--admin-addr", "")
	if got := statusOf(p.url + "/readyz"); got != http.StatusOK || strings.Contains(p.out.String(), "profiles") {
		t.Errorf("%d\n%s", got, p.out)
	}
	p.stop(t)
}

// TestWrongNetworkSettings: settings that cannot work are refused at once, with their names.
func TestWrongNetworkSettings(t *testing.T) {
	t.Parallel()
	files := t.TempDir()
	certificateFiles(t, files, 1)
	for _, c := range []struct{ variable, value, names string }{
		{"GRANTWOOD_ADMIN_ADDR", "8081", "--admin-addr"},
		{"GRANTWOOD_TLS_CERT", filepath.Join(files, "tls.crt"), "--tls-key"},
		{"GRANTWOOD_TLS_KEY", filepath.Join(files, "tls.key"), "--tls-cert"},
		{"GRANTWOOD_CORS_ORIGIN", "*", "--cors-origin"},
		{"GRANTWOOD_CORS_ORIGIN", "https://a.example,https://b.example/path", "--cors-origin"},
		{"GRANTWOOD_TRUSTED_PROXY", "10.0.0.0/8,proxy", "--trusted-proxy"},
		{"GRANTWOOD_PROXY_HEADER", "x-real-ip", "--proxy-header"},
		{"GRANTWOOD_SLOW_OPERATION", "0s", "--slow-operation"},
		{"GRANTWOOD_DRAIN_DELAY", "-1s", "--drain-delay"},
	} {
		if out, err := run(t, environment(c.variable+"="+c.value), "serve", "--data-dir", dataDir(t)); err == nil || !strings.Contains(out, c.names) {
			t.Errorf("%s=%s: %v %s", c.variable, c.value, err, out)
		}
	}
}
