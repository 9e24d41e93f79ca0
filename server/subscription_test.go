package server_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"grantwood/db/dbtest"
	"grantwood/graph"
)

// subscriber is a subscription over HTTP, as a stream of events.
type subscriber struct {
	lines chan string
	ids   chan string // of events, as the stream has them
}

const streamPatience = 20 * time.Second

// subscribe begins a subscription with headers (name, value, …), and waits until it runs.
func (c client) subscribe(t testing.TB, query string, variables map[string]any, header ...string) subscriber {
	t.Helper()
	req := c.newRequest(t, query, variables)
	req.Header.Set("Accept", eventStream)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	s := subscriber{lines: make(chan string, 1000), ids: make(chan string, 1000)}
	go func() {
		defer close(s.lines)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				s.ids <- id
				continue
			}
			s.lines <- lines.Text()
		}
	}()
	return s
}

// next waits for the next result; empty when there are no more.
func (s subscriber) next(t testing.TB) string {
	t.Helper()
	for {
		select {
		case line, ok := <-s.lines:
			if !ok || line == "event: complete" {
				return ""
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				return data
			}
		case <-time.After(streamPatience):
			t.Fatal("nothing came")
		}
	}
}

var eventIDs = regexp.MustCompile(`"eventId":"(liv_[0-9a-v]{77})"`)

// expect waits for the next result and compares it, whatever the event's ID is; it gives the ID.
func (s subscriber) expect(t testing.TB, want string) string {
	t.Helper()
	text := s.next(t)
	if !(answer{Body: []byte(eventIDs.ReplaceAllString(text, `"eventId":"liv"`))}).is(t, want) {
		t.FailNow()
	}
	if m := eventIDs.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// ends waits for the last result, which has an error with the code, and for the end.
func (s subscriber) ends(t testing.TB, field string, code graph.Code) {
	t.Helper()
	s.expect(t, `{"data":{"`+field+`":null},"errors":[{"path":["`+field+`"],"extensions":{"code":"`+string(code)+`"}}]}`)
	if more := s.next(t); more != "" {
		t.Errorf("after its end: %s", more)
	}
}

const (
	followGrants = `subscription($after: ID) { grantChanged(after: $after) { eventId userId keyId enabled grant { user { id } key { id apiKeyName: name } source } } }`
	followKeys   = `subscription($after: ID) { toggled: keyToggled(after: $after) { eventId status key { name viewerGrant { enabled } } } }`
	followUsage  = `subscription($after: ID, $keys: [ID!]) { usageAdded(after: $after, keyIds: $keys) { eventId key { name } records { reference key { name } } totals { records succeeded quantity cost { amount } } } }`
)

func (w *world) toggle(t testing.TB, key string, enabled bool) {
	t.Helper()
	w.owner.ask(t, `mutation($k: ID!, $e: Boolean!) { setApiKeyEnabled(input: {keyId: $k, enabled: $e}) { userErrors { message } } }`,
		map[string]any{"k": key, "e": enabled}, "setApiKeyEnabled")
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

func TestGrantChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.key(t, "A"), w.key(t, "B")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a}})
	s := u.subscribe(t, followGrants, nil)
	w.grant(t, u.id, b, graph.GrantEnabled)
	first := s.expect(t, `{"data":{"grantChanged":{"eventId":"liv","userId":`+quoted(u.id)+`,"keyId":`+quoted(b)+`,"enabled":true,
		"grant":{"user":{"id":`+quoted(u.id)+`},"key":{"id":`+quoted(b)+`,"apiKeyName":"B"},"source":"EXPLICIT"}}}}`)
	w.grant(t, u.id, b, graph.GrantDisabled)
	gone := `{"data":{"grantChanged":{"eventId":"liv","userId":` + quoted(u.id) + `,"keyId":` + quoted(b) + `,"enabled":false,"grant":null}}}`
	s.expect(t, gone)
	u.subscribe(t, followGrants, map[string]any{"after": first}).expect(t, gone)
	u.ask(t, `mutation { signOut { userErrors { message } } }`, nil, "signOut")
	s.ends(t, "grantChanged", graph.Unauthenticated)
}

func TestKeyToggled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.key(t, "A"), w.key(t, "B")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a}})
	s := u.subscribe(t, followKeys, nil)
	w.toggle(t, b, false)
	w.toggle(t, a, false)
	s.expect(t, `{"data":{"toggled":{"eventId":"liv","status":"DISABLED","key":{"name":"A","viewerGrant":{"enabled":true}}}}}`)
	w.owner.ask(t, `mutation($u: ID!) { setUserStatus(input: {userId: $u, status: DISABLED}) { userErrors { message } } }`, map[string]any{"u": u.id}, "setUserStatus")
	s.ends(t, "toggled", graph.Unauthenticated)
}

func TestUsageAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.key(t, "A"), w.key(t, "B")
	u := w.user(t, invitee{role: graph.RoleReporting, keys: []string{a}})
	s, all := u.subscribe(t, followUsage, nil), w.owner.subscribe(t, followUsage, map[string]any{"keys": []string{b}})
	w.used(t, b, "b1")
	w.used(t, a, "a1")
	of := func(name, reference string) string {
		return `{"data":{"usageAdded":{"eventId":"liv","key":{"name":"` + name + `"},"records":[{"reference":"` + reference + `","key":{"name":"` + name + `"}}],
			"totals":{"records":1,"succeeded":1,"quantity":1,"cost":{"amount":"0.0125"}}}}}`
	}
	all.expect(t, of("B", "b1"))
	first := s.expect(t, of("A", "a1"))
	w.used(t, a, "a2")
	s.expect(t, of("A", "a2"))
	u.subscribe(t, followUsage, map[string]any{"after": first}).expect(t, of("A", "a2"))
	w.owner.ask(t, `mutation($u: ID!) { setUserCapabilities(input: {userId: $u, access: {capabilities: []}}) { userErrors { message } } }`, map[string]any{"u": u.id}, "setUserCapabilities")
	s.ends(t, "usageAdded", graph.Forbidden)
}

// TestSubscriptionRefused: who may not follow is told so at once, and so is who names an event that one cannot go on after.
func TestSubscriptionRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := w.user(t, invitee{capabilities: []graph.Capability{}})
	for _, c := range []struct {
		who   client
		query string
		after any
		want  graph.Code
	}{
		{nobody(), followGrants, nil, graph.Unauthenticated},
		{u.client, followUsage, nil, graph.Forbidden},
		{operator(t, graph.ScopeSupport), followKeys, nil, graph.Forbidden},
		{u.client, followKeys, "liv_nothing", graph.BadUserInput},
		{u.client, followKeys, u.id, graph.BadUserInput},
	} {
		got := c.who.subscribe(t, c.query, map[string]any{"after": c.after}).next(t)
		if !strings.Contains(got, `"code":"`+string(c.want)+`"`) || strings.Contains(got, "eventId") {
			t.Errorf("%s after %v: %s", c.query, c.after, got)
		}
	}
}

// TestDrainEndsSubscriptions: a server that is going to stop says so, and one goes on at the next.
func TestDrainEndsSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.key(t, "A")
	stops := apiOn(t, dbtest.OpenNamed(t, dbtest.SharedName()))
	s := (client{stops, w.owner.token}).subscribe(t, followKeys, nil)
	w.toggle(t, key, false)
	text := s.next(t)
	after := eventIDs.FindStringSubmatch(text)
	if after == nil {
		t.Fatal(text)
	}
	stops.srv.Drain()
	s.ends(t, "toggled", graph.Unavailable)
	w.toggle(t, key, true)
	if got := w.owner.subscribe(t, followKeys, map[string]any{"after": after[1]}).next(t); !strings.Contains(got, `"status":"ENABLED"`) {
		t.Error(got)
	}
}

// TestLastEventID: an EventSource that connects again names the last event that it received by a header, and misses none. An argument
// goes first.
func TestLastEventID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "A")
	s := w.owner.subscribe(t, followKeys, nil)
	w.toggle(t, k, false)
	first := s.expect(t, `{"data":{"toggled":{"eventId":"liv","status":"DISABLED","key":{"name":"A","viewerGrant":null}}}}`)
	if got := <-s.ids; got != first {
		t.Errorf("the ID of the event is %q, that of its result %q", first, got)
	}
	w.toggle(t, k, true)
	second := s.expect(t, `{"data":{"toggled":{"eventId":"liv","status":"ENABLED","key":{"name":"A","viewerGrant":null}}}}`)
	if got := w.owner.subscribe(t, followKeys, nil, "Last-Event-ID", first).next(t); !strings.Contains(got, second) {
		t.Errorf("after %s came %s", first, got)
	}
	if got := w.owner.subscribe(t, followKeys, map[string]any{"after": first}, "Last-Event-ID", second).next(t); !strings.Contains(got, second) {
		t.Errorf("after %s came %s", first, got)
	}
	if got := w.owner.subscribe(t, followKeys, nil, "Last-Event-ID", "nonsense").next(t); !strings.Contains(got, "BAD_USER_INPUT") {
		t.Errorf("after nonsense came %s", got)
	}
}

// TestEventsBetweenServers: what is changed through one server is heard through another on the same database.
func TestEventsBetweenServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.key(t, "A")
	other := apiOn(t, dbtest.OpenNamed(t, dbtest.SharedName()))
	s := client{other, w.owner.token}.subscribe(t, followKeys, nil)
	for _, enabled := range []bool{false, true} {
		w.toggle(t, k, enabled)
		s.expect(t, `{"data":{"toggled":{"eventId":"liv","status":"`+map[bool]string{false: "DISABLED", true: "ENABLED"}[enabled]+`","key":{"name":"A","viewerGrant":null}}}}`)
	}
}

// TestSubscriptionsDoNotInterfere: delete everything that is hidden from a viewer, and what they hear stays the same to the byte, the
// random parts of IDs aside.
func TestSubscriptionsDoNotInterfere(t *testing.T) {
	t.Parallel()
	whole := demoDatabase(t)
	tokens, _ := prepare(t, whole)
	for _, email := range []string{"admin@globex.example", "reporting@globex.example", aToken} {
		t.Run(email, func(t *testing.T) {
			same, less := dbtest.Copy(t, whole), dbtest.Copy(t, whole)
			deleteHidden(t, sql(t, less), email)
			all, rest := apiOn(t, dbtest.OpenNamed(t, same)), apiOn(t, dbtest.OpenNamed(t, less))
			a, b := hears(t, client{all, tokens[email]}, sql(t, same)), hears(t, client{rest, tokens[email]}, sql(t, less))
			if a != b {
				t.Errorf("with what is hidden:\n%s\nwithout what is hidden:\n%s", a, b)
			}
			if strings.Count(a, "Renamed") < 2 {
				t.Errorf("heard only\n%s", a)
			}
			if all.srv.Hits()+rest.srv.Hits() != 0 {
				t.Error("@visible caught what SQL let through")
			}
		})
	}
}

// hears gives what somebody hears when every key is renamed, those that they do not see in between the others.
func hears(t *testing.T, c client, pool *sqlx.DB) string {
	t.Helper()
	visible := nodes(c.ask(t, `{ account { apiKeys(first: 100) { nodes { id } } } }`, nil, "account").(map[string]any), "apiKeys")
	s := c.subscribe(t, `subscription { keyToggled { eventId status key { id name status unit { id name } viewerGrant { enabled source } } } }`, nil)
	time.Sleep(time.Second) // until it runs
	pool.MustExec(`UPDATE api_keys SET name = 'Renamed'`)
	pool.MustExec(`INSERT INTO live_events (account_id, event_id, at, kind, key_ids)
		SELECT account_id, gen_random_uuid(), now() + row_number() OVER (ORDER BY key_id) * interval '1 microsecond', 'KEY', ARRAY[key_id] FROM api_keys WHERE deleted_at IS NULL`)
	var heard strings.Builder
	for range visible {
		heard.WriteString(eventIDs.ReplaceAllString(s.next(t), `"eventId":"liv"`) + "\n")
	}
	return heard.String()
}
