package db

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// event is what a change adds to the audit trail, in its own transaction.
type event struct {
	ID      graph.UUID // a new one when zero
	Action  graph.AuditAction
	User    *graph.UUID // whom it concerns
	Key     *graph.UUID // which key it concerns; who does not see it does not see the event
	Unit    *graph.UUID // likewise
	Summary string      // names no key, unit and user but these
	Changes []*graph.AuditChange
}

// audit adds an event by v in the account.
func audit(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.UUID, e event) error {
	var user, token, operator *graph.UUID
	switch v.Kind {
	case graph.KindOfUser:
		user = &v.User.UserID
	case graph.KindOfToken:
		token = &v.AccessToken.TokenID
	case graph.KindOperator:
		operator = &v.Operator.OperatorID
	}
	if e.ID.IsZero() {
		e.ID = newID()
	}
	changes, err := changesText(e.Changes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit_events (account_id, event_id, action, occurred_at, actor_user, actor_token, actor_operator, actor_label,
			user_id, key_id, unit_id, summary, changes, ip_address, request_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		account, e.ID, e.Action, v.Request.At, user, token, operator, v.Label(), e.User, e.Key, e.Unit, e.Summary, changes, addressOf(v), v.Request.ID)
	return err
}

// addressOf gives the address that an event notes, nil for none: where the provider's own people sit concerns no account.
func addressOf(v *graph.Viewer) *string {
	if v.Kind == graph.KindOperator || v.Request.Address == "" {
		return nil
	}
	return &v.Request.Address
}

// changesText writes changes as the trail keeps them.
func changesText(list []*graph.AuditChange) (string, error) {
	text, err := json.Marshal(append([]*graph.AuditChange{}, list...))
	if err != nil {
		return "", fmt.Errorf("write changes: %w", err)
	}
	return string(text), nil
}

var eventColumns = columnList{"account_id", "event_id", "action", "occurred_at", "actor_user", "actor_token", "actor_operator", "actor_label",
	"user_id", "key_id", "unit_id", "summary", "changes", "ip_address", "request_id"}

// eventRow is an event as it is stored.
type eventRow struct {
	graph.AuditEvent
	ActorUser     *graph.UUID
	ActorToken    *graph.UUID
	ActorOperator *graph.UUID
	UserID        *graph.UUID
	Changes       graph.AuditChanges
}

// auditVisible is the condition on events e of the account $1.
func auditVisible(v *graph.Viewer) string {
	if !v.SeesAudit() {
		return nothing
	}
	return `((e.key_id IS NULL OR ` + keyVisible(v, "e.key_id") + `) AND (e.unit_id IS NULL OR ` + unitVisible(v, "e.unit_id") + `)
		AND (e.action <> 'GRANTS_CHANGED' OR ` + operationVisible(v, "e.event_id") + `)
		AND (e.action NOT IN ('` + join(graph.ThresholdActions, `', '`) + `') OR ` + thresholdEventVisible(v) + `))`
}

// soughtVisible is the condition that the user $7, by whom events are sought, is not hidden from v. Whoever sees all users
// may also seek by one who is gone.
func soughtVisible(v *graph.Viewer) string {
	if v.SeesAllUsers() {
		return everything
	}
	return `EXISTS (SELECT FROM users u WHERE u.account_id = $1 AND u.user_id = $7 AND ` + userVisible(v) + `)`
}

// AuditEvents reads those of the events that are visible, in no order.
func (db *DB) AuditEvents(ctx context.Context, v *graph.Viewer, account graph.UUID, events []graph.UUID) ([]*graph.AuditEvent, error) {
	if !v.Enters(account) || len(events) == 0 {
		return nil, nil
	}
	var rows []*eventRow
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT `+eventColumns.of("e")+`
		FROM audit_events e
		WHERE e.account_id = $1 AND e.event_id = ANY($4) AND `+auditVisible(v), about(v, account, uuidArray(events))...)
	if err != nil {
		return nil, fault("read audit events", err)
	}
	return db.completeEvents(ctx, v, account, rows)
}

// AuditEventsOf reads a page of the account's audit trail without events about hidden keys.
func (db *DB) AuditEventsOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, f graph.AuditEventFilter,
	ask Ask) (*graph.AuditEventConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	page, err := readPage(ctx, db, listing{
		columns: eventColumns.of("e"),
		from: `audit_events e
			WHERE e.account_id = $1 AND ` + auditVisible(v) + `
			AND ($4::timestamptz IS NULL OR e.occurred_at >= $4)
			AND ($5::timestamptz IS NULL OR e.occurred_at < $5)
			AND ($6::text[] IS NULL OR e.action = ANY($6))
			AND ($7::uuid IS NULL OR (e.user_id = $7 OR e.actor_user = $7 OR e.action = 'GRANTS_CHANGED' AND ` +
			operationOn(v, "e.event_id", "$7 = ANY(c.user_ids)") + `) AND ` + soughtVisible(v) + `)
			AND ($8::uuid IS NULL OR e.key_id = $8 OR e.action = 'GRANTS_CHANGED' AND ` + operationOn(v, "e.event_id", "c.key_id = $8") + `)
			AND ($9::uuid IS NULL OR e.unit_id = $9)`,
		id:   "e.event_id",
		anew: true,
		args: about(v, account, f.From, f.To, nameArray(f.Actions), objectOf(f.UserID, account, graph.KindUser),
			objectOf(f.KeyID, account, graph.KindKey), objectOf(f.UnitID, account, graph.KindUnit)),
	}, w, ask, func(e *eventRow) graph.Cursor { return graph.Cursor{ID: e.EventID} })
	if err != nil {
		return nil, fault("list audit events", err)
	}
	events, err := db.completeEvents(ctx, v, account, page.Nodes)
	return &graph.AuditEventConnection{Page: graph.Page[graph.AuditEvent]{Nodes: events, Order: page.Order, Next: page.Next,
		Previous: page.Previous, Place: func(e *graph.AuditEvent) graph.Cursor { return graph.Cursor{ID: e.EventID} }}}, err
}

// completeEvents gives the events the users, access tokens, keys and units that they name, as far as these are visible and still there.
func (db *DB) completeEvents(ctx context.Context, v *graph.Viewer, account graph.UUID, rows []*eventRow) ([]*graph.AuditEvent, error) {
	var userIDs, tokenIDs, keyIDs, unitIDs []graph.UUID
	for _, row := range rows {
		unitIDs = appendSet(unitIDs, row.UnitID)
		userIDs, keyIDs = appendSet(userIDs, row.ActorUser, row.UserID), appendSet(keyIDs, row.KeyID)
		tokenIDs = appendSet(tokenIDs, row.ActorToken)
	}
	users, err := db.usersByID(ctx, v, account, userIDs)
	if err != nil {
		return nil, err
	}
	keys, err := db.keysByID(ctx, v, account, keyIDs)
	if err != nil {
		return nil, err
	}
	tokens, err := byID(tokenIDs, func(ids []graph.UUID) ([]*graph.AccessToken, error) { return db.AccessTokens(ctx, v, account, ids) },
		func(t *graph.AccessToken) graph.UUID { return t.TokenID })
	if err != nil {
		return nil, err
	}
	units, err := db.unitsByID(ctx, v, account, unitIDs)
	if err != nil {
		return nil, err
	}
	if err := db.readChangedFor(ctx, v, account, rows); err != nil {
		return nil, err
	}
	events := make([]*graph.AuditEvent, len(rows))
	for i, row := range rows {
		e := &row.AuditEvent
		e.Changes = row.Changes
		e.ActorUser, e.User, e.Key = users.at(row.ActorUser), users.at(row.UserID), keys.at(row.KeyID)
		e.ActorToken, e.Unit = tokens.at(row.ActorToken), units.at(row.UnitID)
		if row.ActorOperator != nil {
			e.Operator = &graph.Operator{OperatorID: *row.ActorOperator, Label: e.ActorLabel}
		}
		events[i] = e
	}
	return events, nil
}

// index finds objects by their id.
type index[T any] map[graph.UUID]*T

func (x index[T]) at(id *graph.UUID) *T {
	if id == nil {
		return nil
	}
	return x[*id]
}

// usersByID, keysByID and unitsByID read what is visible of the objects that others point to.
func (db *DB) usersByID(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) (index[graph.User], error) {
	return byID(ids, func(ids []graph.UUID) ([]*graph.User, error) { return db.Users(ctx, v, account, ids) },
		func(u *graph.User) graph.UUID { return u.UserID })
}

func (db *DB) keysByID(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) (index[graph.ApiKey], error) {
	return byID(ids, func(ids []graph.UUID) ([]*graph.ApiKey, error) { return db.Keys(ctx, v, account, ids) },
		func(k *graph.ApiKey) graph.UUID { return k.KeyID })
}

func (db *DB) unitsByID(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) (index[graph.Unit], error) {
	return byID(ids, func(ids []graph.UUID) ([]*graph.Unit, error) { return db.Units(ctx, v, account, ids) }, unitID)
}

// byID reads the objects with the ids, each once.
func byID[T any](ids []graph.UUID, read func([]graph.UUID) ([]*T, error), id func(*T) graph.UUID) (index[T], error) {
	list, err := read(distinct(ids))
	return indexOf(list, id), err
}

func indexOf[T any](list []*T, id func(*T) graph.UUID) index[T] {
	x := make(index[T], len(list))
	for _, o := range list {
		x[id(o)] = o
	}
	return x
}

// appendSet adds the ids that are not nil.
func appendSet(list []graph.UUID, ids ...*graph.UUID) []graph.UUID {
	for _, id := range ids {
		if id != nil {
			list = append(list, *id)
		}
	}
	return list
}

// distinct gives each id once.
func distinct(list []graph.UUID) []graph.UUID {
	seen := make(map[graph.UUID]bool, len(list))
	var once []graph.UUID
	for _, id := range list {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	return once
}
