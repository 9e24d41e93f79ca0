package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var snippet = regexp.MustCompile(`(?s)// docs: (\S+)\n(.*?)// end\n`)

// TestClientSnippets: what docs/clients.md shows is what the scripts run.
func TestClientSnippets(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("../web/clients/*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, script := range append(scripts, "../web/clients/genqlient/main.go") {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range snippet.FindAllStringSubmatch(string(text), -1) {
			shown++
			if !strings.Contains(string(manual), "\n"+strings.TrimSpace(m[2])+"\n```") {
				t.Errorf("docs/clients.md does not show the part %s of %s as it is", m[1], script)
			}
		}
	}
	if shown < 7 {
		t.Errorf("only %d parts", shown)
	}
}
