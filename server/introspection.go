package server

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
	"grantwood/resolvers"
)

// Introspection says who may ask for the schema, and is told right names in answers to wrong ones.
type Introspection string

// Settings of Introspection.
const (
	IntrospectionOn            Introspection = "on"
	IntrospectionOff           Introspection = "off"
	IntrospectionAuthenticated Introspection = "authenticated"
)

func (i Introspection) allows(ctx context.Context) bool {
	return i == IntrospectionOn || i == IntrospectionAuthenticated && !resolvers.IsNobody(ctx)
}

func (i Introspection) refusal() *gqlerror.Error {
	if i == IntrospectionOff {
		return requestError(graph.Forbidden, "The schema is not shown here.")
	}
	return requestError(graph.Unauthenticated, "The schema is shown to callers with credentials only.")
}

// introspects reports whether a root field asks for the schema.
func introspects(set ast.SelectionSet) bool {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if s.Name == "__schema" || s.Name == "__type" {
				return true
			}
		case *ast.InlineFragment:
			if introspects(s.SelectionSet) {
				return true
			}
		case *ast.FragmentSpread:
			if introspects(s.Definition.SelectionSet) {
				return true
			}
		}
	}
	return false
}

// listsOf are the lists of __Type by the kinds that have them; for the others they are null, where the library answers with none.
var listsOf = map[string][]string{"fields": {"OBJECT", "INTERFACE"}, "interfaces": {"OBJECT", "INTERFACE"}, "possibleTypes": {"INTERFACE", "UNION"},
	"enumValues": {"ENUM"}, "inputFields": {"INPUT_OBJECT"}}

// nullLists answers the lists that a kind of type does not have with null, as the specification says.
func nullLists(around graphql.FieldMiddleware) graphql.FieldMiddleware {
	return func(ctx context.Context, next graphql.Resolver) (any, error) {
		fc := graphql.GetFieldContext(ctx)
		kinds, isList := listsOf[fc.Field.Name]
		if fc.Object != "__Type" || !isList {
			return around(ctx, next)
		}
		result, err := around(ctx, next)
		list := reflect.ValueOf(result)
		if err != nil || list.Kind() != reflect.Slice || list.Len() > 0 {
			return result, err
		}
		if t, ok := fc.Parent.Result.(*introspection.Type); ok && slices.Contains(kinds, t.Kind()) {
			return result, nil
		}
		return reflect.Zero(list.Type()).Interface(), nil
	}
}

// UnmarshalText reads a setting.
func (i *Introspection) UnmarshalText(text []byte) error {
	switch s := Introspection(text); s {
	case IntrospectionOn, IntrospectionOff, IntrospectionAuthenticated:
		*i = s
		return nil
	}
	return fmt.Errorf("introspection is on, off or authenticated, not %q", text)
}
