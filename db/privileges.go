package db

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// The audit trail is append-only also for the role that serves requests, where that is another one than the role that owns
// the tables: a mistake in a statement, or a statement that somebody smuggles in, cannot rewrite what has happened. Which
// role serves is said by the user of Config.URL, which one owns by that of Config.AdminURL.

// privilegesOn lists what the serving role may do with a table.
func privilegesOn(table string) []string {
	switch table {
	case "goose_db_version":
		return nil
	case "audit_events", "grant_changes":
		return []string{"SELECT", "INSERT"}
	case "accounts": // deleting an account would delete its events with it
		return []string{"SELECT", "INSERT", "UPDATE"}
	}
	return []string{"SELECT", "INSERT", "UPDATE", "DELETE"}
}

// permit gives the serving role what it needs, and takes away what it must not have. It does nothing where that role owns
// the tables: such a role can give itself everything. Several processes may call it at once.
func (db *DB) permit(ctx context.Context) error {
	var role string
	if err := db.pool.GetContext(ctx, &role, `SELECT current_user`); err != nil {
		return fmt.Errorf("connect as the role that serves requests: %w", err)
	}
	return db.asOwner(ctx, func(tx *sqlx.Tx) error {
		// Two processes that change the rights on one table at once would fail; any number does for the lock.
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, 0x6772616e74); err != nil {
			return err
		}
		var owns bool
		err := tx.GetContext(ctx, &owns, `
			SELECT $1 = current_user OR pg_has_role($1, (SELECT relowner FROM pg_class WHERE oid = 'audit_events'::regclass), 'MEMBER')`, role)
		if err != nil || owns {
			return err
		}
		return permitTables(ctx, tx, role)
	})
}

// permitTables passes over partitions: whoever has a right on a whole table may use it in those too that come later.
func permitTables(ctx context.Context, tx *sqlx.Tx, role string) error {
	var list []struct {
		Table, Privilege string
		Held             bool
	}
	err := tx.SelectContext(ctx, &list, `
		SELECT c.relname AS "table", p.privilege, has_table_privilege($1, c.oid, p.privilege) AS held
		FROM pg_class c
		CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p(privilege)
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		ORDER BY c.relname`, role)
	if err != nil {
		return err
	}
	for _, l := range list {
		wanted := slices.Contains(privilegesOn(l.Table), l.Privilege)
		if wanted == l.Held {
			continue
		}
		statement := `REVOKE %s ON %s FROM %s`
		if wanted {
			statement = `GRANT %s ON %s TO %s`
		}
		// Table by table: Citus does not pass on what is said of all tables of a schema.
		statement = fmt.Sprintf(statement, l.Privilege, pq.QuoteIdentifier(l.Table), pq.QuoteIdentifier(role))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// asOwner runs do in a transaction over the direct connection, as the role that owns the tables.
func (db *DB) asOwner(ctx context.Context, do func(tx *sqlx.Tx) error) (err error) {
	pool, err := openPool(db.adminURL, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	tx, err := pool.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// CanRewriteTrail reports whether the role that serves requests could change or remove events of the audit trail. It is so
// where that role owns the tables, until there are two roles. False while there are no tables.
func (db *DB) CanRewriteTrail(ctx context.Context) (bool, error) {
	var can bool
	err := db.pool.GetContext(ctx, &can, `
		SELECT EXISTS (
			SELECT FROM pg_class c
			WHERE c.oid = to_regclass('audit_events') AND (pg_has_role(c.relowner, 'MEMBER')
				OR has_any_column_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE')
				OR has_table_privilege(to_regclass('accounts'), 'DELETE') OR has_table_privilege(to_regclass('accounts'), 'TRUNCATE')))`)
	return can, fault("look at the rights on the audit trail", err)
}
