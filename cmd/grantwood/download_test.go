package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDownloadCommand fetches usage through a line that breaks again and again: the file is whole.
func TestDownloadCommand(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := start(t, environment(), "serve", "--data-dir", dir)
	owner := newOwner(t, p, environment(), "--data-dir", dir)
	file := usageFile(t, "usage.ndjson", masterKey(t, p, owner), 3000)
	if out, err := run(t, environment("GRANTWOOD_TOKEN="+meter(t, environment(), "--data-dir", dir)), "ingest", "--url", p.url, file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bad := breaking(t, p.url)
	now := time.Now().UTC()
	period := []string{"--from", now.Add(-25 * time.Hour).Format(time.RFC3339), "--to", now.Add(time.Hour).Format(time.RFC3339)}
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		var files [2][]byte
		for i, url := range []string{p.url, bad.URL} {
			name := filepath.Join(t.TempDir(), "usage."+format)
			out, err := run(t, environment("GRANTWOOD_TOKEN="+owner), append([]string{"download", "--url", url, "--format", format, name}, period...)...)
			if err != nil {
				t.Fatalf("%s: %v: %s", format, err, out)
			}
			if files[i], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
		if format == "parquet" {
			if !bytes.HasPrefix(files[1], []byte("PAR1")) || !bytes.HasSuffix(files[1], []byte("PAR1")) {
				t.Error("the Parquet file is not whole")
			}
			continue
		}
		lines := strings.Count(string(files[0]), "\n")
		if want := map[string]int{"csv": 3001, "ndjson": 3000}[format]; lines != want {
			t.Errorf("%s: %d lines, want %d", format, lines, want)
		}
		if diff := cmp.Diff(string(files[0]), string(files[1])); diff != "" {
			t.Errorf("%s: through the breaking line (-want +got):\n%.2000s", format, diff)
		}
	}
	if out, err := run(t, environment("GRANTWOOD_TOKEN=nonsense"), append([]string{"download", "--url", p.url, "-"}, period...)...); err == nil || !strings.Contains(out, "Sign in first") {
		t.Errorf("with a token that is none: %v: %s", err, out)
	}
}

// breaking is a server that hands on to another one, but breaks every second answer to a download in the middle.
func breaking(t *testing.T, to string) *httptest.Server {
	t.Helper()
	downloads := 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		req.Header = r.Header.Clone()
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		for name, values := range res.Header {
			w.Header()[name] = values
		}
		if !strings.HasPrefix(r.URL.Path, "/usage/download") {
			// The address leads through here, too.
			body = bytes.ReplaceAll(body, []byte(to), []byte("http://"+r.Host))
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.WriteHeader(res.StatusCode)
			_, _ = w.Write(body)
			return
		}
		w.WriteHeader(res.StatusCode)
		if downloads++; downloads%2 == 1 {
			_, _ = w.Write(body[:len(body)/3])
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	}))
	s.Start()
	t.Cleanup(s.Close)
	return s
}
