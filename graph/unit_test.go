package graph

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTreeRules is what may be done to the tree, by whom and where.
func TestTreeRules(t *testing.T) {
	t.Parallel()
	limited := func(v *Viewer) *Viewer {
		v.Account.MaxUnitDepth = 3
		return v
	}
	boss, admin := limited(owner()), limited(as(1, AllCapabilities))
	at := func(depth int) *Unit { return &Unit{AccountID: home, UnitID: UUID{30, byte(depth)}, Depth: depth} }
	atTop := &Unit{AccountID: home, UnitID: UUID{40}, Depth: 1}
	below := &Unit{AccountID: home, UnitID: UUID{41}, ParentID: &at(2).UnitID, Depth: 3}
	for _, row := range []struct {
		name  string
		err   error
		want  Code
		path  string
		limit int
	}{
		{"create at the top", admin.MayCreateUnit(nil), "", "", 0},
		{"create at the deepest level", admin.MayCreateUnit(at(2)), "", "", 0},
		{"create deeper", admin.MayCreateUnit(at(3)), LimitReached, "[input parentId]", 3},
		{"create deeper as the owner", boss.MayCreateUnit(at(3)), LimitReached, "[input parentId]", 3},
		{"create below what is deeper already", admin.MayCreateUnit(at(9)), LimitReached, "[input parentId]", 3},
		{"move", boss.MayMoveUnit(UnitMove{Unit: atTop, Parent: at(2), Levels: 1}), "", "", 0},
		{"move to the top", boss.MayMoveUnit(UnitMove{Unit: below, Levels: 3}), "", "", 0},
		{"move to the top with too many levels", boss.MayMoveUnit(UnitMove{Unit: below, Levels: 4}), LimitReached, "[input parentId]", 3},
		{"move with too many levels", boss.MayMoveUnit(UnitMove{Unit: atTop, Parent: at(2), Levels: 2}), LimitReached, "[input parentId]", 3},
		{"move below itself", boss.MayMoveUnit(UnitMove{Unit: atTop, Parent: at(2), Levels: 9, Cyclic: true}), Conflict, "[input parentId]", 0},
		{"stay at the top", boss.MayMoveUnit(UnitMove{Unit: atTop, Levels: 9}), "", "", 0},
		{"stay below", boss.MayMoveUnit(UnitMove{Unit: below, Parent: at(2), Levels: 9}), "", "", 0},
		{"move as an administrator", admin.MayMoveUnit(UnitMove{Unit: atTop, Parent: at(2), Levels: 1}), NotAllowed, "[input unitId]", 0},
		{"stay as an administrator", admin.MayMoveUnit(UnitMove{Unit: atTop, Levels: 1}), NotAllowed, "[input unitId]", 0},
		{"move below itself as an administrator", admin.MayMoveUnit(UnitMove{Unit: atTop, Parent: atTop, Cyclic: true}), NotAllowed, "[input unitId]", 0},
		{"delete what is empty", atTop.MayDelete(false), "", "", 0},
		{"delete what holds something", atTop.MayDelete(true), InvalidState, "[input unitId]", 0},
		{"move a key", boss.MayMoveKey(seenKey), "", "", 0},
		{"move a deleted key", boss.MayMoveKey(gone), "", "", 0},
		{"move the master key", boss.MayMoveKey(master), NotAllowed, "[input keyId]", 0},
		{"move a key as an administrator", admin.MayMoveKey(seenKey), NotAllowed, "[input keyId]", 0},
		{"move the master key as an administrator", admin.MayMoveKey(master), NotAllowed, "[input keyId]", 0},
	} {
		e, refused := errors.AsType[*Error](row.err)
		switch {
		case !refused && row.want != "":
			t.Errorf("%s is allowed, want %s", row.name, row.want)
		case refused && (e.Code != row.want || fmt.Sprint(e.Path) != row.path || e.Limit != row.limit):
			t.Errorf("%s: %s at %v with limit %d, want %q at %s with %d", row.name, e.Code, e.Path, e.Limit, row.want, row.path, row.limit)
		}
	}
}

func TestUnitIs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		unit *Unit
		id   *UUID
		want bool
	}{{nil, nil, true}, {top, nil, false}, {nil, &top.UnitID, false}, {top, &with.UnitID, false}, {top, &UUID{20}, true}} {
		if got := row.unit.Is(row.id); got != row.want {
			t.Errorf("%v is %v: %v", row.unit, row.id, got)
		}
	}
}

// TestUpdateUnitApply: only what differs is a change.
func TestUpdateUnitApply(t *testing.T) {
	t.Parallel()
	name, same, kind := "EMEA", "Europe", Region
	for _, row := range []struct {
		in   UpdateUnitInput
		want []*AuditChange
	}{
		{UpdateUnitInput{}, nil},
		{UpdateUnitInput{Name: &same}, nil},
		{UpdateUnitInput{Name: &name}, []*AuditChange{Changed("name", "Europe", "EMEA")}},
		{UpdateUnitInput{Kind: &kind, Name: &same}, []*AuditChange{Changed("kind", "OTHER", "REGION")}},
		{UpdateUnitInput{Kind: &kind, Name: &name}, []*AuditChange{Changed("name", "Europe", "EMEA"), Changed("kind", "OTHER", "REGION")}},
	} {
		u := &Unit{Name: "Europe", Kind: OtherKind}
		if diff := cmp.Diff(row.want, row.in.Apply(u)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", row.in, diff)
		}
		if again := row.in.Apply(u); again != nil {
			t.Errorf("%+v changes again: %v", row.in, again)
		}
	}
}
