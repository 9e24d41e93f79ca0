package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// resetLifetime is how long a link for a new password is valid.
const resetLifetime = time.Hour

// PasswordReset is a token for a new password, and to whom it is to be sent.
type PasswordReset struct {
	Known       bool // whether anybody has the address; if not, the token opens nothing
	Email       string
	DisplayName string
	Token       string
}

// RequestPasswordReset makes a token for a new password of the person with the address, and ends earlier ones. For an
// address that nobody has it does the same work for nobody. RateLimited when it is asked for too often.
func (db *DB) RequestPasswordReset(ctx context.Context, v *graph.Viewer, email string) (PasswordReset, error) {
	if err := db.count(ctx, v.Request.At, resetCounters(v.Request, email)); err != nil {
		return PasswordReset{}, err
	}
	p, err := db.personByEmail(ctx, db.pool, email)
	if err != nil {
		return PasswordReset{}, fault("request password reset", err)
	}
	known := p.PasswordHash != ""
	if !known { // one row for each address, which no person has
		sum := sha256.Sum256([]byte(graph.EmailKey(email)))
		p.PersonID = graph.UUID(sum[:16])
	}
	t, expiresAt := newToken(resetToken, p.PersonID, graph.UUID{}), v.Request.At.Add(resetLifetime)
	_, err = db.pool.ExecContext(ctx, `
		INSERT INTO password_resets (person_id, secret_hash, expires_at)
		VALUES ($1, $2, $3)
		ON CONFLICT (person_id) DO UPDATE SET secret_hash = excluded.secret_hash, expires_at = excluded.expires_at`,
		p.PersonID, t.hash(), expiresAt)
	if err != nil {
		return PasswordReset{}, fault("request password reset", err)
	}
	// After the answer, whose time then tells nobody whether there is somebody to write to.
	db.later(ctx, "queue link for a new password", func(ctx context.Context) error {
		if !known {
			return nil
		}
		return db.transact(ctx, "queue link for a new password", func(tx *sqlx.Tx) error {
			return db.mailPasswordReset(ctx, tx, v.Request, p.Email, v.Request.Links.PasswordReset(t.String()), expiresAt)
		})
	})
	return PasswordReset{Known: known, Email: p.Email, DisplayName: p.DisplayName, Token: t.String()}, nil
}

// badReset is the one answer for a token that is malformed, unknown, used, replaced or too old.
func badReset() error {
	return (&graph.Error{Code: graph.InvalidCredentials, Message: "The link is not valid, or no longer."}).At("input.token")
}

// ResetPassword sets a new password with the token of a link, once, and ends all sessions of the person.
// InvalidCredentials for a token that is not valid.
func (db *DB) ResetPassword(ctx context.Context, v *graph.Viewer, in graph.ResetPasswordInput) error {
	t, ok := parseToken(in.Token, resetToken)
	if !ok {
		return badReset()
	}
	if err := checkReset(ctx, db.pool, t, v.Request.At); err != nil {
		return fault("reset password", err)
	}
	hash, err := db.hashPassword(ctx, in.NewPassword)
	if err != nil {
		return err
	}
	var p person
	err = db.transact(ctx, "reset password", func(tx *sqlx.Tx) error {
		p, err = lockPerson(ctx, tx, t.account, personChanges)
		if errors.Is(err, sql.ErrNoRows) {
			return badReset()
		}
		if err != nil {
			return err
		}
		if err := checkReset(ctx, tx, t, v.Request.At); err != nil { // used at the same moment
			return err
		}
		_, err = db.setPassword(ctx, tx, v.Request, p, hash, graph.UUID{})
		return err
	})
	if err != nil {
		return err
	}
	return db.forgive(ctx, passwordCounters(v.Request, p.Email))
}

func checkReset(ctx context.Context, q sqlx.QueryerContext, t token, at time.Time) error {
	var stored []byte
	err := sqlx.GetContext(ctx, q, &stored, `
		SELECT secret_hash FROM password_resets
		WHERE person_id = $1 AND expires_at > $2`, t.account, at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !t.opens(stored) {
		return badReset()
	}
	return err
}
