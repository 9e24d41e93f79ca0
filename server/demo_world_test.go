package server_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/demo"
)

// demoTemplate is the name of a database that holds the demo's accounts, made once; to be copied.
var demoTemplate = sync.OnceValues(func() (string, error) {
	ctx, name := context.Background(), "grantwood_demo_template"
	databases := dbtest.Databases()
	if err := errors.Join(databases.Drop(ctx, name), databases.Create(ctx, name, "")); err != nil {
		return "", err
	}
	d, err := db.Open(db.Config{URL: dbtest.DSN(nil, name), MaxConns: 2, PasswordCost: dbtest.PasswordCost})
	if err != nil {
		return "", err
	}
	if _, err := d.Migrate(ctx); err != nil {
		return "", err
	}
	if err := errors.Join(demo.Fill(ctx, d), useDemo(ctx, d, name)); err != nil {
		return "", err
	}
	return name, d.Close()
})

// demoDatabase copies the demo for a test and gives the name of the copy.
func demoDatabase(t testing.TB) string {
	t.Helper()
	template, err := demoTemplate()
	if err != nil {
		t.Fatal(err)
	}
	copying.Lock() // a database that is being copied cannot be copied a second time
	defer copying.Unlock()
	return dbtest.Copy(t, template)
}

var copying sync.Mutex

// sql gives a connection of the test's own to a database.
func sql(t testing.TB, name string) *sqlx.DB {
	t.Helper()
	pool, err := sqlx.Open("postgres", dbtest.DSN(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// signIn signs a fixed person in.
func signIn(t testing.TB, a api, email string) client {
	t.Helper()
	c := client{api: a}
	c.token = c.text(t, `mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { userErrors { code } sessionToken } }`,
		map[string]any{"e": email, "p": demo.Password}, "signIn.sessionToken")
	return c
}

// object is an object of the demo with what would betray it.
type object struct {
	ID      string
	Name    string
	Account string // name of the account
	Traces  []string
}

// demoObjects are all keys and users of both accounts, as their owners see them.
type demoObjects struct {
	keys, users []object
	grants      map[[2]string]string // ID of the grant by the IDs of user and key
	invitations []string
	requests    []string
	pending     []string // of the requests
	events      []string
	operations  operations
	tokens      []string
	usage       []object     // named by their keys
	units       []unitObject // none in the demo as it is
	rules       []string     // for units
	thresholds  []string
	revoked     string            // one of the tokens; empty when there is none
	accounts    map[string]string // name → ID
}

func readDemo(t testing.TB, a api) demoObjects {
	t.Helper()
	o := demoObjects{grants: map[[2]string]string{}, accounts: map[string]string{}}
	for _, email := range []string{"owner@globex.example", "owner@initech.example"} {
		owner := signIn(t, a, email)
		answer := owner.ask(t, `{ account { id name apiKeys(first: 100) { nodes { id name key } } users(first: 100) { nodes { id displayName email
			grants(first: 100) { nodes { id key { id } } } } } invitations(first: 100) { nodes { id } } keyRequests(first: 100) { nodes { id status } }
			auditEvents(first: 100) { nodes { id } } accessTokens(first: 100) { nodes { id } }
			verify: usage(first: 100, filter: {products: ["VERIFY"]}) { nodes { id reference key { name } } } others: usage(first: 100, filter: {`+everAgo+`, products: ["SMS", "VOICE"]}) { nodes { id reference key { name } } } } }`, nil, "account")
		o.add(answer.(map[string]any))
		o.addUnits(t, owner, text(answer.(map[string]any), "name"))
	}
	return o
}

func (o *demoObjects) add(account map[string]any) {
	name := account["name"].(string)
	o.accounts[name] = account["id"].(string)
	for _, k := range nodes(account, "apiKeys") {
		o.keys = append(o.keys, object{text(k, "id"), text(k, "name"), name, []string{text(k, "id"), text(k, "key")}})
	}
	for _, u := range nodes(account, "users") {
		o.users = append(o.users, object{text(u, "id"), text(u, "displayName"), name, []string{text(u, "id"), text(u, "email")}})
		for _, g := range nodes(u, "grants") {
			o.grants[[2]string{text(u, "id"), text(g["key"].(map[string]any), "id")}] = text(g, "id")
		}
	}
	for _, i := range nodes(account, "invitations") {
		o.invitations = append(o.invitations, text(i, "id"))
	}
	for _, q := range nodes(account, "keyRequests") {
		o.requests = append(o.requests, text(q, "id"))
		if text(q, "status") == "PENDING" {
			o.pending = append(o.pending, text(q, "id"))
		}
	}
	for _, e := range nodes(account, "auditEvents") {
		o.events = append(o.events, text(e, "id"))
	}
	for _, u := range append(nodes(account, "verify"), nodes(account, "others")...) {
		o.usage = append(o.usage, object{text(u, "id"), text(u["key"].(map[string]any), "name"), name, []string{text(u, "id"), text(u, "reference")}})
	}
	for _, token := range nodes(account, "accessTokens") {
		o.tokens = append(o.tokens, text(token, "id"))
	}
}

func nodes(parent map[string]any, connection string) []map[string]any {
	var list []map[string]any
	for _, n := range parent[connection].(map[string]any)["nodes"].([]any) {
		list = append(list, n.(map[string]any))
	}
	return list
}

func text(o map[string]any, field string) string {
	s, _ := o[field].(string)
	return s
}
