package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// DefaultValidDays is how long an invitation is valid when nobody says.
const DefaultValidDays = 7

// NewInvitation is a sent invitation with its link and the token in that, which are shown once.
type NewInvitation struct {
	Invitation *graph.Invitation
	Token      string
	Link       string
}

// invitationColumns read a pending invitation whose time is over as expired.
var invitationColumns = columnList{"account_id", "invitation_id", "email", "for_primary", "granted", "without_master_key",
	`status = CASE WHEN @.status = 'PENDING' AND @.expires_at <= $3 THEN 'EXPIRED' ELSE @.status END`, "invited_by", "sent_at", "expires_at"}

// invitationRow is an invitation as it is stored.
type invitationRow struct {
	graph.Invitation
	InvitedBy *graph.UUID
}

// invitationVisible is the condition on invitations of the account $1.
func invitationVisible(v *graph.Viewer) string {
	if v.SeesUserDetails() {
		return everything
	}
	return nothing
}

// Invitations reads those of the invitations that are visible, in no order.
func (db *DB) Invitations(ctx context.Context, v *graph.Viewer, account graph.UUID, invitations []graph.UUID) ([]*graph.Invitation, error) {
	if !v.Enters(account) || len(invitations) == 0 {
		return nil, nil
	}
	var rows []*invitationRow
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT `+invitationColumns.of("i")+`
		FROM invitations i
		WHERE i.account_id = $1 AND i.invitation_id = ANY($4) AND `+invitationVisible(v), about(v, account, uuidArray(invitations))...)
	if err != nil {
		return nil, fault("read invitations", err)
	}
	return db.completeInvitations(ctx, v, account, rows)
}

// InvitationsOf reads a page of the account's invitations, the newest first.
func (db *DB) InvitationsOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, status *graph.InvitationStatus,
	ask Ask) (*graph.InvitationConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	page, err := readPage(ctx, db, listing{
		columns: invitationColumns.of("i"),
		from: `invitations i
			WHERE i.account_id = $1 AND ` + invitationVisible(v) + `
			AND ($4::text IS NULL OR CASE WHEN i.status = 'PENDING' AND i.expires_at <= $3 THEN 'EXPIRED' ELSE i.status END = $4)`,
		id:   "i.invitation_id",
		args: about(v, account, status),
	}, w, ask, func(i *invitationRow) graph.Cursor { return graph.Cursor{ID: i.InvitationID} })
	if err != nil {
		return nil, fault("list invitations", err)
	}
	list, err := db.completeInvitations(ctx, v, account, page.Nodes)
	return &graph.InvitationConnection{Page: graph.Page[graph.Invitation]{Nodes: list, Order: page.Order, Next: page.Next,
		Previous: page.Previous, Total: page.Total,
		Place: func(i *graph.Invitation) graph.Cursor { return graph.Cursor{ID: i.InvitationID} }}}, err
}

// completeInvitations gives the invitations their inviters and keys, as far as these are visible.
func (db *DB) completeInvitations(ctx context.Context, v *graph.Viewer, account graph.UUID, rows []*invitationRow) ([]*graph.Invitation, error) {
	list := make([]*graph.Invitation, len(rows))
	invitations := make(index[graph.Invitation], len(rows))
	var inviters []graph.UUID
	for i, row := range rows {
		list[i] = &row.Invitation
		invitations[row.InvitationID] = list[i]
		inviters = appendSet(inviters, row.InvitedBy)
	}
	users, err := db.usersByID(ctx, v, account, inviters)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	for _, row := range rows {
		row.Invitation.InvitedBy = users.at(row.InvitedBy)
	}
	return list, db.keysOfInvitations(ctx, v, account, invitations)
}

func (db *DB) keysOfInvitations(ctx context.Context, v *graph.Viewer, account graph.UUID, invitations index[graph.Invitation]) error {
	wanted := make([]graph.UUID, 0, len(invitations))
	for id := range invitations {
		wanted = append(wanted, id)
	}
	var rows []struct {
		InvitationID graph.UUID
		Key          *graph.ApiKey
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT ik.invitation_id, `+keyColumns.as("k", "key")+`
		FROM invitation_keys ik
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = ik.key_id
		WHERE ik.account_id = $1 AND ik.invitation_id = ANY($4) AND `+keyVisible(v, "k.key_id")+`
		ORDER BY k.key_id`, about(v, account, uuidArray(wanted))...)
	for _, row := range rows {
		i := invitations[row.InvitationID]
		i.Keys = append(i.Keys, row.Key)
	}
	return fault("read keys of invitations", err)
}

// InviteUser invites somebody into the account of v, with no more than v has. NotFound for keys that are hidden or
// missing; Conflict when the address is a user already or has a pending invitation; LimitReached; and what
// graph.Viewer.MayInvite refuses. The answer says nothing about whether the address is known elsewhere.
func (db *DB) InviteUser(ctx context.Context, v *graph.Viewer, in graph.InviteUserInput) (NewInvitation, error) {
	set, err := in.Access.Set("input.access")
	if err != nil {
		return NewInvitation{}, err
	}
	invitation := graph.Invitation{Email: graph.EmailKey(in.Email), Granted: set, WithoutMasterKey: in.WithoutMasterKey}
	var made NewInvitation
	var answer sentInvitation
	c := call{"inviteUser", in.IdempotencyKey, in}
	repeated, err := db.changeOnce(ctx, v, graph.ManageUsers, stays, c, &answer, func(tx *sqlx.Tx, v *graph.Viewer) error {
		i := invitation
		if err := v.MayInvite(i.Granted, len(in.KeyIds)); err != nil {
			return err
		}
		a, err := lockAccount(ctx, tx, v.AccountID())
		if err != nil {
			return err
		}
		if i.Keys, err = keysToInvite(ctx, tx, v, in.KeyIds); err != nil {
			return err
		}
		if !i.WithoutMasterKey {
			if i.WithoutMasterKey, err = masterHidden(ctx, tx, v); err != nil {
				return err
			}
		}
		if err := roomForInvitation(ctx, tx, v, a, i.Email); err != nil {
			return err
		}
		if made, err = insertInvitation(ctx, tx, v, a.AccountID, i, in.ValidDays); err != nil {
			return err
		}
		answer = sentInvitation{made.Invitation.InvitationID, made.Token}
		return db.mailInvitation(ctx, tx, v, a, made)
	})
	if err != nil || !repeated {
		return made, err
	}
	return db.invitationAgain(ctx, v, v.AccountID(), answer)
}

func keysToInvite(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, wanted []graph.ID) ([]*graph.ApiKey, error) {
	keys, err := keysNamed(ctx, tx, v, wanted)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		if err := graph.MayInviteKey(k, i); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// masterHidden reports whether v does not see the master key and so cannot hand it on.
func masterHidden(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer) (bool, error) {
	var hidden bool
	err := tx.GetContext(ctx, &hidden, `
		SELECT NOT EXISTS (
			SELECT FROM api_keys k
			WHERE k.account_id = $1 AND k.is_master AND `+keyVisible(v, "k.key_id")+`)`, about(v, v.AccountID())...)
	return hidden, err
}

// roomForInvitation checks the limit of users and that the address is no user and has no pending invitation. One whose
// time is over makes room.
func roomForInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, a *graph.Account, email string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE invitations SET status = 'EXPIRED'
		WHERE account_id = $1 AND status = 'PENDING' AND expires_at <= $2`, a.AccountID, v.Request.At)
	if err != nil {
		return err
	}
	var found struct {
		Users   int
		Present bool
		Invited bool
	}
	err = tx.GetContext(ctx, &found, `
		SELECT (SELECT count(*) FROM users WHERE account_id = $1)
			+ (SELECT count(*) FROM invitations WHERE account_id = $1 AND status = 'PENDING') AS users,
			EXISTS (SELECT FROM users WHERE account_id = $1 AND email = $2) AS present,
			EXISTS (SELECT FROM invitations WHERE account_id = $1 AND status = 'PENDING' AND email = $2) AS invited`, a.AccountID, email)
	switch {
	case err != nil:
		return err
	case found.Present:
		return conflict("input.email", "The address belongs to a user of the account.")
	case found.Invited:
		return conflict("input.email", "The address has a pending invitation.")
	}
	return a.MayInviteMore(found.Users)
}

func conflict(path, sentence string) error {
	return (&graph.Error{Code: graph.Conflict, Message: sentence}).At(path)
}

func insertInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, account graph.UUID, i graph.Invitation,
	validDays int) (NewInvitation, error) {
	t := newToken(invitationToken, account, newID())
	i.AccountID, i.InvitationID, i.Status = account, t.row, graph.InvitationPending
	i.SentAt, i.ExpiresAt = v.Request.At, v.Request.At.AddDate(0, 0, validDays)
	made := NewInvitation{Invitation: &i, Token: t.String(), Link: v.Request.Links.Invitation(t.String())}
	var inviter *graph.UUID
	if v.Kind == graph.KindOfUser {
		i.InvitedBy, inviter = v.User, &v.User.UserID
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO invitations (account_id, invitation_id, email, for_primary, granted, without_master_key, secret_hash, invited_by,
			sent_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		account, i.InvitationID, i.Email, i.ForPrimary, i.Granted, i.WithoutMasterKey, t.hash(), inviter, i.SentAt, i.ExpiresAt)
	if err != nil {
		return made, err
	}
	for _, k := range i.Keys {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO invitation_keys (account_id, invitation_id, key_id)
			VALUES ($1, $2, $3)`, account, i.InvitationID, k.KeyID)
		if err != nil {
			return made, err
		}
	}
	return made, audit(ctx, tx, v, account, event{Action: graph.UserInvited, Summary: "Invited " + i.Email + "."})
}

// badInvitation is the one answer for a token that is malformed, unknown, used, withdrawn or too old.
func badInvitation() error {
	return (&graph.Error{Code: graph.InvalidCredentials, Message: "The invitation is not valid, or no longer."}).At("input.token")
}

// AcceptInvitation makes the invitee a user of the account and starts a session there. Somebody known by the address
// proves it with their password and keeps their name; others get the password. InvalidCredentials for a token that is
// not valid and for a wrong password; RateLimited after too many of these; Conflict for somebody who is in the account
// already; AccountSuspended.
func (db *DB) AcceptInvitation(ctx context.Context, v *graph.Viewer, in graph.AcceptInvitationInput) (*Session, error) {
	t, ok := parseToken(in.Token, invitationToken)
	if !ok {
		return nil, badInvitation()
	}
	i, err := pendingInvitation(ctx, db.pool, t, v.Request.At, "")
	if err != nil {
		return nil, fault("accept invitation", err)
	}
	p, known, err := db.provePerson(ctx, v.Request, i.Email, in)
	if err != nil {
		return nil, err
	}
	var s *Session
	err = db.transact(ctx, "accept invitation", func(tx *sqlx.Tx) error {
		s, err = db.join(ctx, tx, v.Request, t, p, known)
		return err
	})
	switch {
	case violates(err, "logins_pkey"): // the address became known meanwhile
		return db.AcceptInvitation(ctx, v, in)
	case violates(err, "users_person"), violates(err, "users_one_primary"):
		return nil, conflict("input.token", "You are a user of the account already, or it has an owner.")
	case err != nil:
		return nil, err
	}
	return s, db.loadKeys(ctx, s)
}

func pendingInvitation(ctx context.Context, q sqlx.QueryerContext, t token, at time.Time, lock string) (*graph.Invitation, error) {
	var row struct {
		invitationRow
		SecretHash []byte
	}
	err := sqlx.GetContext(ctx, q, &row, `
		SELECT `+invitationColumns.of("i")+`, i.secret_hash
		FROM invitations i
		WHERE i.account_id = $1 AND i.invitation_id = $2 `+lock, t.account, t.row, at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if err != nil || !t.opens(row.SecretHash) || row.Status != graph.InvitationPending {
		return nil, badInvitation()
	}
	return &row.Invitation, nil
}

// provePerson gives the person who accepts: known by the address and the right password, or new.
func (db *DB) provePerson(ctx context.Context, r graph.Request, email string, in graph.AcceptInvitationInput) (p person, known bool, err error) {
	p, err = db.personByEmail(ctx, db.pool, email)
	if err != nil {
		return p, false, fault("accept invitation", err)
	}
	if p.PasswordHash != "" {
		ok, err := db.provePassword(ctx, r, email, in.Password, p)
		if err != nil {
			return p, true, err
		}
		if !ok {
			return p, true, notTheirs()
		}
		return p, true, db.forgive(ctx, passwordCounters(r, email))
	}
	p = person{PersonID: newID(), Email: email, DisplayName: graph.NameFromEmail(email)}
	if in.DisplayName != nil {
		p.DisplayName = *in.DisplayName
	}
	p.PasswordHash, err = db.hashPassword(ctx, in.Password)
	return p, false, err
}

func notTheirs() error {
	return (&graph.Error{Code: graph.InvalidCredentials, Message: "The address is known here: use its existing password."}).At("input.password")
}

// join makes the person a user as the invitation says.
func (db *DB) join(ctx context.Context, tx *sqlx.Tx, r graph.Request, t token, p person, known bool) (*Session, error) {
	if known {
		now, still, err := stillProven(ctx, tx, p)
		if err != nil {
			return nil, err
		}
		if !still {
			return nil, notTheirs()
		}
		p = now
	}
	a, err := lockAccount(ctx, tx, t.account)
	if err != nil {
		return nil, err
	}
	i, err := pendingInvitation(ctx, tx, t, r.At, "FOR NO KEY UPDATE OF i")
	if err != nil {
		return nil, err
	}
	u := &graph.User{AccountID: a.AccountID, UserID: newID(), PersonID: p.PersonID, Email: p.Email, DisplayName: p.DisplayName,
		IsPrimary: i.ForPrimary, Granted: i.Granted, Status: graph.UserActive, RulesVersion: 1, CreatedAt: r.At}
	v := &graph.Viewer{Kind: graph.KindOfUser, User: u, Account: a, Request: r}
	if err := v.MayChange(); err != nil {
		return nil, err
	}
	if !known {
		if err := insertPerson(ctx, tx, p, r.At); err != nil {
			return nil, err
		}
	}
	if err := insertUser(ctx, tx, u); err != nil {
		return nil, err
	}
	if err := grantInvited(ctx, tx, u, i, r.At); err != nil {
		return nil, err
	}
	if !u.IsPrimary {
		if err := tellEnabled(ctx, tx, v, u); err != nil {
			return nil, err
		}
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE invitations SET status = 'ACCEPTED'
		WHERE account_id = $1 AND invitation_id = $2`, i.AccountID, i.InvitationID)
	if err != nil {
		return nil, err
	}
	err = audit(ctx, tx, v, a.AccountID, event{Action: graph.UserJoined, User: &u.UserID, Summary: u.DisplayName + " joined."})
	if err != nil {
		return nil, err
	}
	return startSession(ctx, tx, v)
}

func insertUser(ctx context.Context, tx *sqlx.Tx, u *graph.User) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO users (account_id, user_id, person_id, email, display_name, is_primary, granted, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		u.AccountID, u.UserID, u.PersonID, u.Email, u.DisplayName, u.IsPrimary, u.Granted, u.CreatedAt)
	return err
}
