package db_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"grantwood/db"
	"grantwood/graph"
)

// crowd is an account with many users and keys, and a tree: ten regions of ten departments, which hold the keys.
type crowd struct {
	account
	users, keys []graph.UUID
	regions     []graph.UUID
	departments []graph.UUID
}

// newIDs makes identifiers in the order of creation.
func newIDs(n int) []graph.UUID {
	list := make([]graph.UUID, n)
	for i := range list {
		list[i] = graph.UUID(uuid.Must(uuid.NewV7()))
	}
	return list
}

func array[T any](list []T) string {
	text := make([]string, len(list))
	for i, x := range list {
		text[i] = fmt.Sprint(x)
	}
	return "{" + strings.Join(text, ",") + "}"
}

// newCrowd makes an account of its own with users and keys, and nothing set.
func newCrowd(t testing.TB, users, keys int) crowd {
	t.Helper()
	c := crowd{account: newAccount(t), users: newIDs(users), keys: newIDs(keys), regions: newIDs(10), departments: newIDs(100)}
	pool := db.Pool(c.db)
	c.put(t, pool, `INSERT INTO users (account_id, user_id, person_id, email, display_name, created_at)
		SELECT $1, u, gen_random_uuid(), 'user' || n || '@crowd.example', 'User ' || n, now() FROM unnest($2::uuid[]) WITH ORDINALITY AS u (u, n)`, array(c.users))
	c.put(t, pool, `INSERT INTO units (account_id, unit_id, name, kind, created_at) SELECT $1, u, 'Region', 'REGION', now() FROM unnest($2::uuid[]) AS u`, array(c.regions))
	c.put(t, pool, `INSERT INTO units (account_id, unit_id, parent_id, name, kind, created_at) SELECT $1, u, ($3::uuid[])[(n - 1) / 10 + 1], 'Department', 'DEPARTMENT', now()
		FROM unnest($2::uuid[]) WITH ORDINALITY AS u (u, n)`, array(c.departments), array(c.regions))
	c.put(t, pool, `INSERT INTO unit_paths (account_id, unit_id, distance, above_id)
		SELECT account_id, unit_id, 0, unit_id FROM units WHERE account_id = $1 UNION ALL
		SELECT account_id, unit_id, 1, parent_id FROM units WHERE account_id = $1 AND parent_id IS NOT NULL`)
	c.put(t, pool, `INSERT INTO api_keys (account_id, key_id, key, name, kind, unit_id, created_at)
		SELECT $1, k, 'gwk' || k, 'Key ' || n, 'OTHER', ($3::uuid[])[(n - 1) % 100 + 1], now() FROM unnest($2::uuid[]) WITH ORDINALITY AS k (k, n)`,
		array(c.keys), array(c.departments))
	c.put(t, pool, `UPDATE accounts SET tree_version = tree_version + 1 WHERE account_id = $1`)
	c.owner.Account.TreeVersion++
	return c
}

// put runs a statement whose $1 is the account.
func (c crowd) put(t testing.TB, pool *sqlx.DB, statement string, args ...any) {
	t.Helper()
	if _, err := pool.ExecContext(t.Context(), statement, append([]any{c.id}, args...)...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// settle gives each user about 110 keys as companies do: two departments, one of which they lose a key of, and single keys that
// lie close together for people with the same work.
func (c crowd) settle(t testing.TB) {
	t.Helper()
	pool := db.Pool(c.db)
	c.put(t, pool, `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
		SELECT $1, u, ($3::uuid[])[(n * 7 + d * 13) % 100 + 1], true, now() FROM unnest($2::uuid[]) WITH ORDINALITY AS u (u, n), generate_series(0, 4) AS d`,
		array(c.users), array(c.departments))
	c.put(t, pool, `INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at)
		SELECT DISTINCT ON (u, k) $1::uuid, u, ($3::uuid[])[k + 1], (n + k) % 20 <> 0, now()
		FROM unnest($2::uuid[]) WITH ORDINALITY AS u (u, n), generate_series(1, 62) AS g, LATERAL (SELECT (n * 31 + g * 17 + g * g % 7) % cardinality($3::uuid[]) AS k) AS x`,
		array(c.users), array(c.keys))
}

func (c crowd) userIDs(users []graph.UUID) []graph.ID { return c.idsOf(graph.KindUser, users) }

func (c crowd) keyIDs(keys []graph.UUID) []graph.ID { return c.idsOf(graph.KindKey, keys) }

func (c crowd) idsOf(k graph.Kind, objects []graph.UUID) []graph.ID {
	list := make([]graph.ID, len(objects))
	for i, o := range objects {
		list[i] = graph.ID{Kind: k, Account: c.id, Object: o}
	}
	return list
}
