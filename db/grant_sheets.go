package db

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/graph"
)

// GrantSheet reads what is set, and what is inherited, for additional users, by address, and visible keys without deleted ones: all
// keys of the account, or those in and below a unit. No keys for a unit that is hidden or missing.
func (db *DB) GrantSheet(ctx context.Context, v *graph.Viewer, account graph.UUID, unit *graph.ID) ([]*graph.ApiKey, []graph.SheetUser, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	var keys []*graph.ApiKey
	err := db.pool.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.deleted_at IS NULL AND `+keyVisible(v, "k.key_id")+` AND `+inUnit("$4")+`
		ORDER BY k.key_id`, about(v, account, objectOf(unit, account, graph.KindUnit))...)
	if err != nil {
		return nil, nil, fault("read keys of a sheet", err)
	}
	users, err := sheetUsers(ctx, db.pool, v, account, grantVisible(v), ids(keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID }))
	return keys, users, fault("read a sheet of grants", err)
}

// sheetRow is what is set and inherited for a user, by the numbers of the keys.
type sheetRow struct {
	User      *graph.User
	Enabled   graph.Bits
	Disabled  graph.Bits
	Ending    pq.Int64Array
	Ends      pq.Int64Array // in microseconds since 1970
	Inherited graph.Bits
}

func (r *sheetRow) sheetUser(keys int) graph.SheetUser {
	u := graph.SheetUser{User: r.User, Set: graph.NewSheetLine(keys), Inherited: r.Inherited}
	for k := range keys {
		switch {
		case r.Enabled.Has(k):
			u.Set.Put(k, graph.Rule{Enabled: true})
		case r.Disabled.Has(k):
			u.Set.Put(k, graph.Rule{})
		}
	}
	for i, k := range r.Ending {
		end := time.UnixMicro(r.Ends[i]).UTC()
		u.Set.Put(int(k), graph.Rule{Enabled: true, ExpiresAt: &end})
	}
	return u
}

// sheetUsers reads what is set and inherited for the users u of a condition, by address, and for the keys in the order of the list;
// nothing for hidden ones.
func sheetUsers(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, condition string, keys []graph.UUID,
	args ...any) ([]graph.SheetUser, error) {
	var rows []*sheetRow
	err := sqlx.SelectContext(ctx, q, &rows, `
		WITH listed AS MATERIALIZED (
			SELECT o.key_id, o.n - 1 AS n
			FROM unnest($4::uuid[]) WITH ORDINALITY AS o (key_id, n)
			WHERE `+keyVisible(v, "o.key_id")+`)
		SELECT `+userColumns.as("u", "user")+`, s.enabled, s.disabled, coalesce(s.ending, '{}') AS ending, coalesce(s.ends, '{}') AS ends,
			(SELECT array_agg(listed.n) FROM listed WHERE listed.key_id IN (`+inheritedKeys("u.user_id", "", "")+`)) AS inherited
		FROM users u
		CROSS JOIN LATERAL (
			SELECT array_agg(l.n) FILTER (WHERE g.enabled) AS enabled, array_agg(l.n) FILTER (WHERE NOT g.enabled) AS disabled,
				array_agg(l.n) FILTER (WHERE g.expires_at IS NOT NULL) AS ending,
				array_agg((extract(epoch FROM g.expires_at) * 1000000)::bigint) FILTER (WHERE g.expires_at IS NOT NULL) AS ends
			FROM listed l
			JOIN grants g ON g.account_id = $1 AND g.user_id = u.user_id AND g.key_id = l.key_id) s
		WHERE u.account_id = $1 AND `+condition+`
		ORDER BY u.email COLLATE "C", u.user_id`, append(about(v, account, uuidArray(keys)), args...)...)
	users := make([]graph.SheetUser, len(rows))
	for i, r := range rows {
		users[i] = r.sheetUser(len(keys))
	}
	return users, err
}

// ImportGrants compares a sheet with what is so and, unless it is a plan or something is refused, sets what differs in one
// operation. It gives what the sheet asks for, and the operation, nil when nothing changed. From time to time it says how many of
// the changes are written.
func (db *DB) ImportGrants(ctx context.Context, v *graph.Viewer, s *graph.Sheet, plan bool,
	progress func(done, of int)) (compared *graph.SheetComparison, operation *graph.ID, err error) {
	whom := func(tx *sqlx.Tx) (users []graph.UUID, err error) {
		if plan {
			return nil, nil
		}
		err = tx.SelectContext(ctx, &users, `
			SELECT u.user_id
			FROM users u
			WHERE u.account_id = $1 AND u.email = ANY($2)`, v.AccountID(), pq.Array(s.Emails()))
		return users, err
	}
	err = db.operate(ctx, v, "import grants", whom, func(tx *sqlx.Tx, v *graph.Viewer) error {
		operation = nil
		if compared, err = compareSheet(ctx, tx, v, s); err != nil {
			return err
		}
		if plan || compared.Refusals.Count > 0 || len(compared.Changes) == 0 {
			return nil
		}
		if operation, err = noteOperation(ctx, tx, v, "Set grants as a file says."); err != nil {
			return err
		}
		return writeChanges(ctx, tx, v, operation.Object, compared.Changes, progress)
	})
	return compared, operation, err
}

func compareSheet(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, s *graph.Sheet) (*graph.SheetComparison, error) {
	var keys []*graph.ApiKey
	err := tx.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key = ANY($4) AND `+keyVisible(v, "k.key_id"), about(v, v.AccountID(), pq.Array(s.Keys))...)
	if err != nil {
		return nil, err
	}
	byPublicPart := make(map[string]*graph.ApiKey, len(keys))
	for _, k := range keys {
		byPublicPart[k.Key] = k
	}
	columns := make([]graph.UUID, len(s.Keys))
	for i, key := range s.Keys {
		if k := byPublicPart[key]; k != nil {
			columns[i] = k.KeyID
		}
	}
	users, err := sheetUsers(ctx, tx, v, v.AccountID(), `u.email = ANY($5) AND `+userVisible(v), columns, pq.Array(s.Emails()))
	if err != nil {
		return nil, err
	}
	c := s.Compare(v, byPublicPart)
	for _, u := range users {
		c.Add(u)
	}
	c.Finish()
	return c, nil
}

// changesAtOnce is how many changes one statement writes, or few more.
const changesAtOnce = 50_000

// writeChanges writes changes, all those for a key in one statement, since they are one row of grant_changes.
func writeChanges(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, event graph.UUID, changes []graph.SheetChange, progress func(done, of int)) error {
	rest := slices.SortedStableFunc(slices.Values(changes), func(a, b graph.SheetChange) int { return cmp.Compare(a.Column, b.Column) })
	for len(rest) > 0 {
		n := min(changesAtOnce, len(rest))
		for n < len(rest) && rest[n].Column == rest[n-1].Column {
			n++
		}
		if err := cellsOf(rest[:n]).write(ctx, tx, v, event); err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) > 0 {
			progress(len(changes)-len(rest), len(changes))
		}
	}
	return nil
}

// cellsOf gives the cells of changes, user by user, as the index of grants has them.
func cellsOf(changes []graph.SheetChange) cells {
	slices.SortFunc(changes, func(a, b graph.SheetChange) int { return cmp.Compare(a.Line, b.Line) })
	var list cellList
	for _, c := range changes {
		var enabled *bool
		var end *time.Time
		if r := c.Rule(); r != nil {
			enabled, end = &r.Enabled, r.ExpiresAt
		}
		list.add(c.User().UserID, c.Key().KeyID, enabled, end)
	}
	return list.cells()
}
