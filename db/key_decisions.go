package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// RequestApiKey asks the provider for a key. NotFound for a unit that is hidden or missing, LimitReached when too many
// requests of the account wait.
func (db *DB) RequestApiKey(ctx context.Context, v *graph.Viewer, in graph.RequestApiKeyInput) (*graph.KeyRequest, error) {
	var made *graph.KeyRequest
	var request graph.UUID
	c := call{"requestApiKey", in.IdempotencyKey, in}
	repeated, err := db.changeOnce(ctx, v, graph.ManageKeys, stays, c, &request, func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		if made, err = insertKeyRequest(ctx, tx, v, in); err != nil {
			return err
		}
		request = made.RequestID
		return nil
	})
	if err != nil || !repeated {
		return made, err
	}
	list, err := db.KeyRequests(ctx, v, v.AccountID(), []graph.UUID{request})
	return only(list, err, repeatedKey)
}

func insertKeyRequest(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, in graph.RequestApiKeyInput) (*graph.KeyRequest, error) {
	if err := lockTree(ctx, tx, v); err != nil {
		return nil, err
	}
	unit, err := unitOrTop(ctx, tx, v, in.UnitID, "input.unitId")
	if err != nil {
		return nil, err
	}
	var pending int
	err = tx.GetContext(ctx, &pending, `
		SELECT count(*) FROM key_requests
		WHERE account_id = $1 AND status = 'PENDING'`, v.AccountID())
	if err != nil {
		return nil, err
	}
	if err := graph.MayRequestKey(pending); err != nil {
		return nil, err
	}
	q := &graph.KeyRequest{AccountID: v.AccountID(), RequestID: newID(), Account: v.Account, Name: in.Name, Kind: in.Kind, UnitID: idOf(unit), Unit: unit,
		Reason: in.Reason, Status: graph.KeyRequestPending, RequesterID: v.UserID(), RequestedBy: v.User, CreatedAt: v.Request.At}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO key_requests (account_id, request_id, name, kind, unit_id, reason, requested_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, q.AccountID, q.RequestID, q.Name, q.Kind, q.UnitID, q.Reason, q.RequesterID, q.CreatedAt)
	if err != nil {
		return nil, err
	}
	// The event names neither the key nor the reason: whoever reads the audit trail need not see the request.
	return q, audit(ctx, tx, v, q.AccountID, event{Action: graph.KeyRequested, User: &q.RequesterID, Summary: "Requested a key."})
}

// CancelKeyRequest withdraws a request that v sees; a repeat changes nothing. NotFound for one that is hidden or missing,
// InvalidState for one that is decided.
func (db *DB) CancelKeyRequest(ctx context.Context, v *graph.Viewer, in graph.KeyRequestIdInput) (*graph.KeyRequest, error) {
	err := db.changeAs(ctx, v, anyCapability, stays, "cancel key request", func(tx *sqlx.Tx, v *graph.Viewer) error {
		q, err := keyRequestForChange(ctx, tx, v, in.KeyRequestID)
		if err != nil {
			return err
		}
		return decide(ctx, tx, v, q, graph.KeyRequestCancelled, nil, nil)
	})
	if err != nil {
		return nil, err
	}
	return db.keyRequest(ctx, v, in.KeyRequestID)
}

// ApproveKeyRequest answers a request with a new key, beyond the account's limit, and enables it for the requester when
// they are still an active additional user. The key goes to the unit that was asked for, directly below the account when that
// is gone. It has no secret, so that no operator ever sees it. A repeat changes nothing. NotFound for a request that is missing, InvalidState for one that was rejected or withdrawn.
func (db *DB) ApproveKeyRequest(ctx context.Context, v *graph.Viewer, in graph.DecideKeyRequestInput) (*graph.KeyRequest, error) {
	return db.decideKeyRequest(ctx, v, in, graph.KeyRequestApproved)
}

// RejectKeyRequest answers a request with no. A repeat changes nothing. NotFound for a request that is missing,
// InvalidState for one that was approved or withdrawn.
func (db *DB) RejectKeyRequest(ctx context.Context, v *graph.Viewer, in graph.DecideKeyRequestInput) (*graph.KeyRequest, error) {
	return db.decideKeyRequest(ctx, v, in, graph.KeyRequestRejected)
}

func (db *DB) decideKeyRequest(ctx context.Context, v *graph.Viewer, in graph.DecideKeyRequestInput, s graph.KeyRequestStatus) (*graph.KeyRequest, error) {
	err := db.transact(ctx, "decide key request", func(tx *sqlx.Tx) error {
		requester, err := lockRequester(ctx, tx, in.KeyRequestID)
		if err != nil {
			return err
		}
		q, err := keyRequestForChange(ctx, tx, v, in.KeyRequestID)
		if err != nil {
			return err
		}
		var key *graph.UUID
		if s == graph.KeyRequestApproved && q.Status == graph.KeyRequestPending {
			if key, err = keyForRequest(ctx, tx, v, q, requester); err != nil {
				return err
			}
		}
		return decide(ctx, tx, v, q, s, in.Note, key)
	})
	if err != nil {
		return nil, err
	}
	return db.keyRequest(ctx, v, in.KeyRequestID)
}

// keyForRequest makes the key that the request asks for.
func keyForRequest(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, q *graph.KeyRequest, requester *graph.User) (*graph.UUID, error) {
	unit, err := unitOfRequest(ctx, tx, v, q)
	if err != nil {
		return nil, err
	}
	made, err := insertKey(ctx, tx, v, q.AccountID, newKey{Name: q.Name, Kind: q.Kind, Unit: unit})
	if err != nil {
		return nil, err
	}
	if requester != nil && requester.Status == graph.UserActive && !requester.IsPrimary {
		err = changeGrant(ctx, tx, v, requester, made.Key, graph.SetGrantInput{State: graph.GrantEnabled})
	}
	return &made.Key.KeyID, err
}

// unitOfRequest gives the unit that the request names, which stays until the transaction ends; nil when it names none or one that
// is gone.
func unitOfRequest(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, q *graph.KeyRequest) (*graph.UUID, error) {
	if q.UnitID == nil {
		return nil, nil
	}
	if _, err := lockAccount(ctx, tx, q.AccountID); err != nil {
		return nil, err
	}
	units, err := visibleUnits(ctx, tx, v, q.AccountID, []graph.UUID{*q.UnitID})
	if err != nil || len(units) == 0 {
		return nil, err
	}
	return idOf(units[0]), nil
}

// lockRequester reads who made a request, before the request itself is locked: who acts as that user locks the two in the
// same order. Nil when the user is gone.
func lockRequester(ctx context.Context, tx *sqlx.Tx, id graph.ID) (*graph.User, error) {
	var u graph.User
	err := tx.GetContext(ctx, &u, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		JOIN key_requests q ON q.account_id = u.account_id AND q.requested_by = u.user_id
		WHERE u.account_id = $1 AND q.account_id = $1 AND q.request_id = $2
		FOR NO KEY UPDATE OF u`, id.Account, id.In(id.Account, graph.KindKeyRequest))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &u, err
}

// keyRequestForChange reads a visible request and keeps others from changing it until the transaction ends.
func keyRequestForChange(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, id graph.ID) (*graph.KeyRequest, error) {
	var list []*graph.KeyRequest
	if v.Enters(id.Account) {
		err := tx.SelectContext(ctx, &list, `
			SELECT `+keyRequestColumns.of("q")+`
			FROM key_requests q
			WHERE q.account_id = $1 AND q.request_id = $4 AND `+keyRequestVisible(v)+`
			FOR NO KEY UPDATE OF q`, about(v, id.Account, id.In(id.Account, graph.KindKeyRequest))...)
		if err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, graph.Missing("input.keyRequestId")
	}
	return list[0], nil
}

// decide gives the request its final state, with the operator's note and the key that came of it; nothing when it has it.
func decide(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, q *graph.KeyRequest, s graph.KeyRequestStatus, note *string, key *graph.UUID) error {
	if err := q.MayBecome(s); err != nil || q.Status == s {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE key_requests SET status = $3, decided_at = $4, decision_note = $5, key_id = $6
		WHERE account_id = $1 AND request_id = $2`, q.AccountID, q.RequestID, s, v.Request.At, note, key)
	if err != nil {
		return err
	}
	summaries := map[graph.KeyRequestStatus]string{graph.KeyRequestApproved: "Approved a request for a key.",
		graph.KeyRequestRejected: "Rejected a request for a key.", graph.KeyRequestCancelled: "Withdrew a request for a key."}
	return audit(ctx, tx, v, q.AccountID, event{Action: graph.KeyRequestDecided, User: &q.RequesterID, Summary: summaries[s],
		Changes: []*graph.AuditChange{graph.Changed("status", string(q.Status), string(s))}})
}

// keyRequest reads a request anew after a change of it.
func (db *DB) keyRequest(ctx context.Context, v *graph.Viewer, id graph.ID) (*graph.KeyRequest, error) {
	list, err := db.KeyRequests(ctx, v, id.Account, []graph.UUID{id.Object})
	return only(list, err, "input.keyRequestId")
}
