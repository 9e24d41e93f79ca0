package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// printGrowth prints as a table in Markdown the CPU time of each request at each size, in milliseconds, that of the server and that of
// PostgreSQL and both, and how many times as much it is at the last size as at the first.
func printGrowth(out io.Writer, title string, sizes []int, list []growth) {
	var b strings.Builder
	b.WriteString("| " + title + " |")
	for _, n := range sizes {
		b.WriteString(" " + thousands(n) + " |")
	}
	b.WriteString(" Last ÷ first |\n|---|" + strings.Repeat("---:|", len(sizes)+1) + "\n")
	for i := range list {
		b.WriteString(list[i].row() + "\n")
	}
	_, _ = io.WriteString(out, b.String())
}

// row is the request's row of the table.
func (g *growth) row() string {
	var b strings.Builder
	b.WriteString("| " + g.title + " |")
	for i := range g.at {
		l := &g.at[i].line
		fmt.Fprintf(&b, " %s + %s = %s |", millis(l.each(l.server)), millis(l.each(l.postgres)), millis(l.whole()))
	}
	first, last := &g.at[0].line, &g.at[len(g.at)-1].line
	fmt.Fprintf(&b, " %.2f |", float64(last.whole())/float64(max(1, first.whole())))
	return b.String()
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
