package db

import (
	"context"

	"grantwood/graph"
)

var keyRequestColumns = columnList{"account_id", "request_id", "name", "kind", "unit_id", "reason", "status", "requester_id = @.requested_by",
	"created_at", "decided_at", "decision_note", "key_id"}

// keyRequestVisible is the condition on requests q of the account $1.
func keyRequestVisible(v *graph.Viewer) string {
	switch {
	case v.SeesAllKeyRequests():
		return everything
	case v.Kind == graph.KindOfUser:
		return `(q.requested_by = $2 AND ` + everything + `)`
	}
	return nothing
}

// KeyRequests reads those of the requests that are visible, in no order.
func (db *DB) KeyRequests(ctx context.Context, v *graph.Viewer, account graph.UUID, requests []graph.UUID) ([]*graph.KeyRequest, error) {
	if !v.Enters(account) || len(requests) == 0 {
		return nil, nil
	}
	var list []*graph.KeyRequest
	err := db.pool.SelectContext(ctx, &list, `
		SELECT `+keyRequestColumns.of("q")+`
		FROM key_requests q
		WHERE q.account_id = $1 AND q.request_id = ANY($4) AND `+keyRequestVisible(v), about(v, account, uuidArray(requests))...)
	if err != nil {
		return nil, fault("read key requests", err)
	}
	return list, db.completeKeyRequests(ctx, v, account, list)
}

// KeyRequestsOf reads a page of the account's visible requests, the newest first.
func (db *DB) KeyRequestsOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, status *graph.KeyRequestStatus,
	ask Ask) (*graph.KeyRequestConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	page, err := readPage(ctx, db, listing{
		columns: keyRequestColumns.of("q"),
		from: `key_requests q
			WHERE q.account_id = $1 AND ` + keyRequestVisible(v) + `
			AND ($4::text IS NULL OR q.status = $4)`,
		id:   "q.request_id",
		args: about(v, account, status),
	}, w, ask, keyRequestPlace)
	if err != nil {
		return nil, fault("list key requests", err)
	}
	return &graph.KeyRequestConnection{Page: page}, db.completeKeyRequests(ctx, v, account, page.Nodes)
}

func keyRequestPlace(q *graph.KeyRequest) graph.Cursor { return graph.Cursor{ID: q.RequestID} }

// completeKeyRequests gives requests of one account their account, requesters, units and keys, as far as these are visible.
func (db *DB) completeKeyRequests(ctx context.Context, v *graph.Viewer, account graph.UUID, list []*graph.KeyRequest) error {
	if len(list) == 0 {
		return nil
	}
	var userIDs, keyIDs, unitIDs []graph.UUID
	for _, q := range list {
		userIDs, keyIDs, unitIDs = append(userIDs, q.RequesterID), appendSet(keyIDs, q.KeyID), appendSet(unitIDs, q.UnitID)
	}
	a, err := db.Account(ctx, v, account)
	if err != nil {
		return err
	}
	users, err := db.usersByID(ctx, v, account, userIDs)
	if err != nil {
		return err
	}
	keys, err := db.keysByID(ctx, v, account, keyIDs)
	if err != nil {
		return err
	}
	units, err := db.unitsByID(ctx, v, account, unitIDs)
	for _, q := range list {
		q.Account, q.RequestedBy, q.Unit, q.Key = a, users.at(&q.RequesterID), units.at(q.UnitID), keys.at(q.KeyID)
	}
	return err
}

// PendingKeyRequests reads a page of the requests that wait in all accounts, the oldest first, for operators who read
// them all; for others none. It names no account: on many machines each looks through the requests that it holds.
func (db *DB) PendingKeyRequests(ctx context.Context, v *graph.Viewer, w graph.Window, ask Ask) (*graph.KeyRequestConnection, error) {
	seen := "false"
	if v.HasScope(graph.ScopeSupport) {
		seen = "true"
	}
	page, err := readPage(ctx, db, listing{
		columns: keyRequestColumns.of("q"),
		from:    `key_requests q WHERE q.status = 'PENDING' AND ` + seen,
		id:      "q.request_id",
	}, w, ask, keyRequestPlace)
	if err != nil {
		return nil, fault("list pending key requests", err)
	}
	return &graph.KeyRequestConnection{Page: page}, fault("read requesters", db.completePending(ctx, page.Nodes))
}

// completePending gives requests of several accounts their accounts, requesters and units. None of them has a key yet.
func (db *DB) completePending(ctx context.Context, list []*graph.KeyRequest) error {
	if len(list) == 0 {
		return nil
	}
	accountIDs, userIDs, unitIDs := make([]graph.UUID, len(list)), make([]graph.UUID, len(list)), make([]graph.UUID, len(list))
	for i, q := range list {
		accountIDs[i], userIDs[i] = q.AccountID, q.RequesterID
		if q.UnitID != nil {
			unitIDs[i] = *q.UnitID
		}
	}
	var accounts []*graph.Account
	err := db.pool.SelectContext(ctx, &accounts, `
		SELECT `+accountColumns.of("a")+`
		FROM accounts a
		WHERE a.account_id = ANY($1)`, uuidArray(accountIDs))
	if err != nil {
		return err
	}
	users, err := inAccounts[graph.User](ctx, db, `
		SELECT `+userColumns.of("u")+`
		FROM unnest($1::uuid[], $2::uuid[]) AS p (account_id, user_id)
		JOIN users u ON u.account_id = p.account_id AND u.user_id = p.user_id`, accountIDs, userIDs, func(u *graph.User) graph.UUID { return u.UserID })
	if err != nil {
		return err
	}
	units, err := inAccounts[graph.Unit](ctx, db, `
		SELECT `+unitColumns.of("n")+`
		FROM unnest($1::uuid[], $2::uuid[]) AS p (account_id, unit_id)
		JOIN units n ON n.account_id = p.account_id AND n.unit_id = p.unit_id`, accountIDs, unitIDs, unitID)
	byAccount := index[graph.Account]{}
	for _, a := range accounts {
		byAccount[a.AccountID] = a
	}
	for _, q := range list {
		q.Account, q.RequestedBy, q.Unit = byAccount[q.AccountID], users.at(&q.RequesterID), units.at(q.UnitID)
	}
	return err
}

// inAccounts reads objects that lie in several accounts, for operators: the n-th in the n-th of these.
func inAccounts[T any](ctx context.Context, db *DB, statement string, accounts, objects []graph.UUID, id func(*T) graph.UUID) (index[T], error) {
	var list []*T
	err := db.pool.SelectContext(ctx, &list, statement, uuidArray(accounts), uuidArray(objects))
	return indexOf(list, id), err
}
