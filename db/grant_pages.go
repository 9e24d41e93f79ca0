package db

import (
	"context"
	"maps"
	"slices"

	"grantwood/graph"
)

// GrantsOfUsers reads, for each of the users of one account, a page of their visible grants by key in the order of
// creation, without those for deleted keys; for all of them at once.
func (db *DB) GrantsOfUsers(ctx context.Context, v *graph.Viewer, users []*graph.User, w graph.Window, enabled *bool,
	ask Ask) (map[graph.UUID]*graph.GrantConnection, error) {
	parents := make(map[graph.UUID]*graph.User, len(users))
	for _, u := range users {
		parents[u.UserID] = u
	}
	b := below[graph.Grant]{
		parents: ids(users, func(u *graph.User) graph.UUID { return u.UserID }),
		columns: keyColumns.as("k", "child.key") + `, ` + grantColumns.as("g", "child"),
		from: `users u JOIN api_keys k ON k.account_id = $1 AND k.deleted_at IS NULL ` + grantOf + `
			WHERE u.account_id = $1 AND u.user_id = o.id` + grantsBelow(v),
		args:  []any{enabled},
		id:    "k.key_id",
		place: func(g *graph.Grant) graph.Cursor { return graph.Cursor{ID: g.Key.KeyID} },
		adopt: func(g *graph.Grant, parent graph.UUID) { g.User = parents[parent] },
	}
	if enabled == nil { // the first keys are the same for all users
		b.rows = func(account graph.UUID, pages map[graph.UUID]*graph.Page[graph.Grant]) error {
			keys, err := readPage(ctx, db, listing{
				columns: keyColumns.of("k"),
				from:    `api_keys k WHERE k.account_id = $1 AND k.deleted_at IS NULL AND ` + keyVisible(v, "k.key_id"),
				id:      "k.key_id",
				args:    about(v, account),
			}, w, Ask{}, func(k *graph.ApiKey) graph.Cursor { return graph.Cursor{ID: k.KeyID} })
			if err != nil {
				return err
			}
			return db.readGrid(ctx, v, account, slices.Collect(maps.Values(parents)), keys.Nodes, func(g *graph.Grant) {
				addTo(pages[g.User.UserID], g, keys.Next, len(keys.Nodes))
			})
		}
	}
	pages, err := readBelow(ctx, db, v, users[0].AccountID, b, w, ask)
	return connections(pages, grantConnection), fault("list grants", err)
}

// GrantsOfKeys reads, for each of the keys of one account, a page of their visible grants by user in the order of
// joining; for all of them at once.
func (db *DB) GrantsOfKeys(ctx context.Context, v *graph.Viewer, keys []*graph.ApiKey, w graph.Window, enabled *bool,
	ask Ask) (map[graph.UUID]*graph.GrantConnection, error) {
	parents := make(map[graph.UUID]*graph.ApiKey, len(keys))
	for _, k := range keys {
		parents[k.KeyID] = k
	}
	b := below[graph.Grant]{
		parents: ids(keys, func(k *graph.ApiKey) graph.UUID { return k.KeyID }),
		columns: userColumns.as("u", "child.user") + `, ` + grantColumns.as("g", "child"),
		from: `api_keys k JOIN users u ON u.account_id = $1 ` + grantOf + `
			WHERE k.account_id = $1 AND k.key_id = o.id` + grantsBelow(v),
		args:  []any{enabled},
		id:    "u.user_id",
		place: func(g *graph.Grant) graph.Cursor { return graph.Cursor{ID: g.User.UserID} },
		adopt: func(g *graph.Grant, parent graph.UUID) { g.Key = parents[parent] },
	}
	if enabled == nil { // the first users are the same for all keys
		b.rows = func(account graph.UUID, pages map[graph.UUID]*graph.Page[graph.Grant]) error {
			users, err := readPage(ctx, db, listing{
				columns: userColumns.of("u"),
				from:    `users u WHERE u.account_id = $1 AND ` + grantVisible(v),
				id:      "u.user_id",
				args:    about(v, account),
			}, w, Ask{}, func(u *graph.User) graph.Cursor { return graph.Cursor{ID: u.UserID} })
			if err != nil {
				return err
			}
			return db.readGrid(ctx, v, account, users.Nodes, slices.Collect(maps.Values(parents)), func(g *graph.Grant) {
				addTo(pages[g.Key.KeyID], g, users.Next, len(users.Nodes))
			})
		}
	}
	pages, err := readBelow(ctx, db, v, keys[0].AccountID, b, w, ask)
	return connections(pages, grantConnection), fault("list grants", err)
}

// addTo adds a grant to a page of at most so many, which others follow or not.
func addTo(page *graph.Page[graph.Grant], g *graph.Grant, more bool, most int) {
	if page.Nodes == nil {
		page.Nodes = make([]*graph.Grant, 0, most)
	}
	page.Nodes, page.Next = append(page.Nodes, g), more
}

// grantsBelow limits the grants of user u for key k to visible ones and, when $5 says so, to enabled or disabled ones.
func grantsBelow(v *graph.Viewer) string {
	return ` AND ` + grantVisible(v) + ` AND ` + keyVisible(v, "k.key_id") + `
		AND ($5::boolean IS NULL OR ` + grantEnabled + ` = $5)`
}

func grantConnection(p graph.Page[graph.Grant]) *graph.GrantConnection {
	return &graph.GrantConnection{Page: p}
}

// grid reads the visible grants of the users $4 for the keys $5, as the places of both in these lists, grantEnabled, and what is known of a
// grant and of the unit that decides. Each explicit grant is looked up by itself: OFFSET 0 keeps PostgreSQL from reading all that a user has. What units
// say is found once for all.
func grid(v *graph.Viewer) string {
	return `
		SELECT o.n, k.n, ` + grantEnabled + `, g.user_id IS NOT NULL, n.unit_id, g.expires_at, g.updated_at, g.updated_by
		FROM unnest($4::uuid[]) WITH ORDINALITY AS o (user_id, n)
		JOIN users u ON u.account_id = $1 AND u.user_id = o.user_id
		CROSS JOIN (
			SELECT w.n, k.key_id, k.is_master, k.unit_id
			FROM unnest($5::uuid[]) WITH ORDINALITY AS w (key_id, n)
			JOIN api_keys k ON k.account_id = $1 AND k.key_id = w.key_id
			WHERE ` + keyVisible(v, "k.key_id") + `) k
		LEFT JOIN LATERAL (
			SELECT g.user_id, g.enabled, g.expires_at, g.updated_at, g.updated_by
			FROM grants g
			WHERE g.account_id = $1 AND g.user_id = o.user_id AND g.key_id = k.key_id AND ` + grantHolds + `
			OFFSET 0) g ON true
		LEFT JOIN (
			SELECT DISTINCT ON (r.user_id, p.unit_id) r.user_id, p.unit_id AS below_id, r.unit_id, r.enabled
			FROM unit_grants r
			JOIN unit_paths p ON p.account_id = $1 AND p.above_id = r.unit_id
			WHERE r.account_id = $1 AND r.user_id = ANY($4::uuid[]) AND p.unit_id IN (
				SELECT k.unit_id FROM api_keys k
				WHERE k.account_id = $1 AND k.key_id = ANY($5::uuid[]))
			ORDER BY r.user_id, p.unit_id, p.distance) n ON n.user_id = o.user_id AND n.below_id = k.unit_id AND g.user_id IS NULL
		WHERE ` + grantVisible(v)
}

// readGrid gives the grants of all the users for all the keys, as far as they are visible, user by user, each in the order of the keys.
func (db *DB) readGrid(ctx context.Context, v *graph.Viewer, account graph.UUID, users []*graph.User, keys []*graph.ApiKey,
	give func(*graph.Grant)) error {
	if len(users) == 0 || len(keys) == 0 {
		return nil
	}
	o, k := newArray(oidUUID, len(users), 16), newArray(oidUUID, len(keys), 16)
	for _, u := range users {
		o.uuid(u.UserID)
	}
	for _, key := range keys {
		k.uuid(key.KeyID)
	}
	rows, err := db.pool.QueryContext(ctx, grid(v), about(v, account, o, k)...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	list := make([]graph.Grant, len(users)*len(keys)) // those that are hidden stay without a user
	for rows.Next() {
		var user, key int
		var explicit bool
		var g graph.Grant
		if err := rows.Scan(&user, &key, &g.Enabled, &explicit, &g.UnitID, &g.ExpiresAt, &g.UpdatedAt, &g.UpdaterID); err != nil {
			return err
		}
		to := &list[(user-1)*len(keys)+key-1]
		to.User, to.Key, to.Enabled, to.Source = users[user-1], keys[key-1], g.Enabled, graph.FromDefault
		to.UnitID, to.ExpiresAt, to.UpdatedAt, to.UpdaterID = g.UnitID, g.ExpiresAt, g.UpdatedAt, g.UpdaterID
		if explicit {
			to.Source = graph.FromExplicit
		} else if to.UnitID != nil {
			to.Source = graph.FromUnit
		}
	}
	for i := range list {
		if list[i].User != nil {
			give(&list[i])
		}
	}
	return rows.Err()
}
