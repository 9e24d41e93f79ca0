package resolvers

import (
	"context"

	"grantwood/db"
	"grantwood/graph"
)

// group names objects of one kind in one account, which one statement reads.
type group struct {
	kind    graph.Kind
	account graph.UUID
}

// find reads the visible objects with the IDs, one statement for each kind and account, and what the operation wants
// below them. What is hidden, missing, foreign or malformed is not in the result.
func (r *Resolver) find(ctx context.Context, wanted []graph.ID) (map[graph.ID]graph.Node, error) {
	groups := map[group][]graph.ID{}
	for _, id := range wanted {
		g := group{id.Kind, id.Account}
		groups[g] = append(groups[g], id)
	}
	found := map[graph.ID]graph.Node{}
	for g, ids := range groups {
		if err := r.findGroup(ctx, g, ids, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (r *Resolver) findGroup(ctx context.Context, g group, wanted []graph.ID, found map[graph.ID]graph.Node) error {
	v, below := viewer(ctx), currentField(ctx).Selections
	switch g.kind {
	case graph.KindAccount:
		a, err := r.DB.Account(ctx, v, g.account)
		if a != nil {
			found[a.ID()] = a
		}
		return err
	case graph.KindUser:
		list, err := r.DB.Users(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookUsers(ctx, list, below) })
	case graph.KindKey:
		list, err := r.DB.Keys(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookKeys(ctx, list, below) })
	case graph.KindUnit:
		list, err := r.DB.Units(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookUnits(ctx, list, below) })
	case graph.KindUnitGrant:
		list, err := r.DB.UnitGrants(ctx, v, g.account, rulePairs(wanted))
		return keep(list, err, found, func() error { return r.lookUnitGrants(ctx, list, below) })
	case graph.KindGrant:
		list, err := r.DB.Grants(ctx, v, g.account, pairs(wanted))
		return keep(list, err, found, func() error { return r.lookGrants(ctx, list, below) })
	case graph.KindInvitation:
		list, err := r.DB.Invitations(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookInvitations(ctx, list, below) })
	case graph.KindKeyRequest:
		list, err := r.DB.KeyRequests(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookKeyRequests(ctx, list, below) })
	case graph.KindAccessToken:
		list, err := r.DB.AccessTokens(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookTokens(ctx, list, below) })
	case graph.KindUsage:
		list, err := r.DB.UsageRecords(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookUsage(ctx, list, below) })
	case graph.KindUsageThreshold:
		list, err := r.DB.UsageThresholds(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookThresholds(ctx, list, below) })
	case graph.KindAuditEvent:
		list, err := r.DB.AuditEvents(ctx, v, g.account, objects(wanted))
		return keep(list, err, found, func() error { return r.lookEvents(ctx, list, below) })
	}
	return nil
}

// node is an object with its global ID.
type node interface {
	graph.Node
	ID() graph.ID
}

// keep puts what was read where it is found by its ID, then looks ahead.
func keep[T node](list []T, err error, found map[graph.ID]graph.Node, look func() error) error {
	if err != nil {
		return err
	}
	for _, o := range list {
		found[o.ID()] = o
	}
	return look()
}

func objects(ids []graph.ID) []graph.UUID {
	list := make([]graph.UUID, len(ids))
	for i, id := range ids {
		list[i] = id.Object
	}
	return list
}

func pairs(ids []graph.ID) []db.Pair {
	list := make([]db.Pair, len(ids))
	for i, id := range ids {
		list[i] = db.Pair{User: id.Object, Key: id.Second}
	}
	return list
}

func rulePairs(ids []graph.ID) []db.UserAndUnit {
	list := make([]db.UserAndUnit, len(ids))
	for i, id := range ids {
		list[i] = db.UserAndUnit{User: id.Object, Unit: id.Second}
	}
	return list
}
