package graph

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestUsageRecordIDs: the identifier tells the time, differs with everything that it is made of, and is always the same.
func TestUsageRecordIDs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 23, 59, 59, 999_999_000, time.UTC)
	if got := UsageRecordID(UUID{1}, at, "a").String(); got != "019c167f-cbff-7f06-93d9-9bdcce97eb6b" {
		t.Errorf("the ID is %s: those of stored records would be others", got)
	}
	rapid.Check(t, func(r *rapid.T) {
		draw := func(name string) (UUID, time.Time, string) {
			return UUID{rapid.Byte().Draw(r, name+" account")}, time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(r, name+" time")), rapid.String().Draw(r, name+" reference")
		}
		a1, t1, r1 := draw("one")
		a2, t2, r2 := draw("other")
		id := UsageRecordID(a1, t1, r1)
		if id[6]>>4 != 7 || id[8]>>6 != 2 || !UsageMillis(id).Equal(t1.Truncate(time.Millisecond)) {
			r.Fatalf("%s is no version 7 UUID of %v", id, t1)
		}
		if same := a1 == a2 && t1.Equal(t2) && r1 == r2; (UsageRecordID(a2, t2, r2) == id) != same {
			r.Fatalf("(%v %v %q) and (%v %v %q)", a1, t1, r1, a2, t2, r2)
		}
	})
}

func TestParseDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"0": "0", "-0": "0", "0.0125": "0.0125", "-1.50": "-1.5", "007": "7", "1e-8": "0.00000001", "1E2": "100", "1.5e+1": "15",
		"92233720368547758080.00000001": "92233720368547758080.00000001"} {
		if d, err := ParseDecimal(text); err != nil || d.String() != want {
			t.Errorf("%s reads as %s, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "-", ".5", "1.", "+1", " 1", "1 ", "1,5", "0x1", "1e100", "1e", "NaN", "Infinity", "١", strings.Repeat("1", 61), "1\n"} {
		if d, err := ParseDecimal(text); err == nil {
			t.Errorf("%q reads as %s", text, d)
		}
	}
}

func TestOldestUsage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     string
		months int
		want   string
	}{
		{"2026-11-25T10:00:00Z", 13, "2025-10-01T00:00:00Z"},
		{"2026-03-31T23:30:00-05:00", 1, "2026-03-01T00:00:00Z"}, // April in UTC
		{"2026-01-01T00:00:00Z", 1, "2025-12-01T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, row.at)
		if got := OldestUsage(at, row.months).Format(time.RFC3339); err != nil || got != row.want {
			t.Errorf("%s: %s, want %s", row.at, got, row.want)
		}
	}
}

// TestUsageRecordVisible is the row of the table "who sees what": its key is visible, and the viewer holds VIEW_USAGE.
func TestUsageRecordVisible(t *testing.T) {
	t.Parallel()
	account, key, other := UUID{1}, UUID{2}, UUID{3}
	a, now := &Account{AccountID: account}, Request{At: time.Now()}
	keys := ListedKeys(NewTree(nil, nil), []UUID{key})
	user := func(s CapabilitySet) *Viewer {
		return &Viewer{Kind: KindOfUser, User: &User{AccountID: account, UserID: UUID{9}, Granted: s}, Account: a, Keys: keys, Request: now}
	}
	operator := func(s OperatorScope) *Viewer {
		return &Viewer{Kind: KindOperator, Operator: &Operator{Scopes: ScopeList{s}}, Request: now}
	}
	token := &Viewer{Kind: KindOfToken, AccessToken: &AccessToken{AccountID: account, Granted: Capabilities(ViewUsage)}, Creator: &User{AccountID: account, Granted: AllCapabilities}, Account: a, Keys: keys, Request: now}
	shrunk := &Viewer{Kind: KindOfToken, AccessToken: token.AccessToken, Creator: &User{AccountID: account}, Account: a, Keys: keys, Request: now}
	for name, row := range map[string]struct {
		v           *Viewer
		seen, other bool
	}{
		"primary":              {&Viewer{Kind: KindOfUser, User: &User{AccountID: account, IsPrimary: true}, Account: a, Request: now}, true, true},
		"reporting":            {user(Capabilities(ViewUsage)), true, false},
		"all but VIEW_USAGE":   {user(AllCapabilities &^ Capabilities(ViewUsage)), false, false},
		"token":                {token, true, false},
		"token of the blind":   {shrunk, false, false},
		"key":                  {&Viewer{Kind: KindOfKey, ApiKey: &ApiKey{AccountID: account, KeyID: key}, Account: a, Request: now}, true, false},
		"SUPPORT":              {operator(ScopeSupport), true, true},
		"INGEST":               {operator(ScopeIngest), false, false},
		"nobody":               {&Viewer{}, false, false},
		"owner of another one": {&Viewer{Kind: KindOfUser, User: &User{AccountID: other, IsPrimary: true}, Account: &Account{AccountID: other}, Request: now}, false, false},
	} {
		seen, hidden := (&UsageRecord{AccountID: account, KeyID: key}).VisibleTo(row.v), (&UsageRecord{AccountID: account, KeyID: other}).VisibleTo(row.v)
		if seen != row.seen || hidden != row.other {
			t.Errorf("%s sees the record of the key in V: %t, of another one: %t", name, seen, hidden)
		}
	}
}
