package resolvers

import (
	"context"
	"reflect"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"grantwood/graph"
	"grantwood/graph/generated"
)

// public lets everybody use the field.
func (r *Resolver) public(ctx context.Context, _ any, next graphql.Resolver) (any, error) {
	return proceed(ctx, next)
}

// requires decides from the caller alone, before anything is loaded.
func (r *Resolver) requires(ctx context.Context, obj any, next graphql.Resolver, by []graph.PrincipalKind, capability *graph.Capability,
	scope *graph.OperatorScope, orSelf bool, otherwise generated.Denial) (any, error) {
	v := viewer(ctx)
	if u, ok := obj.(*graph.User); ok && orSelf && v.Kind == graph.KindOfUser && u.UserID == v.UserID() {
		return proceed(ctx, next)
	}
	if err := v.Meets(by, capability, scope); err != nil {
		if otherwise == generated.DenialNull {
			return nil, nil
		}
		return nil, err
	}
	return proceed(ctx, next)
}

// proceed answers a mutation whose arguments break rules with these, now that access is granted, and goes on otherwise.
func proceed(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	if fc == nil || fc.Object != "Mutation" {
		return next(ctx)
	}
	violations := caller(ctx).violationsOf(fc.Field.Alias)
	if len(violations) == 0 {
		return next(ctx)
	}
	errors := make([]graph.UserError, len(violations))
	for i, e := range violations {
		errors[i] = e.UserError()
	}
	return refusal(fc.Field.Name, errors), nil
}

// payloads are the payload types of the mutations by the name of their field in lower case.
var payloads = func() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	mutations := reflect.TypeFor[generated.MutationResolver]()
	for method := range mutations.Methods() {
		types[strings.ToLower(method.Name)] = method.Type.Out(0).Elem()
	}
	return types
}()

// refusal makes the payload of a mutation that changed nothing.
func refusal(field string, errors []graph.UserError) any {
	payload := reflect.New(payloads[strings.ToLower(field)])
	payload.Elem().FieldByName("UserErrors").Set(reflect.ValueOf(errors))
	return payload.Interface()
}

// subject is a protected object, or an edge to one.
type subject interface{ VisibleTo(*graph.Viewer) bool }

// visible checks the result again, from the rules in memory, and hides what the caller must not see.
func (r *Resolver) visible(ctx context.Context, _ any, next graphql.Resolver) (any, error) {
	result, err := next(ctx)
	if err != nil || result == nil {
		return nil, err
	}
	if s, ok := result.(subject); ok {
		seen, err := r.sees(ctx, s)
		if err != nil || !seen {
			return nil, err
		}
		return result, nil
	}
	list := reflect.ValueOf(result)
	if list.Kind() != reflect.Slice {
		r.hit(ctx, result)
		return nil, nil
	}
	element := graphql.GetFieldContext(ctx).Field.Definition.Type.Elem
	return r.visibleList(ctx, list, element != nil && element.NonNull)
}

// visibleList gives the list itself when everything in it is visible, otherwise one without what is hidden, or with null
// in its place.
func (r *Resolver) visibleList(ctx context.Context, list reflect.Value, leaveOut bool) (any, error) {
	kept := list
	for i, shared := 0, true; i < list.Len(); i++ {
		element := list.Index(i)
		seen, err := r.seesElement(ctx, element)
		if err != nil {
			return nil, err
		}
		if !seen && shared {
			kept, shared = reflect.MakeSlice(list.Type(), i, list.Len()), false
			reflect.Copy(kept, list)
		}
		switch {
		case shared:
		case seen:
			kept = reflect.Append(kept, element)
		case !leaveOut:
			kept = reflect.Append(kept, reflect.Zero(list.Type().Elem()))
		}
	}
	return kept.Interface(), nil
}

// seesElement lets null pass in lists that may hold it, which are those of an interface.
func (r *Resolver) seesElement(ctx context.Context, element reflect.Value) (bool, error) {
	if element.Kind() == reflect.Interface && element.IsNil() {
		return true, nil
	}
	s, ok := element.Interface().(subject)
	if !ok {
		r.hit(ctx, element.Interface())
		return false, nil
	}
	return r.sees(ctx, s)
}

// sees reports whether the caller sees the object. When not, the rules may have changed since the caller was
// authenticated; what they say now decides, and only if they have not changed is it a hit.
func (r *Resolver) sees(ctx context.Context, s subject) (bool, error) {
	if s == nil || reflect.ValueOf(s).IsNil() {
		return false, nil
	}
	v := viewer(ctx)
	if s.VisibleTo(v) {
		return true, nil
	}
	fresh, changed, err := r.DB.Refresh(ctx, v)
	if err != nil {
		return false, err
	}
	if !changed {
		r.hit(ctx, s)
		return false, nil
	}
	caller(ctx).become(fresh)
	return s.VisibleTo(fresh), nil
}

func (r *Resolver) hit(ctx context.Context, object any) {
	r.hits.Add(1)
	r.Log.ErrorContext(ctx, "hidden object caught by @visible: a filter is missing", "path", graphql.GetPath(ctx).String(),
		"type", reflect.TypeOf(object).String(), "request", viewer(ctx).Request.ID)
}
