// Command bench measures the product against hand-written handlers that answer the same requests from the same database, and against
// gqlgen as its tutorial shows it. It makes its data in a private PostgreSQL, starts all servers, compares their answers, and prints a
// table. What counts is the cost of limit: the CPU time of the limit and its PostgreSQL for a request, divided by that of the product
// and its PostgreSQL. See docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"grantwood/pgembed"
)

// settings say what is measured.
type settings struct {
	dir         string
	program     string
	records     int
	only        []string
	connections []int
	duration    time.Duration
	rounds      int
	profile     string
	serverArgs  []string
}

func (s *settings) wants(workload string) bool {
	return len(s.only) == 0 || slices.Contains(s.only, workload)
}

func parse(arguments []string) (settings, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	dir, err := pgembed.DefaultDir()
	s := settings{}
	f.StringVar(&s.dir, "dir", dir+"-bench", "directory of the private PostgreSQL, which keeps the data for the next time")
	f.StringVar(&s.program, "program", "bin/grantwood", "the product")
	f.IntVar(&s.records, "records", 5_000_000, "usage records of the account")
	only := f.String("workload", "", "what is asked, such as W2 or W1,W4; all when empty")
	connections := f.String("connections", "16,1,64", "how many clients ask at once")
	seconds := f.Float64("seconds", 4, "length of a round")
	f.IntVar(&s.rounds, "rounds", 3, "rounds of each server")
	f.StringVar(&s.profile, "profile", "", "file for a CPU profile of the product, written in a round of its own; with several workloads one file for each")
	server := f.String("serve", "", "further settings of the product, such as \"--max-connections 4\"")
	if err := errors.Join(err, f.Parse(arguments)); err != nil {
		return s, err
	}
	s.serverArgs = strings.Fields(*server)
	s.duration = time.Duration(*seconds * float64(time.Second))
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	for text := range strings.SplitSeq(*connections, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return s, fmt.Errorf("-connections %q: give numbers above 0", *connections)
		}
		s.connections = append(s.connections, n)
	}
	if s.rounds < 1 || s.records < 20_000 || s.duration <= 0 {
		return s, errors.New("give at least one round, 20,000 records, and some time")
	}
	return s, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 2 && roles[arguments[0]] != nil {
		return serveRole(ctx, arguments[0], arguments[1])
	}
	s, err := parse(arguments)
	if err != nil {
		return err
	}
	return measure(ctx, s, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}
