package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// chromium finds the browser that scripts/ensure-chromium makes sure of.
func chromium(t *testing.T) string {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}
	if set := os.Getenv("CHROMIUM"); set != "" {
		names = []string{set}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium: run scripts/ensure-chromium")
	return ""
}

// TestPlaygroundInABrowser uses the playground of the demo as people do. The page breaks its policy nowhere, reaches no other host,
// has no error and stores no secret.
func TestPlaygroundInABrowser(t *testing.T) {
	t.Parallel()
	const project = "../../web/playground"
	ensure := exec.CommandContext(t.Context(), "../../scripts/ensure-modules", "web/playground")
	if out, err := ensure.CombinedOutput(); err != nil {
		t.Fatalf("the npm packages are not there: %v: %s", err, out)
	}
	browser := chromium(t)
	p := start(t, environment(), "demo", "--demo-dir", dataDir(t), "--usage", "0")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	steps := exec.CommandContext(ctx, "node", filepath.Join(project, "test", "browser.mjs"), p.url, browser)
	out, err := steps.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	p.stop(t)
}
