package graph

import "strconv"

// SetGrantsInput holds changes of single grants.
type SetGrantsInput struct{ Changes []SetGrantInput }

// SetAccessInput is a block of grants: every pair of the users and keys.
type SetAccessInput struct {
	UserIds []ID
	KeyIds  []ID
	State   GrantState
}

// UndoGrantOperationInput names an operation, which is known by its event in the audit trail.
type UndoGrantOperationInput struct{ OperationID ID }

// GrantTargets are those of the users and keys named by a call that the caller sees.
type GrantTargets struct {
	Users map[UUID]*User
	Keys  map[UUID]*ApiKey
}

// MayChangeGrantsOf checks a user among others: NotFound at the path for one who is hidden or missing, and what
// Viewer.MayChangeGrantsOf refuses.
func (t GrantTargets) MayChangeGrantsOf(v *Viewer, user UUID, path string) error {
	u := t.Users[user]
	if u == nil {
		return Missing(path)
	}
	return v.MayChangeGrantsOf(u, path)
}

// MayChangeGrantsFor checks a key among others: NotFound at the path for one that is hidden or missing, and what
// ApiKey.MayChangeGrants refuses.
func (t GrantTargets) MayChangeGrantsFor(key UUID, path string) error {
	k := t.Keys[key]
	if k == nil {
		return Missing(path)
	}
	return k.MayChangeGrants(path)
}

// MaySetGrants checks changes as MaySetGrant does, all of them, each below its own path, such as input.changes.2.keyId. NotFound
// for users and keys that are hidden or missing; Invalid for a pair that stands earlier in the list.
func (v *Viewer) MaySetGrants(in SetGrantsInput, t GrantTargets) error {
	var list Errors
	earlier := map[[2]ID]bool{}
	for i, c := range in.Changes {
		path := "input.changes." + strconv.Itoa(i)
		list.Add(c.State.check(path+".state"), t.MayChangeGrantsOf(v, c.UserID.In(v.AccountID(), KindUser), path+".userId"),
			t.MayChangeGrantsFor(c.KeyID.In(v.AccountID(), KindKey), path+".keyId"), v.mayEnd(c, path+".expiresAt"))
		if pair := [2]ID{c.UserID, c.KeyID}; earlier[pair] {
			list.Add(refuse(Invalid, path, "The user and the key stand earlier in the list."))
		} else {
			earlier[pair] = c.UserID != ID{} && c.KeyID != ID{}
		}
	}
	return list.Err()
}

// MaySetAccess checks a block of grants as MaySetGrant does, every user and key of it, each at its own path, such as
// input.userIds.3. NotFound for users and keys that are hidden or missing.
func (v *Viewer) MaySetAccess(in SetAccessInput, t GrantTargets) error {
	var list Errors
	for i, id := range in.UserIds {
		list.Add(t.MayChangeGrantsOf(v, id.In(v.AccountID(), KindUser), "input.userIds."+strconv.Itoa(i)))
	}
	for i, id := range in.KeyIds {
		list.Add(t.MayChangeGrantsFor(id.In(v.AccountID(), KindKey), "input.keyIds."+strconv.Itoa(i)))
	}
	list.Add(in.State.check("input.state"))
	return list.Err()
}
