package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// RotateApiKeySecret issues a new secret for a key that v sees and gives it; it is kept as a hash only. The present one
// ends at once, or works on for the minutes of grace. NotFound for a key that is hidden or missing, and what
// graph.ApiKey.MayRotate refuses.
func (db *DB) RotateApiKeySecret(ctx context.Context, v *graph.Viewer, in graph.RotateApiKeySecretInput) (*graph.ApiKey, string, error) {
	var key *graph.ApiKey
	var answer keyWithSecret
	c := call{"rotateApiKeySecret", in.IdempotencyKey, in}
	repeated, err := db.changeOnce(ctx, v, graph.RotateSecrets, stays, c, &answer, func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		if key, err = keyForChange(ctx, tx, v, in.KeyID, "input.keyId"); err != nil {
			return err
		}
		if err := key.MayRotate(in.GraceMinutes, v.Request.At); err != nil {
			return err
		}
		answer.Key = key.KeyID
		answer.Secret, err = issueSecret(ctx, tx, v, key, in.GraceMinutes)
		return err
	})
	if err != nil || !repeated {
		return key, answer.Secret, err
	}
	return db.keyAgain(ctx, v, answer, "input.keyId")
}

// issueSecret gives a key a new secret. The statement moves the present one aside, so that never more than two work. The
// event has no changes: what it could name is for those who hold ROTATE_SECRETS.
func issueSecret(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, k *graph.ApiKey, graceMinutes int) (string, error) {
	at := v.Request.At
	secret, hint, hash := newKeySecret()
	k.PreviousSecretExpiresAt = k.SecretEnd(graceMinutes, at)
	k.SecretHint, k.SecretIssuedAt = &hint, &at
	_, err := tx.ExecContext(ctx, `
		UPDATE api_keys SET previous_secret_hash = CASE WHEN $6::timestamptz IS NOT NULL THEN secret_hash END,
			previous_secret_expires_at = $6, secret_hash = $3, secret_hint = $4, secret_issued_at = $5
		WHERE account_id = $1 AND key_id = $2`, k.AccountID, k.KeyID, hash, hint, at, k.PreviousSecretExpiresAt)
	if err != nil {
		return "", err
	}
	touch(tx, k.AccountID)
	return secret, audit(ctx, tx, v, k.AccountID, event{Action: graph.SecretRotated, Key: &k.KeyID,
		Summary: "Issued a new secret for the key " + k.Name + "."})
}
