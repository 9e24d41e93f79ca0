package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// A file of usage is read as one statement, in one snapshot, and row by row, so that its size does not matter. PostgreSQL gives the parts
// of a record as one text, which costs it half of what formatting does; the lines are put together by whoever receives them.

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

// Parts of a record in a text: those that hold no separator, the lengths of the two that may, and these.
const (
	separator  = '\x1f'
	usageParts = `concat_ws(E'\x1f', r.key_id, r.occurred_at, r.recorded_at, r.product, coalesce(r.direction, ''), r.country, r.quantity, r.cost, r.succeeded, r.tags,
		octet_length(r.reference), coalesce(octet_length(r.replaces)::text, ''), r.reference || coalesce(r.replaces, ''))`
	plainParts = 12 // before the texts
)

// UsageLine is a record of a CSV or JSON_LINES file. Its texts are good for the call only.
type UsageLine struct {
	Key                    [36]byte // ID of the key, as text
	OccurredAt, RecordedAt []byte   // as PostgreSQL writes them in UTC: 2016-06-29 09:00:00.5+00
	Product, Country       []byte
	Direction              []byte // empty when there is none
	Quantity               []byte // digits
	Cost                   int64  // in 10⁻⁸ units of the currency
	Succeeded              bool
	Reference              []byte
	Replaces               []byte // nil when it replaces none
	Tags                   []byte // a JSON object
}

// read splits the parts of a record.
func (l *UsageLine) read(text []byte) error {
	var parts [plainParts][]byte
	for i := range parts {
		end := bytes.IndexByte(text, separator)
		if end < 0 {
			return errors.New("a record has too few parts")
		}
		parts[i], text = text[:end], text[end+1:]
	}
	cost, err := strconv.ParseInt(string(parts[7]), 10, 64)
	length, err2 := strconv.Atoi(string(parts[10]))
	if errors.Join(err, err2) != nil || len(parts[0]) != len(l.Key) || length > len(text) {
		return errors.New("a record is not as it was asked for")
	}
	*l = UsageLine{Key: [36]byte(parts[0]), OccurredAt: parts[1], RecordedAt: parts[2], Product: parts[3], Direction: parts[4], Country: parts[5],
		Quantity: parts[6], Cost: cost, Succeeded: string(parts[8]) == "t", Tags: parts[9], Reference: text[:length]}
	if len(parts[11]) > 0 {
		l.Replaces = text[length:]
	}
	return nil
}

// UsageHead is what is the same for all records of a key in a file.
type UsageHead struct {
	KeyID    graph.UUID
	Key      string
	Name     string
	Unit     *string // name
	Currency string
}

// UsageLines receives a file line by line: first the heads of all keys that may follow.
type UsageLines interface {
	Heads([]UsageHead) error
	Line(*UsageLine) error
}

// UsageRows receives a file record by record. A record is good for the call only.
type UsageRows interface {
	Heads([]UsageHead) error
	Record(*graph.UsageRecord) error
}

// WriteUsage writes the lines of a CSV or JSON_LINES file, the oldest record first, from after the place on; all from one snapshot of the
// database. The first fetch of a file enters the audit trail.
func (db *DB) WriteUsage(ctx context.Context, d *Download, after graph.DownloadPlace, f UsageLines) error {
	return db.usageSnapshot(ctx, d, after, f.Heads, func(tx *sqlx.Tx, c conditions) error {
		rows, err := tx.QueryContext(ctx, anew+`
			SELECT `+usageParts+` FROM usage_records r WHERE `+c.text+`
			ORDER BY r.occurred_at, r.id`, c.args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		var (
			raw  sql.RawBytes
			line UsageLine
		)
		for rows.Next() {
			if err := rows.Scan(&raw); err != nil {
				return err
			}
			if err := line.read(raw); err != nil {
				return err
			}
			if err := f.Line(&line); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// ScanUsage gives the records of a file of another format as WriteUsage writes lines.
func (db *DB) ScanUsage(ctx context.Context, d *Download, after graph.DownloadPlace, f UsageRows) error {
	return db.usageSnapshot(ctx, d, after, f.Heads, func(tx *sqlx.Tx, c conditions) error {
		rows, err := tx.QueryxContext(ctx, anew+`
			SELECT `+usageColumns.of("r")+`
			FROM usage_records r
			WHERE `+c.text+`
			ORDER BY r.occurred_at, r.id`, c.args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			u := graph.UsageRecord{AccountID: d.Viewer.AccountID()}
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
	for _, setting := range []string{`SET LOCAL TimeZone TO 'UTC'`, `SET LOCAL DateStyle TO 'ISO'`} {
		if _, err := tx.ExecContext(ctx, setting); err != nil {
			return fault("download usage", err)
		}
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
