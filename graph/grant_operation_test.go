package graph

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func userID(u UUID) ID { return ID{Kind: KindUser, Account: home, Object: u} }

func keyID(k UUID) ID { return ID{Kind: KindKey, Account: home, Object: k} }

// TestManyGrants: what each change of a list, and each user and key of a block, is refused with, all of it together.
func TestManyGrants(t *testing.T) {
	t.Parallel()
	admin := as(1, AllCapabilities)
	peer, past, future := UUID{50}, noon.Add(-time.Second), noon.Add(time.Second)
	targets := GrantTargets{
		Users: map[UUID]*User{peer: {AccountID: home, UserID: peer}, admin.UserID(): admin.User, {100}: owner().User},
		Keys:  map[UUID]*ApiKey{master.KeyID: master, seenKey.KeyID: {AccountID: home, KeyID: seenKey.KeyID}, {13}: gone},
	}
	change := func(user, key ID, s GrantState, end *time.Time) SetGrantInput {
		return SetGrantInput{UserID: user, KeyID: key, State: s, ExpiresAt: end}
	}
	list := func(changes ...SetGrantInput) error { return admin.MaySetGrants(SetGrantsInput{changes}, targets) }
	block := func(s GrantState, users []ID, keys ...ID) error {
		return admin.MaySetAccess(SetAccessInput{UserIds: users, KeyIds: keys, State: s}, targets)
	}
	u, k, foreign := userID(peer), keyID(seenKey.KeyID), ID{Kind: KindKey, Account: abroad, Object: seenKey.KeyID}
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"a list":                     {list(change(u, k, GrantEnabled, &future), change(u, keyID(master.KeyID), GrantInherit, nil)), nil},
		"no list":                    {list(), nil},
		"hidden, missing, malformed": {list(change(userID(UUID{51}), keyID(hidden.KeyID), GrantEnabled, nil), change(ID{}, ID{}, GrantEnabled, nil), change(k, u, GrantEnabled, nil)), []string{"NOT_FOUND input.changes.0.userId", "NOT_FOUND input.changes.0.keyId", "NOT_FOUND input.changes.1.userId", "NOT_FOUND input.changes.1.keyId", "NOT_FOUND input.changes.2.userId", "NOT_FOUND input.changes.2.keyId"}},
		"another account":            {list(change(u, foreign, GrantEnabled, nil)), []string{"NOT_FOUND input.changes.0.keyId"}},
		"one after a good one":       {list(change(u, k, GrantEnabled, nil), change(userID(admin.UserID()), k, GrantDisabled, nil)), []string{"NOT_ALLOWED input.changes.1.userId"}},
		"everything at once":         {list(change(userID(UUID{100}), keyID(UUID{13}), "SOME", &past)), []string{"INVALID input.changes.0.state", "NOT_ALLOWED input.changes.0.userId", "INVALID_STATE input.changes.0.keyId", "INVALID input.changes.0.expiresAt"}},
		"an end in the past":         {list(change(u, k, GrantEnabled, &past)), []string{"INVALID input.changes.0.expiresAt"}},
		"an end of what is off":      {list(change(u, k, GrantInherit, &future)), []string{"INVALID input.changes.0.expiresAt"}},
		"twice":                      {list(change(u, k, GrantEnabled, nil), change(u, keyID(master.KeyID), GrantEnabled, nil), change(u, k, GrantEnabled, nil), change(u, k, GrantDisabled, nil)), []string{"INVALID input.changes.2", "INVALID input.changes.3"}},
		"a block":                    {block(GrantEnabled, []ID{u}, k, keyID(master.KeyID)), nil},
		"refused users and keys":     {block(GrantDisabled, []ID{u, userID(admin.UserID()), userID(UUID{100}), userID(UUID{51})}, keyID(hidden.KeyID), k, keyID(UUID{13}), foreign), []string{"NOT_ALLOWED input.userIds.1", "NOT_ALLOWED input.userIds.2", "NOT_FOUND input.userIds.3", "NOT_FOUND input.keyIds.0", "INVALID_STATE input.keyIds.2", "NOT_FOUND input.keyIds.3"}},
		"a state that is none":       {block("enabled", []ID{u}, k), []string{"INVALID input.state"}},
	} {
		var got []string
		for _, e := range ErrorsOf(c.err) {
			path := ""
			for i, step := range e.Path {
				if i > 0 {
					path += "."
				}
				path += step
			}
			got = append(got, string(e.Code)+" "+path)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if (c.err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// TestErrorsOf: several errors stay what they are when they are wrapped, and read as the first of them where one is asked for.
func TestErrorsOf(t *testing.T) {
	t.Parallel()
	var list Errors
	list.Add(nil, Missing("input.a"), nil, refuse(Invalid, "input.b", "Wrong."))
	wrapped := errors.Join(errors.New("set grants"), list.Err())
	if got := ErrorsOf(wrapped); len(got) != 2 || got[1].Code != Invalid || ErrorCode(wrapped) != NotFound {
		t.Errorf("got %v and %s", got, ErrorCode(wrapped))
	}
	if got := ErrorsOf(errors.New("fault")); got != nil {
		t.Errorf("of a fault: %v", got)
	}
	if err := (Errors)(nil).Err(); err != nil {
		t.Errorf("of none: %v", err)
	}
}

// TestBits reads what PostgreSQL writes.
func TestBits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bits{"{}": {0, 0, 0}, "{0}": {1, 0, 0}, "{19,3,8}": {8, 1, 8}} {
		var b Bits
		if err := b.Scan([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.Sized(20)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	m := &AccessMatrix{KeyIds: make([]ID, 10), Enabled: []Bits{{1, 2}, nil}}
	if diff := cmp.Diff([]string{"AQI=", "AAA="}, m.Rows()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if on, off := m.Changed(&AccessMatrix{KeyIds: m.KeyIds, Enabled: []Bits{{7}, {0, 1}}}); on != 3 || off != 1 {
		t.Errorf("%d on, %d off", on, off)
	}
}
