package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// partitioned are the tables of usage with the column by whose month (UTC) each is partitioned.
var partitioned = []struct{ table, column string }{
	{"usage_records", "occurred_at"}, {"usage_quarters", "at"}, {"usage_days", "day"},
}

// monthsAhead is how many partitions after the present one are there before they are needed.
const monthsAhead = 2

// KeepUsagePartitions makes those partitions that are missing: for every month whose usage is kept and the next two. It works over
// the direct connection, as the role that owns the tables; the role that serves has rights on the whole tables only, which is
// enough. Several processes may call it at once.
func (db *DB) KeepUsagePartitions(ctx context.Context, at time.Time) error {
	oldest := db.oldestUsage(at)
	newest := graph.MonthOf(at).AddDate(0, monthsAhead, 0)
	return fault("make partitions for usage", db.asOwner(ctx, func(tx *sqlx.Tx) error {
		if err := lockPartitions(ctx, tx); err != nil {
			return err
		}
		for _, p := range partitioned {
			there, err := partitionsOf(ctx, tx, p.table)
			if err != nil {
				return err
			}
			for month := db.firstMonth(p.table, there, oldest); !month.After(newest); month = month.AddDate(0, 1, 0) {
				if slices.Contains(there, partition(p.table, month)) {
					continue
				}
				if err := makePartition(ctx, tx, p.table, month); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// oldestUsage is the beginning of the oldest month that is kept at a time.
func (db *DB) oldestUsage(at time.Time) time.Time {
	if db.usageMonths == 0 {
		return graph.OldestUsage(at, graph.DefaultUsageMonths)
	}
	return graph.OldestUsage(at, db.usageMonths)
}

// firstMonth is the first month for which there has to be a partition beside those that there are.
func (db *DB) firstMonth(table string, there []string, oldest time.Time) time.Time {
	if db.usageMonths == 0 && len(there) > 0 {
		if month, err := time.Parse(table+"_2006_01", there[0]); err == nil {
			return month
		}
	}
	return oldest
}

// lockPartitions lets one process at a time change partitions.
func lockPartitions(ctx context.Context, tx *sqlx.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, 0x7573616765)
	return err
}

// partition names the partition of a table for a month.
func partition(table string, month time.Time) string { return table + month.Format("_2006_01") }

func partitionsOf(ctx context.Context, q sqlx.QueryerContext, table string) ([]string, error) {
	var names []string
	err := sqlx.SelectContext(ctx, q, &names, `
		SELECT c.relname
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = $1::regclass
		ORDER BY c.relname`, table)
	return names, err
}

// makePartition makes a partition and then attaches it: unlike PARTITION OF, that lets others go on reading and writing. Sums are
// written again and again, so that their pages keep room for it.
func makePartition(ctx context.Context, tx *sqlx.Tx, table string, month time.Time) error {
	name, like := partition(table, month), ` (LIKE `+table+` INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`
	if table != "usage_records" {
		like += ` WITH (fillfactor = 85)`
	}
	statements := []string{
		`CREATE TABLE ` + name + like,
		fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')`, table, name,
			month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339)),
	}
	if table == "usage_records" {
		statements = append(statements, `CREATE UNIQUE INDEX `+name+`_reference ON `+name+` (account_id, reference)`)
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// lockWait is how long dropping a partition may hold up others while it waits for those who read.
const lockWait = "2s"

// DropOldUsage drops the partitions of months whose usage is no longer kept, and names them. One that is being read for long stays
// until the next call, with an error.
func (db *DB) DropOldUsage(ctx context.Context, at time.Time) (dropped []string, err error) {
	oldest := db.oldestUsage(at)
	for _, p := range partitioned {
		var there []string
		if there, err = partitionsOf(ctx, db.pool, p.table); err != nil {
			return dropped, fault("drop old usage", err)
		}
		for _, name := range there {
			if !strings.HasPrefix(name, p.table+"_") || name >= partition(p.table, oldest) {
				continue
			}
			if e := db.asOwner(ctx, func(tx *sqlx.Tx) error { return dropPartition(ctx, tx, name) }); e != nil {
				err = errors.Join(err, fmt.Errorf("drop %s: %w", name, e))
				continue
			}
			dropped = append(dropped, name)
		}
	}
	return dropped, fault("drop old usage", err)
}

func dropPartition(ctx context.Context, tx *sqlx.Tx, name string) error {
	if err := lockPartitions(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = '`+lockWait+`'`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS `+name)
	return err
}
