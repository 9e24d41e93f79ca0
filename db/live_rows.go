package db

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/graph"
)

// liveKind is what a stored event tells.
type liveKind string

const (
	liveGrant    liveKind = "GRANT"
	liveGrantEnd liveKind = "GRANT_END"
	liveKey      liveKind = "KEY"
	liveUsage    liveKind = "USAGE"
)

// liveRow is an event as it is stored; see the migration.
type liveRow struct {
	EventID  graph.UUID
	Position int64
	At       time.Time
	Kind     liveKind
	UserIds  uuidList
	KeyIds   uuidList
	Enabled  bool

	UsageRecords   pq.Int64Array
	UsageSucceeded pq.Int64Array
	UsageQuantity  pq.Int64Array
	UsageCost      pq.StringArray
	UsageNamed     pq.Int64Array
	UsageIds       uuidList
}

const liveColumns = `e.event_id, e.position, e.at, e.kind, e.user_ids, e.key_ids, e.enabled, e.usage_records, e.usage_succeeded, e.usage_quantity,
	e.usage_cost, e.usage_named, e.usage_ids`

// uuidList is an array of uuid.
type uuidList []graph.UUID

// Scan reads a PostgreSQL array in its text form.
func (l *uuidList) Scan(src any) error {
	text, ok := src.([]byte)
	if !ok || len(text) < 2 {
		return fmt.Errorf("scan list of uuid: unexpected %T", src)
	}
	*l = make(uuidList, 0, len(text)/37)
	for _, part := range bytes.Split(text[1:len(text)-1], []byte{','}) {
		if len(part) == 0 {
			continue
		}
		var id graph.UUID
		if err := id.Scan(part); err != nil {
			return err
		}
		*l = append(*l, id)
	}
	return nil
}

// sums gives what the event says of each of its keys.
func (r *liveRow) sums() ([]*liveSum, error) {
	list, ids := make([]*liveSum, len(r.KeyIds)), r.UsageIds
	for i, key := range r.KeyIds {
		s := &liveSum{key: key, records: r.UsageRecords[i], succeeded: r.UsageSucceeded[i], quantity: r.UsageQuantity[i]}
		if _, ok := s.cost.SetString(r.UsageCost[i], 10); !ok {
			return nil, fmt.Errorf("read cost %s of a live event", strconv.Quote(r.UsageCost[i]))
		}
		n := r.UsageNamed[i]
		s.newest, ids = ids[:n:n], ids[n:]
		list[i] = s
	}
	return list, nil
}

// openHead makes the account ready to be numbered.
func (db *DB) openHead(ctx context.Context, account graph.UUID) error {
	_, err := db.pool.ExecContext(ctx, `
		INSERT INTO live_heads (account_id) VALUES ($1)
		ON CONFLICT (account_id) DO NOTHING`, account)
	return err
}

// numberEvents gives positions to those events of the account that have none and have happened, and gives the last position.
func (db *DB) numberEvents(ctx context.Context, account graph.UUID, now time.Time) (head int64, err error) {
	var known struct {
		Position   int64
		News, Ends bool
	}
	const happened = `e.account_id = $1 AND e.position IS NULL AND (e.due_at IS NULL OR e.due_at <= $2)`
	err = db.pool.GetContext(ctx, &known, `
		SELECT h.position, EXISTS (SELECT FROM live_events e WHERE `+happened+`) AS news,
			EXISTS (SELECT FROM live_events e WHERE `+happened+` AND e.due_at IS NOT NULL) AS ends
		FROM live_heads h
		WHERE h.account_id = $1`, account, now)
	if err != nil || !known.News {
		return known.Position, err
	}
	err = db.once(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &head, `
			SELECT position FROM live_heads
			WHERE account_id = $1
			FOR UPDATE`, account)
		if err != nil {
			return err
		}
		if known.Ends {
			if err := settleEnds(ctx, tx, account, now); err != nil {
				return err
			}
		}
		// A statement of its own: it has to see what the one who held the lock before has numbered.
		return tx.GetContext(ctx, &head, `
			WITH new AS (
				SELECT e.event_id, row_number() OVER (ORDER BY coalesce(e.due_at, e.at), e.event_id) AS n
				FROM live_events e
				WHERE `+happened+`
			), numbered AS (
				UPDATE live_events e SET position = $3::bigint + new.n
				FROM new
				WHERE e.account_id = $1 AND e.event_id = new.event_id
			)
			UPDATE live_heads h SET position = $3::bigint + (SELECT count(*) FROM new)
			WHERE h.account_id = $1
			RETURNING h.position`, account, now, head)
	})
	return head, err
}

// settleEnds finds out of which pairs the ends that are due are true: the grant still is the one that ends then, and nothing else
// enables the key for the user. An end that is true of none goes.
func settleEnds(ctx context.Context, tx *sqlx.Tx, account graph.UUID, now time.Time) error {
	const due = `e.account_id = $1 AND e.position IS NULL AND e.due_at <= $2`
	_, err := tx.ExecContext(ctx, `
		UPDATE live_events e SET key_ids = ARRAY(
			SELECT k.key_id
			FROM unnest(e.key_ids) AS x (key_id)
			JOIN grants g ON g.account_id = $1 AND g.user_id = e.user_ids[1] AND g.key_id = x.key_id AND g.expires_at = e.due_at
			JOIN api_keys k ON k.account_id = $1 AND k.key_id = x.key_id
			WHERE NOT coalesce((
				SELECT r.enabled
				FROM unit_paths p
				JOIN unit_grants r ON r.account_id = $1 AND r.user_id = g.user_id AND r.unit_id = p.above_id
				WHERE p.account_id = $1 AND p.unit_id = k.unit_id
				ORDER BY p.distance
				LIMIT 1), k.is_master))
		WHERE `+due, account, now)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM live_events e WHERE `+due+` AND e.key_ids = '{}'`, account, now)
	return err
}

// liveSpan is a part of the events of an account.
type liveSpan struct {
	after, upTo int64 // positions
	usage       bool  // of usage, or else of grants and keys
	both        bool  // all of them
	limit       int
}

// liveRows reads numbered events in their order.
func (db *DB) liveRows(ctx context.Context, account graph.UUID, s liveSpan) ([]*liveRow, error) {
	var rows []*liveRow
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT `+liveColumns+`
		FROM live_events e
		WHERE e.account_id = $1 AND e.position > $2 AND e.position <= $3 AND ($4::boolean OR (e.kind = 'USAGE') = $5::boolean)
		ORDER BY e.position
		LIMIT $6`, account, s.after, s.upTo, s.both, s.usage, s.limit)
	return rows, err
}

// newsOf gives those of the accounts, each read up to a position, where there is more to read; in one statement.
func (db *DB) newsOf(ctx context.Context, accounts []graph.UUID, heads []int64, now time.Time) ([]graph.UUID, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	positions := newArray(oidInt8, len(heads), 8)
	for _, h := range heads {
		positions.int8(h)
	}
	var list []graph.UUID
	err := db.pool.SelectContext(ctx, &list, `
		SELECT e.account_id
		FROM live_events e
		WHERE e.account_id = ANY($1::uuid[]) AND e.position IS NULL AND (e.due_at IS NULL OR e.due_at <= $3)
		UNION
		SELECT h.account_id
		FROM unnest($1::uuid[], $2::bigint[]) AS w (account_id, position)
		JOIN live_heads h ON h.account_id = w.account_id AND h.position > w.position`, uuidArray(accounts), positions, now)
	return list, err
}

// liveKept is for how much longer than graph.LiveMemory events are kept: one that became visible late may have happened before one
// that somebody goes on from.
const liveKept = 10 * time.Minute

// ForgetLiveEvents removes events that nobody can go on from any more, account by account, and says how many.
func (db *DB) ForgetLiveEvents(ctx context.Context, now time.Time) (forgotten int, err error) {
	var accounts []graph.UUID
	if err := db.pool.SelectContext(ctx, &accounts, `SELECT account_id FROM accounts`); err != nil {
		return 0, fault("forget live events", err)
	}
	for _, account := range accounts {
		result, err := db.pool.ExecContext(ctx, `
			DELETE FROM live_events
			WHERE account_id = $1 AND coalesce(due_at, at) < $2`, account, now.Add(-graph.LiveMemory-liveKept))
		if err != nil {
			return forgotten, fault("forget live events", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return forgotten, fault("forget live events", err)
		}
		forgotten += int(n)
	}
	return forgotten, nil
}
