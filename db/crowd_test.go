package db_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"grantwood/db"
	"grantwood/graph"
)

// crowd is an account with many users and keys, and a tree: ten regions of ten departments, which hold the keys, those of each
// made one after the other.
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
		SELECT $1, k, 'gwk' || k, 'Key ' || n, 'OTHER', ($3::uuid[])[(n - 1) * 100 / cardinality($2::uuid[]) + 1], now()
		FROM unnest($2::uuid[]) WITH ORDINALITY AS k (k, n)`,
		array(c.keys), array(c.departments))
	c.put(t, pool, `UPDATE accounts SET max_users = 10000, tree_version = tree_version + 1 WHERE account_id = $1`)
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

// settle gives each user about 110 keys: five departments, and single keys of which they lose a few. Who gets what is chance, which
// is harder on the size of a matrix than companies are.
func (c crowd) settle(t testing.TB) {
	t.Helper()
	chance := rand.New(rand.NewPCG(2016, 629))
	var ruled, units, granted, keys, enabled []any
	for _, u := range c.users {
		for _, d := range chance.Perm(len(c.departments))[:5] {
			ruled, units = append(ruled, u), append(units, c.departments[d])
		}
		for _, k := range chance.Perm(len(c.keys))[:min(66, len(c.keys))] {
			granted, keys, enabled = append(granted, u), append(keys, c.keys[k]), append(enabled, chance.IntN(20) > 0)
		}
	}
	pool := db.Pool(c.db)
	c.put(t, pool, `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
		SELECT $1, u, n, true, now() FROM unnest($2::uuid[], $3::uuid[]) AS x (u, n)`, array(ruled), array(units))
	c.put(t, pool, `INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at)
		SELECT $1, u, k, e, now() FROM unnest($2::uuid[], $3::uuid[], $4::boolean[]) AS x (u, k, e)`, array(granted), array(keys), array(enabled))
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

// seesAll makes an administrator who sees all keys of the crowd.
func (c crowd) seesAll(t testing.TB) *graph.Viewer {
	t.Helper()
	v := c.user(t, graph.RoleAdministrator)
	c.put(t, db.Pool(c.db), `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
		SELECT $1, $2, r, true, now() FROM unnest($3::uuid[]) AS r`, v.UserID(), array(c.regions))
	c.put(t, db.Pool(c.db), `UPDATE users SET rules_version = rules_version + 1 WHERE account_id = $1 AND user_id = $2`, v.UserID())
	return c.again(t, v)
}
