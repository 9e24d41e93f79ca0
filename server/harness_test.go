package server_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
	"grantwood/server"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// password is everybody's in tests.
const password = "correct horse battery"

// api is a server over real HTTP on a database.
type api struct {
	url string
	srv *server.Server
	db  *db.DB
}

func newAPI(d *db.DB) (api, *httptest.Server) { return newAPIAt(d, "http://grantwood.example") }

func newAPIAt(d *db.DB, publicURL string) (api, *httptest.Server) {
	return newAPIWith(server.Config{DB: d, PublicURL: publicURL, Version: "test", Log: quiet})
}

var quiet = slog.New(slog.DiscardHandler)

// newAPIWith serves with settings. Unless these say otherwise it limits no caller, since all tests come from one address, and refuses none
// because the machine is busy.
func newAPIWith(c server.Config) (api, *httptest.Server) {
	c.Patience = cmp.Or(c.Patience, 5*time.Minute)
	srv, err := server.New(c)
	if err != nil {
		panic(err) // the settings of a test are right
	}
	h := httptest.NewServer(srv)
	return api{url: h.URL, srv: srv, db: c.DB}, h
}

var sharedAPI = sync.OnceValue(func() api {
	a, _ := newAPI(dbtest.Open(nil)) // lives as long as the process
	return a
})

// apiOn serves a database of the test's own.
func apiOn(t testing.TB, d *db.DB) api {
	t.Helper()
	a, h := newAPI(d)
	t.Cleanup(h.Close)
	return a
}

// client posts operations with a credential.
type client struct {
	api
	token string
}

// answer is a response as it came.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// post sends an operation. It fails the test only when there is no answer.
func (c client) post(t testing.TB, query string, variables map[string]any) answer {
	t.Helper()
	return send(t, c.newRequest(t, query, variables))
}

// request makes the request of an operation.
func (c client) newRequest(t testing.TB, query string, variables map[string]any) *http.Request {
	t.Helper()
	req, err := c.build(query, variables)
	if err != nil {
		t.Fatal(err)
	}
	return req.WithContext(t.Context())
}

// build is newRequest where there is no test to fail.
func (c client) build(query string, variables map[string]any) (*http.Request, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, c.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(c.token, "Basic "): // a key and its secret
		req.Header.Set("Authorization", c.token)
	case c.token != "":
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

func send(t testing.TB, req *http.Request) answer {
	t.Helper()
	a, err := try(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is send for other goroutines than the test's own.
func try(req *http.Request) (answer, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, text}, err
}

// expect posts an operation and compares the whole answer, as JSON without regard to order of names and to sentences and
// locations of errors, and without what it cost, with want.
func (c client) expect(t testing.TB, query string, variables map[string]any, want string) answer {
	t.Helper()
	got := c.post(t, query, variables)
	if !got.is(t, want) {
		t.Errorf("%s\n%v", query, variables)
	}
	return got
}

// is compares the whole answer as expect does.
func (a answer) is(t testing.TB, want string) bool {
	t.Helper()
	diff := gocmp.Diff(normal(t, []byte(want)), normal(t, a.Body))
	if diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	return diff == ""
}

func normal(t testing.TB, text []byte) any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	errors, _ := v["errors"].([]any)
	for _, e := range errors {
		delete(e.(map[string]any), "locations")
		delete(e.(map[string]any), "message")
	}
	if extensions, _ := v["extensions"].(map[string]any); len(extensions) == 1 && extensions["cost"] != nil {
		delete(v, "extensions") // see TestCostIsReported
	}
	return v
}

// ask posts an operation that must succeed without errors of either kind, and gives what is found on the way of names and
// list numbers through its data, such as "account.users.nodes.0.id".
func (c client) ask(t testing.TB, query string, variables map[string]any, way string) any {
	t.Helper()
	a := c.post(t, query, variables)
	if bytes.Contains(a.Body, []byte(`"errors":`)) || bytes.Contains(a.Body, []byte(`"userErrors":[{`)) {
		t.Fatalf("%s\nfailed: %s", query, a.Body)
	}
	return a.at(t, way)
}

// text is ask for a string.
func (c client) text(t testing.TB, query string, variables map[string]any, way string) string {
	t.Helper()
	s, ok := c.ask(t, query, variables, way).(string)
	if !ok {
		t.Fatalf("%s\nno text at %s", query, way)
	}
	return s
}

// at gives what is found on the way through the data of the answer; nil when the way ends early.
func (a answer) at(t testing.TB, way string) any {
	t.Helper()
	var body struct{ Data any }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatalf("not JSON: %v: %s", err, a.Body)
	}
	v := body.Data
	for step := range strings.SplitSeq(way, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i := -1
			if _, err := fmt.Sscan(step, &i); err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// nobody calls without credentials.
func nobody() client { return client{api: sharedAPI()} }

// operator makes an operator and calls with its token.
func operator(t testing.TB, scopes ...graph.OperatorScope) client {
	t.Helper()
	return operatorOn(t, sharedAPI(), scopes...)
}

func operatorOn(t testing.TB, a api, scopes ...graph.OperatorScope) client {
	t.Helper()
	_, token, err := a.db.CreateOperator(t.Context(), "Test provider", scopes)
	if err != nil {
		t.Fatal(err)
	}
	return client{a, token}
}

// member is a user of a world with a session.
type member struct {
	client
	id    string // of the user
	email string
}

// world is an account of a test's own with its owner and master key. Further people and keys are made by calling the API.
type world struct {
	account string
	master  string // ID of the master key
	owner   member
}

var people atomic.Int64

// address is one that nobody has.
func address() string { return fmt.Sprintf("person%d@test.example", people.Add(1)) }

func newWorld(t testing.TB) *world {
	t.Helper()
	email := address()
	provider := operator(t, graph.ScopeAdmin)
	a := provider.post(t, `mutation($email: String!) { createAccount(input: {name: "Test", currency: "EUR", primaryEmail: $email}) {
		userErrors { message } account { id } link } }`, map[string]any{"email": email})
	link, _ := a.at(t, "createAccount.link").(string)
	account, _ := a.at(t, "createAccount.account.id").(string)
	if link == "" || account == "" {
		t.Fatalf("create account: %s", a.Body)
	}
	w := &world{account: account, owner: join(t, link, email)}
	w.master = w.owner.text(t, `{ account { masterKey { id } } }`, nil, "account.masterKey.id")
	return w
}

// join accepts an invitation by its link.
func join(t testing.TB, link, email string) member {
	t.Helper()
	_, token, _ := strings.Cut(link, "#")
	a := nobody().post(t, `mutation($in: AcceptInvitationInput!) { acceptInvitation(input: $in) {
		userErrors { code message path } sessionToken viewer { user { id } } } }`,
		map[string]any{"in": map[string]any{"token": token, "password": password}})
	session, _ := a.at(t, "acceptInvitation.sessionToken").(string)
	id, _ := a.at(t, "acceptInvitation.viewer.user.id").(string)
	if session == "" || id == "" {
		t.Fatalf("accept invitation: %s", a.Body)
	}
	return member{client{sharedAPI(), session}, id, email}
}

// invitee says what a new user gets.
type invitee struct {
	role          graph.Role         // or
	capabilities  []graph.Capability // not nil
	keys          []string           // IDs
	withoutMaster bool
}

// user invites somebody as the owner and lets them join.
func (w *world) user(t testing.TB, i invitee) member {
	t.Helper()
	email := address()
	access := map[string]any{"role": i.role}
	if i.capabilities != nil {
		access = map[string]any{"capabilities": i.capabilities}
	}
	if i.keys == nil {
		i.keys = []string{}
	}
	link := w.owner.text(t, `mutation($in: InviteUserInput!) { inviteUser(input: $in) { userErrors { code message path } link } }`,
		map[string]any{"in": map[string]any{"email": email, "access": access, "keyIds": i.keys, "withoutMasterKey": i.withoutMaster}},
		"inviteUser.link")
	return join(t, link, email)
}

// key makes a key as the owner and gives its ID.
func (w *world) key(t testing.TB, name string) string {
	t.Helper()
	return w.owner.text(t, `mutation($name: String!) { createApiKey(input: {name: $name, kind: OTHER}) { userErrors { message } key { id } } }`,
		map[string]any{"name": name}, "createApiKey.key.id")
}

// grant sets a grant as the owner.
func (w *world) grant(t testing.TB, user, key string, state graph.GrantState) {
	t.Helper()
	w.owner.ask(t, `mutation($u: ID!, $k: ID!, $s: GrantState!) { setGrant(input: {userId: $u, keyId: $k, state: $s}) { userErrors { message } } }`,
		map[string]any{"u": user, "k": key, "s": state}, "setGrant")
}

// names lists the names of the keys that somebody sees in their account.
func (c client) names(t testing.TB) []string {
	t.Helper()
	list, _ := c.ask(t, `{ account { apiKeys(first: 100) { nodes { name } } } }`, nil, "account.apiKeys.nodes").([]any)
	out := []string{}
	for _, n := range list {
		out = append(out, n.(map[string]any)["name"].(string))
	}
	return out
}
