package db

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/graph"
)

// A file of usage is read as one statement, in one snapshot, and row by row, so that its size does not matter. PostgreSQL writes the
// lines; what is the same for all records of a key is put before them here.

// atMoment limits records to those that counted at a moment: added by then, and not replaced by then. The record that replaces one is
// found by the milliseconds with which its id begins.
const (
	replacedMillis = `('x' || left(replace(r.replaced_by::text, '-', ''), 12))::bit(48)::bigint`
	atMoment       = `r.recorded_at <= %[1]s AND (r.replaced_by IS NULL OR EXISTS (
			SELECT FROM usage_records n
			WHERE n.account_id = $1 AND n.id = r.replaced_by AND n.recorded_at > %[1]s
				AND n.occurred_at >= timestamptz 'epoch' + ` + replacedMillis + ` * interval '1 millisecond'
				AND n.occurred_at < timestamptz 'epoch' + (` + replacedMillis + ` + 1) * interval '1 millisecond'))`
)

// Lines of the formats, after what is the same for all records of a key. Texts that come from outside are quoted.
var (
	csvLine = `concat_ws(',', btrim(to_json(r.occurred_at)::text, '"'), btrim(to_json(r.recorded_at)::text, '"'), r.product,
		coalesce(r.direction, ''), r.country, r.quantity, ` + costText + `, ` + statusText + `, ` + csvText("r.reference") + `,
		coalesce(` + csvText("r.replaces") + `, ''), CASE WHEN r.tags = '{}' THEN '' ELSE '"' || replace(r.tags::text, '"', '""') || '"' END)`

	jsonLine = `'"occurredAt":' || to_json(r.occurred_at)::text || ',"recordedAt":' || to_json(r.recorded_at)::text || ',"product":"' || r.product
		|| CASE WHEN r.direction IS NULL THEN '","direction":null,"country":"' ELSE '","direction":"' || r.direction || '","country":"' END || r.country
		|| '","quantity":' || r.quantity || ',"cost":"' || ` + costText + ` || '","status":"' || ` + statusText + ` || '","reference":'
		|| to_json(r.reference)::text || ',"replaces":' || coalesce(to_json(r.replaces)::text, 'null') || ',"tags":' || r.tags::text || '}'`
)

const (
	costText   = `trim_scale(r.cost * 0.00000001)::text`
	statusText = `CASE WHEN r.succeeded THEN 'SUCCEEDED' ELSE 'FAILED' END`
)

// csvText quotes a column that is not empty, marked as graph.PlainCell does; null stays null.
func csvText(column string) string {
	return `'"' || CASE WHEN strpos(` + pq.QuoteLiteral(graph.FormulaMarks) + `, left(` + column + `, 1)) > 0 THEN '''' ELSE '' END || replace(` + column + `, '"', '""') || '"'`
}

// UsageHead is what is the same for all records of a key in a file.
type UsageHead struct {
	KeyID    graph.UUID
	Key      string
	Name     string
	Unit     *string // name
	Currency string
}

// UsageLines receives a file: first the heads of all keys that may follow, then line by line the key, as text, and the rest of the line.
type UsageLines interface {
	Heads([]UsageHead) error
	Line(key [36]byte, rest []byte) error
}

// UsageRows receives a file record by record. A record is good for the call only.
type UsageRows interface {
	Heads([]UsageHead) error
	Record(*graph.UsageRecord) error
}

// WriteUsage writes the lines of a CSV or JSON_LINES file, the oldest record first, from after the place on; all from one snapshot of the
// database. The first fetch of a file enters the audit trail.
func (db *DB) WriteUsage(ctx context.Context, d *Download, after graph.DownloadPlace, f UsageLines) error {
	line := csvLine
	if d.Request.Format == graph.JSONLines {
		line = jsonLine
	}
	return db.usageSnapshot(ctx, d, after, f.Heads, func(tx *sqlx.Tx, c conditions) error {
		rows, err := tx.QueryContext(ctx, `
			SELECT r.key_id::text || `+line+` FROM usage_records r WHERE `+c.text+`
			ORDER BY r.occurred_at, r.id`, c.args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var raw sql.RawBytes
		for rows.Next() {
			if err := rows.Scan(&raw); err != nil {
				return err
			}
			if err := f.Line([36]byte(raw[:36]), raw[36:]); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// ScanUsage gives the records of a file of another format as WriteUsage writes lines.
func (db *DB) ScanUsage(ctx context.Context, d *Download, after graph.DownloadPlace, f UsageRows) error {
	return db.usageSnapshot(ctx, d, after, f.Heads, func(tx *sqlx.Tx, c conditions) error {
		rows, err := tx.QueryxContext(ctx, `
			SELECT `+usageColumns.of("r")+`
			FROM usage_records r
			WHERE `+c.text+`
			ORDER BY r.occurred_at, r.id`, c.args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var u graph.UsageRecord
			if err := rows.StructScan(&u); err != nil {
				return err
			}
			if err := f.Record(&u); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// usageSnapshot runs begin and do in one snapshot, with the keys that v sees and the conditions of the records that the file holds.
func (db *DB) usageSnapshot(ctx context.Context, d *Download, after graph.DownloadPlace,
	begin func([]UsageHead) error, do func(tx *sqlx.Tx, c conditions) error) (err error) {
	v := d.Viewer
	if err := db.transact(ctx, "note download", func(tx *sqlx.Tx) error { return noteDownload(ctx, tx, d) }); err != nil {
		return err
	}
	tx, err := db.pool.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fault("download usage", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	if _, err := tx.ExecContext(ctx, `SET LOCAL TimeZone TO 'UTC'`); err != nil {
		return fault("download usage", err)
	}
	heads, err := usageHeads(ctx, tx, v)
	if err != nil {
		return fault("download usage", err)
	}
	if err := begin(heads); err != nil {
		return err
	}
	c := conditions{text: `r.account_id = $1 AND ` + keyVisible(v, "r.key_id"), args: about(v, v.AccountID())}
	c.usageMatches(v, v.AccountID(), d.Request.Filter)
	c.and(atMoment, after.Moment)
	if !after.OccurredAt.IsZero() {
		c.and(`r.occurred_at >= %s`, after.OccurredAt)
		c.and(fmt.Sprintf(`(r.occurred_at, r.id) > ($%d, %%s::uuid)`, len(c.args)), graph.UsageRecordID(v.AccountID(), after.OccurredAt, after.Reference))
	}
	return fault("download usage", do(tx, c))
}

// usageHeads reads the keys that v sees, with their units.
func usageHeads(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer) ([]UsageHead, error) {
	var heads []UsageHead
	err := tx.SelectContext(ctx, &heads, `
		SELECT k.key_id, k.key, k.name, n.name AS unit, a.currency
		FROM api_keys k
		JOIN accounts a ON a.account_id = $1
		LEFT JOIN units n ON n.account_id = $1 AND n.unit_id = k.unit_id
		WHERE k.account_id = $1 AND `+keyVisible(v, "k.key_id"), about(v, v.AccountID())...)
	return heads, err
}
