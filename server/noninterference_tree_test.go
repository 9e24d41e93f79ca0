package server_test

import (
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/demo"
)

// The tree of the non-interference test: units of the demo's accounts, which it does not have by itself.

// branch is a unit with the keys directly in it and the units below it.
type branch struct {
	name  string
	keys  []string
	below []branch
}

// globexTree has units that hold keys of everybody's and of nobody's, and empty ones above, below and beside these. "Vault" holds
// nothing that anybody but the owner sees.
var globexTree = []branch{
	{"World", nil, []branch{
		{"Europe", []string{"Europe: Headquarters", aKey}, []branch{
			{"Shops", []string{"Europe: Web shop", "Europe: Mobile app", "Europe: Kiosk"}, []branch{{"Kiosks", []string{"Europe: Alerts", "Europe: Deep kiosk"}, nil}}},
			{"Offices", []string{"Europe: Sales", "Europe: Support"}, nil},
			{"Nothing in Europe", nil, nil}}},
		{"Americas", []string{"Americas: Headquarters", "Americas: Sales"}, []branch{
			{"American shops", []string{"Americas: Web shop", "Americas: Chat"}, nil}}}}},
	{"Asia", []string{"Asia Pacific: Headquarters", "Asia Pacific: Sales"}, []branch{
		{"Asian desk", []string{"Asia Pacific: Support", "Asia Pacific: Marketing"}, nil},
		{"Nothing in Asia", nil, nil}}},
	{"Vault", []string{"Asia Pacific: Finance"}, []branch{{"Below vault", nil, []branch{{"Deep below vault", nil, []branch{{"Deepest below vault", nil, nil}}}}}}},
	{"Archive", []string{"Europe: Removed"}, nil},
	{"Nothing", nil, []branch{{"Nothing below nothing", nil, nil}}},
}

var initechTree = []branch{{"Customers", []string{"Customer: Acme"}, []branch{{"More customers", []string{"Customer: Duff"}, nil}}}, {"Nobody", nil, nil}}

// globexRules say, by user and unit, whether keys are enabled. That of the owner is left from a time when somebody else was.
var globexRules = []struct {
	user, unit string
	enabled    bool
}{
	{"admin@globex.example", "Europe", true}, {"admin@globex.example", "Shops", false}, {"admin@globex.example", "Kiosks", true},
	{"admin@globex.example", "Asian desk", true}, {"admin@globex.example", "Vault", false},
	{"developer@globex.example", "American shops", true}, {"developer@globex.example", "World", false}, {"developer@globex.example", "Asia", false},
	{"reporting@globex.example", "Asia", true}, {"reporting@globex.example", "Asian desk", false}, {"reporting@globex.example", "Nothing", true},
	{"contractor@globex.example", "Americas", false}, {"contractor@globex.example", "Kiosks", true},
	{"alice@globex.example", "World", true}, {"alice@globex.example", "Vault", true},
	{"owner@globex.example", "Vault", false}, {"owner@globex.example", "World", false},
}

// setByHand enables for the administrator, key by key, what units of the demo enable: this test has units of its own and moves the
// keys to them.
func setByHand(t *testing.T, a api) {
	t.Helper()
	owner, admin := signIn(t, a, "owner@globex.example"), signIn(t, a, "admin@globex.example")
	var keys []string
	for _, k := range nodes(admin.ask(t, `{ account { apiKeys(first: 100) { nodes { id isMaster } } } }`, nil, "account").(map[string]any), "apiKeys") {
		if k["isMaster"] == false {
			keys = append(keys, text(k, "id"))
		}
	}
	owner.done(t, toSetAccess, access([]string{admin.text(t, `{ viewer { user { id } } }`, nil, "viewer.user.id")}, keys, "ENABLED"))
}

// prepareTree makes the trees, by the owners, and what refers to units. Afterwards nobody may make more units or keys: what the
// corpus tries is refused.
func prepareTree(t *testing.T, a api, pool *sqlx.DB) {
	t.Helper()
	owner, admin := signIn(t, a, "owner@globex.example"), signIn(t, a, "admin@globex.example")
	units := plant(t, owner, globexTree)
	plant(t, signIn(t, a, "owner@initech.example"), initechTree)
	for _, r := range globexRules {
		pool.MustExecContext(t.Context(), `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
			SELECT u.account_id, u.user_id, $2, $3, now() FROM users u JOIN accounts a USING (account_id) WHERE u.email = $1 AND a.name = $4`,
			r.user, rowOf(units[r.unit]), r.enabled, demo.Globex)
	}
	pool.MustExecContext(t.Context(), `INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
		SELECT u.account_id, u.user_id, n.unit_id, true, now() FROM users u JOIN units n USING (account_id) WHERE u.email = 'contractor@globex.example' AND n.name = 'More customers'`)
	// A grant that has ended: the units decide.
	pool.MustExecContext(t.Context(), `INSERT INTO grants (account_id, user_id, key_id, enabled, expires_at, updated_at)
		SELECT u.account_id, u.user_id, k.key_id, true, '2016-06-29', '2016-06-28' FROM users u JOIN api_keys k USING (account_id)
		WHERE u.email = 'developer@globex.example' AND k.name IN ('Americas: Chat', 'Americas: Sales')`)
	pool.MustExecContext(t.Context(), `UPDATE users SET rules_version = rules_version + 1`)

	for unit, c := range map[string]client{"Vault": owner, "Shops": admin} {
		c.done(t, toRequestKeyIn, input{"name": "For " + unit, "kind": "OTHER", "reason": "We grow.", "unitId": units[unit]})
	}
	owner.done(t, toUpdateUnit, input{"unitId": units["Vault"], "kind": "DEPARTMENT"})
	gone := plant(t, owner, []branch{{"Gone", nil, nil}})["Gone"]
	owner.done(t, toDeleteUnit, input{"unitId": gone})
	pool.MustExecContext(t.Context(), `UPDATE accounts SET max_unit_depth = 4, max_api_keys = 1 WHERE name = $1`, demo.Globex)
}

// plant makes units with keys in them and gives their IDs by name. Keys that are not there yet are made; "Removed" is deleted.
func plant(t *testing.T, owner client, tree []branch) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for _, k := range nodes(owner.ask(t, `{ account { apiKeys(first: 100) { nodes { id name } } } }`, nil, "account").(map[string]any), "apiKeys") {
		keys[text(k, "name")] = text(k, "id")
	}
	w, units := &world{owner: member{client: owner}}, map[string]string{}
	var grow func(list []branch, parent string)
	grow = func(list []branch, parent string) {
		for _, b := range list {
			units[b.name] = w.unit(t, b.name, parent)
			for _, name := range b.keys {
				if keys[name] == "" {
					keys[name] = w.keyIn(t, name, units[b.name])
				} else {
					owner.done(t, toMoveKey, input{"keyId": keys[name], "unitId": units[b.name]})
				}
			}
			grow(b.below, units[b.name])
		}
	}
	grow(tree, "")
	if removed := keys["Europe: Removed"]; removed != "" {
		owner.ask(t, deleteKey, in("keyId", removed), "deleteApiKey")
	}
	return units
}

// addUnits reads all units of an account and the rules for them, as its owner sees them.
func (o *demoObjects) addUnits(t testing.TB, owner client, account string) {
	t.Helper()
	for unit := range owner.allUnits(t) {
		id := text(unit, "id")
		found := owner.ask(t, `query($u: ID!) { node(id: $u) { ... on Unit { unitGrants { id } children { totalCount } own: apiKeys(includeDescendants: true) { totalCount nodes { id unit { id } } } } } }`,
			map[string]any{"u": id}, "node").(map[string]any)
		for _, r := range found["unitGrants"].([]any) {
			o.rules = append(o.rules, text(r.(map[string]any), "id"))
		}
		u := unitObject{object: object{id, text(unit, "name"), account, []string{id}}, depth: int(unit["depth"].(float64)),
			empty: found["children"].(map[string]any)["totalCount"] == 0.0 && found["own"].(map[string]any)["totalCount"] == 0.0}
		for _, k := range nodes(found, "own") {
			if text(k["unit"].(map[string]any), "id") == id {
				u.keys = append(u.keys, text(k, "id"))
			}
		}
		o.units = append(o.units, u)
	}
}

// unitObject is a unit with its level, the keys directly in it, and whether it holds no unit and no key but deleted ones.
type unitObject struct {
	object
	depth int
	keys  []string
	empty bool
}

// place is what decides about a unit.
type place struct {
	Unit   string
	Parent *string
}

// readRules gives what the nearest units with a rule for the user say about keys, by key.
func readRules(t *testing.T, pool *sqlx.DB, account, user string) map[string]bool {
	t.Helper()
	parents, keys := readTree(t, pool, account)
	var rules []struct {
		Unit    string
		Enabled bool
	}
	if err := pool.SelectContext(t.Context(), &rules, `SELECT unit_id AS unit, enabled FROM unit_grants WHERE account_id = $1 AND user_id = $2`, account, user); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for key, unit := range keys {
		for at := unit; at != ""; at = parents[at] {
			i := slices.IndexFunc(rules, func(r struct {
				Unit    string
				Enabled bool
			}) bool {
				return r.Unit == at
			})
			if i >= 0 {
				said[key] = rules[i].Enabled
				break
			}
		}
	}
	return said
}

// readTree gives the units of an account with the parent of each, empty at the top, and its keys that are in units with these.
func readTree(t *testing.T, pool *sqlx.DB, account string) (parents, keys map[string]string) {
	t.Helper()
	parents, keys = map[string]string{}, map[string]string{}
	for into, statement := range map[*map[string]string]string{
		&parents: `SELECT unit_id AS unit, parent_id AS parent FROM units WHERE account_id = $1`,
		&keys:    `SELECT key_id AS unit, unit_id AS parent FROM api_keys WHERE account_id = $1 AND unit_id IS NOT NULL`,
	} {
		var list []place
		if err := pool.SelectContext(t.Context(), &list, statement, account); err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			(*into)[p.Unit] = ""
			if p.Parent != nil {
				(*into)[p.Unit] = *p.Parent
			}
		}
	}
	return parents, keys
}

// visibleUnits gives the units that product.md shows to w: those with a visible key in or below them, and with MANAGE_KEYS those
// that hold no key at all and lie below none that is hidden.
func (w who) visibleUnits(t *testing.T, pool *sqlx.DB) []string {
	t.Helper()
	parents, keys := readTree(t, pool, w.Account)
	holds, shows := map[string]bool{}, map[string]bool{}
	for key, unit := range keys {
		for at := unit; at != ""; at = parents[at] {
			holds[at] = true
			shows[at] = shows[at] || slices.Contains(w.VisibleKey, key)
		}
	}
	var visible func(unit string) bool
	visible = func(unit string) bool {
		return w.IsPrimary || shows[unit] || w.may("MANAGE_KEYS") && !holds[unit] && (parents[unit] == "" || visible(parents[unit]))
	}
	list := []string{}
	for unit := range parents {
		if visible(unit) {
			list = append(list, unit)
		}
	}
	return list
}

// deleteHiddenUnits deletes the units that are not among the visible ones, the rules that are hidden, and what is about them.
func (w who) deleteHiddenUnits(visible []string, exec func(statement string, args ...any)) {
	units := pq.Array(visible)
	exec(`DELETE FROM unit_grants WHERE user_id IN (SELECT user_id FROM users WHERE is_primary)`) // the primary user has none
	if !w.may("MANAGE_GRANTS") {
		exec(`DELETE FROM unit_grants WHERE user_id <> $1`, w.User)
	}
	if !w.IsPrimary { // who also reads what is left of units that are gone
		exec(`DELETE FROM audit_events WHERE unit_id IS NOT NULL AND NOT unit_id::text = ANY($1)`, units)
	}
	exec(`UPDATE key_requests SET unit_id = NULL WHERE NOT unit_id::text = ANY($1)`, units)
	exec(`DELETE FROM units WHERE NOT unit_id::text = ANY($1)`, units)
}
