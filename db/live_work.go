package db

import (
	"context"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"grantwood/graph"
)

// liveWork is an event, or a window of usage, of which something concerns a viewer.
type liveWork struct {
	row      *liveRow // of grants and keys
	window   *usageWindow
	prepared *prepared
	since    time.Time // when it could have been taken
	pairs    []Pair    // what is left of it; without a user but for grants
	ready    []liveReady
	readyAt  time.Time
	readyFor *graph.Viewer // under whose rights; others when they have changed
	ends     [2]graph.UUID // the first and last event of a window that tell v something
}

// liveReady is an event that can be given, and how many pairs are done with it.
type liveReady struct {
	event LiveEvent
	pairs int
}

// pairsRead is how many pairs are read at once where nothing was prepared.
const pairsRead = 50

// nextOf gives the next event of the work; nil when there is none any more. What was read a while ago is read again.
func (s *Subscription) nextOf(ctx context.Context, w *liveWork) (LiveEvent, error) {
	for {
		now := s.hub.now()
		if len(w.ready) > 0 && now.Sub(w.readyAt) <= preparedFor && w.readyFor == s.listener.rights.Load().viewer {
			r := w.ready[0]
			w.ready, w.pairs = w.ready[1:], w.pairs[r.pairs:]
			if r.event != nil {
				return r.event, nil
			}
			continue
		}
		w.ready = nil
		if len(w.pairs) == 0 {
			return nil, nil
		}
		if err := s.read(ctx, w, now); err != nil {
			return nil, err
		}
	}
}

// read makes events of pairs that are left.
func (s *Subscription) read(ctx context.Context, w *liveWork, now time.Time) error {
	w.readyAt = now
	if !w.prepared.good(now) {
		if err := s.renew(ctx); err != nil {
			return err
		}
	}
	w.readyFor = s.listener.rights.Load().viewer
	v, err := s.viewer()
	if err != nil {
		return err
	}
	if w.prepared.good(now) {
		w.ready = s.fromPrepared(v, w)
		return nil
	}
	w.ready, err = s.fromDatabase(ctx, v, w)
	return err
}

// pairsOf gives the pairs of an event that concern v; when the subscription goes on within the event, those after it.
func (s *Subscription) pairsOf(v *graph.Viewer, row *liveRow) []Pair {
	users := []graph.UUID(row.UserIds)
	if s.query.Topic == TopicKeys {
		if row.Kind != liveKey {
			return nil
		}
		users = []graph.UUID{{}}
	} else if row.Kind == liveKey || !v.SeesGrantsOfOthers() && !slices.Contains(users, v.UserID()) {
		return nil
	}
	after := s.resumed.in(row.EventID)
	var pairs []Pair
	for _, key := range row.KeyIds {
		for _, user := range users {
			switch {
			case after > 0:
				after--
			case s.query.Topic == TopicKeys && v.SeesKey(v.AccountID(), key), s.query.Topic == TopicGrants && v.HearsOfGrant(user, key, row.Enabled):
				pairs = append(pairs, Pair{user, key})
			}
		}
	}
	return pairs
}

// fromPrepared makes events of all pairs that are left from what was read for all.
func (s *Subscription) fromPrepared(v *graph.Viewer, w *liveWork) []liveReady {
	p := w.prepared
	ready := make([]liveReady, len(w.pairs))
	for i, pair := range w.pairs {
		ready[i].pairs = 1
		seen := p.seen[sight{s.listener, pair.Key}]
		switch s.query.Topic {
		case TopicGrants:
			g := p.grants[pair]
			if !seen {
				g = nil
			}
			ready[i].event = grantEventFor(v, w.row, pair, g)
		case TopicKeys:
			if k := p.keys[pair.Key]; seen && k.VisibleTo(v) {
				ready[i].event = keyEventFor(w.row, k)
			}
		case TopicUsage:
			if k := p.keys[pair.Key]; seen && k.VisibleTo(v) {
				ready[i].event = w.usageEventFor(v, k, p.records[pair.Key])
			}
		}
	}
	return ready
}

// fromDatabase makes events of some pairs that are left by reading, as v, what they are about.
func (s *Subscription) fromDatabase(ctx context.Context, v *graph.Viewer, w *liveWork) ([]liveReady, error) {
	pairs := w.pairs[:min(len(w.pairs), pairsRead)]
	ready := make([]liveReady, len(pairs))
	for i := range ready {
		ready[i].pairs = 1
	}
	if s.query.Topic == TopicGrants {
		list, err := s.hub.db.Grants(ctx, v, v.AccountID(), pairs)
		if err != nil {
			return nil, err
		}
		grants := make(map[Pair]*graph.Grant, len(list))
		for _, g := range list {
			grants[Pair{g.User.UserID, g.Key.KeyID}] = g
		}
		for i, pair := range pairs {
			ready[i].event = grantEventFor(v, w.row, pair, grants[pair])
		}
		return ready, nil
	}
	wanted := make([]graph.UUID, len(pairs))
	for i, pair := range pairs {
		wanted[i] = pair.Key
	}
	keys, err := s.hub.db.keysByID(ctx, v, v.AccountID(), wanted)
	if err != nil {
		return nil, err
	}
	records := map[graph.UUID][]*graph.UsageRecord{}
	if s.query.Topic == TopicUsage {
		if records, err = s.hub.db.newestRecords(ctx, v, w, wanted); err != nil {
			return nil, err
		}
	}
	for i, pair := range pairs {
		k := keys[pair.Key]
		switch {
		case !k.VisibleTo(v):
		case s.query.Topic == TopicKeys:
			ready[i].event = keyEventFor(w.row, k)
		default:
			ready[i].event = w.usageEventFor(v, k, records[pair.Key])
		}
	}
	return ready, nil
}

// newestRecords reads the records that a window names of keys, as v.
func (db *DB) newestRecords(ctx context.Context, v *graph.Viewer, w *liveWork, keys []graph.UUID) (map[graph.UUID][]*graph.UsageRecord, error) {
	var named []graph.UUID
	for _, s := range w.window.sums {
		if slices.Contains(keys, s.key) {
			named = append(named, s.newest...)
		}
	}
	list, err := db.UsageRecords(ctx, v, v.AccountID(), named)
	slices.SortFunc(list, func(a, b *graph.UsageRecord) int {
		if c := b.OccurredAt.Compare(a.OccurredAt); c != 0 {
			return c
		}
		return slices.Compare(b.RecordID[:], a.RecordID[:])
	})
	records := map[graph.UUID][]*graph.UsageRecord{}
	for _, r := range list {
		records[r.KeyID] = append(records[r.KeyID], r)
	}
	return records, err
}

// grantEventFor makes the event of a pair that v hears of: with the grant, when v sees it, as it is now; without one when v lost the
// key, or owns the account. Nil when v, after all, sees nothing of it. What is shared by others is copied, since what is read below it
// is kept in it.
func grantEventFor(v *graph.Viewer, row *liveRow, pair Pair, g *graph.Grant) LiveEvent {
	account := v.AccountID()
	e := &graph.GrantChangedEvent{EventID: graph.LiveEventID(account, row.EventID, pair.User, pair.Key),
		UserID: graph.ID{Kind: graph.KindUser, Account: account, Object: pair.User},
		KeyID:  graph.ID{Kind: graph.KindKey, Account: account, Object: pair.Key}}
	own := pair.User == v.UserID()
	switch {
	case g != nil && g.VisibleTo(v):
		e.Enabled, e.Grant = g.Enabled, g.Copy()
	case own && v.IsPrimary():
		e.Enabled = true
	case !own || row.Enabled || v.SeesKey(account, pair.Key):
		return nil
	}
	return e
}

func keyEventFor(row *liveRow, k *graph.ApiKey) LiveEvent {
	return &graph.KeyToggledEvent{EventID: graph.LiveEventID(k.AccountID, row.EventID, graph.UUID{}, k.KeyID), Status: k.Status(), Key: k.Copy()}
}

// usageEventFor makes the event of a key that v sees.
func (w *liveWork) usageEventFor(v *graph.Viewer, k *graph.ApiKey, records []*graph.UsageRecord) LiveEvent {
	i, ok := slices.BinarySearchFunc(w.window.sums, k.KeyID, func(s *liveSum, key graph.UUID) int { return slices.Compare(s.key[:], key[:]) })
	if !ok {
		return nil
	}
	sum := w.window.sums[i]
	e := &graph.UsageAddedEvent{EventID: graph.LiveEventID(k.AccountID, w.ends[1], w.ends[0], k.KeyID), Key: k.Copy(),
		Records: make([]*graph.UsageRecord, len(records)),
		Totals: &graph.UsageTotals{Records: sum.records, Succeeded: sum.succeeded, Quantity: sum.quantity,
			CostUnits: decimal.NewFromBigInt(&sum.cost, 0), Currency: v.Account.Currency}}
	for i, r := range records {
		e.Records[i] = r.Copy()
	}
	return e
}
