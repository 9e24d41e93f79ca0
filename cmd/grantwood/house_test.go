package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms says what each package may import of the project, and which libraries nobody else may.
var rooms = map[string]struct{ project, libraries []string }{
	"grantwood/graph":                {libraries: []string{"github.com/go-playground/validator/v10", "github.com/shopspring/decimal"}},
	"grantwood/selfwriting":          {libraries: []string{"github.com/99designs/gqlgen/graphql", "github.com/vektah/gqlparser/v2/ast"}},
	"grantwood/selfwriting/plugin":   {libraries: []string{"github.com/99designs/gqlgen/codegen", "github.com/vektah/gqlparser/v2/ast"}},
	"grantwood/selfwriting/generate": {project: []string{"selfwriting/plugin"}, libraries: []string{"github.com/99designs/gqlgen"}},
	"grantwood/graph/scalar":         {project: []string{"graph", "selfwriting"}, libraries: []string{"github.com/99designs/gqlgen/graphql", "golang.org/x/text/currency", "github.com/shopspring/decimal"}},
	"grantwood/graph/generated":      {project: []string{"graph", "graph/scalar", "selfwriting"}, libraries: []string{"github.com/99designs/gqlgen", "github.com/vektah/gqlparser/v2", "github.com/shopspring/decimal"}},
	"grantwood/pgembed":              {libraries: []string{"github.com/lib/pq", "golang.org/x/sys"}},
	"grantwood/db": {project: []string{"graph"}, libraries: []string{"github.com/lib/pq", "github.com/jmoiron/sqlx", "github.com/google/uuid",
		"github.com/alexedwards/argon2id", "github.com/hashicorp/golang-lru/v2", "github.com/pressly/goose/v3", "golang.org/x/sync", "github.com/shopspring/decimal",
		"github.com/XSAM/otelsql", "go.opentelemetry.io/otel"}},
	"grantwood/db/dbtest": {project: []string{"db", "pgembed"}, libraries: []string{"github.com/alexedwards/argon2id"}},
	"grantwood/demo":      {project: []string{"db", "graph"}, libraries: []string{"github.com/shopspring/decimal", "golang.org/x/sync"}},
	"grantwood/resolvers": {project: []string{"db", "graph", "graph/generated", "graph/scalar"}, libraries: []string{"github.com/99designs/gqlgen",
		"github.com/vektah/gqlparser/v2", "github.com/go-playground/validator/v10"}},
	"grantwood/server": {project: []string{"db", "graph", "graph/generated", "graph/scalar", "resolvers", "selfwriting"}, libraries: []string{"github.com/99designs/gqlgen",
		"github.com/vektah/gqlparser/v2", "github.com/coder/websocket", "github.com/klauspost/compress", "github.com/parquet-go/parquet-go", "github.com/prometheus/client_golang", "github.com/rs/cors",
		"github.com/hashicorp/golang-lru/v2", "golang.org/x/sync", "golang.org/x/time",
		"go.opentelemetry.io/otel", "go.opentelemetry.io/contrib"}},
	"grantwood/mail":          {project: []string{"db", "graph"}, libraries: []string{"github.com/wneessen/go-mail", "golang.org/x/sync"}},
	"grantwood/mail/mailtest": {libraries: []string{"github.com/emersion/go-smtp", "github.com/emersion/go-sasl"}},
	"grantwood/web":           {},
	"grantwood/bench":         {project: []string{"bench/limit", "bench/tutorial", "db", "graph", "pgembed"}, libraries: []string{"github.com/alexedwards/argon2id", "github.com/lib/pq"}},
	"grantwood/bench/tutorial": {project: []string{"bench/limit", "bench/tutorial/generated", "graph"}, libraries: []string{"github.com/99designs/gqlgen",
		"github.com/google/uuid", "github.com/lib/pq", "github.com/shopspring/decimal", "github.com/vektah/gqlparser/v2", "github.com/vikstrous/dataloadgen"}},
	"grantwood/bench/tutorial/generated": {libraries: []string{"github.com/99designs/gqlgen", "github.com/vektah/gqlparser/v2"}},
	"grantwood/bench/limit":              {project: []string{"graph"}, libraries: []string{"github.com/google/uuid", "github.com/lib/pq"}},
	"grantwood/cmd/grantwood": {project: []string{"db", "demo", "graph", "mail", "pgembed", "server", "web"}, libraries: []string{"github.com/alecthomas/kong",
		"go.opentelemetry.io/otel", "go.opentelemetry.io/contrib"}},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// TestImportDirection holds the arrows between the rooms: cmd → server → resolvers → graph/generated, db → graph.
func TestImportDirection(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "grantwood/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; seen++ {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, arrow := range wrongImports(p) {
			t.Error(arrow)
		}
	}
	if seen < len(rooms) {
		t.Errorf("looked at %d packages, there are %d rooms", seen, len(rooms))
	}
}

func wrongImports(p goPackage) []string {
	room, ok := rooms[p.ImportPath]
	if !ok {
		return []string{p.ImportPath + " is a room without rules: add it to the table, with its reason in the commit"}
	}
	var wrong []string
	for _, i := range p.Imports {
		if inside, ok := strings.CutPrefix(i, "grantwood/"); ok {
			if !slices.Contains(room.project, inside) {
				wrong = append(wrong, p.ImportPath+" must not import "+i)
			}
			continue
		}
		standard := !strings.Contains(strings.SplitN(i, "/", 2)[0], ".")
		allowed := func(library string) bool { return i == library || strings.HasPrefix(i, library+"/") }
		if !standard && !slices.ContainsFunc(room.libraries, allowed) {
			wrong = append(wrong, p.ImportPath+" must not import "+i)
		}
	}
	return wrong
}

func TestImportDirectionIsNoEmptyPromise(t *testing.T) {
	t.Parallel()
	for _, p := range []goPackage{
		{"grantwood/graph", []string{"grantwood/db"}},
		{"grantwood/graph", []string{"github.com/99designs/gqlgen/graphql"}},
		{"grantwood/resolvers", []string{"github.com/jmoiron/sqlx"}},
		{"grantwood/db", []string{"github.com/99designs/gqlgen/graphql"}},
		{"grantwood/server", []string{"grantwood/mail"}},
		{"grantwood/db", []string{"github.com/wneessen/go-mail"}},
		{"grantwood/utils", nil},
	} {
		if len(wrongImports(p)) == 0 {
			t.Errorf("%v is allowed", p)
		}
	}
}
