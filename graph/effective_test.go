package graph

import (
	"testing"
	"time"
)

func TestEffective(t *testing.T) {
	t.Parallel()
	past, future, yes, no := noon.Add(-time.Second), noon.Add(time.Second), true, false
	for _, row := range []struct {
		name     string
		explicit *Rule
		unit     *bool
		master   bool
		enabled  bool
		from     GrantSource
	}{
		{"unit enables", nil, &yes, false, true, FromUnit},
		{"unit disables", nil, &no, false, false, FromUnit},
		{"disabled, unit enables", &Rule{}, &yes, false, false, FromExplicit},
		{"enabled, unit disables", &Rule{Enabled: true}, &no, false, true, FromExplicit},
		{"enabled until now, unit enables", &Rule{Enabled: true, ExpiresAt: &noon}, &yes, false, true, FromUnit},
		{"nothing set", nil, nil, false, false, FromDefault},
		{"nothing set, master", nil, nil, true, true, FromDefault},
		{"enabled", &Rule{Enabled: true}, nil, false, true, FromExplicit},
		{"disabled", &Rule{}, nil, false, false, FromExplicit},
		{"disabled, master", &Rule{}, nil, true, false, FromExplicit},
		{"enabled until later", &Rule{Enabled: true, ExpiresAt: &future}, nil, false, true, FromExplicit},
		{"enabled until now", &Rule{Enabled: true, ExpiresAt: &noon}, nil, false, false, FromDefault},
		{"enabled until before", &Rule{Enabled: true, ExpiresAt: &past}, nil, false, false, FromDefault},
		{"enabled until before, master", &Rule{Enabled: true, ExpiresAt: &past}, nil, true, true, FromDefault},
	} {
		if enabled, from := (KeyRule{IsMaster: row.master, Explicit: row.explicit, Unit: row.unit}).Effective(noon); enabled != row.enabled || from != row.from {
			t.Errorf("%s: %v from %s, want %v from %s", row.name, enabled, from, row.enabled, row.from)
		}
	}
}
