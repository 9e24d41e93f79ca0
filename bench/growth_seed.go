package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"grantwood/graph"
	"grantwood/pgembed"
)

// Sizes of the accounts by which growth is measured.
const (
	recordsOfKey = 100 // on average
	keysSeen     = 100 // how many keys are enabled for a user, or all where there are fewer
	keysOfFew    = 5   // likewise, for one who sees few of many
	keysOfUnit   = 10
	sampleUsers  = 100 // additional users of an account by whose keys growth is measured
	activeKeys   = 20  // keys of an account that is active with others
	activeUsers  = 10  // additional users of such an account
)

// sample is an account and what requests name of it.
type sample struct {
	Account            graph.UUID
	Keys               int
	Owner, Reader, Few string // tokens of the primary user, of one who sees keysSeen keys, and of one who sees keysOfFew
	Key, Secret        string
	Users, Switched    []string // IDs of users and keys whose grants are switched
}

// samples are the accounts of the database for growth. It is kept as the description of the database.
type samples struct {
	Operator string
	From, To time.Time
	ByKeys   []sample // one for each number of keys
	Active   []sample // all of one size
}

// seededSamples gives the database with accounts with so many keys each, and so many accounts of one size beside them. The name of
// the database says which.
func seededSamples(ctx context.Context, server *pgembed.Server, name string, keys []int, active int, log *slog.Logger) (samples, error) {
	return kept(ctx, server, name, log, func(dsn string) (c samples, err error) {
		err = withSeeder(ctx, dsn, log, func(s *seeder) error {
			c, err = s.samples(ctx, keys, active)
			return err
		})
		return c, err
	})
}

// samplesDatabase names the database with accounts of these sizes.
func samplesDatabase(keys []int, active int) string {
	return "growth_" + strings.ReplaceAll(strings.Trim(fmt.Sprint(keys), "[]"), " ", "_") + "_and_" + fmt.Sprint(active)
}

func (s *seeder) samples(ctx context.Context, keys []int, active int) (c samples, err error) {
	provider, err := s.provider(ctx)
	if err != nil {
		return c, err
	}
	c = samples{Operator: s.Operator, From: s.From, To: s.To}
	for _, n := range keys {
		a, err := s.sample(ctx, provider, fmt.Sprintf("Keys %d", n), n, sampleUsers)
		if err != nil {
			return c, err
		}
		c.ByKeys = append(c.ByKeys, a)
	}
	for i := range active {
		a, err := s.sample(ctx, provider, fmt.Sprintf("Active %d", i), activeKeys, activeUsers)
		if err != nil {
			return c, err
		}
		c.Active = append(c.Active, a)
		if i%100 == 99 {
			s.log.Info("added accounts", "accounts", i+1, "of", active)
		}
	}
	err = s.exec(ctx, `UPDATE sessions SET expires_at = now() + interval '10 years'`)
	if err != nil {
		return c, err
	}
	err = s.withoutIndexes(ctx, func(ctx context.Context) error {
		for _, a := range append(c.ByKeys, c.Active...) {
			if err := s.usageOf(ctx, a.Account, a.Keys*recordsOfKey, a.Keys); err != nil {
				return err
			}
		}
		return nil
	})
	return c, errors.Join(err, s.sums(ctx))
}

// sample makes an account with so many keys and additional users. What is asked for by a credential is made as people make it.
func (s *seeder) sample(ctx context.Context, provider *graph.Viewer, name string, keys, users int) (sample, error) {
	a := sample{Keys: keys}
	provider.Request = request()
	address := strings.ReplaceAll(name, " ", "")
	owner, err := s.account(ctx, provider, address)
	if err != nil {
		return a, err
	}
	a.Account, a.Owner = owner.Viewer.AccountID(), owner.Token
	owner.Viewer.Request = request()
	k, secret, err := s.db.CreateApiKey(ctx, owner.Viewer, graph.CreateApiKeyInput{Name: "Key 00000", Kind: graph.Application})
	if err != nil {
		return a, err
	}
	a.Key, a.Secret = k.Key, secret
	if a.Reader, err = s.colleague(ctx, owner.Viewer, "reader@"+address+".example", "User 0000"); err != nil {
		return a, err
	}
	if err := s.exec(ctx, colleagues, a.Account.String(), users-1); err != nil {
		return a, err
	}
	if err := s.exec(ctx, sampleKeys, a.Account.String(), keys-2, keysOfUnit); err != nil { // beside the master key and the one above
		return a, err
	}
	if err := errors.Join(s.exec(ctx, sampleGrants, a.Account.String(), keysSeen), s.exec(ctx, sampleUnitGrants, a.Account.String())); err != nil {
		return a, err
	}
	if a.Few, err = s.colleague(ctx, owner.Viewer, "few@"+address+".example", "User few"); err != nil {
		return a, err
	}
	if err := s.exec(ctx, sampleGrants, a.Account.String(), keysOfFew); err != nil {
		return a, err
	}
	a.Users, err = s.ids(ctx, a.Account, graph.KindUser, `SELECT user_id FROM users WHERE account_id = $1::uuid AND NOT is_primary ORDER BY user_id LIMIT 64`)
	if err != nil {
		return a, err
	}
	a.Switched, err = s.ids(ctx, a.Account, graph.KindKey, `SELECT key_id FROM api_keys WHERE account_id = $1::uuid AND NOT is_master ORDER BY key_id DESC LIMIT 64`)
	return a, err
}

var (
	// sampleKeys adds $2 keys to the account $1, $3 in each unit of its own.
	sampleKeys = `
		WITH n AS (
			SELECT i, ` + fmt.Sprintf(identifier, "i", "'key' || $1::text") + ` AS id, i / $3::int AS unit FROM generate_series(1, $2::int) i
		), u AS (
			SELECT DISTINCT ON (unit) unit, ` + fmt.Sprintf(identifier, "unit", "'unit' || $1::text") + ` AS id FROM n
		), made AS (
			INSERT INTO units (account_id, unit_id, name, kind, created_at) SELECT $1::uuid, id, 'Unit ' || unit, 'CUSTOMER', now() FROM u
		), paths AS (
			INSERT INTO unit_paths (account_id, unit_id, distance, above_id) SELECT $1::uuid, id, 0, id FROM u
		), grown AS (
			UPDATE accounts SET tree_version = tree_version + 1 WHERE account_id = $1::uuid
		)
		INSERT INTO api_keys (account_id, key_id, key, name, kind, unit_id, created_at)
		SELECT $1::uuid, n.id, 'gwk' || replace($1::text, '-', '') || n.i, 'Key ' || lpad(n.i::text, 5, '0'), 'OTHER', u.id, now()
		FROM n JOIN u ON u.unit = n.unit`

	// sampleGrants enables for each additional user of the account $1 who has no grants $2 keys, or all where there are fewer, which are
	// spread over all.
	sampleGrants = `
		WITH k AS (
			SELECT key_id, row_number() OVER (ORDER BY key_id) - 1 AS n FROM api_keys WHERE account_id = $1::uuid AND NOT is_master
		), m AS (
			SELECT count(*)::int AS many, least($2::int, count(*)::int) AS seen FROM k
		), u AS (
			SELECT user_id, row_number() OVER (ORDER BY user_id) AS n FROM users
			WHERE account_id = $1::uuid AND NOT is_primary AND user_id NOT IN (SELECT user_id FROM grants WHERE account_id = $1::uuid)
		)
		INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at)
		SELECT $1::uuid, u.user_id, k.key_id, true, now()
		FROM m CROSS JOIN u CROSS JOIN LATERAL generate_series(0, m.seen - 1) j (n)
		JOIN k ON k.n = (u.n * 37 + j.n * (m.many / m.seen)) % m.many`

	// sampleUnitGrants enables one unit for each additional user of the account $1.
	sampleUnitGrants = `
		INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
		SELECT $1::uuid, u.user_id, n.ids[1 + u.n % cardinality(n.ids)], true, now()
		FROM (SELECT user_id, row_number() OVER (ORDER BY user_id) AS n FROM users WHERE account_id = $1::uuid AND NOT is_primary) u
		CROSS JOIN (SELECT array_agg(unit_id ORDER BY unit_id) AS ids FROM units WHERE account_id = $1::uuid) n`
)

// ids gives objects of an account as requests name them.
func (s *seeder) ids(ctx context.Context, account graph.UUID, kind graph.Kind, statement string) ([]string, error) {
	rows, err := s.pool.QueryContext(ctx, statement, account.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []string
	for rows.Next() {
		var id graph.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, graph.ID{Kind: kind, Account: account, Object: id}.String())
	}
	return list, rows.Err()
}
