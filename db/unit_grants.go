package db

import (
	"context"
	"time"

	"grantwood/graph"
)

// rulesAndUnits joins every rule r with its user u and its unit n.
const rulesAndUnits = `unit_grants r
	JOIN users u ON u.account_id = $1 AND u.user_id = r.user_id
	JOIN units n ON n.account_id = $1 AND n.unit_id = r.unit_id`

func unitGrantColumns() string {
	return userColumns.as("u", "user") + `, ` + unitColumns.as("n", "unit") + `, r.enabled, r.updated_at`
}

// unitGrantVisible is the condition on rules r of users u.
func unitGrantVisible(v *graph.Viewer) string {
	return `r.account_id = $1 AND ` + grantVisible(v) + ` AND ` + unitVisible(v, "r.unit_id")
}

// UserAndUnit names the rule of a user for a unit.
type UserAndUnit struct{ User, Unit graph.UUID }

// UnitGrants reads those of the rules that are there and visible, in no order.
func (db *DB) UnitGrants(ctx context.Context, v *graph.Viewer, account graph.UUID, pairs []UserAndUnit) ([]*graph.UnitGrant, error) {
	users, units := make([]graph.UUID, len(pairs)), make([]graph.UUID, len(pairs))
	for i, p := range pairs {
		users[i], units[i] = p.User, p.Unit
	}
	return db.unitGrants(ctx, v, account, `JOIN unnest($4::uuid[], $5::uuid[]) AS p (user_id, unit_id) ON p.user_id = r.user_id AND p.unit_id = r.unit_id`, ``,
		uuidArray(users), uuidArray(units))
}

// UnitGrantsOfUsers reads the visible rules of each of the users of one account, by unit in the order of creation.
func (db *DB) UnitGrantsOfUsers(ctx context.Context, v *graph.Viewer, users []*graph.User) (map[graph.UUID][]*graph.UnitGrant, error) {
	list, err := db.unitGrants(ctx, v, users[0].AccountID, ``, `AND r.user_id = ANY($4) ORDER BY r.unit_id`,
		uuidArray(ids(users, func(u *graph.User) graph.UUID { return u.UserID })))
	grants := map[graph.UUID][]*graph.UnitGrant{}
	for _, g := range list {
		grants[g.User.UserID] = append(grants[g.User.UserID], g)
	}
	return grants, err
}

// UnitGrantsOfUnits reads the visible rules for each of the units of one account, by user in the order of joining.
func (db *DB) UnitGrantsOfUnits(ctx context.Context, v *graph.Viewer, units []*graph.Unit) (map[graph.UUID][]*graph.UnitGrant, error) {
	list, err := db.unitGrants(ctx, v, units[0].AccountID, ``, `AND r.unit_id = ANY($4) ORDER BY r.user_id`, uuidArray(ids(units, unitID)))
	grants := map[graph.UUID][]*graph.UnitGrant{}
	for _, g := range list {
		grants[g.Unit.UnitID] = append(grants[g.Unit.UnitID], g)
	}
	return grants, err
}

func (db *DB) unitGrants(ctx context.Context, v *graph.Viewer, account graph.UUID, join, rest string, args ...any) ([]*graph.UnitGrant, error) {
	if !v.Enters(account) {
		return nil, nil
	}
	var list []*graph.UnitGrant
	err := db.pool.SelectContext(ctx, &list, `
		SELECT `+unitGrantColumns()+`
		FROM `+rulesAndUnits+` `+join+`
		WHERE `+unitGrantVisible(v)+` `+rest, about(v, account, args...)...)
	return list, fault("read rules for units", err)
}

// Explanations gives, for each of the visible grants of one account, every rule that was looked at, the deciding one last.
func (db *DB) Explanations(ctx context.Context, v *graph.Viewer, grants []*graph.Grant) (map[Pair][]*graph.AccessStep, error) {
	account := grants[0].Key.AccountID
	users, keys := make([]graph.UUID, len(grants)), make([]graph.UUID, len(grants))
	for i, g := range grants {
		users[i], keys[i] = g.User.UserID, g.Key.KeyID
	}
	explicit, err := db.explicitRules(ctx, account, users, keys)
	if err != nil {
		return nil, err
	}
	above, err := db.rulesAbove(ctx, v, account, users, keys)
	if err != nil {
		return nil, err
	}
	explanations := make(map[Pair][]*graph.AccessStep, len(grants))
	for _, g := range grants {
		p := Pair{g.User.UserID, g.Key.KeyID}
		explanations[p] = graph.Explain(v, g.Key.IsMaster, explicit[p], above[p])
	}
	return explanations, nil
}

// explicitRules reads what was set for pairs of users and keys, ended or not.
func (db *DB) explicitRules(ctx context.Context, account graph.UUID, users, keys []graph.UUID) (map[Pair]*graph.Rule, error) {
	var rows []struct {
		UserID    graph.UUID
		KeyID     graph.UUID
		Enabled   bool
		ExpiresAt *time.Time
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT g.user_id, g.key_id, g.enabled, g.expires_at
		FROM grants g
		JOIN unnest($2::uuid[], $3::uuid[]) AS p (user_id, key_id) ON p.user_id = g.user_id AND p.key_id = g.key_id
		WHERE g.account_id = $1`, account, uuidArray(users), uuidArray(keys))
	rules := make(map[Pair]*graph.Rule, len(rows))
	for _, row := range rows {
		rules[Pair{row.UserID, row.KeyID}] = &graph.Rule{Enabled: row.Enabled, ExpiresAt: row.ExpiresAt}
	}
	return rules, fault("read what was set", err)
}

// rulesAbove reads, for pairs of users and keys, the units that hold the key, the nearest first, and what each says about the
// user.
func (db *DB) rulesAbove(ctx context.Context, v *graph.Viewer, account graph.UUID, users, keys []graph.UUID) (map[Pair][]graph.UnitRule, error) {
	var rows []struct {
		UserID  graph.UUID
		KeyID   graph.UUID
		Enabled *bool
		Unit    *graph.Unit
	}
	err := db.pool.SelectContext(ctx, &rows, `
		SELECT p.user_id, p.key_id, r.enabled, `+unitColumns.as("n", "unit")+`
		FROM (SELECT DISTINCT user_id, key_id FROM unnest($4::uuid[], $5::uuid[]) AS p (user_id, key_id)) p
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = p.key_id AND `+keyVisible(v, "k.key_id")+`
		JOIN unit_paths up ON up.account_id = $1 AND up.unit_id = k.unit_id
		JOIN units n ON n.account_id = $1 AND n.unit_id = up.above_id
		LEFT JOIN unit_grants r ON r.account_id = $1 AND r.user_id = p.user_id AND r.unit_id = up.above_id
		ORDER BY up.distance`, about(v, account, uuidArray(users), uuidArray(keys))...)
	above := map[Pair][]graph.UnitRule{}
	for _, row := range rows {
		p := Pair{row.UserID, row.KeyID}
		above[p] = append(above[p], graph.UnitRule{Unit: row.Unit, Enabled: row.Enabled})
	}
	return above, fault("read rules for units", err)
}
