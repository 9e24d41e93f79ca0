package graph

// Rules about changing additional users: nobody changes themselves, the primary user, or somebody who holds more than
// they do, and nobody gives more than they hold.

// SetUserCapabilitiesInput is a user and what they may do from now on.
type SetUserCapabilitiesInput struct {
	UserID ID
	Access AccessInput
}

// SetUserStatusInput is a user and a state.
type SetUserStatusInput struct {
	UserID ID
	Status UserStatus
}

// UserIDInput names a user.
type UserIDInput struct{ UserID ID }

// TransferOwnershipInput is the new owner, the password of the present one, and what they keep.
type TransferOwnershipInput struct {
	UserID            ID
	CurrentPassword   string
	FormerOwnerAccess AccessInput
}

// MayEdit checks that v may change, disable or remove u: NotAllowed for v itself, for the primary user, and for somebody
// who holds a capability that v lacks.
func (v *Viewer) MayEdit(u *User) error {
	const path = "input.userId"
	switch {
	case u.UserID == v.UserID():
		return refuse(NotAllowed, path, "Nobody changes their own capabilities or state, or removes themselves.")
	case u.IsPrimary:
		return refuse(NotAllowed, path, "The primary user has every capability and cannot be disabled or removed.")
	case !v.capabilities().Contains(u.Granted):
		return refuse(NotAllowed, path, "The user holds a capability that you do not hold.")
	}
	return nil
}

// MaySetCapabilities checks MayEdit, and that v holds everything that it gives: NotAllowed.
func (v *Viewer) MaySetCapabilities(u *User, set CapabilitySet) error {
	if err := v.MayEdit(u); err != nil {
		return err
	}
	if !v.capabilities().Contains(set) {
		return refuse(NotAllowed, "input.access", "Nobody gives a capability that they do not hold.")
	}
	return nil
}

// MayTransfer reports NotAllowed when v does not own its account.
func (v *Viewer) MayTransfer() error {
	if !v.IsPrimary() {
		return refuse(NotAllowed, "", "Only the primary user hands the ownership over.")
	}
	return nil
}

// MayTransferTo checks MayTransfer and the new owner: NotAllowed for v itself, InvalidState for a disabled user.
func (v *Viewer) MayTransferTo(u *User) error {
	const path = "input.userId"
	if err := v.MayTransfer(); err != nil {
		return err
	}
	switch {
	case u.UserID == v.UserID():
		return refuse(NotAllowed, path, "You are the owner already.")
	case u.Status != UserActive:
		return refuse(InvalidState, path, "The user is disabled.")
	}
	return nil
}
