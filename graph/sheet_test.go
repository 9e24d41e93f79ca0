package graph

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestSheetComesBack: whatever keys and people are called, what was written is read as it was, and no cell begins like a formula.
func TestSheetComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.StringMatching(`[=+\-@\t'"＝＠a-z0-9 ,.]{0,12}`)
		keys := make([]*ApiKey, rapid.IntRange(0, 4).Draw(r, "keys"))
		for i := range keys {
			keys[i] = &ApiKey{Key: fmt.Sprint("gwk", i), Name: name.Draw(r, "key")}
		}
		users := make([]SheetUser, rapid.IntRange(0, 4).Draw(r, "users"))
		for i := range users {
			email := strings.ToLower(strings.ReplaceAll(rapid.StringMatching(`[=+\-@'a-z]`).Draw(r, "first"), " ", "")) + fmt.Sprint(i, "@x.example")
			users[i] = SheetUser{User: &User{UserID: UUID{byte(i + 1)}, Email: email, DisplayName: name.Draw(r, "name")}, Set: NewSheetLine(len(keys))}
			for k := range keys {
				drawCell(r, &users[i], k)
			}
		}
		var file bytes.Buffer
		if err := WriteSheet(&file, keys, users); err != nil {
			r.Fatal(err)
		}
		s, err := ReadSheet(bytes.NewReader(file.Bytes()))
		if err != nil || s.Refusals.Count > 0 || len(s.Emails()) != len(users) {
			r.Fatalf("%v, %d lines, refused %v:\n%s", err, len(s.Emails()), s.Refusals.List, file.Bytes())
		}
		found := map[string]*ApiKey{}
		for _, k := range keys {
			found[k.Key] = k
		}
		c := s.Compare(owner(), found)
		for _, u := range users {
			c.Add(u)
		}
		c.Finish()
		if len(c.Changes) > 0 || c.Refusals.Count > 0 {
			r.Fatalf("changes %v, refuses %v:\n%s", c.Changes, c.Refusals.List, file.Bytes())
		}
		for _, u := range users {
			for _, text := range []string{u.User.Email, u.User.DisplayName} {
				if marked := PlainCell(text); marked != "" && strings.ContainsAny(marked[:1], "=+-@\t\r\n") || strings.TrimPrefix(marked, "'") != text && marked != text {
					r.Fatalf("%q is written as %q", text, marked)
				}
			}
		}
	})
}

func drawCell(r *rapid.T, u *SheetUser, key int) {
	if rapid.Bool().Draw(r, "inherits") {
		u.Inherited.Set(key)
	}
	switch rapid.IntRange(0, 3).Draw(r, "cell") {
	case 0:
		u.Set.Put(key, Rule{Enabled: true})
	case 1:
		u.Set.Put(key, Rule{})
	case 2:
		end := noon.Add(time.Duration(rapid.Int64Range(-1e9, 1e9).Draw(r, "end")) * time.Microsecond)
		u.Set.Put(key, Rule{Enabled: true, ExpiresAt: &end})
	}
}

// TestCells reads what cells say.
func TestCells(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "keep", "  ": "keep", "enabled": "enabled", " Enabled\t": "enabled", "DISABLED": "disabled", "(enabled)": "inherit", "(Disabled)": "inherit", "Inherit": "inherit",
		"enabled until 2036-06-29T09:00:00Z":                "enabled until 2036-06-29T09:00:00Z",
		"enabled until  2036-06-29t11:00:00.1234567+02:00 ": "enabled until 2036-06-29T09:00:00.123456Z",
		"enabled until": "?", "enabled until ": "?", "enabled until 2036-06-29": "?", "disabled until 2036-06-29T09:00:00Z": "?", "(inherit)": "?", "( enabled )": "?",
		"1": "?", "TRUE": "?", "'enabled": "?", "=enabled": "?",
	} {
		got := "?"
		if state, end, ok := parseCell(text); ok {
			line := NewSheetLine(1)
			line.put(0, state, end)
			got = map[cellState]string{cellKeep: "keep", cellInherit: "inherit"}[state]
			if got == "" {
				got = cellText(line.rule(0), false)
			}
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

// TestRefusalsAreBounded: a file of a million mistakes is counted, not kept.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	line := "," + strings.Repeat(",x", 1000)
	var file strings.Builder
	file.WriteString("email,name")
	for i := range 1000 {
		fmt.Fprintf(&file, ",k%d", i)
	}
	for i := range 20 {
		fmt.Fprintf(&file, "\nu%d@x%s", i, line)
	}
	s, err := ReadSheet(strings.NewReader(file.String()))
	if err != nil || s.Refusals.Count != 20_000 || len(s.Refusals.List) != keptRefusals {
		t.Fatalf("%v, %d refusals, %d kept", err, s.Refusals.Count, len(s.Refusals.List))
	}
	if diff := cmp.Diff(SheetRefusal{2, 3, Invalid, s.Refusals.List[0].Message}, s.Refusals.List[0]); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
}
