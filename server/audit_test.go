package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// trail lists the actions of the events that somebody reads with a filter, the newest first.
func (c client) trail(t testing.TB, filter map[string]any) []string {
	t.Helper()
	list, _ := c.ask(t, `query($f: AuditEventFilter) { account { auditEvents(first: 100, filter: $f) { nodes { action } } } }`,
		map[string]any{"f": filter}, "account.auditEvents.nodes").([]any)
	actions := []string{}
	for _, n := range list {
		actions = append(actions, n.(map[string]any)["action"].(string))
	}
	return actions
}

// TestAuditFilters uses each filter alone, together with others, and with IDs that name nothing.
func TestAuditFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	europe, asia := w.key(t, "Europe"), w.key(t, "Asia")
	rita, adam := w.user(t, invitee{role: graph.RoleReporting}), w.user(t, invitee{role: graph.RoleAdministrator, keys: []string{europe}})
	w.grant(t, rita.id, europe, graph.GrantEnabled)
	w.grant(t, rita.id, asia, graph.GrantEnabled)
	w.grant(t, rita.id, asia, graph.GrantDisabled)
	adam.ask(t, `mutation($k: ID!) { setApiKeyEnabled(input: {keyId: $k, enabled: false}) { userErrors { code } } }`, map[string]any{"k": europe}, "setApiKeyEnabled")
	other := newWorld(t)

	all := strings.Fields("KEY_DISABLED GRANT_DISABLED GRANT_ENABLED GRANT_ENABLED USER_JOINED USER_INVITED USER_JOINED USER_INVITED " +
		"KEY_CREATED KEY_CREATED USER_JOINED USER_INVITED KEY_CREATED ACCOUNT_CREATED")
	occurred := w.owner.text(t, `{ account { auditEvents(filter: {actions: [GRANT_DISABLED]}) { nodes { occurredAt } } } }`, nil, "account.auditEvents.nodes.0.occurredAt")
	at, err := time.Parse(time.RFC3339Nano, occurred)
	if err != nil {
		t.Fatal(err)
	}
	after := at.Add(time.Microsecond).Format(time.RFC3339Nano)
	for name, c := range map[string]struct {
		filter map[string]any
		want   []string
	}{
		"nothing":             {nil, all},
		"no condition":        {map[string]any{}, all},
		"from, inclusive":     {map[string]any{"from": occurred}, all[:2]},
		"from":                {map[string]any{"from": after}, all[:1]},
		"to, exclusive":       {map[string]any{"to": occurred}, all[2:]},
		"to":                  {map[string]any{"to": after}, all[1:]},
		"from and to":         {map[string]any{"from": occurred, "to": after}, all[1:2]},
		"nothing between":     {map[string]any{"from": after, "to": occurred}, []string{}},
		"action":              {map[string]any{"actions": []string{"GRANT_ENABLED"}}, []string{"GRANT_ENABLED", "GRANT_ENABLED"}},
		"actions":             {map[string]any{"actions": []string{"GRANT_ENABLED", "GRANT_DISABLED"}}, all[1:4]},
		"no actions":          {map[string]any{"actions": []string{}}, []string{}},
		"concerns a user":     {map[string]any{"userId": rita.id}, strings.Fields("GRANT_DISABLED GRANT_ENABLED GRANT_ENABLED USER_JOINED")},
		"done by a user":      {map[string]any{"userId": adam.id}, strings.Fields("KEY_DISABLED USER_JOINED")},
		"key":                 {map[string]any{"keyId": asia}, strings.Fields("GRANT_DISABLED GRANT_ENABLED KEY_CREATED")},
		"master key":          {map[string]any{"keyId": w.master}, []string{"KEY_CREATED"}},
		"user and key":        {map[string]any{"userId": rita.id, "keyId": europe}, []string{"GRANT_ENABLED"}},
		"user, key and time":  {map[string]any{"userId": rita.id, "keyId": asia, "from": occurred}, []string{"GRANT_DISABLED"}},
		"user of another":     {map[string]any{"userId": other.owner.id}, []string{}},
		"key of another":      {map[string]any{"keyId": other.master}, []string{}},
		"no ID":               {map[string]any{"userId": "nonsense"}, []string{}},
		"a key for a user":    {map[string]any{"userId": europe}, []string{}},
		"a user for a key":    {map[string]any{"keyId": rita.id}, []string{}},
		"key that is missing": {map[string]any{"keyId": "key_" + strings.Repeat("0", 52)}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, w.owner.trail(t, c.filter)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// The administrator does not see Asia, and so no event about it, whichever way is asked.
	hidden := strings.Fields("KEY_DISABLED GRANT_ENABLED USER_JOINED USER_INVITED USER_JOINED USER_INVITED KEY_CREATED USER_JOINED USER_INVITED KEY_CREATED ACCOUNT_CREATED")
	for name, c := range map[string]struct {
		filter map[string]any
		want   []string
	}{
		"nothing":    {nil, hidden},
		"hidden key": {map[string]any{"keyId": asia}, []string{}},
		"user":       {map[string]any{"userId": rita.id}, strings.Fields("GRANT_ENABLED USER_JOINED")},
	} {
		t.Run("administrator, "+name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, adam.trail(t, c.filter)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAuditFilterByHiddenUser: who reads the trail without seeing all users finds nothing by the ID of a hidden one.
func TestAuditFilterByHiddenUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := w.user(t, invitee{role: graph.RoleReporting})
	auditor := w.user(t, invitee{capabilities: []graph.Capability{graph.ViewAudit}})
	for name, c := range map[string]struct {
		user string
		want []string
	}{
		"themselves":   {auditor.id, []string{"USER_JOINED"}},
		"primary user": {w.owner.id, strings.Fields("USER_INVITED USER_INVITED USER_JOINED")},
		"hidden":       {rita.id, []string{}},
	} {
		if diff := cmp.Diff(c.want, auditor.trail(t, map[string]any{"userId": c.user})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"USER_JOINED"}, w.owner.trail(t, map[string]any{"userId": rita.id})); diff != "" {
		t.Errorf("owner (-want +got):\n%s", diff)
	}
	reader := w.user(t, invitee{role: graph.RoleReporting})
	reader.expect(t, `{ account { auditEvents(filter: {actions: [USER_JOINED]}) { nodes { id } } } }`, nil,
		`{"data":{"account":{"auditEvents":null}},"errors":[{"message":"This needs the capability VIEW_AUDIT.","path":["account","auditEvents"],"extensions":{"code":"FORBIDDEN"}}]}`)
}
