package db

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/graph"
)

// GrantSheet reads what is set, and what is inherited, for additional users, by address, and visible keys without deleted ones: all
// keys of the account, or those in and below a unit. No keys for a unit that is hidden or missing.
func (db *DB) GrantSheet(ctx context.Context, v *graph.Viewer, account graph.UUID, unit *graph.ID) (keys []*graph.ApiKey, users []graph.SheetUser, err error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	// All of it is of one moment.
	tx, err := db.pool.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, nil, fault("read a sheet of grants", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	err = tx.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.deleted_at IS NULL AND `+keyVisible(v, "k.key_id")+` AND `+inUnit("$4")+`
		ORDER BY k.key_id`, about(v, account, objectOf(unit, account, graph.KindUnit))...)
	if err != nil {
		return nil, nil, fault("read keys of a sheet", err)
	}
	users, err = sheetUsers(ctx, tx, v, account, grantVisible(v), ids(keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID }))
	return keys, users, fault("read a sheet of grants", err)
}

// sheetRow is what is set and inherited for a user, by the numbers of the keys.
type sheetRow struct {
	User                         *graph.User
	Enabled, Disabled, Inherited graph.Bits
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
	return u
}

// sheetUsers reads what is set and inherited for the users u of a condition, by address, and for the keys in the order of the list;
// nothing for hidden ones.
func sheetUsers(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.UUID, condition string, keys []graph.UUID,
	args ...any) ([]graph.SheetUser, error) {
	set := `SELECT g.key_id FROM grants g WHERE g.account_id = $1 AND g.user_id = u.user_id AND `
	// Which of the keys are in what a user has: PostgreSQL looks into a table in memory then, whatever it believes about how many.
	among := func(keys, name string) string {
		return `(SELECT array_agg(l.n) FROM listed l WHERE l.key_id IN (` + keys + `)) AS ` + name
	}
	args = append(about(v, account, uuidArray(keys)), args...)
	var rows []*sheetRow
	err := tx.SelectContext(ctx, &rows, `
		WITH listed AS MATERIALIZED (
			SELECT o.key_id, o.n - 1 AS n
			FROM unnest($4::uuid[]) WITH ORDINALITY AS o (key_id, n)
			WHERE `+keyVisible(v, "o.key_id")+`)
		SELECT `+userColumns.as("u", "user")+`, `+among(set+`g.enabled`, "enabled")+`, `+among(set+`NOT g.enabled`, "disabled")+`,
			`+among(inheritedKeys("u.user_id", "", ""), "inherited")+`
		FROM users u
		WHERE u.account_id = $1 AND `+condition+`
		ORDER BY u.email COLLATE "C", u.user_id`, args...)
	if err != nil {
		return nil, err
	}
	users, numbers := make([]graph.SheetUser, len(rows)), make(map[graph.UUID]int, len(rows))
	for i, r := range rows {
		users[i] = r.sheetUser(len(keys))
		numbers[r.User.UserID] = i
	}
	return users, readEnds(ctx, tx, v, account, keys, users, numbers)
}

// readEnds gives the enabled grants of users their ends. Users and keys are known by their numbers.
func readEnds(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.UUID, keys []graph.UUID, users []graph.SheetUser,
	numbers map[graph.UUID]int) error {
	columns := make(map[graph.UUID]int, len(keys))
	for i, k := range keys {
		columns[k] = i
	}
	var rows []struct {
		UserID, KeyID graph.UUID
		ExpiresAt     time.Time
	}
	err := tx.SelectContext(ctx, &rows, `
		SELECT g.user_id, g.key_id, g.expires_at
		FROM grants g
		WHERE g.account_id = $1 AND g.expires_at IS NOT NULL AND `+keyVisible(v, "g.key_id"), about(v, account)...)
	for i := range rows {
		user, named := numbers[rows[i].UserID]
		key, listed := columns[rows[i].KeyID]
		if named && listed {
			users[user].Set.End(key, rows[i].ExpiresAt)
		}
	}
	return err
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
