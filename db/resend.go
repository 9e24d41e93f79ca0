package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// ResendInvitation gives an invitation a new link, valid as long as the first was, and ends the old one. The sender gives
// what the invitation gives, as if they invited: keys that they do not see are left out, so that nobody hands on, by the
// link in the answer, what they could not. NotFound; LimitReached and Conflict, as for InviteUser, for one that has
// expired; and what graph.Viewer.MayResend refuses.
func (db *DB) ResendInvitation(ctx context.Context, v *graph.Viewer, invitation graph.ID) (NewInvitation, error) {
	var made NewInvitation
	resend := func(tx *sqlx.Tx, v *graph.Viewer) (err error) {
		made, err = db.resendInvitation(ctx, tx, v, invitation)
		return err
	}
	if v.Kind == graph.KindOperator {
		err := db.transact(ctx, "resend invitation", func(tx *sqlx.Tx) error { return resend(tx, v) })
		return made, err
	}
	err := db.changeAs(ctx, v, graph.ManageUsers, stays, "resend invitation", resend)
	return made, err
}

func (db *DB) resendInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, invitation graph.ID) (NewInvitation, error) {
	if v.Kind == graph.KindOfUser && invitation.Account != v.AccountID() || !v.Enters(invitation.Account) {
		return NewInvitation{}, graph.Missing("input.invitationId")
	}
	a, err := lockAccount(ctx, tx, invitation.Account)
	if errors.Is(err, sql.ErrNoRows) {
		return NewInvitation{}, graph.Missing("input.invitationId")
	}
	if err != nil {
		return NewInvitation{}, err
	}
	i, err := invitationForChange(ctx, tx, v, invitation)
	if err != nil {
		return NewInvitation{}, err
	}
	if i.Keys, err = keysOfInvitation(ctx, tx, v, i); err != nil {
		return NewInvitation{}, err
	}
	if err := v.MayResend(&i.Invitation, len(i.Keys)); err != nil {
		return NewInvitation{}, err
	}
	if i.Status == graph.InvitationExpired {
		if err := roomForInvitation(ctx, tx, v, a, i.Email); err != nil {
			return NewInvitation{}, atInvitation(err)
		}
	}
	if err := limitInvitation(ctx, tx, v, i); err != nil {
		return NewInvitation{}, err
	}
	made, err := renewInvitation(ctx, tx, v, i)
	if err != nil {
		return NewInvitation{}, err
	}
	return made, db.mailInvitation(ctx, tx, v, a, made)
}

// atInvitation points a conflict about the address to the invitation, which is all that the caller gave.
func atInvitation(err error) error {
	if e, ok := errors.AsType[*graph.Error](err); ok && len(e.Path) > 0 {
		return e.At("input.invitationId")
	}
	return err
}

// invitationForChange reads a visible invitation and keeps others from changing it until the transaction ends.
func invitationForChange(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, id graph.ID) (*invitationRow, error) {
	var rows []*invitationRow
	err := tx.SelectContext(ctx, &rows, `
		SELECT `+invitationColumns.of("i")+`
		FROM invitations i
		WHERE i.account_id = $1 AND i.invitation_id = $4 AND `+invitationVisible(v)+`
		FOR NO KEY UPDATE OF i`, about(v, id.Account, id.In(id.Account, graph.KindInvitation))...)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, graph.Missing("input.invitationId")
	}
	return rows[0], nil
}

// keysOfInvitation reads the keys that the invitation enables, as far as v sees them.
func keysOfInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, i *invitationRow) ([]*graph.ApiKey, error) {
	var keys []*graph.ApiKey
	err := tx.SelectContext(ctx, &keys, `
		SELECT `+keyColumns.of("k")+`
		FROM invitation_keys ik
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = ik.key_id
		WHERE ik.account_id = $1 AND ik.invitation_id = $4 AND `+keyVisible(v, "k.key_id")+`
		ORDER BY k.key_id`, about(v, i.AccountID, i.InvitationID)...)
	return keys, err
}

// limitInvitation takes from the invitation what v does not see.
func limitInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, i *invitationRow) error {
	if v.SeesEveryKey() {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		DELETE FROM invitation_keys
		WHERE account_id = $1 AND invitation_id = $2 AND NOT key_id = ANY($3)`, i.AccountID, i.InvitationID,
		uuidArray(ids(i.Keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID })))
	if err != nil || i.WithoutMasterKey {
		return err
	}
	i.WithoutMasterKey, err = masterHidden(ctx, tx, v)
	return err
}

func renewInvitation(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, row *invitationRow) (NewInvitation, error) {
	i, before := row.Invitation, row.ExpiresAt
	t := newToken(invitationToken, i.AccountID, i.InvitationID)
	i.Status, i.SentAt, i.ExpiresAt = graph.InvitationPending, v.Request.At, v.Request.At.Add(row.ExpiresAt.Sub(row.SentAt))
	inviter := row.InvitedBy
	if v.Kind == graph.KindOfUser {
		i.InvitedBy, inviter = v.User, &v.User.UserID
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE invitations SET status = $3, secret_hash = $4, sent_at = $5, expires_at = $6, invited_by = $7, without_master_key = $8
		WHERE account_id = $1 AND invitation_id = $2`,
		i.AccountID, i.InvitationID, i.Status, t.hash(), i.SentAt, i.ExpiresAt, inviter, i.WithoutMasterKey)
	if err != nil {
		return NewInvitation{}, err
	}
	made := NewInvitation{Invitation: &i, Token: t.String(), Link: v.Request.Links.Invitation(t.String())}
	return made, audit(ctx, tx, v, i.AccountID, event{Action: graph.InvitationResent,
		Summary: "Sent the invitation of " + i.Email + " again.",
		Changes: []*graph.AuditChange{graph.Changed("expiresAt", instant(&before), instant(&i.ExpiresAt))}})
}

// RevokeInvitation withdraws an invitation, whose link no longer works; a repeat changes nothing. NotFound, and what
// graph.Viewer.MayRevoke refuses.
func (db *DB) RevokeInvitation(ctx context.Context, v *graph.Viewer, invitation graph.ID) (*graph.Invitation, error) {
	err := db.changeAs(ctx, v, graph.ManageUsers, stays, "revoke invitation", func(tx *sqlx.Tx, v *graph.Viewer) error {
		if invitation.Account != v.AccountID() {
			return graph.Missing("input.invitationId")
		}
		i, err := invitationForChange(ctx, tx, v, invitation)
		if err != nil {
			return err
		}
		if err := v.MayRevoke(&i.Invitation); err != nil {
			return err
		}
		if i.Status == graph.InvitationRevoked {
			return nil
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE invitations SET status = 'REVOKED'
			WHERE account_id = $1 AND invitation_id = $2`, i.AccountID, i.InvitationID)
		if err != nil {
			return err
		}
		return audit(ctx, tx, v, i.AccountID, event{Action: graph.InvitationTaken, Summary: "Withdrew the invitation of " + i.Email + ".",
			Changes: []*graph.AuditChange{graph.Changed("status", string(i.Status), string(graph.InvitationRevoked))}})
	})
	if err != nil {
		return nil, err
	}
	list, err := db.Invitations(ctx, v, v.AccountID(), []graph.UUID{invitation.Object})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// InvitationPreview reads what the holder of an invitation's token may know before accepting; nil when the token is not
// valid, or no longer. A wrong secret takes the same statement as the right one.
func (db *DB) InvitationPreview(ctx context.Context, text string, at time.Time) (*graph.InvitationPreview, error) {
	t, _ := parseToken(text, invitationToken) // of a malformed one the zero UUID, which no invitation has
	var row struct {
		graph.InvitationPreview
		SecretHash []byte
	}
	err := db.pool.GetContext(ctx, &row, `
		SELECT a.name AS account_name, u.display_name AS invited_by_name, i.email, i.expires_at, i.secret_hash
		FROM invitations i
		JOIN accounts a ON a.account_id = i.account_id
		LEFT JOIN users u ON u.account_id = i.account_id AND u.user_id = i.invited_by
		WHERE i.account_id = $1 AND i.invitation_id = $2 AND i.status = 'PENDING' AND i.expires_at > $3`, t.account, t.row, at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !t.opens(row.SecretHash) {
		return nil, nil
	}
	return &row.InvitationPreview, fault("preview invitation", err)
}
