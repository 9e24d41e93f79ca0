package server_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/demo"
	"grantwood/graph"
)

// TestNonInterference is the test of the product's heart: delete everything hidden from a viewer, and every answer stays
// the same to the byte. For each fixed person, an access token and a key, the corpus runs on the demo and on a copy of it from which what is hidden
// from that person was deleted.
func TestNonInterference(t *testing.T) {
	t.Parallel()
	whole := demoDatabase(t)
	tokens, objects := prepare(t, whole)
	operations := corpus(objects)
	if len(operations) < 60 {
		t.Fatalf("the corpus has %d operations", len(operations))
	}
	t.Logf("%d operations for each of %d viewers", len(operations), len(tokens))
	for email, token := range tokens {
		t.Run(email, func(t *testing.T) {
			// Two copies for each, since refused sign-ins are counted and noted.
			same, less := dbtest.Copy(t, whole), dbtest.Copy(t, whole)
			deleteHidden(t, sql(t, less), email)
			all, rest := apiOn(t, dbtest.OpenNamed(t, same)), apiOn(t, dbtest.OpenNamed(t, less))
			for _, op := range operations {
				a, b := (client{all, token}).post(t, op.query, op.variables), (client{rest, token}).post(t, op.query, op.variables)
				if a.Status != b.Status || !bytes.Equal(a.Body, b.Body) {
					t.Errorf("%s\n%v\nwith what is hidden:    %d %s\nwithout what is hidden: %d %s", op.query, op.variables, a.Status, a.Body, b.Status, b.Body)
				}
			}
			if all.srv.Hits()+rest.srv.Hits() != 0 {
				t.Error("@visible caught what SQL let through")
			}
		})
	}
}

// TestNonInterferenceIsNoEmptyPromise changes what is not hidden: the answers must differ, in the old parts of the corpus and in
// those about units alike.
func TestNonInterferenceIsNoEmptyPromise(t *testing.T) {
	t.Parallel()
	whole := demoDatabase(t)
	tokens, objects := prepare(t, whole)
	type change struct {
		statements []string
		operations []operation
		least      map[string]int // of answers that differ, by viewer
		changed    string         // the database where it was made
	}
	changes := []change{
		{statements: []string{`DELETE FROM api_keys WHERE name = 'Asia Pacific: Sales'`,
			`UPDATE api_keys SET name = name || '!' WHERE key_id IN (SELECT key_id FROM access_token_keys) OR name = '` + aKey + `'`},
			operations: corpus(objects), least: map[string]int{"reporting@globex.example": 10, aToken: 5, aKey: 5}},
		{statements: []string{`UPDATE units SET name = name || '!' WHERE name IN ('World', 'Asia', 'Nothing')`},
			operations: unitOperations(objects), least: map[string]int{"reporting@globex.example": 5, "admin@globex.example": 20, aToken: 5, aKey: 5}},
		{statements: []string{`DELETE FROM unit_paths p USING units n WHERE n.unit_id = p.above_id AND n.name = 'Asia' AND p.distance > 0`,
			`DELETE FROM unit_grants WHERE enabled`},
			operations: unitOperations(objects), least: map[string]int{"reporting@globex.example": 5, "developer@globex.example": 5, "admin@globex.example": 10}},
	}
	for i := range changes { // before anybody is connected
		changes[i].changed = dbtest.Copy(t, whole)
	}
	all := apiOn(t, dbtest.OpenNamed(t, whole))
	for _, c := range changes {
		for _, s := range c.statements {
			sql(t, c.changed).MustExec(s)
		}
		rest := apiOn(t, dbtest.OpenNamed(t, c.changed))
		for viewer, least := range c.least {
			token, differ := tokens[viewer], 0
			for _, op := range c.operations {
				if !bytes.Equal((client{all, token}).post(t, op.query, op.variables).Body, (client{rest, token}).post(t, op.query, op.variables).Body) {
					differ++
				}
			}
			if differ < least {
				t.Errorf("%s: only %d answers differ after %s", viewer, differ, c.statements[0])
			}
		}
	}
}

// prepare signs everybody in and gives their tokens and all objects of the demo, and leaves nobody connected.
func prepare(t *testing.T, name string) (map[string]string, demoObjects) {
	t.Helper()
	d, err := db.Open(db.Config{URL: dbtest.DSN(t, name), PasswordCost: dbtest.PasswordCost})
	if err != nil {
		t.Fatal(err)
	}
	a, h := newAPI(d)
	defer func() {
		h.Close()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	pool := sqlx.MustConnect("postgres", dbtest.DSN(t, name))
	setByHand(t, a)
	tokens, revoked := prepareMachines(t, a)
	prepareTree(t, a, pool)
	done := prepareOperations(t, a)
	objects := readDemo(t, a)
	objects.operations = done
	objects.revoked = revoked
	for _, p := range demo.People() {
		tokens[p.Email] = signIn(t, a, p.Email).token
	}
	pool.MustExec(`UPDATE access_tokens SET last_used_at = '2100-01-01'`) // so that no call changes it
	pool.MustExec(`UPDATE api_keys SET last_used_at = '2100-01-01' WHERE secret_hash IS NOT NULL`)
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
	return tokens, objects
}

// The machines among the viewers.
const (
	aToken = "access token"
	aKey   = "key"
)

// prepareMachines makes a token of three keys of which its creator then loses one, a key with a secret, and a revoked
// token, whose ID it gives.
func prepareMachines(t *testing.T, a api) (map[string]string, string) {
	t.Helper()
	owner, admin := signIn(t, a, "owner@globex.example"), signIn(t, a, "admin@globex.example")
	var keys []string
	for _, k := range nodes(admin.ask(t, `{ account { apiKeys(first: 5) { nodes { id } } } }`, nil, "account").(map[string]any), "apiKeys")[1:4] {
		keys = append(keys, text(k, "id"))
	}
	token, _ := tokenOf(t, admin, []graph.Capability{graph.ViewUsage, graph.RotateSecrets}, keys...)
	_, revoked := tokenOf(t, owner, usageOnly, keys[0])
	owner.ask(t, revokeToken, map[string]any{"id": revoked}, "revokeAccessToken")
	owner.ask(t, `mutation($u: ID!, $k: ID!) { setGrant(input: {userId: $u, keyId: $k, state: DISABLED}) { userErrors { code } } }`,
		map[string]any{"k": keys[1], "u": admin.text(t, `{ viewer { user { id } } }`, nil, "viewer.user.id")}, "setGrant")
	k := (&world{owner: member{client: owner}}).credential(t, aKey)
	return map[string]string{aToken: token.token, aKey: keyed(a, k.key, k.secret).token}, revoked
}

// operations are changes of many grants, some of them for keys that nobody but the owner sees.
type operations struct {
	block     input // of a setAccess that is done
	ids       []string
	undone    string   // one that is taken back already
	few, many []string // IDs of users and keys that they are about
}

// prepareOperations sets a block of grants and single ones, as the owner, for people who are not among the viewers.
func prepareOperations(t *testing.T, a api) operations {
	t.Helper()
	owner := signIn(t, a, "owner@globex.example")
	account := owner.ask(t, `{ account { apiKeys(first: 100, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { id } } users(first: 100) { nodes { id email } } } }`, nil, "account").(map[string]any)
	var o operations
	for i, k := range nodes(account, "apiKeys") {
		if i%4 == 0 {
			o.many = append(o.many, text(k, "id"))
		}
	}
	fixed := []string{}
	for _, p := range demo.People() {
		fixed = append(fixed, p.Email)
	}
	for _, u := range nodes(account, "users") {
		if !slices.Contains(fixed, text(u, "email")) && len(o.few) < 3 {
			o.few = append(o.few, text(u, "id"))
		}
	}
	o.block = access(o.few[:2], o.many, "ENABLED")
	o.ids = append(o.ids, owner.done(t, toSetAccess, o.block).at(t, "setAccess.operationId").(string))
	single := []input{with(pair(o.few[2], o.many[0], "ENABLED"), "expiresAt", "2100-01-01T00:00:00Z"), pair(o.few[2], o.many[1], "DISABLED"), pair(o.few[2], o.many[5], "ENABLED")}
	o.undone = owner.set(t, single...).(string)
	o.ids = append(o.ids, o.undone, owner.done(t, toUndo, undo(o.undone)).at(t, "undoGrantOperation.operationId").(string), owner.set(t, single...).(string))
	o.ids = append(o.ids, owner.set(t, pair(o.few[2], o.many[len(o.many)-1], "ENABLED")).(string)) // the owner alone sees this key
	return o
}

// who is a fixed person in the account that they enter.
type who struct {
	Account    string
	User       string
	Person     string
	IsPrimary  bool
	Granted    pq.StringArray
	VisibleKey []string
	Token      string // empty unless it is an access token; User is its creator then
	Key        string // empty unless it is a key
}

func (w who) may(capability string) bool {
	return w.IsPrimary || slices.Contains(w.Granted, capability)
}

// deleteHidden deletes everything that the tables of product.md hide from a viewer. It is written from these tables, and
// shares nothing with the predicates of the product.
func deleteHidden(t *testing.T, pool *sqlx.DB, email string) {
	t.Helper()
	w := read(t, pool, email)
	units := w.visibleUnits(t, pool)
	exec := func(statement string, args ...any) {
		if _, err := pool.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	// Other accounts, and people who are nowhere else. Of accounts that the person can switch to they see the name and what
	// they are there.
	if w.Person == "" { // a machine is in one account only
		w.Person = graph.UUID{}.String()
	}
	exec(`DELETE FROM accounts WHERE account_id <> $1 AND account_id NOT IN (SELECT account_id FROM users WHERE person_id = $2)`, w.Account, w.Person)
	exec(`DELETE FROM memberships WHERE account_id <> $1 AND person_id <> $2`, w.Account, w.Person)
	exec(`DELETE FROM users WHERE account_id <> $1 AND person_id <> $2`, w.Account, w.Person)
	exec(`DELETE FROM audit_events WHERE account_id <> $1`, w.Account)
	exec(`DELETE FROM invitations WHERE account_id <> $1`, w.Account)
	exec(`DELETE FROM sign_in_failures`)
	exec(`DELETE FROM password_resets`)
	// Keys that are not visible, and what is about them.
	exec(`DELETE FROM api_keys WHERE NOT key_id::text = ANY($1)`, pq.Array(w.VisibleKey))
	exec(`DELETE FROM audit_events WHERE key_id IS NOT NULL AND NOT key_id::text = ANY($1)`, pq.Array(w.VisibleKey))
	// Usage of keys that are not visible, and what was corrected, which is gone for everybody.
	exec(`DELETE FROM usage_records WHERE account_id <> $1 OR NOT key_id::text = ANY($2) OR replaced_by IS NOT NULL`, w.Account, pq.Array(w.VisibleKey))
	exec(`DELETE FROM usage_quarters WHERE account_id <> $1 OR NOT key_id::text = ANY($2)`, w.Account, pq.Array(w.VisibleKey))
	exec(`DELETE FROM usage_days WHERE account_id <> $1 OR NOT key_id::text = ANY($2)`, w.Account, pq.Array(w.VisibleKey))
	if w.Token == "" && w.Key == "" && !w.may("VIEW_USAGE") {
		for _, table := range []string{"usage_records", "usage_quarters", "usage_days"} {
			exec(`DELETE FROM ` + table)
		}
	}
	w.deleteHiddenUnits(units, exec)
	exec(`DELETE FROM grant_changes WHERE NOT key_id::text = ANY($1)`, pq.Array(w.VisibleKey))
	exec(`DELETE FROM audit_events WHERE action = 'GRANTS_CHANGED' AND event_id NOT IN (SELECT event_id FROM grant_changes)`)
	// Secrets, and the hints of them.
	if w.Key == "" {
		exec(`UPDATE api_keys SET secret_hash = '\x00' WHERE secret_hash IS NOT NULL`)
		exec(`UPDATE api_keys SET previous_secret_hash = '\x00' WHERE previous_secret_hash IS NOT NULL`)
	}
	if !w.may("ROTATE_SECRETS") {
		exec(`UPDATE api_keys SET secret_hash = NULL, secret_hint = NULL, secret_issued_at = NULL, previous_secret_hash = NULL,
			previous_secret_expires_at = NULL WHERE key_id::text <> $1`, w.Key)
		exec(`UPDATE api_keys SET secret_hint = 'none', secret_issued_at = created_at, previous_secret_hash = NULL,
			previous_secret_expires_at = NULL WHERE key_id::text = $1`, w.Key)
	}
	if !w.may("MANAGE_TOKENS") {
		exec(`DELETE FROM access_tokens WHERE token_id::text <> $1`, w.Token)
	}
	exec(`UPDATE access_tokens SET secret_hash = '\x00' WHERE token_id::text <> $1`, w.Token)
	if !w.may("VIEW_AUDIT") {
		exec(`DELETE FROM audit_events`)
	}
	if !w.may("MANAGE_USERS") {
		exec(`DELETE FROM invitations`)
		exec(`UPDATE users SET last_sign_in_at = NULL WHERE person_id <> $1 AND user_id::text <> $2`, w.Person, w.User)
		exec(`UPDATE users SET granted = '{}' WHERE person_id <> $1 AND user_id::text <> $2`, w.Person, w.User)
	}
	if !w.may("MANAGE_KEYS") {
		exec(`DELETE FROM key_requests WHERE requested_by <> $1`, w.User)
	}
	exec(`DELETE FROM idempotency_keys`)
	if !w.may("MANAGE_GRANTS") {
		exec(`DELETE FROM grants WHERE user_id <> $1`, w.User)
	}
	if !w.may("MANAGE_USERS") && !w.may("MANAGE_GRANTS") {
		exec(`DELETE FROM users WHERE person_id <> $1 AND user_id::text <> $2 AND NOT is_primary`, w.Person, w.User)
	}
	if w.Token != "" || w.Key != "" { // of people nothing but what bounds the token
		exec(`DELETE FROM users WHERE user_id::text <> $1`, w.User)
		exec(`UPDATE users SET email = 'x', display_name = 'x', last_sign_in_at = NULL, granted = ARRAY(SELECT unnest(granted) INTERSECT SELECT unnest(ARRAY['VIEW_USAGE', 'ROTATE_SECRETS']))`)
	}
	exec(`DELETE FROM sessions WHERE user_id NOT IN (SELECT user_id FROM users WHERE person_id = $1)`, w.Person)
	exec(`DELETE FROM persons WHERE person_id NOT IN (SELECT person_id FROM users)`)
	exec(`DELETE FROM logins WHERE person_id NOT IN (SELECT person_id FROM persons)`)
	exec(`DELETE FROM operators`)
	exec(`DELETE FROM mails`)
}

func read(t *testing.T, pool *sqlx.DB, email string) who {
	t.Helper()
	switch email {
	case aToken:
		return readToken(t, pool)
	case aKey:
		w := who{User: "00000000-0000-0000-0000-000000000000"}
		if err := pool.QueryRowxContext(t.Context(), `SELECT account_id, key_id FROM api_keys WHERE name = $1`, aKey).Scan(&w.Account, &w.Key); err != nil {
			t.Fatal(err)
		}
		w.VisibleKey = []string{w.Key}
		return w
	}
	account := demo.Globex
	if email == "owner@initech.example" {
		account = demo.Initech
	}
	var w who
	row := pool.QueryRowxContext(t.Context(), `SELECT u.account_id, u.user_id, u.person_id, u.is_primary, u.granted FROM users u JOIN accounts a USING (account_id)
		WHERE u.email = $1 AND a.name = $2`, email, account)
	err := row.Scan(&w.Account, &w.User, &w.Person, &w.IsPrimary, &w.Granted)
	rows, err2 := pool.QueryxContext(t.Context(), `SELECT k.key_id, k.is_master, g.enabled FROM api_keys k
		LEFT JOIN grants g ON g.key_id = k.key_id AND g.user_id = $2 AND (g.expires_at IS NULL OR g.expires_at > now()) WHERE k.account_id = $1`, w.Account, w.User)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	rules := readRules(t, pool, w.Account, w.User)
	for rows.Next() {
		var key string
		var master bool
		var enabled *bool
		if err := rows.Scan(&key, &master, &enabled); err != nil {
			t.Fatal(err)
		}
		if said, ok := rules[key]; ok && enabled == nil {
			enabled = &said
		}
		if w.IsPrimary || enabled != nil && *enabled || enabled == nil && master {
			w.VisibleKey = append(w.VisibleKey, key)
		}
	}
	return w
}

// readToken reads the token that is not revoked: its keys are those of its list that its creator sees.
func readToken(t *testing.T, pool *sqlx.DB) who {
	t.Helper()
	creator := read(t, pool, "admin@globex.example")
	w := who{Account: creator.Account, User: creator.User}
	var listed []string
	err := errors.Join(pool.GetContext(t.Context(), &w.Token, `SELECT token_id FROM access_tokens WHERE revoked_at IS NULL`),
		pool.SelectContext(t.Context(), &listed, `SELECT key_id FROM access_token_keys WHERE token_id::text = (SELECT token_id::text FROM access_tokens WHERE revoked_at IS NULL)`))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range listed {
		if slices.Contains(creator.VisibleKey, k) {
			w.VisibleKey = append(w.VisibleKey, k)
		}
	}
	if len(listed) != 3 || len(w.VisibleKey) != 2 {
		t.Fatalf("the token lists %d keys and sees %d", len(listed), len(w.VisibleKey))
	}
	return w
}
