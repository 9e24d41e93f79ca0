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
	growth      bool
	// Sizes by which growth is measured: usage records of an account, keys of an account, accounts that are active at once.
	growthRecords, growthKeys, growthAccounts []int
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
	f.BoolVar(&s.growth, "growth", false, "measure how the cost of requests grows with the data, with the first number of -connections; -workload chooses among records, keys and accounts")
	growthRecords := f.String("growth-records", "100000,1000000,10000000", "usage records of an account, for -growth")
	growthKeys := f.String("growth-keys", "10,100,1000,10000", "keys of an account, for -growth")
	growthAccounts := f.String("growth-accounts", "1,10,100,1000", "accounts that are active at once, for -growth")
	if err := errors.Join(err, f.Parse(arguments)); err != nil {
		return s, err
	}
	for _, list := range []struct {
		name, text string
		least      int
		into       *[]int
	}{
		{"connections", *connections, 1, &s.connections}, {"growth-records", *growthRecords, 100_000, &s.growthRecords},
		{"growth-keys", *growthKeys, 10, &s.growthKeys}, {"growth-accounts", *growthAccounts, 1, &s.growthAccounts},
	} {
		numbers, err := parseNumbers(list.text, list.least)
		if err != nil {
			return s, fmt.Errorf("-%s %q: %w", list.name, list.text, err)
		}
		*list.into = numbers
	}
	s.serverArgs = strings.Fields(*server)
	s.duration = time.Duration(*seconds * float64(time.Second))
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	if s.rounds < 1 || s.records < 20_000 || s.duration <= 0 {
		return s, errors.New("give at least one round, 20,000 records, and some time")
	}
	return s, nil
}

// parseNumbers reads numbers between commas.
func parseNumbers(text string, least int) (numbers []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < least {
			return nil, fmt.Errorf("give whole numbers, of at least %d", least)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
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
