package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
)

// lookEvents reads what the selections want below audit events.
func (r *Resolver) lookEvents(ctx context.Context, events []*graph.AuditEvent, selections ast.SelectionSet) error {
	tokens := distinct(events, func(e *graph.AuditEvent) *graph.AccessToken { return e.ActorToken })
	if err := r.lookTokens(ctx, tokens, below(ctx, selections, typesOfEvent, "actor")); err != nil {
		return err
	}
	err := look(ctx, events, selections, typesOfEvent, func(e *graph.AuditEvent) graph.UUID { return e.AccountID }, r.lookEventField)
	if err != nil {
		return err
	}
	return r.lookBelow(ctx, selections, typesOfEvent, map[string][]*graph.User{
		"user":  distinct(events, func(e *graph.AuditEvent) *graph.User { return e.User }),
		"actor": distinct(events, func(e *graph.AuditEvent) *graph.User { return e.ActorUser }),
	}, map[string][]*graph.ApiKey{
		"key": distinct(events, func(e *graph.AuditEvent) *graph.ApiKey { return e.Key }),
	}, map[string][]*graph.Unit{
		"unit": distinct(events, func(e *graph.AuditEvent) *graph.Unit { return e.Unit }),
	})
}

func (r *Resolver) lookEventField(ctx context.Context, events []*graph.AuditEvent, f graphql.CollectedField) error {
	if f.Name != "grantChanges" {
		return nil
	}
	p, err := documentPage(ctx, f, "", graph.ByKeyAndPlace)
	if err != nil {
		return nil // the field's own resolver says so
	}
	pages, err := r.DB.GrantChangesOf(ctx, viewer(ctx), events, p.window, p.ask)
	if err != nil {
		return err
	}
	for _, e := range events {
		e.Nested.Put(kept{f.Field, p.ask}, pages[e.EventID])
	}
	changes := nodesOf(pages, func(c *graph.GrantChangeConnection) []*graph.GrantChange { return c.Nodes })
	return r.lookBelow(ctx, elements(ctx, f.Selections), typesOfChange, map[string][]*graph.User{
		"user": distinct(changes, func(c *graph.GrantChange) *graph.User { return c.User }),
	}, map[string][]*graph.ApiKey{
		"key": distinct(changes, func(c *graph.GrantChange) *graph.ApiKey { return c.Key }),
	}, nil)
}

func (r auditEvent) GrantChanges(ctx context.Context, obj *graph.AuditEvent, first *int, after *string) (*graph.GrantChangeConnection, error) {
	if _, err := (graph.PageArgs{First: first, After: after}).Window(graph.ByKeyAndPlace); err != nil {
		return nil, err
	}
	f := currentField(ctx)
	return nested[*graph.GrantChangeConnection](&obj.Nested, kept{f.Field, asked(ctx, f.Selections)},
		func() error { return r.lookEventField(ctx, []*graph.AuditEvent{obj}, f) })
}
