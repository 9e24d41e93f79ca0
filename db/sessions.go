package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// sessionLifetime is how long a session lasts.
const sessionLifetime = 7 * 24 * time.Hour

// Session is a started session: the viewer, and the token that is shown once.
type Session struct {
	Viewer    *graph.Viewer
	Token     string
	ExpiresAt time.Time
}

// Authenticate gives the viewer behind a token, nobody when it is empty, malformed, unknown, expired or revoked. A database
// that does not answer is Unavailable, never nobody.
func (db *DB) Authenticate(ctx context.Context, text string, r graph.Request) (*graph.Viewer, error) {
	if t, ok := parseToken(text, operatorToken); ok {
		return db.operatorViewer(ctx, t, r)
	}
	if t, ok := parseToken(text, sessionToken); ok {
		return db.sessionViewer(ctx, t, r)
	}
	if t, ok := parseToken(text, accessToken); ok {
		return db.tokenViewer(ctx, t, r)
	}
	return &graph.Viewer{Request: r}, nil
}

func (db *DB) sessionViewer(ctx context.Context, t token, r graph.Request) (*graph.Viewer, error) {
	row, err := db.sessions.read(ctx, [2]graph.UUID{t.account, t.row}, r.At, func(ctx context.Context, at time.Time) (*sessionRights, error) {
		return db.sessionNow(ctx, t.account, t.row, at)
	})
	if err != nil {
		return nil, fault("authenticate session", err)
	}
	if row == nil || !t.opens(row.SecretHash) {
		return &graph.Viewer{Request: r}, nil
	}
	db.used(ctx, t, row.LastUsedAt, r.At)
	return db.userViewer(ctx, row.User.Copy(), row.Account.Copy(), t.row, r)
}

// sessionRights is what a session's user may do and see now.
type sessionRights struct {
	User       graph.User
	Account    graph.Account
	SecretHash []byte
	LastUsedAt time.Time
}

// sessionNow reads a session that may be used: nil when it is unknown or has ended, or its user is not active.
func (db *DB) sessionNow(ctx context.Context, account, session graph.UUID, at time.Time) (*sessionRights, error) {
	var row sessionRights
	err := db.pool.GetContext(ctx, &row, `
		SELECT `+userColumns.as("u", "user")+`, `+accountColumns.as("a", "account")+`, s.secret_hash,
			coalesce(s.last_used_at, s.created_at) AS last_used_at
		FROM sessions s
		JOIN users u ON u.account_id = s.account_id AND u.user_id = s.user_id
		JOIN accounts a ON a.account_id = s.account_id
		WHERE s.account_id = $1 AND s.session_id = $2 AND s.expires_at > $3 AND u.status = 'ACTIVE'`, account, session, at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &row, err
}

func (db *DB) userViewer(ctx context.Context, u *graph.User, a *graph.Account, session graph.UUID, r graph.Request) (*graph.Viewer, error) {
	keys, err := db.keysOf(ctx, u, a)
	return &graph.Viewer{Kind: graph.KindOfUser, User: u, Account: a, SessionID: session, Keys: keys, Request: r}, err
}

// refused is the one answer for an unknown address, a wrong password and a disabled user.
func refused() error {
	return &graph.Error{Code: graph.InvalidCredentials, Message: "The address or the password is wrong.", Path: []string{"input"}}
}

// SignIn starts a session for a person with an address and a password, in the account that they name or entered last.
// InvalidCredentials for an unknown address, a wrong password, and when they are no active user there; RateLimited after
// too many of these.
func (db *DB) SignIn(ctx context.Context, v *graph.Viewer, in graph.SignInInput) (*Session, error) {
	p, err := db.personByEmail(ctx, db.pool, in.Email)
	if err != nil {
		return nil, fault("sign in", err)
	}
	ok, err := db.provePassword(ctx, v.Request, in.Email, in.Password, p)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refused()
	}
	members, err := db.memberships(ctx, p.PersonID)
	if err != nil {
		return nil, fault("sign in", err)
	}
	for _, m := range members {
		if in.AccountID != nil && (in.AccountID.Kind != graph.KindAccount || in.AccountID.Account != m.AccountID) {
			continue
		}
		s, err := db.enter(ctx, v.Request, p, m)
		if err != nil {
			return nil, err
		}
		if s != nil {
			return s, db.forgive(ctx, passwordCounters(v.Request, in.Email))
		}
	}
	db.noteRefusal(ctx, v.Request, p.PersonID, "A sign-in was refused to ")
	return nil, refused()
}

type membership struct{ PersonID, AccountID, UserID graph.UUID }

// memberships gives the accounts of a person, the one entered last first.
func (db *DB) memberships(ctx context.Context, person graph.UUID) ([]membership, error) {
	var list []membership
	err := db.pool.SelectContext(ctx, &list, `
		SELECT person_id, account_id, user_id
		FROM memberships
		WHERE person_id = $1
		ORDER BY last_entered_at DESC, account_id`, person)
	return list, err
}

// enter starts a session of an active user; nil when the user is disabled or gone, or the password that p has proved is
// theirs no more.
func (db *DB) enter(ctx context.Context, r graph.Request, p person, m membership) (*Session, error) {
	var s *Session
	err := db.transact(ctx, "start session", func(tx *sqlx.Tx) error {
		s = nil
		if _, still, err := stillProven(ctx, tx, p); err != nil || !still {
			return err
		}
		v, err := viewerNow(ctx, tx, memberViewer(m, r), changes)
		if graph.ErrorCode(err) == graph.Unauthenticated {
			return nil
		}
		if err != nil {
			return err
		}
		s, err = startSession(ctx, tx, v)
		if err != nil {
			return err
		}
		return audit(ctx, tx, v, m.AccountID, event{Action: graph.SignedIn, User: &v.User.UserID, Summary: v.User.DisplayName + " signed in."})
	})
	if err != nil || s == nil {
		return nil, err
	}
	return s, db.loadKeys(ctx, s)
}

func memberViewer(m membership, r graph.Request) *graph.Viewer {
	return &graph.Viewer{Kind: graph.KindOfUser, User: &graph.User{UserID: m.UserID}, Account: &graph.Account{AccountID: m.AccountID}, Request: r}
}

func (db *DB) loadKeys(ctx context.Context, s *Session) (err error) {
	s.Viewer.Keys, err = db.keysOf(ctx, s.Viewer.User, s.Viewer.Account)
	return err
}

// startSession makes a session for v, notes the sign-in, and sweeps the user's ended sessions.
func startSession(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer) (*Session, error) {
	at := v.Request.At
	t := newToken(sessionToken, v.AccountID(), newID())
	v.SessionID = t.row
	v.User.LastSignInAt = &at
	s := &Session{Viewer: v, Token: t.String(), ExpiresAt: at.Add(sessionLifetime)}
	var address *string
	if v.Request.Address != "" {
		address = &v.Request.Address
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO sessions (account_id, session_id, user_id, secret_hash, created_at, expires_at, ip_address)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, t.account, t.row, v.UserID(), t.hash(), at, s.ExpiresAt, address)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM sessions
		WHERE account_id = $1 AND user_id = $2 AND expires_at <= $3`, t.account, v.UserID(), at)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE users SET last_sign_in_at = $3
		WHERE account_id = $1 AND user_id = $2`, t.account, v.UserID(), at)
	if err != nil {
		return nil, err
	}
	return s, insertMembership(ctx, tx, v.User, at)
}

// SignOut ends the session of v; it is refused from the next request on. It says how many sessions it ended.
func (db *DB) SignOut(ctx context.Context, v *graph.Viewer) (int, error) {
	var ended int
	err := db.transact(ctx, "sign out", func(tx *sqlx.Tx) (err error) {
		ended, err = endSession(ctx, tx, v, strings.TrimSpace(v.User.DisplayName)+" signed out.")
		return err
	})
	return ended, err
}

// endSession ends the session of v, if it has not ended before, and notes that v signed out.
func endSession(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, summary string) (int, error) {
	result, err := tx.ExecContext(ctx, `
		DELETE FROM sessions
		WHERE account_id = $1 AND session_id = $2`, v.AccountID(), v.SessionID)
	if err != nil {
		return 0, err
	}
	ended, err := result.RowsAffected()
	if err != nil || ended == 0 {
		return 0, err
	}
	touch(tx, v.AccountID())
	return int(ended), audit(ctx, tx, v, v.AccountID(), event{Action: graph.SignedOut, User: &v.User.UserID, Summary: summary})
}
