package db_test

import (
	"strings"
	"testing"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// TestBinaryParametersCannotBeSwitchedOff looks at what the pool does: with binary parameters a statement with parameters
// takes one round trip and leaves no prepared statement behind, also when another client holds the connection's name.
func TestBinaryParametersCannotBeSwitchedOff(t *testing.T) {
	t.Parallel()
	dsn := dbtest.DSN(t, dbtest.Copy(t, ""))
	separator := " "
	if strings.Contains(dsn, "://") {
		separator = "&"
		if !strings.Contains(dsn, "?") {
			separator = "?"
		}
	}
	for _, s := range []string{"no", "false", "off", "0", "NO", "'no'", "disable", ""} {
		for _, key := range []string{"binary_parameters", "BINARY_PARAMETERS"} {
			d, err := db.Open(db.Config{URL: dsn + separator + key + "=" + s})
			if err == nil {
				_ = d.Close()
				t.Errorf("%s=%s is accepted", key, s)
			}
		}
	}
	for _, s := range []string{"", separator + "binary_parameters=yes"} {
		d, err := db.Open(db.Config{URL: dsn + s})
		if err != nil {
			t.Fatal(err)
		}
		if on := db.BinaryParameters(t.Context(), d); !on {
			t.Errorf("binary parameters are off with %q", s)
		}
		_ = d.Close()
	}
}

func TestUnreachableDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	d, err := db.Open(db.Config{URL: "host=" + t.TempDir() + " user=nobody dbname=nothing sslmode=disable"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	_, token, err := dbtest.Open(t).CreateOperator(t.Context(), "Test", graph.ScopeList{graph.ScopeSupport})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(t.Context(), token, graph.Request{}); graph.ErrorCode(err) != graph.Unavailable {
		t.Errorf("authenticate: %v, want UNAVAILABLE", err)
	}
	if err := d.Ping(t.Context()); graph.ErrorCode(err) != graph.Unavailable {
		t.Errorf("ping: %v, want UNAVAILABLE", err)
	}
}

func TestRefusesDSNThatSaysNothingUseful(t *testing.T) {
	t.Parallel()
	if _, err := db.Open(db.Config{URL: "host=a sslmode=sometimes"}); err == nil {
		t.Error("accepted")
	}
}
