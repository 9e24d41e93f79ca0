package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"grantwood/db/dbtest"
	"grantwood/server"
	"grantwood/web"
)

// TestExamplesOfThePlayground: what the playground offers is right by the schema, and the people whom it names get an answer
// with something in it.
func TestExamplesOfThePlayground(t *testing.T) {
	t.Parallel()
	a := apiOn(t, dbtest.OpenNamed(t, demoDatabase(t)))
	titles := map[string]bool{}
	for _, e := range web.Examples(time.Now()) {
		if titles[e.Title] || e.Title == "" || e.About == "" {
			t.Errorf("example %q, %q: twice or without a title", e.Title, e.About)
		}
		titles[e.Title] = true
		kind := kindOf(t, e.Query)
		if e.Lookup != "" {
			kindOf(t, e.Lookup)
		}
		if kind == ast.Subscription {
			continue // needs a socket, and so the browser; that it is right by the schema is seen here
		}
		c := signIn(t, a, e.Person)
		got := c.ask(t, e.Query, c.filled(t, e), rootOf(e.Query))
		text, _ := json.Marshal(got) // it came as JSON
		if list := regexp.MustCompile(`"(?:nodes|rows)":\[.`).Find(text); got == nil || bytes.HasSuffix(list, []byte("]")) {
			t.Errorf("%s: %s", e.Title, text)
		}
	}
}

// kindOf reads a document of one operation, which is right by the schema.
func kindOf(t testing.TB, text string) ast.Operation {
	t.Helper()
	document, errs := gqlparser.LoadQueryWithRules(schema(), text, rules.NewDefaultRules())
	if errs != nil || len(document.Operations) != 1 {
		t.Fatalf("%v in %s", errs, text)
	}
	return document.Operations[0].Operation
}

// rootOf names the first field of an operation.
func rootOf(query string) string {
	return regexp.MustCompile(`(?s)\{\s*(\w+)`).FindStringSubmatch(query[strings.Index(query, "\n\n"):])[1]
}

// filled gives the variables of an example as the page fills them.
func (c client) filled(t testing.TB, e web.Example) map[string]any {
	t.Helper()
	if e.Variables == "" {
		return nil
	}
	text := regexp.MustCompile(`"@([\w.]+)"`).ReplaceAllStringFunc(e.Variables, func(mark string) string {
		return `"` + c.text(t, e.Lookup, nil, strings.Trim(mark, `"@`)) + `"`
	})
	var variables map[string]any
	if err := json.Unmarshal([]byte(text), &variables); err != nil {
		t.Fatalf("%s: %v: %s", e.Title, err, text)
	}
	return variables
}

// TestPlaygroundIsMounted: it is served, and named to whoever looks around, where it is wanted, and nowhere else.
func TestPlaygroundIsMounted(t *testing.T) {
	t.Parallel()
	page, err := web.Playground(web.Settings{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	with, h := newAPIWith(server.Config{DB: sharedAPI().db, PublicURL: "http://grantwood.example", Version: "test", Log: quiet, Playground: page})
	t.Cleanup(h.Close)
	for _, x := range []struct {
		a      api
		status int
		named  bool
	}{{with, http.StatusOK, true}, {sharedAPI(), http.StatusNotFound, false}} {
		for _, path := range []string{"/playground", "/playground/"} {
			if a := raw(t, x.a, http.MethodGet, path, ""); a.Status != x.status || strings.Contains(string(a.Body), "<html") != x.named {
				t.Errorf("%s: %d", path, a.Status)
			}
		}
		if a := raw(t, x.a, http.MethodGet, "/", ""); strings.Contains(string(a.Body), "http://grantwood.example/playground") != x.named {
			t.Errorf("GET /: %s", a.Body)
		}
	}
}
