package server

import (
	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
	"grantwood/graph/scalar"
)

// costing sums what the fields of an operation cost, as @cost in the schema says. Sums stop at max.
type costing struct {
	variables map[string]any
	fragments map[string]int
	max       int
	// mostInPage is the most elements that a page may have.
	mostInPage int
}

// costOf gives what an operation costs, in points: 1 at least, and at most one more than max.
func costOf(o *ast.OperationDefinition, variables map[string]any, max, mostInPage int) int {
	c := costing{variables: variables, fragments: map[string]int{}, max: max + 1, mostInPage: mostInPage}
	return c.selections(o.SelectionSet)
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
	return max(1, min(size, c.mostInPage))
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
