package db

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// editUser is changeAs for changes of another user. Both rows are locked in the order of their ids before anything is
// read, so that two who change each other wait for each other in turn, and the second finds what the first did. NotFound
// for a user who is hidden or missing.
func (db *DB) editUser(ctx context.Context, v *graph.Viewer, c graph.Capability, user graph.ID, doing string,
	do func(tx *sqlx.Tx, v *graph.Viewer, u *graph.User) error) error {
	target := user.In(v.AccountID(), graph.KindUser)
	return db.transact(ctx, doing, func(tx *sqlx.Tx) error {
		if err := lockUsers(ctx, tx, v.AccountID(), v.UserID(), target); err != nil {
			return err
		}
		now, err := allowedNow(ctx, tx, v, c, changes)
		if err != nil {
			return err
		}
		var users []*graph.User
		err = tx.SelectContext(ctx, &users, `
			SELECT `+userColumns.of("u")+`
			FROM users u
			WHERE u.account_id = $1 AND u.user_id = $4 AND `+userVisible(now), about(now, now.AccountID(), target)...)
		if err != nil {
			return err
		}
		if len(users) == 0 {
			return graph.Missing("input.userId")
		}
		return do(tx, now, users[0])
	})
}

// lockUsers keeps others from changing users, and from setting anything that refers to them, until the transaction ends.
func lockUsers(ctx context.Context, tx *sqlx.Tx, account graph.UUID, users ...graph.UUID) error {
	_, err := tx.ExecContext(ctx, `
		SELECT u.user_id
		FROM users u
		WHERE u.account_id = $1 AND u.user_id = ANY($2)
		ORDER BY u.user_id
		FOR UPDATE`, account, uuidArray(users))
	return err
}

// SetUserCapabilities sets what an additional user may do; a repeat changes nothing. NotFound, and what
// graph.Viewer.MaySetCapabilities refuses.
func (db *DB) SetUserCapabilities(ctx context.Context, v *graph.Viewer, in graph.SetUserCapabilitiesInput) (*graph.User, error) {
	set, err := in.Access.Set("input.access")
	if err != nil {
		return nil, err
	}
	var user *graph.User
	err = db.editUser(ctx, v, graph.ManageUsers, in.UserID, "set capabilities", func(tx *sqlx.Tx, v *graph.Viewer, u *graph.User) error {
		if err := v.MaySetCapabilities(u, set); err != nil {
			return err
		}
		before := *u.Role()
		held := u.Granted
		user, u.Granted = u, set
		if held == set {
			return nil
		}
		if err := writeRights(ctx, tx, u); err != nil {
			return err
		}
		return audit(ctx, tx, v, u.AccountID, event{Action: graph.UserAllowed, User: &u.UserID,
			Summary: "Changed what " + u.DisplayName + " may do.", Changes: rightsChanged(before, *u.Role(), held, set)})
	})
	return user, err
}

// writeRights stores whether u owns the account and what they may do, and marks that it has changed.
func writeRights(ctx context.Context, tx *sqlx.Tx, u *graph.User) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE users SET is_primary = $3, granted = $4
		WHERE account_id = $1 AND user_id = $2`, u.AccountID, u.UserID, u.IsPrimary, u.Granted)
	if err != nil {
		return err
	}
	return raiseRules(ctx, tx, u.AccountID, u.UserID)
}

// rightsChanged says what a user could do and can do.
func rightsChanged(roleBefore, roleAfter graph.Role, before, after graph.CapabilitySet) []*graph.AuditChange {
	var list []*graph.AuditChange
	if roleBefore != roleAfter {
		list = append(list, graph.Changed("role", string(roleBefore), string(roleAfter)))
	}
	if before != after {
		list = append(list, graph.Changed("capabilities", join(before.List(), ", "), join(after.List(), ", ")))
	}
	return list
}

// SetUserStatus disables an additional user, which ends their sessions, or enables them again; a repeat changes nothing.
// NotFound, and what graph.Viewer.MayEdit refuses.
func (db *DB) SetUserStatus(ctx context.Context, v *graph.Viewer, in graph.SetUserStatusInput) (*graph.User, error) {
	var user *graph.User
	err := db.editUser(ctx, v, graph.ManageUsers, in.UserID, "set status of user", func(tx *sqlx.Tx, v *graph.Viewer, u *graph.User) error {
		if err := v.MayEdit(u); err != nil {
			return err
		}
		before := u.Status
		user, u.Status = u, in.Status
		if before == in.Status {
			return nil
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE users SET status = $3
			WHERE account_id = $1 AND user_id = $2`, u.AccountID, u.UserID, u.Status)
		if err != nil {
			return err
		}
		if err := raiseRules(ctx, tx, u.AccountID, u.UserID); err != nil {
			return err
		}
		if u.Status == graph.UserDisabled {
			if _, err := endSessions(ctx, tx, u, graph.UUID{}); err != nil {
				return err
			}
		}
		return audit(ctx, tx, v, u.AccountID, statusEvent(u, before))
	})
	return user, err
}

func statusEvent(u *graph.User, before graph.UserStatus) event {
	e := event{Action: graph.UserWasEnabled, User: &u.UserID, Summary: "Enabled " + u.DisplayName + ".",
		Changes: []*graph.AuditChange{graph.Changed("status", string(before), string(u.Status))}}
	if u.Status == graph.UserDisabled {
		e.Action, e.Summary = graph.UserWasDisabled, "Disabled "+u.DisplayName+"."
	}
	return e
}

// RemoveUser removes an additional user with everything that is theirs in the account, and gives their ID. The person
// stays, and joins as a new user when invited again. NotFound, and what graph.Viewer.MayEdit refuses.
func (db *DB) RemoveUser(ctx context.Context, v *graph.Viewer, user graph.ID) (graph.ID, error) {
	err := db.editUser(ctx, v, graph.ManageUsers, user, "remove user", func(tx *sqlx.Tx, v *graph.Viewer, u *graph.User) error {
		if err := v.MayEdit(u); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			DELETE FROM users
			WHERE account_id = $1 AND user_id = $2`, u.AccountID, u.UserID)
		if err != nil {
			return err
		}
		touch(tx, u.AccountID)
		_, err = tx.ExecContext(ctx, `
			DELETE FROM memberships
			WHERE person_id = $1 AND account_id = $2 AND user_id = $3`, u.PersonID, u.AccountID, u.UserID)
		if err != nil {
			return err
		}
		return audit(ctx, tx, v, u.AccountID, event{Action: graph.UserRemoved, User: &u.UserID,
			Summary: "Removed " + u.DisplayName + ".", Changes: []*graph.AuditChange{graph.Changed("role", string(*u.Role()), "")}})
	})
	return user, err
}

// TransferOwnership makes an active additional user the primary user, and the one who was an additional user who may do
// what the input says. Sessions of both stay. InvalidCredentials for a wrong password, RateLimited, NotFound, and what
// graph.Viewer.MayTransferTo refuses. It gives the account.
func (db *DB) TransferOwnership(ctx context.Context, v *graph.Viewer, in graph.TransferOwnershipInput) (*graph.Account, error) {
	set, err := in.FormerOwnerAccess.Set("input.formerOwnerAccess")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(v.MayTransfer(), v.MayChange()); err != nil {
		return nil, err
	}
	if _, err := db.proveAgain(ctx, v, in.CurrentPassword); err != nil {
		return nil, err
	}
	var account *graph.Account
	err = db.editUser(ctx, v, "", in.UserID, "transfer ownership", func(tx *sqlx.Tx, v *graph.Viewer, u *graph.User) (err error) {
		if account, err = lockAccount(ctx, tx, v.AccountID()); err != nil {
			return err
		}
		if err := v.MayTransferTo(u); err != nil {
			return err
		}
		if err := handOver(ctx, tx, v, v.User, u, set); err != nil {
			return err
		}
		return db.mailHandedOver(ctx, tx, v.Request, account, v.User, u)
	})
	if err != nil {
		return nil, err
	}
	return account, nil
}

// handOver makes next the owner. The former one, if there is one, steps down first, so that there are never two, and keeps
// the capabilities.
func handOver(ctx context.Context, tx *sqlx.Tx, v *graph.Viewer, former, next *graph.User, kept graph.CapabilitySet) error {
	goUp := rightsChanged(*next.Role(), graph.RolePrimary, next.Granted, graph.AllCapabilities)
	if former != nil {
		former.IsPrimary, former.Granted = false, kept
		if err := writeRights(ctx, tx, former); err != nil {
			return err
		}
		if err := tellOwner(ctx, tx, v, former); err != nil {
			return err
		}
		err := audit(ctx, tx, v, former.AccountID, event{Action: graph.UserAllowed, User: &former.UserID,
			Summary: former.DisplayName + " is no longer the owner.",
			Changes: rightsChanged(graph.RolePrimary, kept.Role(), graph.AllCapabilities, kept)})
		if err != nil {
			return err
		}
	}
	next.IsPrimary, next.Granted = true, 0
	if err := writeRights(ctx, tx, next); err != nil {
		return err
	}
	if err := tellOwner(ctx, tx, v, next); err != nil {
		return err
	}
	return audit(ctx, tx, v, next.AccountID, event{Action: graph.OwnershipPassed, User: &next.UserID,
		Summary: next.DisplayName + " is the owner now.", Changes: goUp})
}
