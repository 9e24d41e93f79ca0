package db

import (
	"context"

	"github.com/jmoiron/sqlx"

	"grantwood/graph"
)

// PrimaryUser reads the owner of an account; nil until the first invitation is accepted.
func (db *DB) PrimaryUser(ctx context.Context, v *graph.Viewer, account graph.UUID) (*graph.User, error) {
	if !v.Enters(account) {
		return nil, nil
	}
	var users []*graph.User
	err := db.pool.SelectContext(ctx, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = $1 AND u.is_primary AND `+userVisible(v), about(v, account)...)
	if err != nil || len(users) == 0 {
		return nil, fault("read primary user", err)
	}
	return users[0], nil
}

// Users reads those of the users that are visible, in no order.
func (db *DB) Users(ctx context.Context, v *graph.Viewer, account graph.UUID, ids []graph.UUID) ([]*graph.User, error) {
	if !v.Enters(account) || len(ids) == 0 {
		return nil, nil
	}
	users, err := visibleUsers(ctx, db.pool, v, account, ids)
	return users, fault("read users", err)
}

func visibleUsers(ctx context.Context, q sqlx.QueryerContext, v *graph.Viewer, account graph.UUID, ids []graph.UUID) ([]*graph.User, error) {
	var users []*graph.User
	err := sqlx.SelectContext(ctx, q, &users, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = $1 AND u.user_id = ANY($4) AND `+userVisible(v), about(v, account, uuidArray(ids))...)
	return users, err
}

// UsersOf reads a page of the account's visible users. Role and status restrict only among users whose details are
// visible to v.
func (db *DB) UsersOf(ctx context.Context, v *graph.Viewer, account graph.UUID, w graph.Window, f graph.UserFilter,
	ask Ask) (*graph.UserConnection, error) {
	if !v.Enters(account) {
		account = graph.UUID{}
	}
	details := `u.user_id = $2`
	if v.SeesUserDetails() {
		details = `true`
	}
	role := roleFilter(f.Role)
	page, err := readPage(ctx, db, listing{
		columns: userColumns.of("u"),
		from: `users u
			WHERE u.account_id = $1 AND ` + userVisible(v) + `
			AND ($4::text IS NULL OR lower(u.display_name) LIKE lower($4) OR lower(u.email) LIKE lower($4))
			AND ($5::text IS NULL OR u.status = $5 AND ` + details + `)
			AND ($6::boolean IS NULL OR u.is_primary = $6 AND ` + details + `
				AND ($6 OR (array_to_string(u.granted, '+') = ANY($7::text[])) = $8::boolean))`,
		name: `(lower(u.display_name) COLLATE "C")`,
		id:   "u.user_id",
		args: about(v, account, pattern(f.Search), f.Status, role.primary, role.sets, role.listed),
	}, w, ask, func(u *graph.User) graph.Cursor { return graph.Cursor{ID: u.UserID, Name: u.SortName} })
	return &graph.UserConnection{Page: page}, fault("list users", err)
}

// roleParameters restrict users to a role: whether they are primary, and whether their set is among those listed.
type roleParameters struct {
	primary *bool
	sets    *string
	listed  *bool
}

func roleFilter(r *graph.Role) roleParameters {
	if r == nil {
		return roleParameters{}
	}
	sets, allBut := r.Sets()
	names := make([]string, len(sets))
	for i, s := range sets {
		names[i] = join(s.List(), "+")
	}
	primary, listed := *r == graph.RolePrimary, !allBut
	return roleParameters{primary: &primary, sets: nameArray(names), listed: &listed}
}
