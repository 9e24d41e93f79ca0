package web

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed examples/*.graphql examples/*.json
var examples embed.FS

// Example is an operation to start from.
type Example struct {
	Title  string `json:"title"`
	About  string `json:"about"`  // in one line
	Person string `json:"person"` // address of the demo's person for whom it is made
	Query  string `json:"query"`
	// Variables are a JSON object, or empty. A text "@a.b.0.c" in it stands for what is found on the way a, b, 0, c through
	// the data of Lookup's answer.
	Variables string `json:"variables"`
	Lookup    string `json:"lookup"` // a query, or empty
}

// Examples are the operations in the directory examples, in the order of their names, with days counted from now. Each file
// begins with three comments: its title, "As" and the address of a person, what it is about.
func Examples(now time.Time) []Example {
	names, _ := fs.Glob(examples, "examples/*.graphql") // a pattern that is right
	var list []Example
	for _, name := range names {
		base := strings.TrimSuffix(name, ".graphql")
		if strings.HasSuffix(base, ".lookup") {
			continue
		}
		e := parseExample(text(name))
		e.Variables = onDay(text(base+".variables.json"), now)
		e.Lookup = text(base + ".lookup.graphql")
		list = append(list, e)
	}
	return list
}

// text gives an embedded file; nothing when there is none.
func text(name string) string {
	b, _ := examples.ReadFile(path.Clean(name))
	return string(b)
}

func parseExample(text string) Example {
	parts := strings.SplitN(text, "\n", 5)
	if len(parts) < 5 {
		panic(fmt.Sprintf("an example has no three comments and an empty line: %q", text))
	}
	line := func(i int) string { return strings.TrimPrefix(parts[i], "# ") }
	return Example{Title: line(0), Person: strings.TrimPrefix(line(1), "As "), About: line(2), Query: parts[2] + "\n\n" + parts[4]}
}

var daysAgo = regexp.MustCompile(`DAYS_AGO_(\d+)`)

// onDay writes beginnings of days (UTC) for DAYS_AGO_n.
func onDay(text string, now time.Time) string {
	today := now.UTC().Truncate(24 * time.Hour)
	return daysAgo.ReplaceAllStringFunc(text, func(mark string) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(mark, "DAYS_AGO_")) // digits
		return today.AddDate(0, 0, -n).Format(time.RFC3339)
	})
}
