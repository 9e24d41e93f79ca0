package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/lib/pq" // the driver

	"grantwood/graph"
	"grantwood/pgembed"
)

// servingRole is the role that the product serves as, as in the private database of the program: not the owner of the tables.
const servingRole = "grantwood_server"

// bench is a whole run.
type bench struct {
	settings
	stage
	log      *slog.Logger
	pool     *sql.DB // the superuser's
	dsn      string  // likewise
	postgres int     // process of the postmaster
	product  *peer
	peers    []*peer // in the order in which they are asked; the product is the first
	lines    []line
	psql     string // the program
	peak     int    // most memory of the product during a download, in bytes
}

func measure(ctx context.Context, s settings, log *slog.Logger) (err error) {
	server, err := pgembed.Start(ctx, pgembed.Options{DataDir: s.dir, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if s.growth {
		return measureGrowth(ctx, server, s, log)
	}
	b := &bench{settings: s, log: log}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.cast, err = seeded(ctx, server, s.records, log); err != nil {
		return err
	}
	if err := b.open(ctx, server, databaseOf(s.records)); err != nil {
		return err
	}
	if err := b.startPeers(ctx, server.DSNAs(servingRole, databaseOf(s.records))); err != nil {
		return err
	}
	if err := b.setStage(ctx); err != nil {
		return err
	}
	if err := errors.Join(b.all(ctx), b.allFiles(ctx)); err != nil {
		return err
	}
	printTable(os.Stdout, b.lines)
	return nil
}

// open connects to a database and starts the product on it.
func (b *bench) open(ctx context.Context, server *pgembed.Server, name string) error {
	if err := server.EnsureRole(ctx, servingRole); err != nil {
		return err
	}
	b.dsn = server.DSN(name)
	pool, err := sql.Open("postgres", b.dsn)
	if err != nil {
		return err
	}
	b.pool = pool
	if err := b.findPostgres(ctx); err != nil {
		return err
	}
	b.product, err = startProduct(ctx, b.program, server.DSNAs(servingRole, name), b.dsn, b.serverArgs)
	if err == nil {
		b.peers = []*peer{b.product}
	}
	return err
}

// close stops all servers that were started.
func (b *bench) close() (err error) {
	for _, p := range b.peers {
		err = errors.Join(err, p.stop())
	}
	if b.pool != nil {
		err = errors.Join(err, b.pool.Close())
	}
	return err
}

// findPostgres finds the postmaster: the parent of whoever serves us.
func (b *bench) findPostgres(ctx context.Context) error {
	var backend int
	if err := b.pool.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&backend); err != nil {
		return err
	}
	u, err := readUsed(backend)
	b.postgres = u.parent
	return err
}

// startPeers starts what the product is measured against.
func (b *bench) startPeers(ctx context.Context, dsn string) error {
	for _, role := range []string{"limit", "gqlgen"} {
		p, err := startRole(ctx, role, dsn)
		if err != nil {
			return err
		}
		b.peers = append(b.peers, p)
	}
	return nil
}

// setStage finds what requests name.
func (b *bench) setStage(ctx context.Context) error {
	rows, err := b.pool.QueryContext(ctx, `
		SELECT u.user_id, k.key_id FROM (
			SELECT user_id, row_number() OVER (ORDER BY user_id DESC) AS n FROM users WHERE account_id = $1::uuid AND NOT is_primary) u
		JOIN (SELECT key_id, row_number() OVER (ORDER BY key_id DESC) AS n FROM api_keys WHERE account_id = $1::uuid AND NOT is_master) k ON k.n = u.n
		ORDER BY u.n LIMIT 100`, b.Account.String())
	if err != nil {
		return err
	}
	for rows.Next() {
		var user, key graph.UUID
		if err := rows.Scan(&user, &key); err != nil {
			return err
		}
		b.users = append(b.users, graph.ID{Kind: graph.KindUser, Account: b.Account, Object: user}.String())
		b.keys = append(b.keys, graph.ID{Kind: graph.KindKey, Account: b.Account, Object: key}.String())
	}
	if err := rows.Err(); err != nil {
		return err
	}
	first := workload{token: reader, query: `query($first: Int!, $from: DateTime!) { account { usage(first: $first, filter: {from: $from}) { pageInfo { endCursor } } } }`,
		asks: func(*stage, int) []ask {
			return []ask{{variables: map[string]any{"first": records, "from": instant(b.From)}}}
		}}
	data, err := b.answer(b.product, &first)
	if err != nil {
		return err
	}
	after, ok := within(data, "account", "usage", "pageInfo", "endCursor").(string)
	if !ok {
		return errors.New("there is no page of records")
	}
	b.after = after
	return nil
}

// requests gives what a client asks of a peer.
func (b *bench) requests(p *peer, w *workload) func(client int) [][]byte {
	return func(client int) [][]byte {
		if p.name == "limit" {
			return w.byHand(&b.stage, p.addr, client)
		}
		return w.graphQL(&b.stage, p.addr, client)
	}
}

// answer asks once and gives the data.
func (b *bench) answer(p *peer, w *workload) (any, error) {
	c, err := connect(p.addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	body, err := c.ask(b.requests(p, w)(0)[0], w.shown)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return dataOf(body)
}

func (b *bench) all(ctx context.Context) error {
	for i := range workloads {
		w := &workloads[i]
		if !b.wants(w.name) {
			continue
		}
		size, err := b.compare(w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		b.log.Info("all answer the same", "workload", w.name, "values", size)
		for _, clients := range b.connections {
			lines, err := b.workload(ctx, w, clients)
			if err != nil {
				return fmt.Errorf("%s with %d connections: %w", w.name, clients, err)
			}
			b.lines = append(b.lines, lines...)
			printTable(os.Stderr, lines)
		}
	}
	return nil
}

// compare lets all peers answer once; what they say must be the same. It gives how many values that is.
func (b *bench) compare(w *workload) (int, error) {
	want, err := b.answer(b.product, w)
	if err != nil {
		return 0, err
	}
	for _, p := range b.peers[1:] {
		got, err := b.answer(p, w)
		if err != nil {
			return 0, err
		}
		if d := difference(want, got, "data"); d != "" {
			return 0, fmt.Errorf("the product and %s say different things: %s", p.name, d)
		}
	}
	return values(want), nil
}

// cost is what something used.
type cost struct{ server, postgres time.Duration }

func (b *bench) used(p *peer) (cost, error) {
	server, err := processCPU(p.pid())
	postgres, err2 := familyCPU(b.postgres)
	return cost{server, postgres}, errors.Join(err, err2)
}

// workload lets clients ask each peer in turn, round by round.
func (b *bench) workload(ctx context.Context, w *workload, clients int) ([]line, error) {
	lines := make([]line, len(b.peers))
	for i, p := range b.peers {
		lines[i] = line{workload: w.name, title: w.title, clients: clients, peer: p.name, must: w.must, aim: w.aim}
		if _, err := press(ctx, p.addr, clients, min(b.duration/4, time.Second), b.requests(p, w), w.shown); err != nil { // caches fill, plans are made
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for range b.rounds {
		for i, p := range b.peers {
			if err := b.round(ctx, p, clients, b.requests(p, w), w.shown, &lines[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	related(lines)
	if b.profile == "" {
		return lines, nil
	}
	return lines, b.profiled(w.name, clients, b.duration, func() error {
		_, err := press(ctx, b.product.addr, clients, b.duration+time.Second, b.requests(b.product, w), w.shown)
		return err
	})
}

// round lets clients ask one peer for the length of a round, and adds what that cost to a line.
func (b *bench) round(ctx context.Context, p *peer, clients int, requests func(client int) [][]byte, shown string, l *line) error {
	before, err := b.used(p)
	if err != nil {
		return err
	}
	r, err := press(ctx, p.addr, clients, b.duration, requests, shown)
	if err != nil {
		return err
	}
	after, err := b.used(p)
	if err != nil {
		return err
	}
	memory, err := resident(p.pid())
	l.add(r, cost{after.server - before.server, after.postgres - before.postgres}, memory)
	return err
}

// profiled writes a CPU profile of the product, of so long, while it does the workload.
func (b *bench) profiled(workload string, clients int, d time.Duration, do func() error) (err error) {
	name := b.profile
	if len(b.only) != 1 || len(b.connections) != 1 {
		extension := filepath.Ext(name)
		name = fmt.Sprintf("%s-%s-%d%s", strings.TrimSuffix(name, extension), workload, clients, extension)
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	written := make(chan error, 1)
	go func() {
		res, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", b.product.admin, max(1, int(d.Seconds()))))
		if err == nil {
			_, err = io.Copy(file, res.Body)
			err = errors.Join(err, res.Body.Close())
		}
		written <- err
	}()
	err = do()
	return errors.Join(err, <-written)
}
