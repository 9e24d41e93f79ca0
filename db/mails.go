package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// mailPatience is how long a mail is tried.
const mailPatience = 24 * time.Hour

// The functions mail… queue a mail in the transaction of the change that it tells of: it is sent when the change has
// happened, and only then. Where no mail is sent at all (Config.SendMail) they do nothing.

// mailInvitation sends the invitee the link.
func (db *DB) mailInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, a *graph.Account, made NewInvitation) error {
	c := graph.MailContent{Account: a.Name, ForPrimary: made.Invitation.ForPrimary, Link: made.Link, ExpiresAt: &made.Invitation.ExpiresAt}
	if v.Kind == graph.KindOfUser {
		c.By = v.User.DisplayName
	}
	return db.queueMail(ctx, tx, v.Request, graph.MailInvitation, made.Invitation.Email, c)
}

// mailPasswordReset sends somebody the link with which they choose a new password.
func (db *DB) mailPasswordReset(ctx context.Context, tx *sqlx.Tx, r graph.Request, email, link string, expiresAt time.Time) error {
	return db.queueMail(ctx, tx, r, graph.MailPasswordReset, email, graph.MailContent{Link: link, ExpiresAt: &expiresAt})
}

// mailHandedOver tells the former and the new primary user that the account was handed over. The former one learns of it
// even when somebody else used their session.
func (db *DB) mailHandedOver(ctx context.Context, tx *sqlx.Tx, r graph.Request, a *graph.Account, former, next *graph.User) error {
	c := graph.MailContent{Account: a.Name, By: former.DisplayName, To: next.DisplayName, At: &r.At}
	return errors.Join(db.queueMail(ctx, tx, r, graph.MailHandedOver, former.Email, c),
		db.queueMail(ctx, tx, r, graph.MailHandedOver, next.Email, c))
}

// mailPasswordChanged tells somebody that their password was changed.
func (db *DB) mailPasswordChanged(ctx context.Context, tx *sqlx.Tx, r graph.Request, email string) error {
	return db.queueMail(ctx, tx, r, graph.MailPasswordChanged, email, graph.MailContent{At: &r.At})
}

// mailThresholdCrossed tells a user that usage has reached a threshold.
func (db *DB) mailThresholdCrossed(ctx context.Context, tx *sqlx.Tx, r graph.Request, a *graph.Account, u *graph.User, m graph.MailThreshold) error {
	return db.queueMail(ctx, tx, r, graph.MailThresholdCrossed, u.Email, graph.MailContent{Account: a.Name, Threshold: m})
}

func (db *DB) queueMail(ctx context.Context, tx *sqlx.Tx, r graph.Request, kind graph.MailKind, recipient string, c graph.MailContent) error {
	if !db.sendMail {
		return nil
	}
	content, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write content of a mail: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO mails (mail_id, kind, recipient, content, queued_at, due_at, give_up_at)
		VALUES ($1, $2, $3, $4, $5, $5, $6)`, newID(), kind, recipient, string(content), r.At, r.At.Add(mailPatience))
	return err
}

// MailQueue says how many mails are in the queue, and since when the oldest of them; nil when there is none.
func (db *DB) MailQueue(ctx context.Context) (waiting int, oldest *time.Time, err error) {
	err = db.pool.QueryRowxContext(ctx, `SELECT count(*), min(queued_at) FROM mails`).Scan(&waiting, &oldest)
	return waiting, oldest, fault("look at the mail queue", err)
}

// DueMail is a mail that is due, for ClaimMail.
type DueMail struct {
	MailID graph.UUID
	DueAt  time.Time
}

// DueMails lists mails that are due, the longest first. It locks nothing: several processes may get the same.
func (db *DB) DueMails(ctx context.Context, at time.Time, most int) ([]DueMail, error) {
	var list []DueMail
	err := db.pool.SelectContext(ctx, &list, `
		SELECT mail_id, due_at
		FROM mails
		WHERE due_at <= $1
		ORDER BY due_at, mail_id
		LIMIT $2`, at, most)
	return list, fault("look for due mail", err)
}

// ClaimMail gives a due mail to one process, until a time when it is due again; nil when another process has it, or it is
// sent. Of several that claim at once the first changes due_at, and the others then find nothing.
func (db *DB) ClaimMail(ctx context.Context, d DueMail, until time.Time) (*graph.Mail, error) {
	var m graph.Mail
	err := db.pool.GetContext(ctx, &m, `
		UPDATE mails SET due_at = $3, attempts = attempts + 1
		WHERE mail_id = $1 AND due_at = $2
		RETURNING mail_id, kind, recipient, content, due_at, give_up_at, attempts`, d.MailID, d.DueAt, until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &m, fault("claim mail", err)
}

// PutOffMail makes a claimed mail due at another time, unless its claim has ended and another process has it.
func (db *DB) PutOffMail(ctx context.Context, m *graph.Mail, due time.Time) error {
	_, err := db.pool.ExecContext(ctx, `
		UPDATE mails SET due_at = $3
		WHERE mail_id = $1 AND due_at = $2`, m.MailID, m.DueAt, due)
	return fault("put mail off", err)
}

// RemoveMail forgets a mail that is sent or given up, with the link in it: whoever reads the database later finds none.
func (db *DB) RemoveMail(ctx context.Context, m *graph.Mail) error {
	_, err := db.pool.ExecContext(ctx, `
		DELETE FROM mails
		WHERE mail_id = $1`, m.MailID)
	return fault("remove mail", err)
}
