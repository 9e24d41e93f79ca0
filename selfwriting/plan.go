package selfwriting

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Plan is what a selection set asks of an object of one type.
type Plan struct {
	Fields []Field
	// Executes is how many of the fields are executed in the ordinary way. An object that is written first executes all when they are several,
	// since they then run at once.
	Executes int
}

// Field is one field of a Plan.
type Field struct {
	Collected graphql.CollectedField
	// Name is what is written before the value: the response key, quoted, with a colon and the comma before it.
	Name []byte
	// Number is that of the field in its type, as generated code counts.
	Number int
	// Denied means null for every object: a directive that looks at the caller only said so.
	Denied bool
	// Execute means that the field is executed in the ordinary way.
	Execute bool
	// Below is the plan of the field's objects; nil for scalars, and for interfaces and unions, whose objects are of several types.
	Below *Plan
	// Context is what directives of the field run with. It knows the field, and the path without indexes.
	Context context.Context
}

// Plans are those of one operation.
type Plans struct {
	mu    sync.Mutex
	known map[planKey]*Plan
}

// planKey names a selection set by its address, which stays its own as long as the key holds it.
type planKey struct {
	first *ast.Selection
	size  int
	typ   string
}

// Of gives the plan of a selection set on a type, and lets prepare fill in each field when it is asked for the first time.
func (p *Plans) Of(ctx context.Context, o *graphql.OperationContext, typ string, satisfies []string, set ast.SelectionSet, prepare func(*Field)) *Plan {
	if len(set) == 0 {
		return &Plan{}
	}
	key := planKey{&set[0], len(set), typ}
	p.mu.Lock()
	known := p.known[key]
	p.mu.Unlock()
	if known != nil {
		return known
	}
	made := planned(ctx, graphql.CollectFields(o, set, satisfies), typ, prepare)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[planKey]*Plan{}
	}
	p.known[key] = made
	return made
}

type ordinaryKey struct{}

// Ordinary lets everything be executed in the ordinary way that runs with the context, for comparisons.
func Ordinary(ctx context.Context) context.Context {
	return context.WithValue(ctx, ordinaryKey{}, true)
}

func planned(ctx context.Context, fields []graphql.CollectedField, typ string, prepare func(*Field)) *Plan {
	if ctx.Value(ordinaryKey{}) != nil {
		return &Plan{Executes: 2}
	}
	plan, seen := &Plan{Fields: make([]Field, 0, len(fields))}, make(map[string]bool, len(fields))
	for _, collected := range fields {
		if seen[collected.Alias] {
			continue
		}
		seen[collected.Alias] = true
		f := Field{Collected: collected}
		if len(plan.Fields) > 0 {
			f.Name = append(f.Name, ',')
		}
		f.Name = append(AppendString(f.Name, collected.Alias), ':')
		f.Context = graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: typ, Field: collected})
		prepare(&f)
		if f.Execute {
			plan.Executes++
		}
		plan.Fields = append(plan.Fields, f)
	}
	return plan
}

// yes is what a directive lets pass that is asked about the caller.
var yes = new(struct{})

// Decide asks a directive that looks at the caller only, once for all objects: it lets pass, or makes the field null, or has an error, which
// ordinary execution reports.
func (f *Field) Decide(directive func(ctx context.Context, next graphql.Resolver) (any, error)) {
	result, err := directive(f.Context, func(context.Context) (any, error) { return yes, nil })
	switch {
	case err != nil || result != nil && result != any(yes):
		f.Execute = true
	case result == nil:
		f.Denied = true
	}
}
