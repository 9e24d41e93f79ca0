package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/lib/pq"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/pgembed"
)

// Sizes of the data: of the account that is asked about, and of those around it.
const (
	additionalUsers = 1000
	keys            = 1000 // the master key included
	grantsOfUser    = 110  // of which 100 enable and 10 disable, the master key among them
	accounts        = 500
	usageDays       = 90
)

// cast is what requests name of the data. It is kept as the description of the database, which is whole when it has one.
type cast struct {
	Records  int
	Account  graph.UUID
	Copies   graph.UUID // another account with the same keys, for what COPY adds
	Owner    string     // token of the primary user's session
	Reader   string     // token of the session of a user who sees 100 keys
	Operator string     // token of an operator with INGEST and VERIFY
	Key      string     // a key with its secret
	Secret   string
	From, To time.Time // between which usage happened: whole days (UTC)
}

// databaseOf names the database with so many records.
func databaseOf(records int) string { return fmt.Sprintf("bench_%d", records) }

// seeded gives the database with so many records, which is made when it is not there or was not finished.
func seeded(ctx context.Context, server *pgembed.Server, records int, log *slog.Logger) (cast, error) {
	return kept(ctx, server, databaseOf(records), log, func(dsn string) (cast, error) { return seed(ctx, dsn, records, log) })
}

// kept gives what requests name of a database. The database is made when it is not there or was not finished.
func kept[T any](ctx context.Context, server *pgembed.Server, name string, log *slog.Logger, fill func(dsn string) (T, error)) (c T, err error) {
	databases := db.Databases{DSN: server.DSN("postgres")}
	if there, err := databases.Exists(ctx, name); err != nil {
		return c, err
	} else if there {
		text, err := databases.Description(ctx, name)
		if err != nil {
			return c, err
		}
		if text != "" {
			return c, json.Unmarshal([]byte(text), &c)
		}
	}
	start := time.Now()
	log.Info("making the data", "database", name)
	if err := errors.Join(databases.Drop(ctx, name), databases.Create(ctx, name, "")); err != nil {
		return c, err
	}
	if c, err = fill(server.DSN(name)); err != nil {
		return c, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return c, err
	}
	log.Info("made the data", "seconds", int(time.Since(start).Seconds()))
	return c, databases.Describe(ctx, name, string(text))
}

// seeder fills one database.
type seeder struct {
	cast
	db   *db.DB
	pool *sql.DB
	log  *slog.Logger
}

// seed fills the database with so many records.
func seed(ctx context.Context, dsn string, records int, log *slog.Logger) (c cast, err error) {
	err = withSeeder(ctx, dsn, log, func(s *seeder) error {
		s.Records = records
		for _, step := range []func(context.Context) error{s.people, s.others, s.usage, s.sums} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		c = s.cast
		return nil
	})
	return c, err
}

// withSeeder lets a seeder fill the database behind the DSN, when all tables have been made.
func withSeeder(ctx context.Context, dsn string, log *slog.Logger, fill func(*seeder) error) (err error) {
	// Passwords are never used again.
	d, err := db.Open(db.Config{URL: dsn, MaxConns: 2, Logger: log, PasswordCost: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 16}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	pool, err := openSeeding(dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if _, err := d.Migrate(ctx); err != nil {
		return err
	}
	if err := d.KeepUsagePartitions(ctx, time.Now()); err != nil {
		return err
	}
	return fill(&seeder{cast: cast{From: today.AddDate(0, 0, -usageDays), To: today}, db: d, pool: pool, log: log})
}

// openSeeding opens connections with memory to make large indexes at once.
func openSeeding(dsn string) (*sql.DB, error) {
	config, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.BinaryParameters = true
	config.Runtime = map[string]string{"maintenance_work_mem": "512MB"}
	connector, err := pq.NewConnectorConfig(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s *seeder) exec(ctx context.Context, statement string, args ...any) error {
	if _, err := s.pool.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// request is a request of now.
func request() graph.Request {
	return graph.Request{ID: "bench", At: time.Now().UTC().Truncate(time.Microsecond)}
}

// provider makes the operator, and the products that are not there from the beginning.
func (s *seeder) provider(ctx context.Context) (*graph.Viewer, error) {
	o, token, err := s.db.CreateOperator(ctx, "Bench", graph.ScopeList{graph.ScopeSupport, graph.ScopeAdmin, graph.ScopeIngest, graph.ScopeVerify})
	if err != nil {
		return nil, err
	}
	s.Operator = token
	provider := &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: request()}
	for i := len(products) - 11; i < len(products); i++ {
		if _, err := s.db.DefineProduct(ctx, provider, graph.DefineProductInput{Code: products[i], Name: products[i]}); err != nil {
			return nil, err
		}
	}
	return provider, nil
}

// people makes the account as people would, as far as that does not take too long.
func (s *seeder) people(ctx context.Context) error {
	provider, err := s.provider(ctx)
	if err != nil {
		return err
	}
	owner, err := s.account(ctx, provider, "Bench")
	if err != nil {
		return err
	}
	s.Owner, s.Account = owner.Token, owner.Viewer.AccountID()
	if s.Reader, err = s.colleague(ctx, owner.Viewer, "reader@bench.example", "User 0000"); err != nil {
		return err
	}
	if err := s.keys(ctx, owner.Viewer); err != nil {
		return err
	}
	if err := s.exec(ctx, colleagues, s.Account.String(), additionalUsers-1); err != nil {
		return err
	}
	if err := s.exec(ctx, grants, s.Account.String(), grantsOfUser-1); err != nil {
		return err
	}
	return s.exec(ctx, `UPDATE sessions SET expires_at = now() + interval '10 years'`)
}

// account makes an account with room for many users and keys.
func (s *seeder) account(ctx context.Context, provider *graph.Viewer, name string) (*db.Session, error) {
	made, err := s.db.CreateAccount(ctx, provider, graph.CreateAccountInput{Name: name, Currency: "EUR", PrimaryEmail: "owner@" + name + ".example"})
	if err != nil {
		return nil, err
	}
	owner, err := s.join(ctx, made.Invitation.Token, "Zoe Owner")
	if err != nil {
		return nil, err
	}
	return owner, s.exec(ctx, `UPDATE accounts SET max_users = 10000, max_api_keys = 10000 WHERE account_id = $1`, owner.Viewer.AccountID().String())
}

func (s *seeder) join(ctx context.Context, token, name string) (*db.Session, error) {
	return s.db.AcceptInvitation(ctx, &graph.Viewer{Request: request()}, graph.AcceptInvitationInput{Token: token, DisplayName: &name, Password: "a password for nobody"})
}

// colleague makes a user who sees usage, and gives the token of a session of theirs.
func (s *seeder) colleague(ctx context.Context, owner *graph.Viewer, email, name string) (string, error) {
	role := graph.RoleReporting
	owner.Request = request()
	made, err := s.db.InviteUser(ctx, owner, graph.InviteUserInput{Email: email, Access: graph.AccessInput{Role: &role}, ValidDays: 7})
	if err != nil {
		return "", err
	}
	joined, err := s.join(ctx, made.Token, name)
	if err != nil {
		return "", err
	}
	return joined.Token, nil
}

// keys makes all keys but the master key, which came with the account.
func (s *seeder) keys(ctx context.Context, owner *graph.Viewer) error {
	for i := 1; i < keys; i++ {
		owner.Request = request()
		k, secret, err := s.db.CreateApiKey(ctx, owner, graph.CreateApiKeyInput{Name: fmt.Sprintf("Key %04d", i), Kind: graph.Application})
		if err != nil {
			return err
		}
		s.Key, s.Secret = k.Key, secret
	}
	return nil
}

// products are those that a new database has, and eleven more.
var products = []string{"SMS", "VOICE", "VERIFY", "NUMBER_INSIGHT", "NUMBER_RENTAL", "CHAT", "EMAIL", "FAX", "FRAUD", "LOCATION", "MAPS", "PAYMENTS", "PUSH",
	"SPEECH", "VIDEO", "WEATHER"}

// identifier is an expression for a version 7 UUID of the time now and a number, which orders those of one statement.
const identifier = `(lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint + %[1]s), 12, '0') || '7' || substr(md5(%[2]s || %[1]s), 1, 3) || '8' || substr(md5(%[2]s || %[1]s), 4, 15))::uuid`

var (
	// colleagues adds $2 users to the account $1.
	colleagues = `
		WITH n AS (
			SELECT i, ` + fmt.Sprintf(identifier, "i", "'user' || $1::text") + ` AS id, 'user' || i || '@' || left($1::text, 8) || left(md5($1::text), 12) || '.example' AS email
			FROM generate_series(1, $2::int) i
		), p AS (
			INSERT INTO persons (person_id, email, display_name, password_hash, created_at)
			SELECT id, email, 'User ' || lpad(i::text, 4, '0'), '', now() FROM n
		), l AS (
			INSERT INTO logins (email_key, person_id) SELECT email, id FROM n
		), u AS (
			INSERT INTO users (account_id, user_id, person_id, email, display_name, granted, created_at)
			SELECT $1::uuid, id, id, email, 'User ' || lpad(i::text, 4, '0'), '{VIEW_USAGE}', now() FROM n
		)
		INSERT INTO memberships (person_id, account_id, user_id, last_entered_at) SELECT id, $1::uuid, id, now() FROM n`

	// grants gives every additional user of the account $1 grants for the master key, which is disabled, and for $2 others, spread over
	// the keys, of which the last ones are disabled.
	grants = `
		WITH k AS (
			SELECT key_id, row_number() OVER (ORDER BY key_id) - 1 AS n, count(*) OVER () AS many
			FROM api_keys WHERE account_id = $1::uuid AND NOT is_master
		), u AS (
			SELECT user_id, row_number() OVER (ORDER BY user_id) AS n
			FROM users WHERE account_id = $1::uuid AND NOT is_primary
		)
		INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at)
		SELECT $1::uuid, u.user_id, k.key_id, j.n <= $2::int * 100 / 109, now()
		FROM u
		CROSS JOIN generate_series(1, $2::int) j (n)
		JOIN k ON k.n = (u.n * 37 + j.n * 9) % k.many
		UNION ALL
		SELECT $1::uuid, u.user_id, m.key_id, false, now()
		FROM u JOIN api_keys m ON m.account_id = $1::uuid AND m.is_master`
)

// others makes the accounts around it: ten users, twenty keys and twenty grants of each user. One more has the same keys, so that
// COPY can add what was added to the account.
func (s *seeder) others(ctx context.Context) error {
	statement := `
		WITH a AS (
			INSERT INTO accounts (account_id, name, currency, created_at)
			SELECT ` + fmt.Sprintf(identifier, "i", "'account'") + `, 'Account ' || i, 'EUR', now() FROM generate_series(1, $1::int) i
			RETURNING account_id
		)
		INSERT INTO api_keys (account_id, key_id, key, name, kind, is_master, created_at)
		SELECT a.account_id, ` + fmt.Sprintf(identifier, "i", "a.account_id::text") + `, 'gwk' || replace(a.account_id::text, '-', '') || i, 'Key ' || i, 'OTHER', i = 0, now()
		FROM a CROSS JOIN generate_series(0, 19) i`
	if err := s.exec(ctx, statement, accounts-1); err != nil {
		return err
	}
	list, err := s.accountsBut(ctx, s.Account)
	if err != nil {
		return err
	}
	for _, id := range list {
		if err := errors.Join(s.exec(ctx, colleagues, id.String(), 10), s.exec(ctx, grants, id.String(), 19)); err != nil {
			return err
		}
	}
	s.Copies = list[0]
	return s.exec(ctx, `
		INSERT INTO api_keys (account_id, key_id, key, name, kind, created_at)
		SELECT $2::uuid, key_id, key || 'c', name, kind, created_at FROM api_keys WHERE account_id = $1::uuid`, s.Account.String(), s.Copies.String())
}

// accountsBut gives all accounts but one.
func (s *seeder) accountsBut(ctx context.Context, one graph.UUID) ([]graph.UUID, error) {
	rows, err := s.pool.QueryContext(ctx, `SELECT account_id FROM accounts WHERE account_id <> $1::uuid`, one.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []graph.UUID
	for rows.Next() {
		var id graph.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
