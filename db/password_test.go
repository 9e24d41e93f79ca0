package db_test

import (
	"strings"
	"testing"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/demo"
	"grantwood/graph"
)

// TestPasswordCost: where nothing else is said a password costs what OWASP advises, and one of nobody as much.
func TestPasswordCost(t *testing.T) {
	t.Parallel()
	name := dbtest.Copy(t, "")
	dbtest.OpenNamed(t, name)
	d, err := db.Open(db.Config{URL: dbtest.DSN(t, name)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	newAccountOn(t, d)
	var stored string
	if err := db.Pool(d).GetContext(t.Context(), &stored, `SELECT password_hash FROM persons`); err != nil {
		t.Fatal(err)
	}
	const advised = "$argon2id$v=19$m=19456,t=2,p=1$"
	if unknown := db.UnknownPassword(d); !strings.HasPrefix(stored, advised) || !strings.HasPrefix(unknown, advised) || len(unknown) != len(stored) {
		t.Errorf("stored %s, of nobody %s", stored, unknown)
	}
	if _, err := d.SignIn(t.Context(), &graph.Viewer{Request: now()}, graph.SignInInput{Email: "nobody@db.example", Password: demo.Password}); graph.ErrorCode(err) != graph.InvalidCredentials {
		t.Errorf("a sign-in as nobody: %v", err)
	}

}
