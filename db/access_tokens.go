package db

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// tokenColumns are the columns of an access token t whose creator is user c.
var tokenColumns = columnList{"account_id", "token_id", "name", "hint", "granted",
	`status = CASE WHEN @.revoked_at IS NOT NULL OR c.status <> 'ACTIVE' THEN 'REVOKED' WHEN @.expires_at <= $3 THEN 'EXPIRED' ELSE 'ACTIVE' END`,
	"created_at", "expires_at", "last_used_at"}

// tokensAndCreators joins every access token t with its creator c.
const tokensAndCreators = `access_tokens t JOIN users c ON c.account_id = t.account_id AND c.user_id = t.created_by`

// tokenRow is an access token as it is stored.
type tokenRow struct {
	graph.AccessToken
	CreatedBy graph.UUID
}

// tokenVisible is the condition on access tokens t of the account $1.
func tokenVisible(v *graph.Viewer) string {
	switch {
	case v.SeesTokens():
		return everything
	case v.Kind == graph.KindOfToken:
		return `(t.token_id = $2 AND ` + everything + `)`
	}
	return nothing
}

// AccessTokens reads those of the access tokens that are visible, in no order.
func (db *DB) AccessTokens(ctx context.Context, v *graph.Viewer, account graph.UUID, tokens []graph.UUID) ([]*graph.AccessToken, error) {
	if !v.Enters(account) || len(tokens) == 0 {
		return nil, nil
	}
	var rows []*tokenRow
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT `+tokenColumns.of("t")+`, t.created_by
		FROM `+tokensAndCreators+`
		WHERE t.account_id = $1 AND t.token_id = ANY($4) AND `+tokenVisible(v), about(v, account, uuidArray(tokens))...)
	if err != nil {
		return nil, fault("read access tokens", err)
	}
	return db.completeTokens(ctx, v, account, rows)
}

// AccessTokensOf reads a page of the account's access tokens, the newest first.
func (db *DB) AccessTokensOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window,
	ask Ask) (*graph.AccessTokenConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	page, err := readPage(ctx, db, listing{
		columns: tokenColumns.of("t") + `, t.created_by`,
		from:    tokensAndCreators + ` WHERE t.account_id = $1 AND ` + tokenVisible(v),
		id:      "t.token_id",
		args:    about(v, account),
	}, w, ask, func(t *tokenRow) graph.Cursor { return graph.Cursor{ID: t.TokenID} })
	if err != nil {
		return nil, fault("list access tokens", err)
	}
	list, err := db.completeTokens(ctx, v, account, page.Nodes)
	return &graph.AccessTokenConnection{Page: graph.Page[graph.AccessToken]{Nodes: list, Order: page.Order, Next: page.Next,
		Previous: page.Previous, Total: page.Total,
		Place: func(t *graph.AccessToken) graph.Cursor { return graph.Cursor{ID: t.TokenID} }}}, err
}

// completeTokens gives the tokens their creators and keys, as far as these are visible.
func (db *DB) completeTokens(ctx context.Context, v *graph.Viewer, account graph.UUID, rows []*tokenRow) ([]*graph.AccessToken, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	list := make([]*graph.AccessToken, len(rows))
	tokens := make(index[graph.AccessToken], len(rows))
	var creators []graph.UUID
	for i, row := range rows {
		list[i] = &row.AccessToken
		tokens[row.TokenID] = list[i]
		creators = appendSet(creators, &row.CreatedBy)
	}
	users, err := db.usersByID(ctx, v, account, creators)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		row.AccessToken.CreatedBy = users.at(&row.CreatedBy)
	}
	return list, db.keysOfTokens(ctx, v, account, tokens)
}

func (db *DB) keysOfTokens(ctx context.Context, v *graph.Viewer, account graph.UUID, tokens index[graph.AccessToken]) error {
	wanted := make([]graph.UUID, 0, len(tokens))
	for id := range tokens {
		wanted = append(wanted, id)
	}
	var rows []struct {
		TokenID graph.UUID
		Key     *graph.ApiKey
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT tk.token_id, `+keyColumns.as("k", "key")+`
		FROM access_token_keys tk
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = tk.key_id
		WHERE tk.account_id = $1 AND tk.token_id = ANY($4) AND `+keyVisible(v, "k.key_id")+`
		ORDER BY k.key_id`, about(v, account, uuidArray(wanted))...)
	for _, row := range rows {
		t := tokens[row.TokenID]
		t.Keys = append(t.Keys, row.Key)
	}
	return fault("read keys of access tokens", err)
}

// CreateAccessToken makes a token with no more than v has and gives it with its text, which is kept as a hash only. NotFound
// for keys that are hidden or missing, and what graph.Viewer.MayCreateToken refuses.
func (db *DB) CreateAccessToken(ctx context.Context, v *graph.Viewer, in graph.CreateAccessTokenInput) (*graph.AccessToken, string, error) {
	var made *graph.AccessToken
	var answer createdToken
	c := call{"createAccessToken", in.IdempotencyKey, in}
	repeated, err := db.changeOnce(ctx, v, graph.ManageTokens, stays, c, &answer, func(tx *sqlx.Tx, v *graph.Viewer) error {
		if err := v.MayCreateToken(in); err != nil {
			return err
		}
		keys, err := keysNamed(ctx, tx, v, in.KeyIds)
		if err != nil {
			return err
		}
		secret := newToken(accessToken, v.AccountID(), newID())
		text := secret.String()
		answer = createdToken{secret.row, text}
		made = &graph.AccessToken{AccountID: secret.account, TokenID: secret.row, Name: in.Name, Hint: text[len(text)-4:],
			Granted: graph.Capabilities(in.Capabilities...), Status: graph.TokenActive, CreatedBy: v.User, Keys: keys,
			CreatedAt: v.Request.At, ExpiresAt: in.ExpiresAt.UTC().Truncate(time.Microsecond)}
		return insertAccessToken(ctx, tx, v, made, secret.hash())
	})
	if err != nil || !repeated {
		return made, answer.Text, err
	}
	return db.tokenAgain(ctx, v, answer)
}

func insertAccessToken(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, t *graph.AccessToken, hash []byte) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO access_tokens (account_id, token_id, name, hint, granted, secret_hash, created_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		t.AccountID, t.TokenID, t.Name, t.Hint, t.Granted, hash, v.UserID(), t.CreatedAt, t.ExpiresAt)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO access_token_keys (account_id, token_id, key_id)
		SELECT $1, $2, k.key_id FROM unnest($3::uuid[]) AS k (key_id)`,
		t.AccountID, t.TokenID, uuidArray(ids(t.Keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID })))
	if err != nil {
		return err
	}
	// The keys stay unnamed: who reads the trail need not see them.
	return audit(ctx, tx, v, t.AccountID, event{Action: graph.TokenCreated, Summary: "Created the access token " + t.Name + ".",
		Changes: []*graph.AuditChange{graph.Changed("capabilities", "", join(t.Capabilities(), ", ")),
			graph.Changed("expiresAt", "", instant(&t.ExpiresAt))}})
}

// keysNamed reads the visible keys with the ids, in their order. NotFound at input.keyIds for the first that is not.
func keysNamed(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, wanted []graph.ID) ([]*graph.ApiKey, error) {
	account := v.AccountID()
	ids := make([]graph.UUID, len(wanted))
	for i, id := range wanted {
		ids[i] = id.In(account, graph.KindKey)
	}
	keys, err := byID(ids, func(ids []graph.UUID) ([]*graph.ApiKey, error) { return visibleKeys(ctx, tx, v, account, ids) },
		func(k *graph.ApiKey) graph.UUID { return k.KeyID })
	if err != nil {
		return nil, err
	}
	list := make([]*graph.ApiKey, len(ids))
	for i := range ids {
		if list[i] = keys.at(&ids[i]); list[i] == nil {
			return nil, graph.Missing("input.keyIds." + strconv.Itoa(i))
		}
	}
	return list, nil
}

// RevokeAccessToken ends a token, at its next request and for good; a repeat changes nothing. NotFound for a token that is
// hidden or missing.
func (db *DB) RevokeAccessToken(ctx context.Context, v *graph.Viewer, in graph.AccessTokenIDInput) (*graph.AccessToken, error) {
	token := in.AccessTokenID.In(v.AccountID(), graph.KindAccessToken)
	err := db.changeAs(ctx, v, graph.ManageTokens, stays, "revoke access token", func(tx *sqlx.Tx, v *graph.Viewer) error {
		var row struct {
			Name      string
			RevokedAt *time.Time
		}
		err := tx.GetContext(ctx, &row, `
			SELECT t.name, t.revoked_at
			FROM access_tokens t
			WHERE t.account_id = $1 AND t.token_id = $4 AND `+tokenVisible(v)+`
			FOR NO KEY UPDATE`, about(v, v.AccountID(), token)...)
		if errors.Is(err, sql.ErrNoRows) {
			return graph.Missing("input.accessTokenId")
		}
		if err != nil || row.RevokedAt != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE access_tokens SET revoked_at = $3
			WHERE account_id = $1 AND token_id = $2`, v.AccountID(), token, v.Request.At)
		if err != nil {
			return err
		}
		touch(tx, v.AccountID())
		return audit(ctx, tx, v, v.AccountID(), event{Action: graph.TokenWasRevoked, Summary: "Revoked the access token " + row.Name + "."})
	})
	if err != nil {
		return nil, err
	}
	list, err := db.AccessTokens(ctx, v, v.AccountID(), []graph.UUID{token})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}
