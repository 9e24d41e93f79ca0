package db_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/graph"
)

// treeModel is an account written down once more, plainly: who sees what follows from it by recursion. Places in lists stand
// for identifiers; none is -1.
type treeModel struct {
	parent   []int // of each unit
	unitOf   []int // of each key; key 0 is the master key
	explicit map[pairAt]graph.Rule
	rules    map[pairAt]bool
}

// pairAt is a user and a key, or a user and a unit.
type pairAt struct{ user, object int }

const (
	modelOwner  = iota // owns the account
	modelAdmin         // holds every capability
	modelReader        // holds VIEW_USAGE
	modelUsers
)

// answer is what decides about a user and a key, and the unit when that does.
type answer struct {
	Enabled bool
	Source  graph.GrantSource
	Unit    int
}

func (m *treeModel) effective(user, key int, at time.Time) answer {
	if r, ok := m.explicit[pairAt{user, key}]; ok && (r.ExpiresAt == nil || at.Before(*r.ExpiresAt)) {
		return answer{r.Enabled, graph.FromExplicit, -1}
	}
	return m.inherited(user, key, m.unitOf[key])
}

func (m *treeModel) inherited(user, key, unit int) answer {
	if unit == -1 {
		return answer{key == 0, graph.FromDefault, -1}
	}
	if enabled, ok := m.rules[pairAt{user, unit}]; ok {
		return answer{enabled, graph.FromUnit, unit}
	}
	return m.inherited(user, key, m.parent[unit])
}

func (m *treeModel) seesKey(user, key int, at time.Time) bool {
	return user == modelOwner || m.effective(user, key, at).Enabled
}

// below lists the keys in a unit and below it.
func (m *treeModel) below(unit int) []int {
	var keys []int
	for k, u := range m.unitOf {
		if u == unit {
			keys = append(keys, k)
		}
	}
	for child, p := range m.parent {
		if p == unit {
			keys = append(keys, m.below(child)...)
		}
	}
	return keys
}

func (m *treeModel) seesUnit(user, unit int, at time.Time) bool {
	if user == modelOwner {
		return true
	}
	keys := m.below(unit)
	for _, k := range keys {
		if m.seesKey(user, k, at) {
			return true
		}
	}
	return user == modelAdmin && len(keys) == 0 && (m.parent[unit] == -1 || m.seesUnit(user, m.parent[unit], at))
}

// within reports whether a unit is another one or below it.
func (m *treeModel) within(unit, other int) bool {
	return unit == other || unit != -1 && m.within(m.parent[unit], other)
}

var modelStart = time.Date(2016, 6, 29, 9, 0, 0, 0, time.UTC)

// drawModel makes an account at random. Grants end at whole hours after modelStart.
func drawModel(r *rapid.T) *treeModel {
	m := &treeModel{unitOf: []int{-1}, explicit: map[pairAt]graph.Rule{}, rules: map[pairAt]bool{}}
	deep := rapid.Bool().Draw(r, "deep")
	for unit := range rapid.IntRange(0, 9).Draw(r, "units") {
		from := -1
		if deep {
			from = max(-1, unit-2)
		}
		m.parent = append(m.parent, rapid.IntRange(from, unit-1).Draw(r, "parent"))
	}
	for range rapid.IntRange(1, 7).Draw(r, "keys") {
		m.unitOf = append(m.unitOf, rapid.IntRange(-1, len(m.parent)-1).Draw(r, "unit"))
	}
	for user := modelAdmin; user < modelUsers; user++ {
		for key := range m.unitOf {
			if rapid.IntRange(0, 3).Draw(r, "set") == 0 {
				m.explicit[pairAt{user, key}] = drawRule(r)
			}
		}
		for unit := range m.parent {
			if rapid.IntRange(0, 2).Draw(r, "ruled") == 0 {
				m.rules[pairAt{user, unit}] = rapid.Bool().Draw(r, "enabled")
			}
		}
	}
	return m
}

func drawRule(r *rapid.T) graph.Rule {
	rule := graph.Rule{Enabled: rapid.Bool().Draw(r, "enabled")}
	if rule.Enabled && rapid.Bool().Draw(r, "ends") {
		end := modelStart.Add(time.Duration(rapid.IntRange(-1, 3).Draw(r, "end")) * time.Hour)
		rule.ExpiresAt = &end
	}
	return rule
}

// planted is a model in the database.
type planted struct {
	*treeModel
	db      *db.DB
	account graph.UUID
	units   []graph.UUID
	keys    []graph.UUID
	users   []graph.UUID
}

var lastPlanted atomic.Uint32

// id makes identifiers that differ in every account.
func (p *planted) id(kind byte, n int) graph.UUID {
	id := p.account
	id[6], id[14], id[15] = 0x70|kind, byte(n>>8), byte(n)
	return id
}

// plant writes a model into an account of its own.
func plant(ctx context.Context, d *db.DB, m *treeModel) (*planted, error) {
	p := &planted{treeModel: m, db: d}
	binary.BigEndian.PutUint32(p.account[:], lastPlanted.Add(1))
	p.account[6], p.account[8], p.account[9] = 0x70, 0x80, 1
	var users, units, paths, keys, grants, rules []row
	for user, granted := range [modelUsers]graph.CapabilitySet{modelAdmin: graph.AllCapabilities, modelReader: graph.Capabilities(graph.ViewUsage)} {
		p.users = append(p.users, p.id(1, user))
		users = append(users, row{p.account, p.users[user], p.users[user], fmt.Sprint(user, "@planted.example"), "Planted", user == modelOwner, granted, modelStart})
	}
	for unit, parent := range m.parent {
		p.units = append(p.units, p.id(2, unit))
		units = append(units, row{p.account, p.units[unit], p.at(p.units, parent), fmt.Sprint("Unit ", unit), "OTHER", modelStart})
		for above, distance := unit, 0; above != -1; above, distance = m.parent[above], distance+1 {
			paths = append(paths, row{p.account, p.units[unit], distance, p.units[above]})
		}
	}
	for key, unit := range m.unitOf {
		p.keys = append(p.keys, p.id(3, key))
		keys = append(keys, row{p.account, p.keys[key], db.PublicKey(p.account, fmt.Sprint(key)), fmt.Sprint("Key ", key), "OTHER", key == 0, p.at(p.units, unit), modelStart})
	}
	for pair, rule := range p.explicit {
		grants = append(grants, row{p.account, p.users[pair.user], p.keys[pair.object], rule.Enabled, rule.ExpiresAt, modelStart})
	}
	for pair, enabled := range p.rules {
		rules = append(rules, row{p.account, p.users[pair.user], p.units[pair.object], enabled, modelStart})
	}
	for _, table := range []struct {
		columns string
		rows    []row
	}{
		{"accounts (account_id, name, currency, created_at)", []row{{p.account, "Planted", "EUR", modelStart}}},
		{"users (account_id, user_id, person_id, email, display_name, is_primary, granted, created_at)", users},
		{"units (account_id, unit_id, parent_id, name, kind, created_at)", units},
		{"unit_paths (account_id, unit_id, distance, above_id)", paths},
		{"api_keys (account_id, key_id, key, name, kind, is_master, unit_id, created_at)", keys},
		{"grants (account_id, user_id, key_id, enabled, expires_at, updated_at)", grants},
		{"unit_grants (account_id, user_id, unit_id, enabled, updated_at)", rules},
	} {
		if err := insert(ctx, d, table.columns, table.rows); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// row is what is written to a table.
type row []any

// insert writes rows to the columns of a table.
func insert(ctx context.Context, d *db.DB, columns string, rows []row) error {
	const atOnce = 2000
	for part := range slices.Chunk(rows, atOnce) {
		var args []any
		values := make([]string, len(part))
		for i, r := range part {
			places := make([]string, len(r))
			for j, value := range r {
				args = append(args, value)
				places[j] = fmt.Sprint("$", len(args))
			}
			values[i] = "(" + strings.Join(places, ", ") + ")"
		}
		if _, err := db.Pool(d).ExecContext(ctx, "INSERT INTO "+columns+" VALUES "+strings.Join(values, ", "), args...); err != nil {
			return err
		}
	}
	return nil
}

func (p *planted) at(list []graph.UUID, i int) *graph.UUID {
	if i == -1 {
		return nil
	}
	return &list[i]
}

// viewer gives a user as a request at the time does.
func (p *planted) viewer(r interface{ Fatal(...any) }, t testing.TB, user int, at time.Time) *graph.Viewer {
	v, err := db.ViewerOf(t.Context(), p.db, p.account, p.users[user], at)
	if err != nil {
		r.Fatal(err)
	}
	return v
}
