package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// cells are pairs of users and keys, each once, and what is to be set for them, as a part of SQL with the columns user_id, key_id,
// enabled, null to reset, and expires_at.
type cells struct {
	from string
	args []any // parameters of from, from $4 on
}

// block are all pairs of the users and keys.
func block(users, keys []graph.UUID, s graph.GrantState) cells {
	return cells{`
		SELECT u.user_id, k.key_id, $6::boolean AS enabled, NULL::timestamptz AS expires_at
		FROM unnest($4::uuid[]) AS u (user_id)
		CROSS JOIN unnest($5::uuid[]) AS k (key_id)`, []any{uuidArray(users), uuidArray(keys), s.Enables()}}
}

// cellList are single cells.
type cellList struct {
	users, keys []graph.UUID
	enabled     []string // elements of an array
	ends        []string
}

func (l *cellList) add(user, key graph.UUID, enabled *bool, end *time.Time) {
	set, until := "NULL", "NULL"
	if enabled != nil {
		set = fmt.Sprint(*enabled)
	}
	if end != nil {
		until = `"` + instant(end) + `"`
	}
	l.users, l.keys, l.enabled, l.ends = append(l.users, user), append(l.keys, key), append(l.enabled, set), append(l.ends, until)
}

func (l *cellList) cells() cells {
	array := func(elements []string) string { return "{" + strings.Join(elements, ",") + "}" }
	return cells{`
		SELECT l.user_id, l.key_id, l.enabled, l.expires_at
		FROM unnest($4::uuid[], $5::uuid[], $6::boolean[], $7::timestamptz[]) AS l (user_id, key_id, enabled, expires_at)`,
		[]any{uuidArray(l.users), uuidArray(l.keys), array(l.enabled), array(l.ends)}}
}

// undone are the cells of an operation, as they were before it, that are still as it left them. Left out are those of hidden and
// deleted keys, of users who are gone, of the primary user and of v.
func undone(v *graph.Viewer, event graph.UUID, at time.Time) cells {
	return cells{`
		SELECT x.user_id, o.key_id, x.enabled_before AS enabled, x.expires_before AS expires_at
		FROM grant_changes o
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = o.key_id AND k.deleted_at IS NULL
		CROSS JOIN LATERAL unnest(o.user_ids, o.enabled_before, o.expires_before, o.enabled_after, o.expires_after)
			AS x (user_id, enabled_before, expires_before, enabled_after, expires_after)
		JOIN users u ON u.account_id = $1 AND u.user_id = x.user_id AND NOT u.is_primary AND u.user_id <> $2
		LEFT JOIN grants i ON i.account_id = $1 AND i.user_id = x.user_id AND i.key_id = o.key_id
		WHERE o.account_id = $1 AND o.event_id = $4 AND ` + keyVisible(v, "o.key_id") + `
			AND (i.enabled, i.expires_at) IS NOT DISTINCT FROM (x.enabled_after, x.expires_after)
			AND (i.user_id IS NULL OR i.updated_at = $5::timestamptz)`, []any{event, at}}
}

// differing are the cells c of which something else is set in grants g.
func (c cells) differing() string {
	return `(` + c.from + `) c
		LEFT JOIN grants g ON g.account_id = $1 AND g.user_id = c.user_id AND g.key_id = c.key_id
		WHERE (g.enabled, g.expires_at) IS DISTINCT FROM (c.enabled, c.expires_at)`
}

// set sets what differs, notes an event with the sentence, and gives its ID; nil when nothing differs.
func (c cells) set(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, sentence string) (*graph.ID, error) {
	var differs bool
	err := tx.GetContext(ctx, &differs, `SELECT EXISTS (SELECT FROM `+c.differing()+` AND `+everything+`)`, about(v, v.AccountID(), c.args...)...)
	if err != nil || !differs {
		return nil, err
	}
	id, err := noteOperation(ctx, tx, v, sentence)
	if err != nil {
		return nil, err
	}
	return id, c.write(ctx, tx, v, id.Object)
}

// noteOperation adds the event of an operation.
func noteOperation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, sentence string) (*graph.ID, error) {
	id := graph.ID{Kind: graph.KindAuditEvent, Account: v.AccountID(), Object: newID()}
	return &id, audit(ctx, tx, v, id.Account, event{ID: id.Object, Action: graph.GrantsChanged, Summary: sentence})
}

// write sets what differs, raises the versions of the users' rules, notes what the event changed, and tells it, in one statement. The rows
// of the users are locked. The keys are no part of an earlier write of the same event.
func (c cells) write(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, event graph.UUID) error {
	touch(tx, v.AccountID())
	args := append(about(v, v.AccountID(), c.args...), event, newID())
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`
		WITH changed AS MATERIALIZED (
			SELECT c.user_id, c.key_id, c.enabled, c.expires_at, g.enabled AS enabled_before, g.expires_at AS expires_before
			FROM `+c.differing()+`
		), written AS (
			INSERT INTO grants (account_id, user_id, key_id, enabled, expires_at, updated_at, updated_by)
			SELECT $1::uuid, user_id, key_id, enabled, expires_at, $3::timestamptz, $2::uuid
			FROM changed
			WHERE enabled IS NOT NULL
			ON CONFLICT (account_id, user_id, key_id) DO UPDATE
			SET enabled = excluded.enabled, expires_at = excluded.expires_at, updated_at = excluded.updated_at, updated_by = excluded.updated_by
		), reset AS (
			DELETE FROM grants g
			USING changed c
			WHERE g.account_id = $1 AND g.user_id = c.user_id AND g.key_id = c.key_id AND c.enabled IS NULL
		), raised AS (
			UPDATE users u SET rules_version = u.rules_version + 1
			WHERE u.account_id = $1 AND u.user_id IN (SELECT user_id FROM changed)
		), %[2]s
		INSERT INTO grant_changes (account_id, event_id, key_id, user_ids, enabled_before, expires_before, enabled_after, expires_after)
		SELECT $1::uuid, $%[1]d::uuid, key_id, array_agg(user_id), array_agg(enabled_before), array_agg(expires_before), array_agg(enabled),
			array_agg(expires_at)
		FROM (
			SELECT user_id, key_id, enabled, expires_at, enabled_before, expires_before
			FROM changed
			ORDER BY key_id, user_id) ordered
		GROUP BY key_id`, len(args)-1, tellCells(fmt.Sprintf("$%d", len(args)))), args...)
	return err
}

// byCreation gives ids in the order of creation.
func byCreation(ids []graph.UUID) []graph.UUID {
	return slices.SortedFunc(slices.Values(ids), func(a, b graph.UUID) int { return slices.Compare(a[:], b[:]) })
}
