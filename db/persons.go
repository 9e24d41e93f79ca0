package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// person is somebody who signs in.
type person struct {
	PersonID     graph.UUID
	Email        string
	DisplayName  string
	PasswordHash string
}

const personColumns = `person_id, email, display_name, password_hash`

// personByEmail finds the person with an address; the zero person when it is unknown. The address is looked up in its own
// table first: together with the person it would touch two machines in one statement.
func (db *DB) personByEmail(ctx context.Context, q sqlx.QueryerContext, address string) (person, error) {
	var p person
	err := sqlx.GetContext(ctx, q, &p.PersonID, `
		SELECT person_id FROM logins
		WHERE email_key = $1`, graph.EmailKey(address))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return p, err
	}
	// An unknown address looks for the zero UUID: as many statements, as much time.
	err = sqlx.GetContext(ctx, q, &p, `
		SELECT `+personColumns+`
		FROM persons
		WHERE person_id = $1`, p.PersonID)
	if errors.Is(err, sql.ErrNoRows) {
		return person{}, nil
	}
	return p, err
}

// insertPerson adds a person with a new address.
func insertPerson(ctx context.Context, tx *sqlx.Tx, p person, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO logins (email_key, person_id)
		VALUES ($1, $2)`, p.Email, p.PersonID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO persons (person_id, email, display_name, password_hash, created_at)
		VALUES ($1, $2, $3, $4, $5)`, p.PersonID, p.Email, p.DisplayName, p.PasswordHash, at)
	return err
}

// personLock says how a transaction holds a person. It takes it first, before users and accounts.
type personLock string

const (
	// personStays: the name and the password stay as they are until the transaction ends, so that no session starts with a
	// password that is being replaced, and no user with a name that is.
	personStays personLock = "FOR SHARE"
	// personChanges: the transaction changes them, or ends all sessions.
	personChanges personLock = "FOR NO KEY UPDATE"
)

func lockPerson(ctx context.Context, tx *sqlx.Tx, id graph.UUID, lock personLock) (person, error) {
	var p person
	err := tx.GetContext(ctx, &p, `
		SELECT `+personColumns+`
		FROM persons
		WHERE person_id = $1
		`+string(lock), id)
	return p, err
}

// stillProven locks a person who has proved a password, and reports whether it is still theirs.
func stillProven(ctx context.Context, tx *sqlx.Tx, p person) (person, bool, error) {
	now, err := lockPerson(ctx, tx, p.PersonID, personStays)
	return now, err == nil && now.PasswordHash == p.PasswordHash, err
}

// usersOfPerson reads the users that a person is, disabled ones included, by account.
func usersOfPerson(ctx context.Context, tx *sqlx.Tx, person graph.UUID) ([]*graph.User, error) {
	var accounts []graph.UUID
	err := tx.SelectContext(ctx, &accounts, `
		SELECT account_id FROM memberships
		WHERE person_id = $1`, person)
	if err != nil || len(accounts) == 0 {
		return nil, err
	}
	var users []*graph.User
	err = tx.SelectContext(ctx, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = ANY($1) AND u.person_id = $2
		ORDER BY u.account_id`, uuidArray(accounts), person)
	return users, err
}

// asUser is a viewer for what a person does in one of their accounts.
func asUser(u *graph.User, r graph.Request) *graph.Viewer {
	return &graph.Viewer{Kind: graph.KindOfUser, User: u, Account: &graph.Account{AccountID: u.AccountID}, Request: r}
}

// UpdateProfile changes the name of the person behind v in all their accounts; a repeat changes nothing. AccountSuspended,
// and Invalid for a name that cannot be seen.
func (db *DB) UpdateProfile(ctx context.Context, v *graph.Viewer, in graph.UpdateProfileInput) (*graph.User, error) {
	name, err := in.Name()
	if err != nil {
		return nil, err
	}
	var user graph.User
	err = db.transact(ctx, "update profile", func(tx *sqlx.Tx) error {
		if _, err := lockPerson(ctx, tx, v.User.PersonID, personChanges); err != nil {
			return err
		}
		now, err := viewerNow(ctx, tx, v, changes)
		if err != nil {
			return err
		}
		if err := now.MayChange(); err != nil {
			return err
		}
		if err := rename(ctx, tx, v.Request, now.User.PersonID, name); err != nil {
			return err
		}
		return tx.GetContext(ctx, &user, `
			SELECT `+userColumns.of("u")+`
			FROM users u
			WHERE u.account_id = $1 AND u.user_id = $2`, now.AccountID(), now.UserID())
	})
	if err != nil {
		return nil, err
	}
	return &user, nil
}

// rename gives a person a name, and the users that they are where it is not theirs already.
func rename(ctx context.Context, tx *sqlx.Tx, r graph.Request, person graph.UUID, name string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE persons SET display_name = $2
		WHERE person_id = $1`, person, name)
	if err != nil {
		return err
	}
	users, err := usersOfPerson(ctx, tx, person)
	if err != nil {
		return err
	}
	for _, u := range users {
		if u.DisplayName == name {
			continue
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE users SET display_name = $3
			WHERE account_id = $1 AND user_id = $2`, u.AccountID, u.UserID, name)
		if err != nil {
			return err
		}
		err = audit(ctx, tx, asUser(u, r), u.AccountID, event{Action: graph.ProfileChanged, User: &u.UserID,
			Summary: u.DisplayName + " changed their name to " + name + ".",
			Changes: []*graph.AuditChange{graph.Changed("displayName", u.DisplayName, name)}})
		if err != nil {
			return err
		}
	}
	return nil
}

// ChangePassword sets a new password of the person behind v, ends all their other sessions and says how many these were.
// InvalidCredentials when the password in use is another; RateLimited.
func (db *DB) ChangePassword(ctx context.Context, v *graph.Viewer, in graph.ChangePasswordInput) (int, error) {
	p, err := db.proveAgain(ctx, v, in.CurrentPassword)
	if err != nil {
		return 0, err
	}
	hash, err := db.hashPassword(ctx, in.NewPassword)
	if err != nil {
		return 0, err
	}
	var ended int
	err = db.transact(ctx, "change password", func(tx *sqlx.Tx) error {
		ended = 0
		now, err := lockPerson(ctx, tx, p.PersonID, personChanges)
		if err != nil {
			return err
		}
		if now.PasswordHash != p.PasswordHash {
			return wrongPassword()
		}
		ended, err = db.setPassword(ctx, tx, v.Request, p, hash, v.SessionID)
		return err
	})
	return ended, err
}

func wrongPassword() error {
	return (&graph.Error{Code: graph.InvalidCredentials, Message: "The password is wrong."}).At("input.currentPassword")
}

// proveAgain gives the person behind v, who has to prove it with their password: InvalidCredentials, RateLimited.
func (db *DB) proveAgain(ctx context.Context, v *graph.Viewer, password string) (person, error) {
	var p person
	err := db.pool.GetContext(ctx, &p, `
		SELECT `+personColumns+`
		FROM persons
		WHERE person_id = $1`, v.User.PersonID)
	if err != nil {
		return p, fault("read person", err)
	}
	ok, err := db.provePassword(ctx, v.Request, p.Email, password, p)
	if err != nil {
		return p, err
	}
	if !ok {
		return p, wrongPassword()
	}
	return p, db.forgive(ctx, passwordCounters(v.Request, p.Email))
}

// setPassword replaces the password of a locked person, takes back links for a new one, and ends all sessions but one. It
// says how many it ended.
func (db *DB) setPassword(ctx context.Context, tx *sqlx.Tx, r graph.Request, p person, hash string, but graph.UUID) (int, error) {
	_, err := tx.ExecContext(ctx, `
		UPDATE persons SET password_hash = $2
		WHERE person_id = $1`, p.PersonID, hash)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM password_resets
		WHERE person_id = $1`, p.PersonID)
	if err != nil {
		return 0, err
	}
	users, err := usersOfPerson(ctx, tx, p.PersonID)
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, u := range users {
		ended, err := endSessions(ctx, tx, u, but)
		if err != nil {
			return 0, err
		}
		sum += ended
		err = audit(ctx, tx, asUser(u, r), u.AccountID, event{Action: graph.PasswordChanged, User: &u.UserID,
			Summary: u.DisplayName + " set a new password."})
		if err != nil {
			return 0, err
		}
	}
	return sum, db.mailPasswordChanged(ctx, tx, r, p.Email)
}
