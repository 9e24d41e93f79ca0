package db_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"grantwood/db"
	"grantwood/graph"
)

// unit makes a unit as the owner, below another one or at the top.
func (a account) unit(t testing.TB, name string, parent *graph.Unit) *graph.Unit {
	t.Helper()
	in := graph.CreateUnitInput{Name: name, Kind: graph.OtherKind}
	if parent != nil {
		in.ParentID = ptr(parent.ID())
	}
	u, err := a.db.CreateUnit(t.Context(), a.owner, in)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (a account) unitID(unit graph.UUID) graph.ID {
	return graph.ID{Kind: graph.KindUnit, Account: a.id, Object: unit}
}

func (a account) units(t testing.TB) []graph.UUID {
	t.Helper()
	var list []graph.UUID
	if err := db.Pool(a.db).SelectContext(t.Context(), &list, `SELECT unit_id FROM units WHERE account_id = $1 ORDER BY unit_id`, a.id); err != nil {
		t.Fatal(err)
	}
	return list
}

// wrongPaths counts the differences between unit_paths and what follows from the parents of the units, and the units from which no
// way leads to the top.
func (a account) wrongPaths(t testing.TB) (wrong, lost int) {
	t.Helper()
	const follows = `
		WITH RECURSIVE up AS (
			SELECT u.unit_id, 0 AS distance, u.unit_id AS above_id, u.parent_id
			FROM units u
			WHERE u.account_id = $1
			UNION ALL
			SELECT up.unit_id, up.distance + 1, u.unit_id, u.parent_id
			FROM up JOIN units u ON u.account_id = $1 AND u.unit_id = up.parent_id
			WHERE up.distance < 200)`
	err := db.Pool(a.db).QueryRowContext(t.Context(), follows+`
		SELECT (SELECT count(*) FROM (
				(SELECT unit_id, distance, above_id FROM up EXCEPT ALL SELECT unit_id, distance, above_id FROM unit_paths WHERE account_id = $1)
				UNION ALL
				(SELECT unit_id, distance, above_id FROM unit_paths WHERE account_id = $1 EXCEPT ALL SELECT unit_id, distance, above_id FROM up)) d),
			(SELECT count(*) FROM units u WHERE u.account_id = $1 AND NOT EXISTS (SELECT FROM up WHERE up.unit_id = u.unit_id AND up.parent_id IS NULL))`,
		a.id).Scan(&wrong, &lost)
	if err != nil {
		t.Fatal(err)
	}
	return wrong, lost
}

// TestWrongPathsAreSeen: the measure of the next tests is one.
func TestWrongPathsAreSeen(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	top := a.unit(t, "Top", nil)
	below := a.unit(t, "Below", top)
	if wrong, lost := a.wrongPaths(t); wrong != 0 || lost != 0 {
		t.Fatalf("%d wrong paths and %d lost units in a tree of two", wrong, lost)
	}
	if _, err := db.Pool(a.db).ExecContext(t.Context(), `UPDATE units SET parent_id = $3 WHERE account_id = $1 AND unit_id = $2`, a.id, top.UnitID, below.UnitID); err != nil {
		t.Fatal(err)
	}
	if wrong, lost := a.wrongPaths(t); wrong == 0 || lost != 2 {
		t.Errorf("%d wrong paths and %d lost units in a circle of two", wrong, lost)
	}
}

// TestTreeUnderConcurrency: whatever changes meet, the paths are those that follow from the parents, nothing lies below itself, and
// nobody waits for good.
func TestTreeUnderConcurrency(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	c := treeChanger{account: a, admin: a.user(t, graph.RoleAdministrator)}
	o, _, err := a.db.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})
	if err != nil {
		t.Fatal(err)
	}
	c.provider = &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: now()}
	if _, err := db.Pool(a.db).ExecContext(t.Context(), `UPDATE accounts SET max_api_keys = 10000, max_unit_depth = 6 WHERE account_id = $1`, a.id); err != nil {
		t.Fatal(err)
	}
	parent := (*graph.Unit)(nil)
	for i := range 5 {
		parent = a.unit(t, fmt.Sprint("Unit ", i), parent)
	}
	var done, refused atomic.Int64
	for round := range rounds {
		units := a.units(t)
		together(8, func(i int) {
			random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
			for range 2 {
				err := c.change(t, random, units)
				switch {
				case err == nil:
					done.Add(1)
				case slices.Contains([]graph.Code{graph.NotFound, graph.Conflict, graph.LimitReached, graph.InvalidState}, graph.ErrorCode(err)):
					refused.Add(1)
				default:
					t.Errorf("round %d: %v", round, err)
				}
			}
		})
		if wrong, lost := a.wrongPaths(t); wrong != 0 || lost != 0 {
			t.Fatalf("round %d: %d wrong paths, %d lost units", round, wrong, lost)
		}
	}
	var deepest int
	err = db.Pool(a.db).GetContext(t.Context(), &deepest, `SELECT max(distance) + 1 FROM unit_paths WHERE account_id = $1`, a.id)
	if err != nil || deepest > 6 {
		t.Errorf("%d levels of units where 6 may be (%v)", deepest, err)
	}
	if done.Load() < 100 || refused.Load() < 20 {
		t.Errorf("%d changes were done and %d refused: these are few", done.Load(), refused.Load())
	}
}

// treeChanger makes changes of a tree, and such that meet them.
type treeChanger struct {
	account
	admin, provider *graph.Viewer
}

// change makes a change at random, about some of the units.
func (c treeChanger) change(t testing.TB, random *rand.Rand, units []graph.UUID) error {
	ctx, owner := t.Context(), *c.owner
	owner.Request = now()
	some := func() graph.ID { return c.unitID(units[random.IntN(len(units))]) }
	place := func() *graph.ID {
		if random.IntN(6) == 0 {
			return nil
		}
		return ptr(some())
	}
	switch random.IntN(12) {
	case 0, 1, 2, 3:
		_, _, err := c.db.MoveUnit(ctx, &owner, graph.MoveUnitInput{UnitID: some(), ParentID: place()})
		return err
	case 4, 5:
		_, err := c.db.CreateUnit(ctx, &owner, graph.CreateUnitInput{Name: "New", Kind: graph.OtherKind, ParentID: place()})
		return err
	case 6:
		_, err := c.db.CreateUnit(ctx, c.admin, graph.CreateUnitInput{Name: "New", Kind: graph.OtherKind, ParentID: place()})
		return err
	case 7, 8:
		_, err := c.db.DeleteUnit(ctx, &owner, some())
		return err
	case 9:
		_, err := c.db.UpdateUnit(ctx, c.admin, graph.UpdateUnitInput{UnitID: some(), Name: ptr(fmt.Sprint("Name ", random.IntN(100)))})
		return err
	case 10:
		k, _, err := c.db.CreateApiKey(ctx, c.admin, graph.CreateApiKeyInput{Name: "Key", Kind: graph.OtherKind, UnitID: place()})
		if err != nil {
			return err
		}
		_, err = c.db.MoveApiKey(ctx, &owner, graph.MoveApiKeyInput{KeyID: k.ID(), UnitID: place()})
		if err != nil {
			return err
		}
		_, err = c.db.MoveApiKey(ctx, &owner, graph.MoveApiKeyInput{KeyID: k.ID()}) // so that units become empty again
		return err
	}
	q, err := c.db.RequestApiKey(ctx, c.admin, graph.RequestApiKeyInput{Name: "Key", Kind: graph.OtherKind, Reason: "x", UnitID: place()})
	if err != nil {
		return err
	}
	q, err = c.db.ApproveKeyRequest(ctx, c.provider, graph.DecideKeyRequestInput{KeyRequestID: q.ID()})
	if err != nil {
		return err
	}
	_, err = c.db.MoveApiKey(ctx, &owner, graph.MoveApiKeyInput{KeyID: q.Key.ID()})
	return err
}

// TestOppositeMoves: of two moves at once that would put each of two units below the other, exactly one is refused.
func TestOppositeMoves(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	one, other := a.unit(t, "One", nil), a.unit(t, "Other", nil)
	// Each has a unit between, so that the circle would not be one of two.
	between := []*graph.Unit{a.unit(t, "Below the other", other), a.unit(t, "Below the one", one)}
	pair := []*graph.Unit{one, other}
	for round := range rounds {
		errs := make([]error, 2)
		together(2, func(i int) {
			v := *a.owner
			_, _, errs[i] = a.db.MoveUnit(t.Context(), &v, graph.MoveUnitInput{UnitID: pair[i].ID(), ParentID: ptr(between[i].ID())})
		})
		winner := slices.IndexFunc(errs, func(err error) bool { return err == nil })
		if winner < 0 || code(errs[1-winner]) != "CONFLICT input.parentId" {
			t.Fatalf("round %d: %v and %v", round, errs[0], errs[1])
		}
		if wrong, lost := a.wrongPaths(t); wrong != 0 || lost != 0 {
			t.Fatalf("round %d: %d wrong paths, %d lost units", round, wrong, lost)
		}
		if _, _, err := a.db.MoveUnit(t.Context(), a.owner, graph.MoveUnitInput{UnitID: pair[winner].ID()}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeletedWhileFilled: of deleting an empty unit and putting something into it at once, one is refused.
func TestDeletedWhileFilled(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	k, _, err := a.db.CreateApiKey(t.Context(), a.owner, graph.CreateApiKeyInput{Name: "Key", Kind: graph.OtherKind})
	if err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		u := a.unit(t, "Unit", nil)
		errs := make([]error, 2)
		together(2, func(i int) {
			v := *a.owner
			switch {
			case i == 0:
				_, errs[i] = a.db.DeleteUnit(t.Context(), &v, u.ID())
			case round%2 == 0:
				_, errs[i] = a.db.MoveApiKey(t.Context(), &v, graph.MoveApiKeyInput{KeyID: k.ID(), UnitID: ptr(u.ID())})
			default:
				_, errs[i] = a.db.CreateUnit(t.Context(), &v, graph.CreateUnitInput{Name: "Below", Kind: graph.OtherKind, ParentID: ptr(u.ID())})
			}
		})
		got := []string{code(errs[0]), code(errs[1])}
		path := "input.unitId"
		if round%2 == 1 {
			path = "input.parentId"
		}
		if !slices.Equal(got, []string{"", "NOT_FOUND " + path}) && !slices.Equal(got, []string{"INVALID_STATE input.unitId", ""}) {
			t.Fatalf("round %d: %q", round, got)
		}
	}
}
