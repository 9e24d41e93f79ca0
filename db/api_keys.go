package db

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// MasterKey reads the master key of an account; nil when it is hidden.
func (db *DB) MasterKey(ctx context.Context, v *graph.Viewer, account graph.UUID) (*graph.ApiKey, error) {
	if !v.Enters(account) {
		return nil, nil
	}
	var keys []*graph.ApiKey
	err := db.pool.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.is_master AND `+keyVisible(v, "k.key_id"), about(v, account)...)
	if err != nil || len(keys) == 0 {
		return nil, fault("read master key", err)
	}
	return keys[0], nil
}

// Keys reads those of the keys that are visible, deleted ones included, in no order.
func (db *DB) Keys(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) ([]*graph.ApiKey, error) {
	if !v.Enters(account) || len(ids) == 0 {
		return nil, nil
	}
	keys, err := visibleKeys(ctx, db.pool, v, account, ids)
	return keys, fault("read keys", err)
}

func visibleKeys(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID,
	ids []graph.UUID) ([]*graph.ApiKey, error) {
	var keys []*graph.ApiKey
	err := sqlx.SelectContext(ctx, q, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id = ANY($4) AND `+keyVisible(v, "k.key_id"), about(v, account, uuidArray(ids))...)
	return keys, err
}

// keyStatus is the status of a key k, as ApiKey.Status gives it.
const keyStatus = `CASE WHEN k.deleted_at IS NOT NULL THEN 'DELETED' WHEN k.enabled THEN 'ENABLED' ELSE 'DISABLED' END`

// KeysOf reads a page of the account's visible keys, without deleted ones unless the filter asks for them.
func (db *DB) KeysOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, f graph.ApiKeyFilter,
	ask Ask) (*graph.ApiKeyConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	enabledFor := enabledForFilter(v, account, f.EnabledForUserID)
	page, err := readPage(ctx, db, listing{
		columns: keyColumns.of("k"),
		from: `api_keys k
			WHERE k.account_id = $1 AND ` + keyVisible(v, "k.key_id") + `
			AND ($4::text IS NULL OR lower(k.name) LIKE lower($4) OR lower(k.key) LIKE lower($4))
			AND ($5::text[] IS NULL OR k.kind = ANY($5))
			AND CASE WHEN $6::text[] IS NULL THEN k.deleted_at IS NULL ELSE ` + keyStatus + ` = ANY($6) END
			AND ($7::uuid IS NULL OR EXISTS (
				SELECT FROM users u
				WHERE u.account_id = $1 AND u.user_id = $7 AND (u.is_primary OR (k.key_id IN (` + enabledKeys("$7") + `)) IS TRUE)))
			AND ` + inUnit("$8"),
		name: `(lower(k.name) COLLATE "C")`,
		id:   "k.key_id",
		args: about(v, account, pattern(f.Search), nameArray(f.Kinds), nameArray(f.Statuses), enabledFor,
			objectOf(f.UnitID, account, graph.KindUnit)),
	}, w, ask, keyPlace)
	return &graph.ApiKeyConnection{Page: page}, fault("list keys", err)
}

func keyPlace(k *graph.ApiKey) graph.Cursor { return graph.Cursor{ID: k.KeyID, Name: k.SortName} }

// enabledForFilter gives the user whose enabled keys are asked for: nil when nobody asks, the zero UUID, which matches
// nothing, when v may not see that user's grants.
func enabledForFilter(v *graph.Viewer, account graph.UUID, user *graph.ID) *graph.UUID {
	if user == nil {
		return nil
	}
	id := user.In(account, graph.KindUser)
	if !v.SeesGrantOf(id) {
		id = graph.UUID{}
	}
	return &id
}

// newKey describes a key to insert.
type newKey struct {
	Name       string
	Kind       graph.UnitKind
	Unit       *graph.UUID // nil for directly below the account; otherwise the tree is locked
	IsMaster   bool
	WithSecret bool
}

// madeKey is an inserted key, with its secret when it got one.
type madeKey struct {
	Key    *graph.ApiKey
	Secret string
}

func insertKey(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.UUID, n newKey) (madeKey, error) {
	k := &graph.ApiKey{AccountID: account, KeyID: newID(), Key: newPublicKey(account), Name: n.Name,
		SortName: strings.ToLower(n.Name), Kind: n.Kind, UnitID: n.Unit, IsMaster: n.IsMaster, Enabled: true, CreatedAt: v.Request.At}
	made := madeKey{Key: k}
	var hash []byte
	if n.WithSecret {
		var hint string
		made.Secret, hint, hash = newKeySecret()
		k.SecretHint, k.SecretIssuedAt = &hint, &k.CreatedAt
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO api_keys (account_id, key_id, key, name, kind, unit_id, is_master, secret_hash, secret_hint, secret_issued_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		k.AccountID, k.KeyID, k.Key, k.Name, k.Kind, k.UnitID, k.IsMaster, hash, k.SecretHint, k.SecretIssuedAt, k.CreatedAt)
	if err != nil {
		return made, err
	}
	if k.UnitID != nil {
		if err := raiseTree(ctx, tx, account); err != nil {
			return made, err
		}
		if err := tellNewKey(ctx, tx, v, k); err != nil {
			return made, err
		}
	}
	return made, audit(ctx, tx, v, account, event{Action: graph.KeyCreated, Key: &k.KeyID, Summary: "Created the key " + k.Name + "."})
}

// CreateApiKey makes a key and gives it with its secret, which is kept as a hash only. A creator who is not the primary
// user gets an explicit grant for it. NotFound for a unit that is hidden or missing, LimitReached when the account has as
// many keys as it may create.
func (db *DB) CreateApiKey(ctx context.Context, v *graph.Viewer, in graph.CreateApiKeyInput) (*graph.ApiKey, string, error) {
	var made madeKey
	var answer keyWithSecret
	c := call{"createApiKey", in.IdempotencyKey, in}
	repeated, err := db.changeOnce(ctx, v, graph.ManageKeys, changes, c, &answer, func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		if made, err = createKey(ctx, tx, v, in); err != nil {
			return err
		}
		answer = keyWithSecret{made.Key.KeyID, made.Secret}
		return nil
	})
	if err != nil || !repeated {
		return made.Key, made.Secret, err
	}
	return db.keyAgain(ctx, v, answer, repeatedKey)
}

// createKey makes a key as far as the account's limit allows.
func createKey(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, in graph.CreateApiKeyInput) (madeKey, error) {
	if err := lockTree(ctx, tx, v); err != nil {
		return madeKey{}, err
	}
	unit, err := unitOrTop(ctx, tx, v, in.UnitID, "input.unitId")
	if err != nil {
		return madeKey{}, err
	}
	var keys int
	err = tx.GetContext(ctx, &keys, `
		SELECT count(*) FROM api_keys
		WHERE account_id = $1 AND deleted_at IS NULL`, v.AccountID())
	if err != nil {
		return madeKey{}, err
	}
	if err := v.Account.MayCreateKey(keys); err != nil {
		return madeKey{}, err
	}
	made, err := insertKey(ctx, tx, v, v.AccountID(), newKey{Name: in.Name, Kind: in.Kind, Unit: idOf(unit), WithSecret: true})
	if err != nil || v.IsPrimary() {
		return made, err
	}
	return made, enableOwn(ctx, tx, v, made.Key)
}

// SetApiKeyEnabled says whether the provider's services accept a key that v sees; a repeat changes nothing. NotFound for
// a key that is hidden or missing, and what graph.Viewer.MaySetEnabled refuses.
func (db *DB) SetApiKeyEnabled(ctx context.Context, v *graph.Viewer, in graph.SetApiKeyEnabledInput) (*graph.ApiKey, error) {
	var key *graph.ApiKey
	err := db.changeAs(ctx, v, graph.ManageKeys, stays, "switch key", func(tx *sqlx.Tx, v *graph.Viewer) error {
		k, err := keyForChange(ctx, tx, v, in.KeyID, "input.keyId")
		if err != nil {
			return err
		}
		if err := v.MaySetEnabled(k, in.Enabled); err != nil {
			return err
		}
		key = k
		if k.Enabled == in.Enabled {
			return nil
		}
		k.Enabled = in.Enabled
		_, err = tx.ExecContext(ctx, `
			UPDATE api_keys SET enabled = $3
			WHERE account_id = $1 AND key_id = $2`, k.AccountID, k.KeyID, k.Enabled)
		if err != nil {
			return err
		}
		if err := tellKey(ctx, tx, v, k); err != nil {
			return err
		}
		return audit(ctx, tx, v, k.AccountID, switchEvent(k))
	})
	return key, err
}

func switchEvent(k *graph.ApiKey) event {
	e := event{Action: graph.KeyWasEnabled, Key: &k.KeyID, Summary: "Enabled the key " + k.Name + "."}
	e.Changes = []*graph.AuditChange{graph.Changed("status", string(graph.KeyDisabled), string(graph.KeyEnabled))}
	if !k.Enabled {
		e.Action, e.Summary = graph.KeyWasDisabled, "Disabled the key "+k.Name+"."
		e.Changes = []*graph.AuditChange{graph.Changed("status", string(graph.KeyEnabled), string(graph.KeyDisabled))}
	}
	return e
}

// UpdateApiKey changes name and kind of a key that v sees; a repeat changes nothing. NotFound for a key that is hidden or
// missing, InvalidState for a deleted one.
func (db *DB) UpdateApiKey(ctx context.Context, v *graph.Viewer, in graph.UpdateApiKeyInput) (*graph.ApiKey, error) {
	var key *graph.ApiKey
	err := db.changeAs(ctx, v, graph.ManageKeys, stays, "update key", func(tx *sqlx.Tx, v *graph.Viewer) error {
		k, err := keyForChange(ctx, tx, v, in.KeyID, "input.keyId")
		if err != nil {
			return err
		}
		if err := k.MayUpdate(); err != nil {
			return err
		}
		key = k
		e := updateEvent(k, in)
		if len(e.Changes) == 0 {
			return nil
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE api_keys SET name = $3, kind = $4
			WHERE account_id = $1 AND key_id = $2`, k.AccountID, k.KeyID, k.Name, k.Kind)
		if err != nil {
			return err
		}
		if err := tellKey(ctx, tx, v, k); err != nil {
			return err
		}
		return audit(ctx, tx, v, k.AccountID, e)
	})
	return key, err
}

// updateEvent gives k the new values and says which of them changed.
func updateEvent(k *graph.ApiKey, in graph.UpdateApiKeyInput) event {
	e := event{Action: graph.KeyUpdated, Key: &k.KeyID, Summary: "Changed the key " + k.Name + "."}
	if in.Name != nil && *in.Name != k.Name {
		e.Changes = append(e.Changes, graph.Changed("name", k.Name, *in.Name))
		k.Name, k.SortName = *in.Name, strings.ToLower(*in.Name)
	}
	if in.Kind != nil && *in.Kind != k.Kind {
		e.Changes = append(e.Changes, graph.Changed("kind", string(k.Kind), string(*in.Kind)))
		k.Kind = *in.Kind
	}
	return e
}

// DeleteApiKey deletes a key that v sees: it stays as a row without secrets, so that its history stays attributable. A
// repeat changes nothing. NotFound for a key that is hidden or missing, NotAllowed for the master key.
func (db *DB) DeleteApiKey(ctx context.Context, v *graph.Viewer, in graph.ApiKeyIdInput) (*graph.ApiKey, error) {
	var key *graph.ApiKey
	err := db.changeAs(ctx, v, graph.ManageKeys, stays, "delete key", func(tx *sqlx.Tx, v *graph.Viewer) error {
		k, err := keyForChange(ctx, tx, v, in.KeyID, "input.keyId")
		if err != nil {
			return err
		}
		if err := k.MayDelete(); err != nil {
			return err
		}
		key = k
		if k.DeletedAt != nil {
			return nil
		}
		e := event{Action: graph.KeyWasDeleted, Key: &k.KeyID, Summary: "Deleted the key " + k.Name + ".",
			Changes: []*graph.AuditChange{graph.Changed("status", string(k.Status()), string(graph.KeyDeleted))}}
		k.DeletedAt, k.SecretHint, k.SecretIssuedAt, k.PreviousSecretExpiresAt = &v.Request.At, nil, nil, nil
		_, err = tx.ExecContext(ctx, `
			UPDATE api_keys SET deleted_at = $3, secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL,
				previous_secret_hash = NULL, previous_secret_expires_at = NULL
			WHERE account_id = $1 AND key_id = $2`, k.AccountID, k.KeyID, k.DeletedAt)
		if err != nil {
			return err
		}
		if err := tellKey(ctx, tx, v, k); err != nil {
			return err
		}
		return audit(ctx, tx, v, k.AccountID, e)
	})
	return key, err
}

// keyForChange reads a visible key and keeps others from changing it until the transaction ends.
func keyForChange(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, id graph.ID, path string) (*graph.ApiKey, error) {
	account := v.AccountID()
	var keys []*graph.ApiKey
	err := tx.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id = $4 AND `+keyVisible(v, "k.key_id")+`
		FOR NO KEY UPDATE OF k`, about(v, account, id.In(account, graph.KindKey))...)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, graph.Missing(path)
	}
	return keys[0], nil
}
