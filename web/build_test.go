package web_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// TestBuildBelongsToItsSources needs no Node: the build notes the hash of what it read, as vite.config.ts says.
func TestBuildBelongsToItsSources(t *testing.T) {
	t.Parallel()
	dir := "playground"
	names := []string{"index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"}
	sources, err := os.ReadDir(filepath.Join(dir, "src"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		names = append(names, "src/"+s.Name())
	}
	slices.Sort(names)
	hash := sha256.New()
	for _, name := range names {
		hash.Write([]byte(name + "\n"))
		hash.Write(read(t, filepath.Join(dir, name)))
	}
	noted := strings.TrimSpace(string(read(t, filepath.Join(dir, "dist", "inputs.sha256"))))
	if hash := hex.EncodeToString(hash.Sum(nil)); hash != noted {
		t.Errorf("web/playground/dist was built from other sources (%s, not %s): run make web and commit the result", noted, hash)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSecretsOfTheSchemaAreNotStored: the page takes values out of what it stores by the names of arguments; each argument that the
// schema calls @sensitive has such a name.
func TestSecretsOfTheSchemaAreNotStored(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`\\w\*\(\?:([a-zA-Z|]+)\)\\w\*`).FindSubmatch(read(t, "playground/src/storage.ts"))
	if words == nil {
		t.Fatal("src/storage.ts has no list of words")
	}
	secret := regexp.MustCompile("(?i)" + string(words[1]))
	schema, err := parser.ParseSchema(&ast.Source{Name: "schema.graphqls", Input: string(read(t, "../schema.graphqls"))})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	check := func(where, name string, directives ast.DirectiveList) {
		if directives.ForName("sensitive") == nil {
			return
		}
		found++
		if !secret.MatchString(name) {
			t.Errorf("the page would store what is given for %s.%s", where, name)
		}
	}
	for _, d := range schema.Definitions {
		for _, f := range d.Fields {
			if d.Kind == ast.InputObject {
				check(d.Name, f.Name, f.Directives)
			}
			for _, a := range f.Arguments {
				check(d.Name+"."+f.Name, a.Name, a.Directives)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d arguments are @sensitive", found)
	}
}
