package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"grantwood/pgembed"
)

// Growth is what a request of the product costs at one size of the data and at a larger one. There is nothing to compare it with but
// itself.

// growth is a request at several sizes.
type growth struct {
	title string
	shown string // as in workload
	at    []spot
}

// spot is where a request is asked at one size.
type spot struct {
	bench    *bench
	requests func(client int) [][]byte
	line
}

// measureGrowth measures what is wanted of growth by records, by keys and by accounts, and prints a table of each.
func measureGrowth(ctx context.Context, server *pgembed.Server, s settings, log *slog.Logger) error {
	for _, by := range []struct {
		name    string
		measure func(context.Context, *pgembed.Server, settings, *slog.Logger) error
	}{{"records", growthByRecords}, {"keys", growthByKeys}, {"accounts", growthByAccounts}} {
		if !s.wants(by.name) {
			continue
		}
		if err := by.measure(ctx, server, s, log); err != nil {
			return fmt.Errorf("growth by %s: %w", by.name, err)
		}
	}
	return nil
}

// growthByRecords asks at several numbers of usage records, each in a database of its own with a server of its own; all run at once and
// are asked in turn, so that whatever else the machine does is the same for all.
func growthByRecords(ctx context.Context, server *pgembed.Server, s settings, log *slog.Logger) (err error) {
	var sizes []*bench
	for _, n := range s.growthRecords {
		b := &bench{settings: s, log: log}
		defer func() { err = errors.Join(err, b.close()) }()
		if b.cast, err = seeded(ctx, server, n, log); err != nil {
			return err
		}
		if err := b.open(ctx, server, databaseOf(n)); err != nil {
			return err
		}
		if err := b.setStage(ctx); err != nil {
			return err
		}
		if err := b.findSeen(); err != nil {
			return err
		}
		sizes = append(sizes, b)
	}
	var list []growth
	for i := range recordGrowth {
		w := &recordGrowth[i]
		g := growth{title: w.title, shown: w.shown}
		for _, b := range sizes {
			g.at = append(g.at, spot{bench: b, requests: b.requests(b.product, w)})
		}
		list = append(list, g)
	}
	return measureAll(ctx, list, "Usage records of the account", s.growthRecords)
}

// findSeen finds keys that the reader sees.
func (b *bench) findSeen() error {
	data, err := b.answer(b.product, &workload{token: reader, query: `{ account { apiKeys(first: 16) { nodes { id } } } }`,
		asks: func(*stage, int) []ask { return []ask{{}} }})
	if err != nil {
		return err
	}
	nodes, _ := within(data, "account", "apiKeys", "nodes").([]any)
	for _, n := range nodes {
		if id, ok := within(n, "id").(string); ok {
			b.seen = append(b.seen, id)
		}
	}
	if len(b.seen) == 0 {
		return errors.New("the reader sees no keys")
	}
	return nil
}

// openSamples opens the database with accounts of several sizes.
func openSamples(ctx context.Context, server *pgembed.Server, s settings, log *slog.Logger) (*bench, samples, error) {
	b := &bench{settings: s, log: log}
	active := slices.Max(s.growthAccounts)
	name := samplesDatabase(s.growthKeys, active)
	c, err := seededSamples(ctx, server, name, s.growthKeys, active, log)
	if err != nil {
		return b, c, err
	}
	return b, c, b.open(ctx, server, name)
}

// growthByKeys asks in accounts with several numbers of keys.
func growthByKeys(ctx context.Context, server *pgembed.Server, s settings, log *slog.Logger) (err error) {
	b, c, err := openSamples(ctx, server, s, log)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return err
	}
	var list []growth
	for _, q := range keyGrowth {
		g := growth{title: q.title, shown: q.shown}
		for i := range c.ByKeys {
			g.at = append(g.at, spot{bench: b, requests: func(client int) [][]byte { return q.requests(&c, &c.ByKeys[i], b.product.addr, client) }})
		}
		list = append(list, g)
	}
	return measureAll(ctx, list, "Keys of the account", s.growthKeys)
}

// growthByAccounts asks in several numbers of accounts in turn, so that what is remembered of each of them gets cold meanwhile.
func growthByAccounts(ctx context.Context, server *pgembed.Server, s settings, log *slog.Logger) (err error) {
	b, c, err := openSamples(ctx, server, s, log)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return err
	}
	var list []growth
	for _, q := range accountGrowth {
		g := growth{title: q.title, shown: q.shown}
		for _, n := range s.growthAccounts {
			g.at = append(g.at, spot{bench: b, requests: func(client int) [][]byte {
				var all [][]byte
				for _, i := range inTurn(n, client, s.connections[0]) {
					all = append(all, q.requests(&c, &c.Active[i], b.product.addr, client)...)
				}
				return all
			}})
		}
		list = append(list, g)
	}
	return measureAll(ctx, list, "Accounts active at once", s.growthAccounts)
}

// inTurn numbers n accounts in the order in which a client asks them: one after the other, and each of the clients begins elsewhere.
func inTurn(n, client, clients int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (i + client*n/clients) % n
	}
	return order
}

// measureAll measures one request after the other and prints the table of all.
func measureAll(ctx context.Context, list []growth, title string, sizes []int) error {
	for i := range list {
		if err := list[i].measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", list[i].title, err)
		}
		fmt.Fprintln(os.Stderr, list[i].row())
	}
	printGrowth(os.Stdout, title, sizes, list)
	return nil
}

// measure asks at all sizes in turn, round by round.
func (g *growth) measure(ctx context.Context) error {
	for i := range g.at {
		if err := g.at[i].warm(ctx, g.shown); err != nil {
			return err
		}
	}
	for range g.at[0].bench.rounds {
		for i := range g.at {
			s := &g.at[i]
			if err := s.bench.round(ctx, s.bench.product, s.bench.connections[0], s.requests, g.shown, &s.line); err != nil {
				return err
			}
		}
	}
	return nil
}

// warm asks everything once, and then for some time, until caches hold what they can and plans are made.
func (s *spot) warm(ctx context.Context, shown string) error {
	c, err := connect(s.bench.product.addr)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for _, request := range s.requests(0) {
		if _, err := c.ask(request, shown); err != nil {
			return err
		}
	}
	_, err = press(ctx, s.bench.product.addr, s.bench.connections[0], min(s.bench.duration/4, time.Second), s.requests, shown)
	return err
}
