package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestCompression: large answers are compressed for callers who want that, and are the same then. Small ones, among them all that hold a
// secret, are not.
func TestCompression(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	const small, large = `{ serverInfo { version } }`, `{ __schema { types { name description fields { name description } } } }`
	ask := func(query, encoding string) answer {
		req := w.owner.newRequest(t, query, nil)
		req.Header.Set("Accept-Encoding", encoding)
		return send(t, req)
	}
	plain := ask(large, "identity")
	if plain.Header.Get("Content-Encoding") != "" || len(plain.Body) < 16<<10 {
		t.Fatalf("%v, %d bytes", plain.Header, len(plain.Body))
	}
	for encoding, compressed := range map[string]bool{"gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "*": true, "deflate, *;q=0.1": true, "": false, "br": false,
		"gzip;q=0": false, "gzip;q=0, *": false, "*;q=0": false, "identity": false, "gzip;q=x": false} {
		a := ask(large, encoding)
		body := a.Body
		if a.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if (a.Header.Get("Content-Encoding") == "gzip") != compressed || !bytes.Equal(body, plain.Body) || len(a.Body) > len(plain.Body) ||
			!strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Accept-Encoding") || a.Status != http.StatusOK {
			t.Errorf("%q: %d %v, %d bytes", encoding, a.Status, a.Header, len(a.Body))
		}
		if got := ask(small, encoding).Header.Get("Content-Encoding"); got != "" {
			t.Errorf("%q: a small answer is compressed", encoding)
		}
	}
}
