package graph

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIDsSurviveTheirText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		uuid := func(label string) UUID { return UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, label)) }
		id := ID{Kind: rapid.SampledFrom([]Kind{KindAccount, KindUser, KindKey, KindGrant, KindInvitation, KindAuditEvent, KindKeyRequest, KindAccessToken, KindSession, KindUsage}).Draw(r, "kind"), Account: uuid("account")}
		if id.Kind.parts() > 1 {
			id.Object = uuid("object")
		}
		if id.Kind.parts() > 2 {
			id.Second = uuid("second")
		}
		if got := ParseID(id.String()); got != id {
			r.Fatalf("%s reads as %v, want %v", id, got, id)
		}
		var b bytes.Buffer
		id.MarshalGQL(&b)
		if b.String() != `"`+id.String()+`"` {
			r.Fatalf("written as %s", b.String())
		}
		var u UUID
		if err := u.Scan([]byte(id.Account.String())); err != nil || u != id.Account {
			r.Fatalf("%s scans as %s, %v", id.Account, u, err)
		}
	})
}

// TestMalformedIDsAreNothing: whatever is not exactly the text of an ID names nothing, and nothing panics.
func TestMalformedIDsAreNothing(t *testing.T) {
	t.Parallel()
	good := ID{Kind: KindKey, Account: UUID{1}, Object: UUID{2}}.String()
	for _, text := range []string{"", "_", "key", "key_", "key_x", strings.ToUpper(good), good + "0", good[:len(good)-1], " " + good, "usr" + good[3:] + "0",
		"xyz" + good[3:], strings.Replace(good, "_", "-", 1), good[:len(good)-1] + "1", good[:len(good)-1] + "w", good + "\n", "acc" + good[3:]} {
		if id := ParseID(text); id != (ID{}) {
			t.Errorf("%q is taken for %v", text, id)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.String().Draw(r, "text")
		if id := ParseID(text); id != (ID{}) && id.String() != text {
			r.Fatalf("%q is taken for %s", text, id)
		}
	})
}

func TestIDIn(t *testing.T) {
	t.Parallel()
	id := ID{Kind: KindKey, Account: UUID{1}, Object: UUID{2}}
	for _, row := range []struct {
		account UUID
		kind    Kind
		want    UUID
	}{{UUID{1}, KindKey, UUID{2}}, {UUID{3}, KindKey, UUID{}}, {UUID{1}, KindUser, UUID{}}, {UUID{}, KindKey, UUID{}}} {
		if got := id.In(row.account, row.kind); got != row.want {
			t.Errorf("in %s as %s: %s, want %s", row.account, row.kind, got, row.want)
		}
	}
	if got := (ID{}).In(UUID{}, ""); !got.IsZero() {
		t.Errorf("nothing is %s", got)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	number, text := func(n int) *int { return &n }, func(s string) *string { return &s }
	cursor := Cursor{ID: UUID{1}, Name: "a"}
	for _, row := range []struct {
		name string
		args PageArgs
		want string // path of the refusal
	}{
		{"nothing", PageArgs{}, "[]"},
		{"first", PageArgs{First: number(100)}, "[]"},
		{"last and before", PageArgs{Last: number(1), Before: text(cursor.Text(ByName))}, "[]"},
		{"first and last", PageArgs{First: number(1), Last: number(1)}, "[last]"},
		{"none", PageArgs{First: number(0)}, "[first]"},
		{"less than none", PageArgs{Last: number(-1)}, "[last]"},
		{"too many", PageArgs{First: number(101)}, "[first]"},
		{"no cursor", PageArgs{After: text("nonsense")}, "[after]"},
		{"empty cursor", PageArgs{Before: text("")}, "[before]"},
		{"cursor of another order", PageArgs{After: text(cursor.Text(ByNameDesc))}, "[after]"},
		{"cursor with something behind", PageArgs{After: text(cursor.Text(ByName) + "=")}, "[after]"},
	} {
		w, err := row.args.Window(ByName)
		path := "[]"
		if e, ok := err.(*Error); ok {
			path = fmt.Sprint(e.Path)
		}
		if path != row.want {
			t.Errorf("%s: refused at %s, want %s", row.name, path, row.want)
		}
		if err == nil && (w.Limit < 1 || w.Limit > MaxPageSize) {
			t.Errorf("%s: %d elements", row.name, w.Limit)
		}
	}
	w, err := PageArgs{After: text(cursor.Text(ByName))}.Window(ByName)
	if err != nil || *w.After != cursor {
		t.Errorf("a cursor reads as %v, %v", w.After, err)
	}
}
