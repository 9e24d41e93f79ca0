package server_test

import (
	"fmt"
	"strings"
	"testing"

	"grantwood/graph"
	"grantwood/server"
)

// TestBadPages: sizes and cursors that fit no page are refused by the name of the argument, in every list.
func TestBadPages(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	ask := func(field, arguments string) string {
		return `{ account { ` + field + `(` + arguments + `) { nodes { id } } } }`
	}
	refused := func(field, argument string) string {
		return fmt.Sprintf(`{"data":{"account":null},
			"errors":[{"path":["account",%q],"extensions":{"code":"BAD_USER_INPUT","argument":[%q]}}]}`, field, argument)
	}
	for _, field := range []string{"users", "apiKeys", "grants"} {
		for _, size := range []string{"0", "-1", "101", "2147483647"} {
			w.owner.expect(t, ask(field, "first: "+size), nil, refused(field, "first"))
		}
		for _, cursor := range []string{"", "x", "%%%", strings.Repeat("A", 44), "bnVsbA==", strings.Repeat("A", 5000)} {
			w.owner.expect(t, ask(field, fmt.Sprintf("after: %q", cursor)), nil, refused(field, "after"))
		}
	}
	for _, field := range []string{"users", "apiKeys"} {
		for _, size := range []string{"0", "-1", "101"} {
			w.owner.expect(t, ask(field, "last: "+size), nil, refused(field, "last"))
		}
		w.owner.expect(t, ask(field, "first: 1, last: 1"), nil, refused(field, "last"))
		w.owner.expect(t, ask(field, `before: "x"`), nil, refused(field, "before"))
	}
	// Nullable lists stand alone.
	for _, field := range []string{"invitations", "auditEvents"} {
		w.owner.expect(t, ask(field, "first: 101"), nil, strings.Replace(refused(field, "first"), `"account":null`, `"account":{"`+field+`":null}`, 1))
		w.owner.expect(t, ask(field, `after: "x"`), nil, strings.Replace(refused(field, "after"), `"account":null`, `"account":{"`+field+`":null}`, 1))
	}
}

// TestCursorOfAnotherOrder: a cursor belongs to the order that it was made for.
func TestCursorOfAnotherOrder(t *testing.T) {
	t.Parallel()
	w := otherWorld(t)
	orders := []string{"{field: NAME, direction: ASC}", "{field: NAME, direction: DESC}", "{field: CREATED_AT, direction: ASC}",
		"{field: CREATED_AT, direction: DESC}"}
	for _, made := range orders {
		cursor := w.owner.text(t, `{ account { apiKeys(first: 1, orderBy: `+made+`) { pageInfo { endCursor } } } }`, nil, "account.apiKeys.pageInfo.endCursor")
		for _, used := range orders {
			for _, argument := range []string{"after", "before"} {
				want := `{"data":{"account":null},"errors":[{"path":["account","apiKeys"],"extensions":{"code":"BAD_USER_INPUT","argument":["` + argument + `"]}}]}`
				if used == made {
					want = `{"data":{"account":{"apiKeys":{"totalCount":2}}}}`
				}
				w.owner.expect(t, `query($c: String) { account { apiKeys(`+argument+`: $c, orderBy: `+used+`) { totalCount } } }`, map[string]any{"c": cursor}, want)
			}
		}
	}
}

// TestCursorOfWhatIsGone: a cursor is a place in the list, and stays one when the element there is hidden.
func TestCursorOfWhatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.key(t, "A"), w.key(t, "B")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a, b}})
	cursor := u.text(t, `{ account { apiKeys(first: 1) { pageInfo { endCursor } } } }`, nil, "account.apiKeys.pageInfo.endCursor")
	w.grant(t, u.id, a, graph.GrantDisabled)
	u.expect(t, `query($c: String) { account { apiKeys(after: $c) { totalCount pageInfo { hasNextPage hasPreviousPage } nodes { name } } } }`,
		map[string]any{"c": cursor}, `{"data":{"account":{"apiKeys":{"totalCount":2,"pageInfo":{"hasNextPage":false,"hasPreviousPage":false},
			"nodes":[{"name":"B"},{"name":"Master key"}]}}}}`)
}

// TestLargerPagesOfUsage: whoever runs the server may let more records be asked for in one page, and more of no other list.
func TestLargerPagesOfUsage(t *testing.T) {
	t.Parallel()
	limits := server.DefaultLimits
	limits.Page = 300
	a, h := newAPIWith(server.Config{DB: sharedAPI().db, Limits: limits, Version: "test", Log: quiet})
	t.Cleanup(h.Close)
	owner := client{a, otherWorld(t).owner.token}
	owner.expect(t, `{ serverInfo { maxPageSize } account { usage(first: 300) { nodes { id } } masterKey { usage(first: 300) { nodes { id } } } } }`, nil,
		`{"data":{"serverInfo":{"maxPageSize":300},"account":{"usage":{"nodes":[]},"masterKey":{"usage":{"nodes":[]}}}}}`)
	owner.expect(t, `{ account { usage(first: 301) { nodes { id } } } }`, nil, `{"data":{"account":{"usage":null}},
		"errors":[{"path":["account","usage"],"extensions":{"code":"BAD_USER_INPUT","argument":["first"]}}]}`)
	owner.expect(t, `{ account { auditEvents(first: 101) { nodes { id } } } }`, nil, `{"data":{"account":{"auditEvents":null}},
		"errors":[{"path":["account","auditEvents"],"extensions":{"code":"BAD_USER_INPUT","argument":["first"]}}]}`)
	for _, page := range []int{graph.MaxPageSize - 1, graph.UsagePageLimit + 1} {
		limits.Page = page
		if limits.Check() == nil {
			t.Errorf("pages of %d records are let pass", page)
		}
	}
}
