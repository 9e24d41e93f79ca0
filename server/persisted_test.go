package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/server"
)

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// persisted is a body that names its document by a hash, and holds it when query is not empty.
func persisted(t testing.TB, query, hash string) string {
	t.Helper()
	body := map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}}
	if query != "" {
		body["query"] = query
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const notFound = `{"errors":[{"extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}`

// TestPersistedQueries: a document that was sent with its hash once is known by it, as Apollo's clients want; by GET too. What is not
// valid is not kept, and nobody can put a document under the hash of another.
func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	post := func(body string) answer {
		return raw(t, sharedAPI(), http.MethodPost, "/graphql", body, "Content-Type", "application/json")
	}
	query := fmt.Sprintf("{ serverInfo { version } } # %s", address())
	post(persisted(t, "", hash(query))).is(t, notFound)
	if a := post(persisted(t, "", hash(query))); !strings.Contains(string(a.Body), `"message":"PersistedQueryNotFound"`) {
		t.Errorf("%s", a.Body)
	}
	post(persisted(t, query, hash("another"))).is(t, badInput)
	post(persisted(t, "", hash("another"))).is(t, notFound)
	post(persisted(t, query, hash(query))).is(t, versionIs)
	post(persisted(t, "", hash(query))).is(t, versionIs)
	post(persisted(t, "", strings.ToUpper(hash(query)))).is(t, versionIs)
	post(`{"documentId":"sha256:`+hash(query)+`"}`).is(t, versionIs)
	get(t, sharedAPI(), "extensions", `{"persistedQuery":{"version":1,"sha256Hash":"`+hash(query)+`"}}`).is(t, versionIs)
	get(t, sharedAPI(), "documentId", "sha256:"+hash(query)).is(t, versionIs)
	for _, invalid := range []string{"{ nothing }", "{", "{ serverInfo { version } } #" + strings.Repeat("x", 16<<10)} {
		post(persisted(t, invalid, hash(invalid)))
		post(persisted(t, "", hash(invalid))).is(t, notFound)
	}
	for _, malformed := range []string{`{"version":2,"sha256Hash":"` + hash(query) + `"}`, `{"version":1,"sha256Hash":"x"}`, `{"version":1}`, `7`, `[]`,
		`{"version":"1","sha256Hash":"` + hash(query) + `"}`} {
		post(`{"extensions":{"persistedQuery":`+malformed+`}}`).is(t, badInput)
	}
}

// TestTrustedDocuments: with a list of documents that are trusted, these run by their hashes, and nothing else does for people; callers
// with a token of their own are free.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	const trusted = "query Trusted { serverInfo { version } }"
	d := dbtest.Open(t)
	for name, manifest := range map[string]string{
		"client preset": `{"` + hash(trusted) + `":"` + trusted + `"}`,
		"Apollo's": `{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"` + hash(trusted) + `","name":"Trusted","type":"query","body":"` +
			trusted + `"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			list, err := server.ReadTrusted(written(t, manifest))
			if err != nil {
				t.Fatal(err)
			}
			for _, only := range []bool{false, true} {
				a, h := newAPIWith(server.Config{DB: d, Trusted: list, TrustedOnly: only, Version: "test", Log: quiet})
				t.Cleanup(h.Close)
				post := func(body string) answer {
					return raw(t, a, http.MethodPost, "/graphql", body, "Content-Type", "application/json")
				}
				post(persisted(t, "", hash(trusted))).is(t, versionIs)
				post(`{"documentId":"`+hash(trusted)+`"}`).is(t, versionIs)
				post(`{"query":"`+trusted+`"}`).is(t, versionIs)
				want := versionIs
				if only {
					want = `{"errors":[{"extensions":{"code":"FORBIDDEN"}}]}`
				}
				post(version).is(t, want)
				operatorOn(t, a, graph.ScopeVerify).expect(t, "{ serverInfo { version } }", nil, versionIs)
			}
		})
	}
	for _, wrong := range []string{"", "[]", `{"x":7}`, `{"format":"other","version":1}`, `{"format":"apollo-persisted-query-manifest","version":2}`} {
		if _, err := server.ReadTrusted(written(t, wrong)); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	if _, err := server.New(server.Config{DB: d, Trusted: map[string]string{"x": "{ nothing }"}, Log: quiet}); err == nil {
		t.Error("a trusted document that is not valid is taken")
	}
}

func written(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "manifest.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
