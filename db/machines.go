package db

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// Machines call with access tokens, or with keys and their secrets. Each request asks the database about them again, so
// that a switch works at the next one.

// useNoted is how exact the time of the last use of a token or key is.
const useNoted = time.Minute

// tokenRights is what an access token may do and see now: its own, its creator's, and the state of the account.
type tokenRights struct {
	Token      graph.AccessToken
	Creator    graph.User
	Account    graph.Account
	SecretHash []byte
}

// tokenNow reads an access token that may be used: nil when it is unknown, expired, revoked, or its creator is not active.
func tokenNow(ctx context.Context, q sqlx.QueryerContext, account, id graph.UUID, at time.Time, lock string) (*tokenRights, error) {
	var row tokenRights
	err := sqlx.GetContext(ctx, q, &row, `
		SELECT `+tokenColumns.as("t", "token")+`, `+userColumns.as("c", "creator")+`, `+accountColumns.as("a", "account")+`, t.secret_hash
		FROM `+tokensAndCreators+`
		JOIN accounts a ON a.account_id = t.account_id
		WHERE t.account_id = $1 AND t.token_id = $2 AND t.revoked_at IS NULL AND t.expires_at > $3 AND c.status = 'ACTIVE'
		`+lock, account, id, at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &row, err
}

// copy gives the rights to one of several callers.
func (t *tokenRights) copy() *tokenRights {
	return &tokenRights{Token: t.Token, Creator: *t.Creator.Copy(), Account: *t.Account.Copy()}
}

// viewer gives the viewer that the rights stand for, without its keys.
func (t *tokenRights) viewer(r graph.Request) *graph.Viewer {
	return &graph.Viewer{Kind: graph.KindOfToken, AccessToken: &t.Token, Creator: &t.Creator, Account: &t.Account, Request: r}
}

func (db *DB) tokenViewer(ctx context.Context, t token, r graph.Request) (*graph.Viewer, error) {
	row, err := db.tokens.read(ctx, [2]graph.UUID{t.account, t.row}, r.At, func(ctx context.Context, at time.Time) (*tokenRights, error) {
		return tokenNow(ctx, db.pool, t.account, t.row, at, "")
	})
	if err != nil {
		return nil, fault("authenticate access token", err)
	}
	if row == nil || !t.opens(row.SecretHash) {
		return &graph.Viewer{Request: r}, nil
	}
	row = row.copy()
	db.noteUse(ctx, &row.Token, r.At)
	v := row.viewer(r)
	v.Keys, err = db.keysOfToken(ctx, v)
	return v, err
}

// refreshToken reads a token's rights again when they have changed since v was authenticated, and reports whether they had.
func (db *DB) refreshToken(ctx context.Context, v *graph.Viewer) (*graph.Viewer, bool, error) {
	row, err := tokenNow(ctx, db.pool, v.AccountID(), v.AccessToken.TokenID, v.Request.At, "")
	switch {
	case err != nil:
		return nil, false, fault("refresh access token", err)
	case row == nil:
		return &graph.Viewer{Request: v.Request}, true, nil
	case row.Creator.RulesVersion == v.Creator.RulesVersion && row.Account.TreeVersion == v.Account.TreeVersion:
		return v, false, nil
	}
	fresh := row.viewer(v.Request)
	fresh.Keys, err = db.keysOfToken(ctx, fresh)
	return fresh, true, err
}

// noteUse writes when a token was used, once a minute at most and without letting its request wait.
func (db *DB) noteUse(ctx context.Context, t *graph.AccessToken, at time.Time) {
	if t.LastUsedAt != nil && at.Sub(*t.LastUsedAt) < useNoted {
		return
	}
	account, id := t.AccountID, t.TokenID
	db.laterIfRoom(ctx, "note the use of an access token", func(ctx context.Context) error {
		_, err := db.pool.ExecContext(ctx, `
			UPDATE access_tokens SET last_used_at = $3
			WHERE account_id = $1 AND token_id = $2 AND (last_used_at IS NULL OR last_used_at < $3)`, account, id, at)
		return err
	})
}

// noteKeyUse writes when a key was accepted, once a minute at most and without letting its request wait.
func (db *DB) noteKeyUse(ctx context.Context, account, key graph.UUID, last *time.Time, at time.Time) {
	if last != nil && at.Sub(*last) < useNoted {
		return
	}
	db.laterIfRoom(ctx, "note the use of a key", func(ctx context.Context) error {
		_, err := db.pool.ExecContext(ctx, `
			UPDATE api_keys SET last_used_at = $3
			WHERE account_id = $1 AND key_id = $2 AND (last_used_at IS NULL OR last_used_at < $3)`, account, key, at)
		return err
	})
}

// credential is what decides about a key and its secret.
type credential struct {
	account, key graph.UUID
	enabled      bool
	status       graph.AccountStatus
	hash         []byte
	previous     []byte
	previousEnds *time.Time
}

// opens reports, in constant time, whether the secret is the current one or the previous one within its time.
func (c *credential) opens(secret string, at time.Time) bool {
	return c.matches(sha256.Sum256([]byte(secret)), at)
}

// matches is opens for the SHA-256 of a secret.
func (c *credential) matches(sum [32]byte, at time.Time) bool {
	current := subtle.ConstantTimeCompare(sum[:], c.hash)
	previous := subtle.ConstantTimeCompare(sum[:], c.previous)
	return current == 1 || previous == 1 && c.previousEnds != nil && c.previousEnds.After(at)
}

// VerifyApiKey says whether a key and its secret are good now: one look-up in one account, which the key names. What does
// not look like a key is looked up like any other, in no account, and takes as long.
func (db *DB) VerifyApiKey(ctx context.Context, v *graph.Viewer, key, secret string) (graph.ApiKeyVerification, error) {
	var c credential
	var last *time.Time
	err := db.pool.QueryRowContext(ctx, `
		SELECT k.account_id, k.key_id, k.enabled, a.status, k.secret_hash, k.previous_secret_hash, k.previous_secret_expires_at, k.last_used_at
		FROM api_keys k
		JOIN accounts a ON a.account_id = k.account_id
		WHERE k.account_id = $1 AND k.key = $2`, accountOfKey(key), key).
		Scan(&c.account, &c.key, &c.enabled, &c.status, &c.hash, &c.previous, &c.previousEnds, &last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return graph.ApiKeyVerification{}, fault("verify key", err)
	}
	answer := graph.Verification(c.account, c.key, c.opens(secret, v.Request.At), c.enabled, c.status)
	if answer.Result == graph.VerifiedValid {
		db.noteKeyUse(ctx, c.account, c.key, last, v.Request.At)
	}
	return answer, nil
}

// AuthenticateKey gives the viewer behind a key and its secret, nobody when these are not good or the key is disabled.
func (db *DB) AuthenticateKey(ctx context.Context, key, secret string, r graph.Request) (*graph.Viewer, error) {
	var row struct {
		Key                     graph.ApiKey
		Account                 graph.Account
		SecretHash              []byte
		PreviousSecretHash      []byte
		PreviousSecretExpiresAt *time.Time
	}
	err := db.pool.GetContext(ctx, &row, `
		SELECT `+keyColumns.as("k", "key")+`, `+accountColumns.as("a", "account")+`,
			k.secret_hash, k.previous_secret_hash, k.previous_secret_expires_at
		FROM api_keys k
		JOIN accounts a ON a.account_id = k.account_id
		WHERE k.account_id = $1 AND k.key = $2 AND k.enabled AND k.deleted_at IS NULL`, accountOfKey(key), key)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fault("authenticate key", err)
	}
	c := credential{hash: row.SecretHash, previous: row.PreviousSecretHash, previousEnds: row.PreviousSecretExpiresAt}
	if !c.opens(secret, r.At) {
		return &graph.Viewer{Request: r}, nil
	}
	db.noteKeyUse(ctx, row.Key.AccountID, row.Key.KeyID, row.Key.LastUsedAt, r.At)
	v, err := db.keyViewer(ctx, &row.Key, &row.Account, r)
	if err != nil {
		return nil, err
	}
	v.Proof = sha256.Sum256([]byte(secret))
	return v, nil
}
