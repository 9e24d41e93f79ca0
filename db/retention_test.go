package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestForgetEvents lets old events leave and the others stay, in every account, although the serving role could not.
func TestForgetEvents(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	d := dbtest.OpenNamed(t, name)
	o := must(opened(d.CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeAdmin})))
	r := now()
	for i, days := range []int{0, 29, 31, 400} {
		at := r
		at.At = r.At.AddDate(0, 0, -days)
		must(d.CreateAccount(t.Context(), &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: at}, graph.CreateAccountInput{
			Name: fmt.Sprintf("%d days old", days), Currency: "EUR", PrimaryEmail: fmt.Sprintf("owner%d@test.example", i)}))
	}
	if wrong, err := d.ForgetEvents(t.Context(), r.At.AddDate(0, 0, -500)); err != nil || wrong != 0 {
		t.Errorf("%d events are older than 500 days, %v", wrong, err)
	}
	forgotten, err := d.ForgetEvents(t.Context(), r.At.AddDate(0, 0, -30))
	if err != nil || forgotten < 4 {
		t.Errorf("%d events are forgotten, %v", forgotten, err)
	}
	var left []string
	err = connect(t, name).SelectContext(t.Context(), &left, `
		SELECT DISTINCT a.name FROM audit_events e JOIN accounts a ON a.account_id = e.account_id ORDER BY a.name`)
	if diff := cmp.Diff([]string{"0 days old", "29 days old"}, left); err != nil || diff != "" {
		t.Errorf("%v, accounts with events (-want +got):\n%s", err, diff)
	}
	if again, err := d.ForgetEvents(t.Context(), r.At.AddDate(0, 0, -30)); err != nil || again != 0 {
		t.Errorf("again: %d, %v", again, err)
	}
}

func TestForgetEventsWithoutADatabase(t *testing.T) {
	t.Parallel()
	d, err := db.Open(db.Config{URL: "host=" + t.TempDir() + " user=nobody dbname=nothing sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.ForgetEvents(t.Context(), time.Now()); graph.ErrorCode(err) != graph.Unavailable {
		t.Errorf("%v, want UNAVAILABLE", err)
	}
}
