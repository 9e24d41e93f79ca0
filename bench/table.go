package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// line is a line of the table: what one peer did for one workload.
type line struct {
	workload, title string
	clients         int
	peer            string
	must, aim       float64
	count           int // requests; records where the workload is of files
	round
	cost
	memory  int     // the most after a round, in bytes
	ofLimit float64 // cost of limit
}

// add adds a round.
func (l *line) add(r round, c cost, memory int) {
	l.count += len(r.latencies)
	l.latencies = append(l.latencies, r.latencies...)
	l.elapsed += r.elapsed
	l.server += c.server
	l.postgres += c.postgres
	l.memory = max(l.memory, memory)
}

// each gives CPU time for one request.
func (l *line) each(d time.Duration) time.Duration {
	if l.count == 0 {
		return 0
	}
	return d / time.Duration(l.count)
}

// whole gives all CPU time for one request.
func (l *line) whole() time.Duration { return l.each(l.server + l.postgres) }

// related says of each line how its cost relates to that of the limit among them.
func related(lines []line) {
	for i := range lines {
		if lines[i].peer != "limit" {
			continue
		}
		limit := lines[i].whole()
		for j := range lines {
			if own := lines[j].whole(); own > 0 {
				lines[j].ofLimit = float64(limit) / float64(own)
			}
		}
	}
}

// printTable prints lines as a table in Markdown.
func printTable(out io.Writer, lines []line) {
	var b strings.Builder
	b.WriteString("| | Clients | | Requests/s | p50 ms | p99 ms | p99 ÷ p50 | Server CPU ms | PostgreSQL CPU ms | Memory MiB | Cost of limit | Must | Aim |\n")
	b.WriteString("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, l := range lines {
		goals := " | |"
		if l.peer == "product" {
			goals = fmt.Sprintf(" %.2f | %.2f |", l.must, l.aim)
		}
		p50, p99 := percentile(l.latencies, 50), percentile(l.latencies, 99)
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %.1f | %s | %s | %d | %.2f |%s\n", l.workload, l.clients, l.peer,
			digits(float64(l.count)/l.elapsed.Seconds()), millis(p50), millis(p99), float64(p99)/float64(max(1, p50)),
			millis(l.each(l.server)), millis(l.each(l.postgres)), l.memory>>20, l.ofLimit, goals)
	}
	_, _ = io.WriteString(out, b.String())
}

func millis(d time.Duration) string { return digits(float64(d) / float64(time.Millisecond)) }

// digits writes a number with three digits, or all before the point.
func digits(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	case x >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}
