package resolvers

import (
	"runtime"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// TestCollectLeavesNoTrace: selection sets that look-ahead makes come and go within one operation, and another one may come to lie
// where the first was. Neither look-ahead nor the executor, which keeps what it collects, may take the one for the other.
func TestCollectLeavesNoTrace(t *testing.T) {
	t.Parallel()
	operation := &graphql.OperationContext{Doc: &ast.QueryDocument{}}
	ctx := graphql.WithOperationContext(t.Context(), operation)
	names := [2]string{"one", "two"}
	for i := range 2000 {
		name := names[i%2]
		for range 10 {
			set := below(ctx, ast.SelectionSet{&ast.Field{Name: "f", Alias: "f", SelectionSet: ast.SelectionSet{&ast.Field{Name: name, Alias: name}}}}, nil, "f")
			if got := collect(ctx, set, nil); len(got) != 1 || got[0].Name != name {
				t.Fatalf("round %d: look-ahead collects %v, want %s", i, got, name)
			}
		}
		if i%20 == 0 {
			runtime.GC()
		}
		set := ast.SelectionSet{&ast.Field{Name: name, Alias: name}}
		if got := graphql.CollectFields(operation, set, nil); len(got) != 1 || got[0].Name != name {
			t.Fatalf("round %d: the executor collects %v, want %s", i, got, name)
		}
		operation.Doc.Operations = append(operation.Doc.Operations, &ast.OperationDefinition{SelectionSet: set}) // sets of the document stay
	}
}
