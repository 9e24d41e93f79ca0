package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

const (
	// lastUseWithin is how exact the last use of a session is: one write in that time, not one per request.
	lastUseWithin = 5 * time.Minute
	// listedSessions is how many sessions a person is shown.
	listedSessions = 100
)

// used notes that a session is in use, after the answer and not too often.
func (db *DB) used(ctx context.Context, t token, last time.Time, at time.Time) {
	if at.Sub(last) < lastUseWithin {
		return
	}
	db.laterIfRoom(ctx, "note use of session", func(ctx context.Context) error {
		_, err := db.pool.ExecContext(ctx, `
			UPDATE sessions SET last_used_at = $3
			WHERE account_id = $1 AND session_id = $2 AND coalesce(last_used_at, created_at) < $3`, t.account, t.row, at)
		return err
	})
}

// Memberships gives the accounts that the person behind v can enter, by name; none for others than users.
func (db *DB) Memberships(ctx context.Context, v *graph.Viewer) ([]*graph.Membership, error) {
	accounts, err := db.accountsOf(ctx, v)
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	var list []*graph.Membership
	err = db.pool.SelectContext(ctx, &list, `
		SELECT a.account_id AS account, a.name AS account_name, u.is_primary, u.granted, a.account_id = $3 AS current
		FROM users u
		JOIN accounts a ON a.account_id = u.account_id
		WHERE u.account_id = ANY($1) AND u.person_id = $2 AND u.status = 'ACTIVE'
		ORDER BY lower(a.name) COLLATE "C", a.account_id`, accounts, v.User.PersonID, v.AccountID())
	return list, fault("list memberships", err)
}

// accountsOf gives the accounts of the person behind v, as a parameter; empty for others than users.
func (db *DB) accountsOf(ctx context.Context, v *graph.Viewer) (string, error) {
	if v.Kind != graph.KindOfUser {
		return "", nil
	}
	members, err := db.memberships(ctx, v.User.PersonID)
	if err != nil || len(members) == 0 {
		return "", fault("list memberships", err)
	}
	accounts := make([]graph.UUID, len(members))
	for i, m := range members {
		accounts[i] = m.AccountID
	}
	return uuidArray(accounts), nil
}

// Sessions gives the sessions of the person behind v in all accounts, the newest 100, the newest first; none for others
// than users.
func (db *DB) Sessions(ctx context.Context, v *graph.Viewer) ([]*graph.Session, error) {
	accounts, err := db.accountsOf(ctx, v)
	if err != nil || accounts == "" {
		return nil, err
	}
	var list []*graph.Session
	err = db.pool.SelectContext(ctx, &list, `
		SELECT s.account_id, s.session_id, a.name AS account_name, s.created_at, coalesce(s.last_used_at, s.created_at) AS last_used_at,
			s.expires_at, s.account_id = $4 AND s.session_id = $5 AS current, s.ip_address
		FROM users u
		JOIN accounts a ON a.account_id = u.account_id
		JOIN sessions s ON s.account_id = u.account_id AND s.user_id = u.user_id
		WHERE u.account_id = ANY($1) AND u.person_id = $2 AND u.status = 'ACTIVE' AND s.expires_at > $3
		ORDER BY s.created_at DESC, s.session_id DESC
		LIMIT $6`, accounts, v.User.PersonID, v.Request.At, v.AccountID(), v.SessionID, listedSessions)
	return list, fault("list sessions", err)
}

// endSessions ends all sessions of a user but one, and says how many these were.
func endSessions(ctx context.Context, tx *sqlx.Tx, u *graph.User, but graph.UUID) (int, error) {
	result, err := tx.ExecContext(ctx, `
		DELETE FROM sessions
		WHERE account_id = $1 AND user_id = $2 AND session_id <> $3`, u.AccountID, u.UserID, but)
	if err != nil {
		return 0, err
	}
	touch(tx, u.AccountID)
	ended, err := result.RowsAffected()
	return int(ended), err
}

// SignOutEverywhere ends all sessions of the person behind v, and says how many it ended.
func (db *DB) SignOutEverywhere(ctx context.Context, v *graph.Viewer) (int, error) {
	var sum int
	err := db.transact(ctx, "sign out everywhere", func(tx *sqlx.Tx) error {
		sum = 0
		if _, err := lockPerson(ctx, tx, v.User.PersonID, personChanges); err != nil {
			return err
		}
		users, err := usersOfPerson(ctx, tx, v.User.PersonID)
		if err != nil {
			return err
		}
		for _, u := range users {
			ended, err := endSessions(ctx, tx, u, graph.UUID{})
			if err != nil {
				return err
			}
			if ended == 0 {
				continue
			}
			sum += ended
			err = audit(ctx, tx, asUser(u, v.Request), u.AccountID, event{Action: graph.SignedOut, User: &u.UserID,
				Summary: u.DisplayName + " signed out everywhere."})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return sum, err
}

// RevokeSession ends one of the sessions of the person behind v, in whichever account. NotFound for all others, and for
// one that has ended.
func (db *DB) RevokeSession(ctx context.Context, v *graph.Viewer, session graph.ID) error {
	return db.transact(ctx, "revoke session", func(tx *sqlx.Tx) error {
		var u graph.User
		err := tx.GetContext(ctx, &u, `
			SELECT `+userColumns.of("u")+`
			FROM users u
			JOIN sessions s ON s.account_id = u.account_id AND s.user_id = u.user_id
			WHERE u.account_id = $1 AND u.person_id = $2 AND s.session_id = $3 AND s.expires_at > $4
			FOR UPDATE OF s`, session.Account, v.User.PersonID, session.In(session.Account, graph.KindSession), v.Request.At)
		if errors.Is(err, sql.ErrNoRows) {
			return graph.Missing("input.sessionId")
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			DELETE FROM sessions
			WHERE account_id = $1 AND session_id = $2`, u.AccountID, session.Object)
		if err != nil {
			return err
		}
		touch(tx, u.AccountID)
		return audit(ctx, tx, asUser(&u, v.Request), u.AccountID, event{Action: graph.SessionRevoked, User: &u.UserID,
			Summary: u.DisplayName + " ended a session."})
	})
}

// SwitchAccount starts a session of the person behind v in another of their accounts, and ends that of v. NotFound for an
// account where they are no active user; Unauthenticated when the session of v has ended.
func (db *DB) SwitchAccount(ctx context.Context, v *graph.Viewer, account graph.ID) (*Session, error) {
	var s *Session
	err := db.transact(ctx, "switch account", func(tx *sqlx.Tx) error {
		if _, err := lockPerson(ctx, tx, v.User.PersonID, personStays); err != nil {
			return err
		}
		member, err := memberOf(ctx, tx, v, account)
		if err != nil {
			return err
		}
		ended, err := endSession(ctx, tx, v, v.User.DisplayName+" left for another account.")
		if err != nil {
			return err
		}
		if ended == 0 {
			return signedOut()
		}
		if s, err = startSession(ctx, tx, member); err != nil {
			return err
		}
		return audit(ctx, tx, member, member.AccountID(), event{Action: graph.SignedIn, User: &member.User.UserID,
			Summary: member.User.DisplayName + " came from another account."})
	})
	if err != nil {
		return nil, err
	}
	return s, db.loadKeys(ctx, s)
}

// memberOf gives the person behind v as an active user of an account: NotFound when they are none there.
func memberOf(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.ID) (*graph.Viewer, error) {
	if account.Kind != graph.KindAccount {
		return nil, graph.Missing("input.accountId")
	}
	var m membership
	err := tx.GetContext(ctx, &m, `
		SELECT person_id, account_id, user_id
		FROM memberships
		WHERE person_id = $1 AND account_id = $2`, v.User.PersonID, account.Account)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, graph.Missing("input.accountId")
	}
	if err != nil {
		return nil, err
	}
	member, err := viewerNow(ctx, tx, memberViewer(m, v.Request), changes)
	if graph.ErrorCode(err) == graph.Unauthenticated {
		return nil, graph.Missing("input.accountId")
	}
	return member, err
}
