// Package dbtest gives tests a real PostgreSQL: one database for each test process, where every test works in an account
// of its own, and whole copies where a test needs them. With TEST_DATABASE_URL it uses that server; otherwise it starts a
// private one, without durability, from a data directory that was migrated once and is kept.
//
// The databases that it opens serve as a role of their own, like in earnest, so that a right which that role lacks shows.
// DSN is that of the owner, who may do everything.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
package dbtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alexedwards/argon2id"

	"grantwood/db"
	"grantwood/pgembed"
)

// process is what the tests of this process share.
var process struct {
	dsn     func(database string) string // as the owner
	serving func(database string) string // as the role that serves
	name    string                       // of the shared database
	shared  *db.DB
	copies  atomic.Int64
}

// database is the name of the migrated database in a private server.
const database = "grantwood"

// Main runs the tests of a package around a database, and ends the process. A missing database fails the run.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "dbtest:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	name := database
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		process.dsn = func(database string) string { return withDatabase(url, database) }
		name = fmt.Sprintf("grantwood_test_%d", os.Getpid())
		databases := Databases()
		if err := databases.Create(ctx, name, ""); err != nil {
			return 1, err
		}
		role, drop, err := createRole(ctx, name)
		if err != nil {
			return 1, err
		}
		defer drop()
		defer func() { _ = databases.Drop(ctx, name) }() // first: a role with rights cannot be dropped
		process.serving = func(database string) string { return role.on(process.dsn(database)) }
	} else {
		dir, remove, err := copyOfCache(ctx)
		if err != nil {
			return 1, err
		}
		defer remove()
		s, err := pgembed.Start(ctx, volatile(dir))
		if err != nil {
			return 1, err
		}
		defer func() { _ = s.Stop() }()
		process.dsn = s.DSN
		process.serving = func(database string) string { return s.DSNAs(servingRole, database) }
		if err := s.EnsureRole(ctx, servingRole); err != nil {
			return 1, err
		}
	}
	process.name = name
	if process.shared, err = open(ctx, name); err != nil {
		return 1, err
	}
	defer func() { _ = process.shared.Close() }()
	return m.Run(), nil
}

func open(ctx context.Context, name string) (*db.DB, error) {
	c := Config(nil, name)
	c.MaxConns = 16
	d, err := db.Open(c)
	if err != nil {
		return nil, err
	}
	_, err = d.Migrate(ctx)
	return d, err
}

// Open gives the database that all tests of the process share. Work in an account of your own.
func Open(testing.TB) *db.DB { return process.shared }

// SharedName is the name of the database that Open gives, for tests that write to it what no function does.
func SharedName() string { return process.name }

// Config says how to reach a database of the test server as the program does; it sends no mail and logs nothing.
func Config(_ testing.TB, name string) db.Config {
	return db.Config{URL: process.serving(name), AdminURL: process.dsn(name), Direct: true, MaxConns: 4, Logger: slog.New(slog.DiscardHandler),
		PasswordCost: PasswordCost}
}

// PasswordCost is what a password costs in tests: next to nothing.
var PasswordCost = &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// DSN gives the address of a database of the test server, for its owner.
func DSN(_ testing.TB, name string) string { return process.dsn(name) }

// Databases makes and drops databases of the test server.
func Databases() db.Databases { return db.Databases{DSN: process.dsn("postgres")} }

// Copy makes a database of its own for a test: migrated and empty, or a copy of another one, to which nobody may be
// connected. It gives its name, and drops it when the test ends.
func Copy(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("grantwood_copy_%d_%d", os.Getpid(), process.copies.Add(1))
	if err := Databases().Create(t.Context(), name, template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Databases().Drop(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	return name
}

// OpenNamed opens a database by its name, migrated, until the test ends.
func OpenNamed(t testing.TB, name string) *db.DB {
	t.Helper()
	d, err := open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// withDatabase puts another database into an address in the form of a URL or of words.
func withDatabase(dsn, name string) string {
	if !strings.Contains(dsn, "://") {
		return dsn + " dbname=" + name
	}
	before, options, _ := strings.Cut(dsn, "?")
	scheme, rest, _ := strings.Cut(before, "://")
	host, _, _ := strings.Cut(rest, "/")
	if options != "" {
		options = "?" + options
	}
	return scheme + "://" + host + "/" + name + options
}
