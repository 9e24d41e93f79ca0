package graph

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTokenIsBoundedByItsCreator holds what a token may do against what its creator may, now.
func TestTokenIsBoundedByItsCreator(t *testing.T) {
	t.Parallel()
	usage, rotate := Capabilities(ViewUsage), Capabilities(RotateSecrets)
	for _, row := range []struct {
		name    string
		creator *Viewer
		granted CapabilitySet
		want    CapabilitySet
	}{
		{"owner, both", owner(), TokenCapabilities, TokenCapabilities},
		{"owner, usage", owner(), usage, usage},
		{"developer, both", as(2, roleSets[RoleDeveloper]), TokenCapabilities, TokenCapabilities},
		{"reporting, both", as(3, roleSets[RoleReporting]), TokenCapabilities, usage},
		{"reporting, rotate", as(3, roleSets[RoleReporting]), rotate, 0},
		{"nothing, both", as(4, 0), TokenCapabilities, 0},
		{"owner, what no token may hold", owner(), AllCapabilities, TokenCapabilities},
	} {
		v := tokenOf(row.creator, row.granted)
		if diff := cmp.Diff(row.want.List(), v.Capabilities()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.name, diff)
		}
		if v.IsPrimary() || v.SeesEveryKey() || v.SeesAllUsers() || v.SeesAudit() || !v.UserID().IsZero() {
			t.Errorf("%s: the token has its creator's rights", row.name)
		}
	}
	if diff := cmp.Diff([]Capability{ViewUsage}, keyItself(seenKey).Capabilities()); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

func TestMayCreateToken(t *testing.T) {
	t.Parallel()
	admin, tokensOnly, year := as(1, AllCapabilities), as(7, Capabilities(ManageTokens, ViewUsage)), noon.AddDate(1, 0, 0)
	usage := []Capability{ViewUsage}
	for _, row := range []struct {
		name         string
		v            *Viewer
		capabilities []Capability
		end          time.Time
		want         Code
		path         string
	}{
		{"both", admin, []Capability{ViewUsage, RotateSecrets}, noon.Add(time.Hour), "", ""},
		{"a year", admin, usage, year, "", ""},
		{"more than a year", admin, usage, year.Add(time.Microsecond), Invalid, "[input expiresAt]"},
		{"over now", admin, usage, noon, Invalid, "[input expiresAt]"},
		{"what no token may hold", admin, []Capability{ViewUsage, ViewAudit}, year, NotAllowed, "[input capabilities]"},
		{"what the creator holds", tokensOnly, usage, year, "", ""},
		{"what the creator lacks", tokensOnly, []Capability{RotateSecrets}, year, NotAllowed, "[input capabilities]"},
	} {
		err := row.v.MayCreateToken(CreateAccessTokenInput{Capabilities: row.capabilities, ExpiresAt: row.end})
		if got := codeOf(err); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
		if e, ok := err.(*Error); ok && fmt.Sprint(e.Path) != row.path {
			t.Errorf("%s: at %v, want %s", row.name, e.Path, row.path)
		}
	}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		right, enabled bool
		status         AccountStatus
		want           VerificationResult
	}{
		{true, true, Active, VerifiedValid},
		{true, false, Active, VerifiedKeyDisabled},
		{true, true, Suspended, VerifiedSuspended},
		{true, false, Suspended, VerifiedSuspended},
		{false, true, Active, VerifiedInvalid},
		{false, false, Suspended, VerifiedInvalid},
	} {
		got := Verification(home, seenKey.KeyID, row.right, row.enabled, row.status)
		if got.Result != row.want || (got.AccountID != nil) != row.right || (got.KeyID != nil) != row.right {
			t.Errorf("right %v, enabled %v, %s: %+v, want %s", row.right, row.enabled, row.status, got, row.want)
		}
	}
}

func TestUpdateAccountApply(t *testing.T) {
	t.Parallel()
	suspended, active, n := Suspended, Active, 5
	a := &Account{Status: Active, MaxUsers: 5, MaxApiKeys: 9}
	if list := (UpdateAccountInput{Status: &active, MaxUsers: &n}).Apply(a); len(list) != 0 {
		t.Errorf("what is so already counts as %d changes", len(list))
	}
	got := (UpdateAccountInput{Status: &suspended, MaxUsers: &n, MaxApiKeys: &n}).Apply(a)
	want := []*AuditChange{Changed("status", "ACTIVE", "SUSPENDED"), Changed("maxApiKeys", "9", "5")}
	if diff := cmp.Diff(want, got); diff != "" || a.Status != Suspended || a.MaxApiKeys != 5 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if codeOf((&User{Status: UserActive}).MayBecomePrimary()) != "" || codeOf((&User{Status: UserDisabled}).MayBecomePrimary()) != InvalidState {
		t.Error("only active users become primary")
	}
}
