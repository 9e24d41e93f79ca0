// Package db holds all SQL. A file stands for a table; visible.go has the one predicate for visible keys. Functions
// take the context first and the Viewer second, and return *graph.Error for what a caller may see; every other error is
// a fault.
package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/hashicorp/golang-lru/v2"
	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/reflectx"
	"github.com/lib/pq"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"grantwood/graph"
)

// Config says how to reach the database.
type Config struct {
	URL string // libpq DSN for requests; a pooler in transaction mode will do
	// Direct says that no pooler lies between, so that statements may be prepared. Through a pooler that would give wrong answers.
	Direct   bool
	AdminURL string       // direct DSN of the role that owns the tables, for migrations and retention; URL when empty
	MaxConns int          // size of the pool; 8 when zero
	Logger   *slog.Logger // nil: slog's default
	SendMail bool         // queue mail; somebody has to send it (package mail)
	// UsageMonths is how many months of usage are kept beside the present one. When zero, as for a command that is not told, usage is
	// taken for graph.DefaultUsageMonths, and partitions are made for no months before those that there are.
	UsageMonths int
	// PasswordCost is what a hash of a password costs; what OWASP advises when nil.
	PasswordCost *argon2id.Params
	Tracing      trace.TracerProvider // makes spans of the statements of requests; nil for none
}

// DB is the database of one server. Close it.
type DB struct {
	pool     *sqlx.DB
	adminURL string
	log      *slog.Logger
	sendMail bool
	// usageMonths is how many months of usage are kept beside the present one; zero when that was not told.
	usageMonths int
	visible     *lru.Cache[ruleKey, *graph.KeySet]
	trees       *lru.Cache[treeKey, *graph.Tree]
	// Who is asking, by the rows that tokens name.
	operators *lookups[graph.UUID, *operatorRights]
	sessions  *lookups[[2]graph.UUID, *sessionRights]
	tokens    *lookups[[2]graph.UUID, *tokenRights]
	passwords *semaphore.Weighted
	// ingesting leaves connections to those who ask, while many wait to add usage to one account.
	ingesting *semaphore.Weighted
	// passwordCost is that of new hashes, unknownPassword what passwords of nobody are compared with.
	passwordCost    *argon2id.Params
	unknownPassword string
	// afterwards holds what was left for later.
	afterwards *semaphore.Weighted
	tally      usageTally
	// live reads live events for those who follow accounts.
	live *hub
}

// Open makes a pool; it does not connect yet. An error for a DSN that cannot be used says which part is wrong.
func Open(c Config) (*DB, error) {
	if c.AdminURL == "" {
		c.AdminURL = c.URL
	}
	if c.MaxConns == 0 {
		c.MaxConns = 8
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.PasswordCost == nil {
		c.PasswordCost = passwordCost
	}
	pool, err := openPoolWith(c.URL, c.MaxConns, c.Direct, c.Tracing)
	if err != nil {
		return nil, err
	}
	visible, err := lru.New[ruleKey, *graph.KeySet](visibleSets)
	if err != nil {
		return nil, fmt.Errorf("make cache of visible keys: %w", err)
	}
	known, err := lru.New[treeKey, *graph.Tree](trees)
	if err != nil {
		return nil, fmt.Errorf("make cache of trees: %w", err)
	}
	db := &DB{pool: pool, adminURL: c.AdminURL, log: c.Logger, sendMail: c.SendMail, visible: visible, trees: known,
		operators: newLookups[graph.UUID, *operatorRights](), sessions: newLookups[[2]graph.UUID, *sessionRights](),
		tokens: newLookups[[2]graph.UUID, *tokenRights](), usageMonths: c.UsageMonths,
		passwordCost: c.PasswordCost, unknownPassword: unknownPassword(c.PasswordCost),
		passwords: semaphore.NewWeighted(passwordsAtOnce), afterwards: semaphore.NewWeighted(laterAtOnce),
		ingesting: semaphore.NewWeighted(int64(max(1, c.MaxConns/2)))}
	db.live = newHub(db)
	return db, nil
}

// MaxConns is how many connections the pool has at most.
func (db *DB) MaxConns() int { return db.pool.Stats().MaxOpenConnections }

// Close ends subscriptions, waits for what was left for later, and ends all connections.
func (db *DB) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), laterLimit)
	defer cancel()
	db.live.close()
	return errors.Join(db.Settle(ctx), db.pool.Close())
}

// Stats says how the pool of connections for requests is used.
func (db *DB) Stats() sql.DBStats { return db.pool.Stats() }

// Ping reports Unavailable when the database does not answer.
func (db *DB) Ping(ctx context.Context) error {
	return fault("ping", db.pool.PingContext(ctx))
}

var parametersOption = regexp.MustCompile(`(?i)binary_parameters\s*=\s*'?([^'\s&]*)`)

// openPool opens connections where nothing is prepared or traced.
func openPool(dsn string, conns int) (*sqlx.DB, error) { return openPoolWith(dsn, conns, false, nil) }

// openPoolWith is the only place that opens connections. It forces binary_parameters on: without it a statement takes two
// round trips, and behind a pooler the second half may meet another client's statement. A DSN that says otherwise is
// refused.
func openPoolWith(dsn string, conns int, direct bool, tracing trace.TracerProvider) (*sqlx.DB, error) {
	if m := parametersOption.FindStringSubmatch(dsn); m != nil &&
		!slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(m[1])) {
		return nil, fmt.Errorf("DATABASE_URL says binary_parameters=%s, which mixes up answers behind a pooler: remove it", m[1])
	}
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL cannot be used: %w", err)
	}
	config.BinaryParameters = true
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	plain, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL cannot be used: %w", err)
	}
	plain.Dialer(dialer{})
	var connector driver.Connector = plain
	if direct {
		if connector, err = newPreparing(plain); err != nil {
			return nil, err
		}
	}
	open := sql.OpenDB(connector)
	if tracing != nil {
		open = openTraced(connector, tracing)
	}
	pool := sqlx.NewDb(open, "postgres")
	pool.Mapper = reflectx.NewMapperFunc("db", columnName)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return pool, nil
}

// columnName gives the column of a field: KeyID is key_id, IPAddress is ip_address.
func columnName(field string) string {
	var b strings.Builder
	for i := range len(field) {
		c := field[i]
		if c < 'A' || c > 'Z' {
			b.WriteByte(c)
			continue
		}
		afterLower := i > 0 && field[i-1] >= 'a'
		beforeLower := i > 0 && i+1 < len(field) && field[i+1] >= 'a'
		if afterLower || beforeLower {
			b.WriteByte('_')
		}
		b.WriteByte(c + 'a' - 'A')
	}
	return b.String()
}
