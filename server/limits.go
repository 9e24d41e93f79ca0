package server

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
	"grantwood/graph/scalar"
	"grantwood/resolvers"
)

// limits refuses operations that cost too much or name values that no enum has, and shows the schema to callers with
// credentials only.
type limits struct {
	maxCost int
	schema  *ast.Schema
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationContextMutator
} = limits{}

// ExtensionName names the extension.
func (limits) ExtensionName() string { return "Limits" }

// Validate accepts every schema.
func (limits) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext checks an operation before it runs.
func (l limits) MutateOperationContext(ctx context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	operation.DisableIntrospection = resolvers.IsNobody(ctx)
	if err := checkEnums(l.schema, operation); err != nil {
		return err
	}
	c := costing{variables: operation.Variables, fragments: map[string]int{}, max: l.maxCost + 1}
	cost := c.selections(operation.Operation.SelectionSet)
	if c.introspects && operation.DisableIntrospection {
		err := gqlerror.Errorf("The schema is shown to callers with credentials only.")
		errcode.Set(err, string(graph.Unauthenticated))
		return err
	}
	operation.Stats.SetExtension(costStat, cost)
	if cost > l.maxCost {
		err := gqlerror.Errorf("The operation costs more than %d points; ask for smaller pages or fewer fields.", l.maxCost)
		errcode.Set(err, string(graph.TooComplex))
		return err
	}
	return nil
}

// costing sums what the fields of an operation cost, as @cost in the schema says. Sums stop at max.
type costing struct {
	variables   map[string]any
	fragments   map[string]int
	max         int
	introspects bool // a field asks for the schema
}

func (c *costing) selections(set ast.SelectionSet) int {
	sum := 0
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			sum += c.field(s)
		case *ast.InlineFragment:
			sum += c.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			sum += c.fragment(s.Definition)
		}
		if sum > c.max {
			return c.max
		}
	}
	return sum
}

func (c *costing) fragment(f *ast.FragmentDefinition) int {
	cost, known := c.fragments[f.Name]
	if !known {
		cost = c.selections(f.SelectionSet)
		c.fragments[f.Name] = cost
	}
	return cost
}

func (c *costing) field(f *ast.Field) int {
	c.introspects = c.introspects || f.Name == "__schema" || f.Name == "__type"
	weight, times := 1, 1
	if f.Definition != nil {
		if d := f.Definition.Directives.ForName("cost"); d != nil {
			args := d.ArgumentMap(nil)
			weight = number(args["weight"], 1)
			if page, _ := args["page"].(bool); page {
				times = c.pageSize(f)
			}
		}
	}
	return min(weight+times*c.selections(f.SelectionSet), c.max)
}

// pageSize is how many elements a connection may have; a size that is refused later counts as one.
func (c *costing) pageSize(f *ast.Field) int {
	args := f.ArgumentMap(c.variables)
	size := number(args["first"], number(args["last"], graph.DefaultPageSize))
	return max(1, min(size, graph.MaxPageSize))
}

func number(value any, otherwise int) int {
	if value == nil {
		return otherwise
	}
	n, err := scalar.UnmarshalInt(value)
	if err != nil {
		return otherwise
	}
	return n
}
