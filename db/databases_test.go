package db_test

import (
	"testing"

	"grantwood/db/dbtest"
)

// TestDescription: a database keeps its text under another name, and each text that there can be.
func TestDescription(t *testing.T) {
	t.Parallel()
	ctx, databases, name := t.Context(), dbtest.Databases(), dbtest.Copy(t, "")
	for _, text := range []string{"", `{"a": "it's 100 %s \\ \"b\""}`, "another"} {
		if err := databases.Describe(ctx, name, text); err != nil {
			t.Fatal(err)
		}
		if got, err := databases.Description(ctx, name); err != nil || got != text {
			t.Errorf("the description is %q (%v), want %q", got, err, text)
		}
	}
	renamed := name + "_renamed"
	if err := databases.Rename(ctx, name, renamed); err != nil {
		t.Fatal(err)
	}
	if got, err := databases.Description(ctx, renamed); err != nil || got != "another" {
		t.Errorf("after another name the description is %q (%v)", got, err)
	}
	if err := databases.Drop(ctx, renamed); err != nil {
		t.Fatal(err)
	}
	if got, err := databases.Description(ctx, renamed); err == nil {
		t.Errorf("a database that there is not has the description %q", got)
	}
}
