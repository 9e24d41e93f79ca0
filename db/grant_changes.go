package db

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"grantwood/graph"
)

// operationVisible is the condition that an operation, known by its event, changed the grant of somebody for a visible key.
func operationVisible(v *graph.Viewer, event string) string {
	return operationOn(v, event, "true")
}

// operationOn is operationVisible with a further condition on the row c of the key.
func operationOn(v *graph.Viewer, event, also string) string {
	return `EXISTS (
		SELECT FROM grant_changes c
		WHERE c.account_id = $1 AND c.event_id = ` + event + ` AND ` + also + ` AND ` + keyVisible(v, "c.key_id") + `)`
}

// readChangedFor gives each operation among the events a visible key whose grants it changed: graph.AuditEvent.VisibleTo looks at
// it again. Whoever sees every key needs none.
func (db *DB) readChangedFor(ctx context.Context, v *graph.Viewer, account graph.UUID, rows []*eventRow) error {
	operations := index[graph.AuditEvent]{}
	for _, row := range rows {
		if row.Action == graph.GrantsChanged && !v.SeesEveryKey() {
			operations[row.EventID] = &row.AuditEvent
		}
	}
	if len(operations) == 0 {
		return nil
	}
	var found []struct{ EventID, KeyID graph.UUID }
	err := db.pool.SelectContext(ctx, &found, `
		SELECT DISTINCT ON (c.event_id) c.event_id, c.key_id
		FROM grant_changes c
		WHERE c.account_id = $1 AND c.event_id = ANY($4) AND `+keyVisible(v, "c.key_id")+`
		ORDER BY c.event_id, c.key_id`, about(v, account, uuidArray(slices.Collect(maps.Keys(operations))))...)
	for i := range found {
		operations[found[i].EventID].ChangedFor = &found[i].KeyID
	}
	return fault("read keys of operations", err)
}

// changeRow is what an operation changed for one user and one key, as it is stored.
type changeRow struct {
	EventID       graph.UUID
	UserID        graph.UUID
	KeyID         graph.UUID
	EnabledBefore *bool
	ExpiresBefore *time.Time
	EnabledAfter  *bool
	ExpiresAfter  *time.Time
	Place         int
}

func (r *changeRow) change() *graph.GrantChange {
	return &graph.GrantChange{UserID: r.UserID, KeyID: r.KeyID, Before: ruleOf(r.EnabledBefore, r.ExpiresBefore),
		After: ruleOf(r.EnabledAfter, r.ExpiresAfter), Place: r.Place}
}

func ruleOf(enabled *bool, end *time.Time) *graph.Rule {
	if enabled == nil {
		return nil
	}
	return &graph.Rule{Enabled: *enabled, ExpiresAt: end}
}

// changeColumns are those of a cell x of a row c.
var changeColumns = columnList{"user_id", "enabled_before", "expires_before", "enabled_after", "expires_after", "place"}

// GrantChangesOf reads, for each of the events of one account, a page of what it changed for visible keys, by key in the order of
// creation; for all of them at once. Events that are no operations changed nothing.
func (db *DB) GrantChangesOf(ctx context.Context, v *graph.Viewer, events []*graph.AuditEvent, w graph.Window,
	ask Ask) (map[graph.UUID]*graph.GrantChangeConnection, error) {
	account := events[0].AccountID
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	var from *graph.UUID
	if w.After != nil {
		from = &w.After.ID
	}
	pages, err := readBelow(ctx, db, v, account, below[changeRow]{
		parents: ids(events, func(e *graph.AuditEvent) graph.UUID { return e.EventID }),
		columns: `c.key_id AS "child.key_id", ` + changeColumns.as("x", "child"),
		// Each key has a change at least, so that these keys fill the page, and the rest of a large operation is not looked at.
		from: fmt.Sprintf(`(
				SELECT c.key_id, c.user_ids, c.enabled_before, c.expires_before, c.enabled_after, c.expires_after
				FROM grant_changes c
				WHERE c.account_id = $1 AND c.event_id = o.id AND ($5::uuid IS NULL OR c.key_id >= $5) AND %s
				ORDER BY c.key_id
				LIMIT %d) c
			CROSS JOIN LATERAL unnest(c.user_ids, c.enabled_before, c.expires_before, c.enabled_after, c.expires_after)
				WITH ORDINALITY AS x (user_id, enabled_before, expires_before, enabled_after, expires_after, place)
			WHERE true`, keyVisible(v, "c.key_id"), w.Limit+2),
		args:  []any{from},
		id:    `c.key_id, lpad(to_hex(x.place), 32, '0')::uuid`,
		place: func(r *changeRow) graph.Cursor { return r.change().Cursor() },
	}, w, Ask{})
	if err == nil && ask.Previous && from != nil {
		err = db.precedingChanges(ctx, v, account, *from, pages)
	}
	if err != nil {
		return nil, fault("list changes of grants", err)
	}
	return db.completeChanges(ctx, v, account, pages)
}

// precedingChanges notes at the pages after a change for the key whether changes for visible keys precede.
func (db *DB) precedingChanges(ctx context.Context, v *graph.Viewer, account, key graph.UUID, pages map[graph.UUID]*graph.Page[changeRow]) error {
	var preceded []graph.UUID
	err := db.pool.SelectContext(ctx, &preceded, `
		SELECT DISTINCT c.event_id
		FROM grant_changes c
		WHERE c.account_id = $1 AND c.event_id = ANY($4) AND c.key_id <= $5 AND `+keyVisible(v, "c.key_id"),
		about(v, account, uuidArray(slices.Collect(maps.Keys(pages))), key)...)
	for _, event := range preceded {
		pages[event].Previous = true
	}
	return err
}

// completeChanges gives changes the users, as far as these are visible and still there, and the keys.
func (db *DB) completeChanges(ctx context.Context, v *graph.Viewer, account graph.UUID,
	pages map[graph.UUID]*graph.Page[changeRow]) (map[graph.UUID]*graph.GrantChangeConnection, error) {
	var userIDs, keyIDs []graph.UUID
	for _, page := range pages {
		for _, r := range page.Nodes {
			userIDs, keyIDs = append(userIDs, r.UserID), append(keyIDs, r.KeyID)
		}
	}
	users, err := db.usersByID(ctx, v, account, userIDs)
	if err != nil {
		return nil, err
	}
	keys, err := db.keysByID(ctx, v, account, keyIDs)
	made := make(map[graph.UUID]*graph.GrantChangeConnection, len(pages))
	for event, page := range pages {
		whole := graph.Page[graph.GrantChange]{Order: page.Order, Next: page.Next, Previous: page.Previous, Place: (*graph.GrantChange).Cursor}
		for _, r := range page.Nodes {
			c := r.change()
			c.User, c.Key = users[r.UserID], keys[r.KeyID]
			whole.Nodes = append(whole.Nodes, c)
		}
		made[event] = &graph.GrantChangeConnection{Page: whole}
	}
	return made, err
}
