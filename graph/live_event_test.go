package graph

import "testing"

// TestHearsOfGrant goes through who is told that a grant changed, by whether they see the key.
func TestHearsOfGrant(t *testing.T) {
	t.Parallel()
	account, key, hidden := UUID{1}, UUID{2}, UUID{3}
	tree := NewTree(nil, nil)
	user := func(set CapabilitySet) *Viewer {
		return &Viewer{Kind: KindOfUser, User: &User{AccountID: account, UserID: UUID{9}, Granted: set, Status: UserActive}, Account: &Account{AccountID: account},
			Keys: ListedKeys(tree, []UUID{key})}
	}
	owner := &Viewer{Kind: KindOfUser, User: &User{AccountID: account, UserID: UUID{8}, IsPrimary: true, Status: UserActive}, Account: &Account{AccountID: account}}
	machine := &Viewer{Kind: KindOfKey, ApiKey: &ApiKey{AccountID: account, KeyID: key}, Account: &Account{AccountID: account}}
	plain, manager, self, other := user(0), user(Capabilities(ManageGrants)), UUID{9}, UUID{7}
	for _, c := range []struct {
		name    string
		v       *Viewer
		user    UUID
		key     UUID
		enabled bool
		want    bool
	}{
		{"own, gained", plain, self, key, true, true},
		{"own, lost and given again", plain, self, key, false, true},
		{"own, lost", plain, self, hidden, false, true},
		{"own, gained and lost again", plain, self, hidden, true, false},
		{"another's", plain, other, key, true, false},
		{"another's, lost", plain, other, key, false, false},
		{"manager, another's", manager, other, key, true, true},
		{"manager, another's, lost", manager, other, key, false, true},
		{"manager, another's of a hidden key", manager, other, hidden, false, false},
		{"manager, own, lost", manager, self, hidden, false, true},
		{"owner, another's", owner, other, hidden, false, true},
		{"owner, own", owner, UUID{8}, hidden, true, true},
		{"key", machine, other, key, true, false},
		{"nobody", &Viewer{}, UUID{}, key, false, false},
	} {
		if got := c.v.HearsOfGrant(c.user, c.key, c.enabled); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestLiveEventID: IDs of the parts of one event differ, and are read back.
func TestLiveEventID(t *testing.T) {
	t.Parallel()
	a, event := UUID{1}, UUID{2}
	seen := map[ID]bool{}
	for _, one := range []UUID{{}, {3}, {4}} {
		for _, other := range []UUID{{}, {3}, {4}} {
			id := LiveEventID(a, event, one, other)
			if seen[id] || ParseID(id.String()) != id || id.In(a, KindLiveEvent) != event {
				t.Errorf("%v", id)
			}
			seen[id] = true
		}
	}
}
