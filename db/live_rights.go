package db

import (
	"context"
	"sync/atomic"
	"time"

	"grantwood/graph"
)

// listener is somebody who follows an account, however many subscriptions they have: a session, an access token, or a key that called
// with one of its secrets.
type listener struct {
	id     listenerID
	rights atomic.Pointer[liveRights]
	uses   int // subscriptions; guarded by liveStream.mu
}

type listenerID struct {
	kind   graph.PrincipalKind
	object graph.UUID
	proof  [32]byte // of a key
}

// liveRights are what a listener may see at a time, or why there is nothing more to see.
type liveRights struct {
	viewer *graph.Viewer
	at     time.Time
	end    error
}

func listenerOf(v *graph.Viewer) listenerID {
	id := listenerID{kind: v.Kind, object: v.Self(), proof: v.Proof}
	if v.Kind == graph.KindOfUser {
		id.object = v.SessionID
	}
	return id
}

// renew reads anew what listeners of one account may see: one statement for all sessions, one for all tokens, one for all keys, and
// more only for those for whom something has changed.
func (db *DB) renew(ctx context.Context, account graph.UUID, listeners []*listener, now time.Time) error {
	if len(listeners) == 0 {
		return nil
	}
	var a graph.Account
	err := db.pool.GetContext(ctx, &a, `
		SELECT `+accountColumns.of("a")+`
		FROM accounts a
		WHERE a.account_id = $1`, account)
	if err != nil {
		return err
	}
	byKind := map[graph.PrincipalKind][]*listener{}
	for _, l := range listeners {
		byKind[l.id.kind] = append(byKind[l.id.kind], l)
	}
	r := renewal{db: db, account: &a, now: now}
	if err := r.users(ctx, byKind[graph.KindOfUser]); err != nil {
		return err
	}
	if err := r.tokens(ctx, byKind[graph.KindOfToken]); err != nil {
		return err
	}
	return r.keys(ctx, byKind[graph.KindOfKey])
}

// renewal is a renewal on its way.
type renewal struct {
	db      *DB
	account *graph.Account
	now     time.Time
}

// version is of what decides about a listener who is still there.
type version struct {
	ID           graph.UUID
	UserID       graph.UUID
	RulesVersion int64
}

// settle gives each listener who is still there, unchanged, its rights again, ends the others, and gives those who have changed.
func (r *renewal) settle(listeners []*listener, found []version, known func(*graph.Viewer) int64) (changed []*listener, versions map[graph.UUID]version) {
	versions = make(map[graph.UUID]version, len(found))
	for _, f := range found {
		versions[f.ID] = f
	}
	for _, l := range listeners {
		old, is := l.rights.Load(), version{}
		is, there := versions[l.id.object]
		switch {
		case !there || old.end != nil:
			r.end(l)
		case known(old.viewer) != is.RulesVersion || old.viewer.Account.TreeVersion != r.account.TreeVersion:
			changed = append(changed, l)
		default:
			l.rights.Store(&liveRights{viewer: old.viewer, at: r.now})
		}
	}
	return changed, versions
}

func (r *renewal) end(l *listener) {
	l.rights.Store(&liveRights{viewer: &graph.Viewer{}, at: r.now, end: signedOut()})
}

func objectsOf(listeners []*listener) string {
	return uuidArray(ids(listeners, func(l *listener) graph.UUID { return l.id.object }))
}

func (r *renewal) users(ctx context.Context, listeners []*listener) error {
	if len(listeners) == 0 {
		return nil
	}
	var found []version
	err := r.db.pool.SelectContext(ctx, &found, `
		SELECT s.session_id AS id, u.user_id, u.rules_version
		FROM sessions s
		JOIN users u ON u.account_id = s.account_id AND u.user_id = s.user_id
		WHERE s.account_id = $1 AND s.session_id = ANY($2) AND s.expires_at > $3 AND u.status = 'ACTIVE'`,
		r.account.AccountID, objectsOf(listeners), r.now)
	if err != nil {
		return err
	}
	changed, versions := r.settle(listeners, found, func(v *graph.Viewer) int64 { return v.User.RulesVersion })
	if len(changed) == 0 {
		return nil
	}
	wanted := distinct(ids(changed, func(l *listener) graph.UUID { return versions[l.id.object].UserID }))
	users, sets, err := r.db.keysOfUsers(ctx, r.account, wanted)
	if err != nil {
		return err
	}
	for _, l := range changed {
		u, old := users[versions[l.id.object].UserID], l.rights.Load().viewer
		if u == nil { // gone at this moment
			r.end(l)
			continue
		}
		l.rights.Store(&liveRights{at: r.now, viewer: &graph.Viewer{Kind: graph.KindOfUser, User: u, Account: r.account, SessionID: old.SessionID,
			Keys: sets[u.UserID], Request: old.Request}})
	}
	return nil
}

// keysOfUsers reads users of an account, and the set of visible keys of each who is not the primary user, for all at once.
func (db *DB) keysOfUsers(ctx context.Context, a *graph.Account, wanted []graph.UUID) (index[graph.User], map[graph.UUID]*graph.KeySet, error) {
	var list []*graph.User
	err := db.pool.SelectContext(ctx, &list, `
		SELECT `+userColumns.of("u")+`
		FROM users u
		WHERE u.account_id = $1 AND u.user_id = ANY($2)`, a.AccountID, uuidArray(wanted))
	if err != nil {
		return nil, nil, err
	}
	tree, err := db.treeOf(ctx, a)
	if err != nil {
		return nil, nil, err
	}
	rules, err := db.rulesOf(ctx, a.AccountID, wanted...)
	if err != nil {
		return nil, nil, err
	}
	sets := make(map[graph.UUID]*graph.KeySet, len(list))
	for _, u := range list {
		if !u.IsPrimary {
			sets[u.UserID] = graph.NewKeySet(tree, rules[u.UserID])
		}
	}
	return indexOf(list, func(u *graph.User) graph.UUID { return u.UserID }), sets, nil
}

func (r *renewal) tokens(ctx context.Context, listeners []*listener) error {
	if len(listeners) == 0 {
		return nil
	}
	var found []version
	err := r.db.pool.SelectContext(ctx, &found, `
		SELECT t.token_id AS id, c.user_id, c.rules_version
		FROM `+tokensAndCreators+`
		WHERE t.account_id = $1 AND t.token_id = ANY($2) AND t.revoked_at IS NULL AND t.expires_at > $3 AND c.status = 'ACTIVE'`,
		r.account.AccountID, objectsOf(listeners), r.now)
	if err != nil {
		return err
	}
	changed, _ := r.settle(listeners, found, func(v *graph.Viewer) int64 { return v.Creator.RulesVersion })
	for _, l := range changed {
		fresh, _, err := r.db.refreshToken(ctx, l.rights.Load().viewer.Again(r.now))
		switch {
		case err != nil:
			return err
		case fresh.Kind == graph.Nobody:
			r.end(l)
		default:
			l.rights.Store(&liveRights{viewer: fresh, at: r.now})
		}
	}
	return nil
}

// keyAndSecrets is a key with the hashes of its secrets.
type keyAndSecrets struct {
	graph.ApiKey
	SecretHash         []byte
	PreviousSecretHash []byte
}

func (k *keyAndSecrets) opens(proof [32]byte, at time.Time) bool {
	c := credential{hash: k.SecretHash, previous: k.PreviousSecretHash, previousEnds: k.PreviousSecretExpiresAt}
	return c.matches(proof, at)
}

func (r *renewal) keys(ctx context.Context, listeners []*listener) error {
	if len(listeners) == 0 {
		return nil
	}
	var found []keyAndSecrets
	err := r.db.pool.SelectContext(ctx, &found, `
		SELECT `+keyColumns.of("k")+`, k.secret_hash, k.previous_secret_hash
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id = ANY($2) AND k.enabled AND k.deleted_at IS NULL`, r.account.AccountID, objectsOf(listeners))
	if err != nil {
		return err
	}
	there := make(map[graph.UUID]int, len(found))
	for i := range found {
		there[found[i].KeyID] = i
	}
	for _, l := range listeners {
		old := l.rights.Load()
		i, ok := there[l.id.object]
		if !ok || old.end != nil || !found[i].opens(l.id.proof, r.now) {
			r.end(l)
			continue
		}
		v, err := r.db.keyViewer(ctx, &found[i].ApiKey, r.account, old.viewer.Request)
		if err != nil {
			return err
		}
		v.Proof = l.id.proof
		l.rights.Store(&liveRights{viewer: v, at: r.now})
	}
	return nil
}

// sight is somebody who may see a key, of whom the statements have to say so too.
type sight struct {
	listener *listener
	key      graph.UUID
}

// confirmed gives those of the sights that the database confirms, for all of them in one statement. It says for many viewers at once
// what keyVisible says for one: the owner sees every key, an additional user those whose effective grant is enabled, a token those
// that it lists as far as its creator sees them. A key sees itself.
func (db *DB) confirmed(ctx context.Context, account graph.UUID, list []sight, now time.Time) (map[sight]bool, error) {
	seen := make(map[sight]bool, len(list))
	n := len(list)
	users, tokens, keys := newArray(oidUUID, n, 16), newArray(oidUUID, n, 16), newArray(oidUUID, n, 16)
	asked := make([]sight, 0, n)
	for _, s := range list {
		v := s.listener.rights.Load().viewer
		switch {
		case v.Kind == graph.KindOfUser:
			users.uuid(v.UserID())
			tokens.null()
		case v.Kind == graph.KindOfToken:
			users.uuid(v.Creator.UserID)
			tokens.uuid(v.AccessToken.TokenID)
		default:
			seen[s] = v.Kind == graph.KindOfKey && v.ApiKey.KeyID == s.key
			continue
		}
		keys.uuid(s.key)
		asked = append(asked, s)
	}
	if len(asked) == 0 {
		return seen, nil
	}
	var found []int
	err := db.pool.SelectContext(ctx, &found, `
		SELECT s.n
		FROM unnest($2::uuid[], $4::uuid[], $5::uuid[]) WITH ORDINALITY AS s (user_id, token_id, key_id, n)
		JOIN users u ON u.account_id = $1 AND u.user_id = s.user_id
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = s.key_id
		`+grantOf+`
		WHERE (u.is_primary OR `+grantEnabled+`) AND (s.token_id IS NULL OR EXISTS (
			SELECT FROM access_token_keys tk
			WHERE tk.account_id = $1 AND tk.token_id = s.token_id AND tk.key_id = s.key_id))`, account, users, now, tokens, keys)
	for _, n := range found {
		seen[asked[n-1]] = true
	}
	return seen, err
}
