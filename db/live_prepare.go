package db

import (
	"context"
	"time"

	"grantwood/graph"
)

// prepareEvents reads what events are about for all listeners at once: nil when that is more than each of them should rather read for
// itself.
func (db *DB) prepareEvents(ctx context.Context, account graph.UUID, entries []*liveEntry, listeners []*listener, now time.Time) (*prepared, error) {
	var users, keys []graph.UUID // of pairs
	touched := map[graph.UUID]bool{}
	for _, e := range entries {
		for _, k := range e.row.KeyIds {
			touched[k] = true
			for _, u := range e.row.UserIds {
				users, keys = append(users, u), append(keys, k)
			}
		}
		if len(users) > pairsPrepared || len(touched) > pairsPrepared {
			return nil, nil
		}
	}
	p := &prepared{at: now}
	wanted := make([]graph.UUID, 0, len(touched))
	for k := range touched {
		wanted = append(wanted, k)
	}
	var err error
	if p.seen, err = db.sights(ctx, account, wanted, listeners, now); err != nil || p.seen == nil {
		return nil, err
	}
	if p.keys, err = db.keysForAll(ctx, account, wanted); err != nil || len(users) == 0 {
		return p, err
	}
	var grants []*graph.Grant
	err = db.pool.SelectContext(ctx, &grants, `
		SELECT `+userColumns.as("u", "user")+`, `+keyColumns.as("k", "key")+`, `+grantColumns.of("g")+`
		FROM unnest($2::uuid[], $4::uuid[]) AS p (user_id, key_id)
		JOIN users u ON u.account_id = $1 AND u.user_id = p.user_id AND NOT u.is_primary
		JOIN api_keys k ON k.account_id = $1 AND k.key_id = p.key_id
		`+grantOf, account, uuidArray(users), now, uuidArray(keys))
	p.grants = make(map[Pair]*graph.Grant, len(grants))
	for _, g := range grants {
		p.grants[Pair{g.User.UserID, g.Key.KeyID}] = g
	}
	return p, err
}

// prepareUsage reads what a window is about for all listeners at once, like prepareEvents.
func (db *DB) prepareUsage(ctx context.Context, account graph.UUID, w *usageWindow, listeners []*listener, now time.Time) (*prepared, error) {
	keys, records := make([]graph.UUID, 0, len(w.sums)), 0
	for _, s := range w.sums {
		keys = append(keys, s.key)
		if records += len(s.newest); records > recordsPrepared {
			return nil, nil
		}
	}
	p := &prepared{at: now, records: map[graph.UUID][]*graph.UsageRecord{}}
	var err error
	if p.seen, err = db.sights(ctx, account, keys, listeners, now); err != nil || p.seen == nil {
		return nil, err
	}
	if p.keys, err = db.keysForAll(ctx, account, keys); err != nil {
		return nil, err
	}
	times, ids := newArray(oidTimestamptz, records, 8), newArray(oidUUID, records, 16)
	for _, s := range w.sums {
		for _, id := range s.newest {
			times.timestamp(graph.UsageMillis(id))
			ids.uuid(id)
		}
	}
	var list []*graph.UsageRecord
	err = db.pool.SelectContext(ctx, &list, `
		SELECT `+usageColumns.of("r")+`
		FROM unnest($2::uuid[], $3::timestamptz[]) AS w (id, at)
		JOIN usage_records r ON r.account_id = $1 AND r.occurred_at >= w.at AND r.occurred_at < w.at + interval '1 millisecond' AND r.id = w.id
		WHERE r.replaced_by IS NULL
		ORDER BY r.occurred_at DESC, r.id DESC`, account, ids, times)
	if err == nil {
		err = db.ownRecords(ctx, nil, account, list)
	}
	for _, r := range list {
		p.records[r.KeyID] = append(p.records[r.KeyID], r)
	}
	return p, err
}

// keysForAll reads keys for whoever is confirmed to see them.
func (db *DB) keysForAll(ctx context.Context, account graph.UUID, keys []graph.UUID) (index[graph.ApiKey], error) {
	var list []*graph.ApiKey
	err := db.pool.SelectContext(ctx, &list, `
		SELECT `+keyColumns.of("k")+`
		FROM api_keys k
		WHERE k.account_id = $1 AND k.key_id = ANY($2)`, account, uuidArray(keys))
	return indexOf(list, func(k *graph.ApiKey) graph.UUID { return k.KeyID }), err
}

// sights gives which listeners see which of the keys: those of whom the second source says so, as far as the database confirms it. Nil
// when these are too many to ask for at once.
func (db *DB) sights(ctx context.Context, account graph.UUID, keys []graph.UUID, listeners []*listener, now time.Time) (map[sight]bool, error) {
	var list []sight
	for _, l := range listeners {
		v := l.rights.Load().viewer.Again(now)
		for _, k := range keys {
			if v.SeesKey(account, k) {
				list = append(list, sight{l, k})
			}
		}
		if len(list) > sightsPrepared {
			return nil, nil
		}
	}
	return db.confirmed(ctx, account, list, now)
}
