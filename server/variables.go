package server

import (
	"reflect"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// checkEnums refuses values of enums in variables that are not written as in the schema. The library takes them in any case,
// and hands them on as they are.
func checkEnums(schema *ast.Schema, operation *graphql.OperationContext) *gqlerror.Error {
	for _, d := range operation.Operation.VariableDefinitions {
		path := ast.Path{ast.PathName("variable"), ast.PathName(d.Variable)}
		if at := wrongEnum(schema, d.Type, operation.Variables[d.Variable], path); at != nil {
			err := gqlerror.ErrorPathf(at, "There is no such value.")
			errcode.Set(err, errcode.ValidationFailed)
			return err
		}
	}
	return nil
}

// wrongEnum gives the place of the first value in v that its enum does not have; nil when there is none.
func wrongEnum(schema *ast.Schema, t *ast.Type, v any, path ast.Path) ast.Path {
	below := func(e ast.PathElement) ast.Path { return append(path[:len(path):len(path)], e) }
	if list := reflect.ValueOf(v); t.Elem != nil && list.Kind() == reflect.Slice { // []any, or []string of what was one value
		for i := range list.Len() {
			if at := wrongEnum(schema, t.Elem, list.Index(i).Interface(), below(ast.PathIndex(i))); at != nil {
				return at
			}
		}
		return nil
	}
	definition := schema.Types[t.Name()]
	switch value := v.(type) {
	case string:
		if definition.Kind == ast.Enum && definition.EnumValues.ForName(value) == nil {
			return path
		}
	case map[string]any:
		for _, field := range definition.Fields {
			if at := wrongEnum(schema, field.Type, value[field.Name], below(ast.PathName(field.Name))); at != nil {
				return at
			}
		}
	}
	return nil
}
