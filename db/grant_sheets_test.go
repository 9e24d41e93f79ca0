package db_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

func (c crowd) sheet(t testing.TB) string {
	t.Helper()
	keys, users, err := c.db.GrantSheet(t.Context(), c.owner, c.id, nil)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := graph.WriteSheet(&file, keys, users); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

func (c crowd) send(t testing.TB, file string, plan bool, progress func(done, of int)) (*graph.SheetComparison, *graph.ID) {
	t.Helper()
	s, err := graph.ReadSheet(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	c.owner.Request = now()
	compared, operation, err := c.db.ImportGrants(t.Context(), c.owner, s, plan, progress)
	if err != nil || compared.Refusals.Count > 0 {
		t.Fatalf("%v, refused %v", err, compared.Refusals.List)
	}
	return compared, operation
}

// TestLargeSheet sends a file whose changes take several statements: they are one operation, which counts as it does, says on the
// way how far it is, and is taken back as a whole.
func TestLargeSheet(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 140, 400)
	c.settle(t)
	before := c.sheet(t)
	wanted := strings.NewReplacer(",(disabled)", ",enabled", ",enabled", ",(disabled)", ",disabled", ",enabled").Replace(before)
	planned, operation := c.send(t, wanted, true, nil)
	if operation != nil || c.sheet(t) != before {
		t.Fatal("a plan changes something")
	}
	var steps []int
	matrix := must(c.db.AccessMatrix(t.Context(), c.owner, c.id, nil))
	compared, operation := c.send(t, wanted, false, func(done, of int) {
		if of != len(planned.Changes) {
			t.Errorf("%d of %d changes", done, of)
		}
		steps = append(steps, done)
	})
	if len(steps) != 1 || steps[0] < 50_000 || steps[0] >= len(planned.Changes) {
		t.Errorf("steps %v of %d", steps, len(planned.Changes))
	}
	later := must(c.db.AccessMatrix(t.Context(), c.owner, c.id, nil))
	on, off := matrix.Changed(later)
	if diff := cmp.Diff([]int{on, off, on, off}, []int{planned.Enabled, planned.Disabled, compared.Enabled, compared.Disabled}); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	c.owner.Request = now()
	undone, err := c.db.UndoGrantOperation(t.Context(), c.owner, graph.UndoGrantOperationInput{OperationID: *operation})
	if err != nil || undone.Enabled != off || undone.Disabled != on {
		t.Errorf("%v, undone with %d enabled and %d disabled", err, undone.Enabled, undone.Disabled)
	}
	if c.sheet(t) != before {
		t.Error("taken back, the sheet is another one")
	}
}

// BenchmarkGrantSheet exports, plans and imports a thousand users and a thousand keys, all of whose grants change.
func BenchmarkGrantSheet(b *testing.B) {
	c := newCrowd(b, 1000, 1000)
	c.settle(b)
	for b.Loop() {
		start := time.Now()
		file := c.sheet(b)
		b.Logf("export of %d bytes: %s", len(file), time.Since(start))
		for _, plan := range []bool{true, false} {
			start = time.Now()
			compared, _ := c.send(b, strings.ReplaceAll(file, ",(disabled)", ",enabled"), plan, func(done, of int) { b.Logf("%d of %d: %s", done, of, time.Since(start)) })
			b.Logf("%d changes, plan %t: %s", len(compared.Changes), plan, time.Since(start))
		}
	}
}

// sheetKeys gives everything that a sheet holds, each thing once.
func sheetKeys(keys []*graph.ApiKey, users []graph.SheetUser, err error) []string {
	if err != nil {
		panic(err)
	}
	var all []string
	for _, k := range keys {
		all = append(all, k.Key)
	}
	for _, u := range users {
		all = append(all, u.User.Email)
	}
	return all
}
