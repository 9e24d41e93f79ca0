package db_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// largeModel has 5,000 keys in 500 units: 20 regions of 4 business units of 5 departments and some. The administrator has rules
// for two regions, with one exception each; the reader has a rule for a business unit. Both have single grants beside them.
func largeModel() *treeModel {
	const units, keys = 500, 5000
	m := &treeModel{unitOf: []int{-1}, explicit: map[pairAt]graph.Rule{}, rules: map[pairAt]bool{}}
	for unit := range units {
		parent := -1
		switch {
		case unit >= 100:
			parent = 20 + unit%80
		case unit >= 20:
			parent = unit % 20
		}
		m.parent = append(m.parent, parent)
	}
	for key := 1; key < keys; key++ {
		m.unitOf = append(m.unitOf, key%units)
	}
	for region := range 2 {
		m.rules[pairAt{modelAdmin, region}] = true
		m.rules[pairAt{modelAdmin, 20 + region}] = false
	}
	m.rules[pairAt{modelReader, 25}] = true
	for key := 1; key <= 60; key++ {
		m.explicit[pairAt{modelAdmin, key * 80}] = graph.Rule{Enabled: key%4 > 0}
		m.explicit[pairAt{modelReader, key * 80}] = graph.Rule{Enabled: key%4 > 0}
	}
	return m
}

// others gives 300 further users 100 grants and 3 rules each.
var others = []string{`
	INSERT INTO users (account_id, user_id, person_id, email, display_name, created_at)
	SELECT $1, gen_random_uuid(), gen_random_uuid(), n || '@crowd.example', 'One of the crowd', now() FROM generate_series(1, 300) n`, `
	INSERT INTO grants (account_id, user_id, key_id, enabled, updated_at)
	SELECT $1, u.user_id, k.key_id, true, now() FROM users u
	CROSS JOIN LATERAL (SELECT key_id FROM api_keys WHERE account_id = $1 AND hashtext(u.user_id::text || key_id::text) % 50 = 0) k
	WHERE u.account_id = $1 AND u.display_name = 'One of the crowd'`, `
	INSERT INTO unit_grants (account_id, user_id, unit_id, enabled, updated_at)
	SELECT $1, u.user_id, n.unit_id, true, now() FROM users u
	CROSS JOIN LATERAL (SELECT unit_id FROM units WHERE account_id = $1 AND hashtext(u.user_id::text || unit_id::text) % 150 = 0) n
	WHERE u.account_id = $1 AND u.display_name = 'One of the crowd'`}

// plantLarge writes the large model into a database of its own, beside a crowd and with statistics.
func plantLarge(t testing.TB) *planted {
	t.Helper()
	name := dbtest.Copy(t, "")
	p, err := plant(t.Context(), dbtest.OpenNamed(t, name), largeModel())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range others {
		if _, err := db.Pool(p.db).ExecContext(t.Context(), statement, p.account); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := connect(t, name).ExecContext(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPlanOfVisibleKeys records how PostgreSQL finds the keys of one user among 5,000 in 500 units, and holds that it reads
// what was set for the user and not all keys.
func TestPlanOfVisibleKeys(t *testing.T) {
	t.Parallel()
	p := plantLarge(t)
	for name, user := range map[string]int{"administrator with rules for 2 regions": modelAdmin, "reader with a rule for a business unit": modelReader} {
		v := p.viewer(t, t, user, modelStart)
		statement, args := db.VisibleKeysStatement(v, p.account)
		var plan []string
		if err := db.Pool(p.db).SelectContext(t.Context(), &plan, `EXPLAIN (ANALYZE, COSTS OFF) `+statement, args...); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		t.Logf("%s sees %d keys:\n%s", name, len(visibleIn(t, p, v)), text)
		readsRules(t, text)
	}
}

func visibleIn(t testing.TB, p *planted, v *graph.Viewer) []graph.UUID {
	t.Helper()
	statement, args := db.VisibleKeysStatement(v, p.account)
	var keys []graph.UUID
	if err := db.Pool(p.db).SelectContext(t.Context(), &keys, statement, args...); err != nil {
		t.Fatal(err)
	}
	return keys
}

// BenchmarkVisibleKeys is what one list of the visible keys costs on the way to PostgreSQL and back, and what PostgreSQL says
// that it took of it.
func BenchmarkVisibleKeys(b *testing.B) {
	p := plantLarge(b)
	v := p.viewer(b, b, modelAdmin, modelStart)
	statement, args := db.VisibleKeysStatement(v, p.account)
	var inside time.Duration
	for b.Loop() {
		visibleIn(b, p, v)
		var plan []string
		if err := db.Pool(p.db).SelectContext(b.Context(), &plan, `EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, SUMMARY ON) `+statement, args...); err != nil {
			b.Fatal(err)
		}
		for _, line := range plan {
			if text, ok := strings.CutPrefix(line, "Execution Time: "); ok {
				took, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
				if err != nil {
					b.Fatal(err)
				}
				inside += took
			}
		}
	}
	b.ReportMetric(float64(inside.Microseconds())/float64(b.N)/1000, "ms-in-PostgreSQL/op")
}

// TestPlanOfVisibleUnits records the same for the units of somebody who manages keys, and so sees empty ones.
func TestPlanOfVisibleUnits(t *testing.T) {
	t.Parallel()
	p := plantLarge(t)
	v := p.viewer(t, t, modelAdmin, modelStart)
	statement, args := db.VisibleUnitsStatement(v, p.account)
	var plan []string
	if err := db.Pool(p.db).SelectContext(t.Context(), &plan, `EXPLAIN (ANALYZE, COSTS OFF) `+statement, args...); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	t.Log(text)
	readsRules(t, text)
}

// TestPlansOfGrants records the plans that are kept of the statements about grants: they look up each grant by itself, and sort nothing
// but rules of units.
func TestPlansOfGrants(t *testing.T) {
	t.Parallel()
	p := plantLarge(t)
	owner, admin := p.viewer(t, t, modelOwner, modelStart), p.viewer(t, t, modelAdmin, modelStart)
	change := []string{"uuid", "uuid", "timestamptz", "uuid", "uuid", "boolean", "timestamptz", "bigint", "uuid", "uuid", "text", "text", "text", "text", "text",
		"jsonb", "jsonb", "jsonb"}
	for name, c := range map[string]struct {
		statement string
		types     []string
	}{
		"grid, owner":           {db.GridStatement(owner), []string{"uuid", "uuid", "timestamptz", "uuid[]", "uuid[]"}},
		"grid, administrator":   {db.GridStatement(admin), []string{"uuid", "uuid", "timestamptz", "uuid[]", "uuid[]"}},
		"change, owner":         {db.PlainGrantStatement(true), change},
		"change, administrator": {db.PlainGrantStatement(false), change},
	} {
		plan := keptPlan(t, p.db, c.statement, c.types)
		t.Logf("%s:\n%s", name, plan)
		readsRules(t, plan)
		if !grantOfPair.MatchString(plan) {
			t.Errorf("%s: the plan does not look up a grant by its user and key", name)
		}
	}
}

var grantOfPair = regexp.MustCompile(`Index Scan using grants_\w+ on grants \w+\s+Index Cond: \(\(account_id = \$1\) AND (\(user_id = .*\) AND \(key_id = |\(key_id = .*\) AND \(user_id = )`)

// keptPlan gives the plan that PostgreSQL keeps of a prepared statement, for whatever parameters.
func keptPlan(t *testing.T, d *db.DB, statement string, types []string) string {
	t.Helper()
	c, err := db.Pool(d).Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, s := range []string{`SET plan_cache_mode = force_generic_plan`, `PREPARE kept (` + strings.Join(types, ", ") + `) AS ` + statement} {
		if _, err := c.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	err = c.SelectContext(t.Context(), &lines, `EXPLAIN (COSTS OFF) EXECUTE kept (`+strings.TrimSuffix(strings.Repeat("NULL, ", len(types)), ", ")+`)`)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{`DEALLOCATE kept`, `RESET plan_cache_mode`} {
		if _, err := c.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(lines, "\n")
}

// readsRules holds that a plan finds what was set for the user by indexes, among what was set for all.
func readsRules(t *testing.T, plan string) {
	t.Helper()
	if strings.Contains(plan, "Seq Scan on grants") || strings.Contains(plan, "Seq Scan on unit_grants") {
		t.Error("the plan reads a whole table")
	}
}
