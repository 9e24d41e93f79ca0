package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// GrantOperation is a change of many grants at once.
type GrantOperation struct {
	ID       *graph.ID // of its event in the audit trail; nil when it changed nothing
	Enabled  int       // how many effective grants became enabled
	Disabled int       // how many became disabled
	Matrix   *graph.AccessMatrix
}

// operate is changeAs for changes of the grants of many users. Their rows and the caller's are locked in the order of their ids
// before anything else is read, so that operations wait for each other in turn, and each finds what those before it did.
func (db *DB) operate(ctx context.Context, v *graph.Viewer, doing string, whom func(tx *sqlx.Tx) ([]graph.UUID, error),
	do func(tx *sqlx.Tx, v *graph.Viewer) error) error {
	return db.transact(ctx, doing, func(tx *sqlx.Tx) error {
		users, err := whom(tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			SELECT u.user_id
			FROM users u
			WHERE u.account_id = $1 AND (u.user_id = $2 OR u.user_id = ANY($3))
			ORDER BY u.user_id
			FOR NO KEY UPDATE`, v.AccountID(), v.UserID(), uuidArray(users))
		if err != nil {
			return err
		}
		now, err := allowedNow(ctx, tx, v, graph.ManageGrants, changes)
		if err != nil {
			return err
		}
		return do(tx, now)
	})
}

// named gives users that a call names.
func named(users []graph.UUID) func(*sqlx.Tx) ([]graph.UUID, error) {
	return func(*sqlx.Tx) ([]graph.UUID, error) { return users, nil }
}

// grantTargets reads those of the users and keys that v sees.
func grantTargets(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, users, keys []graph.UUID) (graph.GrantTargets, error) {
	account := v.AccountID()
	u, err := byID(users, func(ids []graph.UUID) ([]*graph.User, error) { return visibleUsers(ctx, tx, v, account, ids) },
		func(u *graph.User) graph.UUID { return u.UserID })
	if err != nil {
		return graph.GrantTargets{}, err
	}
	k, err := byID(keys, func(ids []graph.UUID) ([]*graph.ApiKey, error) { return visibleKeys(ctx, tx, v, account, ids) },
		func(k *graph.ApiKey) graph.UUID { return k.KeyID })
	return graph.GrantTargets{Users: u, Keys: k}, err
}

// SetGrants sets single grants, all or none; what is so already stays as it is. It gives the operation, nil when nothing changed,
// and the grants in the order of the changes. What graph.Viewer.MaySetGrants refuses.
func (db *DB) SetGrants(ctx context.Context, v *graph.Viewer, in graph.SetGrantsInput) (operation *graph.ID, grants []*graph.Grant, err error) {
	account := v.AccountID()
	var wanted cellList
	for _, c := range in.Changes {
		wanted.add(c.UserID.In(account, graph.KindUser), c.KeyID.In(account, graph.KindKey), c.State.Enables(), c.ExpiresAt)
	}
	err = db.operate(ctx, v, "set grants", named(wanted.users), func(tx *sqlx.Tx, v *graph.Viewer) error {
		t, err := grantTargets(ctx, tx, v, wanted.users, wanted.keys)
		if err != nil {
			return err
		}
		if err := v.MaySetGrants(in, t); err != nil {
			return err
		}
		if operation, err = wanted.cells().set(ctx, tx, v, "Set many grants at once."); err != nil {
			return err
		}
		grants, err = grantsInOrder(ctx, tx, v, wanted.users, wanted.keys)
		return err
	})
	return operation, grants, err
}

// grantsInOrder reads the visible grants of pairs.
func grantsInOrder(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, users, keys []graph.UUID) ([]*graph.Grant, error) {
	pairs := make([]Pair, len(users))
	for i := range users {
		pairs[i] = Pair{users[i], keys[i]}
	}
	list, err := visibleGrants(ctx, tx, v, v.AccountID(), pairs)
	if err != nil {
		return nil, err
	}
	found := make(map[Pair]*graph.Grant, len(list))
	for _, g := range list {
		found[Pair{g.User.UserID, g.Key.KeyID}] = g
	}
	grants := make([]*graph.Grant, len(pairs))
	for i, p := range pairs {
		grants[i] = found[p]
	}
	return grants, nil
}

// SetAccess sets every pair of some users and keys to one state, all or none; what is so already stays as it is. What
// graph.Viewer.MaySetAccess refuses.
func (db *DB) SetAccess(ctx context.Context, v *graph.Viewer, in graph.SetAccessInput) (GrantOperation, error) {
	users, keys := objectsIn(in.UserIds, v.AccountID(), graph.KindUser), objectsIn(in.KeyIds, v.AccountID(), graph.KindKey)
	var done GrantOperation
	err := db.operate(ctx, v, "set access", named(users), func(tx *sqlx.Tx, v *graph.Viewer) error {
		t, err := grantTargets(ctx, tx, v, users, keys)
		if err != nil {
			return err
		}
		if err := v.MaySetAccess(in, t); err != nil {
			return err
		}
		done, err = counted(ctx, tx, v, users, keys, block(users, keys, in.State), "Set a block of grants.")
		return err
	})
	return done, err
}

func objectsIn(list []graph.ID, account graph.UUID, k graph.Kind) []graph.UUID {
	objects := make([]graph.UUID, len(list))
	for i, id := range list {
		objects[i] = id.In(account, k)
	}
	return objects
}

// counted sets cells of users and keys, and says what it changed.
func counted(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, users, keys []graph.UUID, c cells, sentence string) (GrantOperation, error) {
	keys = byCreation(keys)
	before, err := matrixOf(ctx, tx, v, v.AccountID(), users, keys)
	if err != nil {
		return GrantOperation{}, err
	}
	id, err := c.set(ctx, tx, v, sentence)
	if err != nil || id == nil {
		return GrantOperation{Matrix: before}, err
	}
	after, err := matrixOf(ctx, tx, v, v.AccountID(), users, keys)
	if err != nil {
		return GrantOperation{}, err
	}
	done := GrantOperation{ID: id, Matrix: after}
	done.Enabled, done.Disabled = before.Changed(after)
	return done, nil
}

// UndoGrantOperation puts back what an operation changed, as far as it is still as the operation left it, for keys that v sees and
// that are not deleted; v's own grants and those of the primary user stay as they are. NotFound for what is no operation, and for
// one that changed no visible key.
func (db *DB) UndoGrantOperation(ctx context.Context, v *graph.Viewer, in graph.UndoGrantOperationInput) (GrantOperation, error) {
	event := in.OperationID.In(v.AccountID(), graph.KindAuditEvent)
	whom := func(tx *sqlx.Tx) (users []graph.UUID, err error) {
		users, _, err = partsOf(ctx, tx, v, event)
		return users, err
	}
	var done GrantOperation
	err := db.operate(ctx, v, "undo operation on grants", whom, func(tx *sqlx.Tx, v *graph.Viewer) error {
		at, err := operationTime(ctx, tx, v, event)
		if err != nil {
			return err
		}
		users, keys, err := partsOf(ctx, tx, v, event)
		if err != nil {
			return err
		}
		done, err = counted(ctx, tx, v, users, keys, undone(v, event, at), "Put grants back as they were before an operation.")
		return err
	})
	return done, err
}

// operationTime reads when an operation happened. NotFound when there is none that v sees anything of.
func operationTime(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, event graph.UUID) (at time.Time, err error) {
	err = tx.GetContext(ctx, &at, `
		SELECT e.occurred_at
		FROM audit_events e
		WHERE e.account_id = $1 AND e.event_id = $4 AND e.action = 'GRANTS_CHANGED' AND `+operationVisible(v, "e.event_id"), about(v, v.AccountID(), event)...)
	if errors.Is(err, sql.ErrNoRows) {
		return at, graph.Missing("input.operationId")
	}
	return at, err
}

// partsOf reads the users who are still there, and the visible keys that are not deleted, whose grants an operation changed.
func partsOf(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, event graph.UUID) (users, keys []graph.UUID, err error) {
	of := `FROM grant_changes c
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = c.key_id AND k.deleted_at IS NULL
		WHERE c.account_id = $1 AND c.event_id = $4 AND ` + keyVisible(v, "c.key_id")
	args := about(v, v.AccountID(), event)
	if err := tx.SelectContext(ctx, &keys, `SELECT c.key_id `+of, args...); err != nil {
		return nil, nil, err
	}
	err = tx.SelectContext(ctx, &users, `
		SELECT u.user_id
		FROM users u
		WHERE u.account_id = $1 AND NOT u.is_primary AND u.user_id IN (SELECT unnest(c.user_ids) `+of+`)`, args...)
	return users, keys, err
}
