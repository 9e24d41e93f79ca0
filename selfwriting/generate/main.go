// Command generate runs gqlgen with the plugin of types that write themselves. It is what go generate calls.
package main

import (
	"fmt"
	"os"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"

	"grantwood/selfwriting/plugin"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	c, err := config.LoadConfigFromDefaultLocations()
	if err != nil {
		return err
	}
	c.SkipValidation = true // the files fit together only after Rewire
	if err := api.Generate(c, api.AddPlugin(&plugin.Plugin{Once: once})); err != nil {
		return err
	}
	return plugin.Rewire(c.Exec.Dir())
}

// once tells the directives that look at the caller only: @public, and @requires unless it lets a user read their own object.
func once(d *codegen.Directive) bool {
	if d.Name == "public" {
		return true
	}
	if d.Name != "requires" {
		return false
	}
	for _, a := range d.Args {
		if a.Name == "orSelf" && a.Value == true {
			return false
		}
	}
	return true
}
