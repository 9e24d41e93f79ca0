package server

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
)

// coerced gives the values of an operation's variables as chapter 6.1.2 "Coercing Variable Values" of the specification says.
// The library is laxer, and takes "1" for an Int, 1 for a String, values of enums in any case and several fields of a @oneOf.
// Variables that the operation does not define are left out.
func coerced(schema *ast.Schema, o *ast.OperationDefinition, raw map[string]any) (map[string]any, *gqlerror.Error) {
	values := make(map[string]any, len(o.VariableDefinitions))
	for _, d := range o.VariableDefinitions {
		c := coercing{schema: schema, path: []string{d.Variable}}
		value, there := raw[d.Variable]
		switch {
		case !there && d.DefaultValue != nil:
			continue // the executor fills it in
		case !there && d.Type.NonNull:
			return nil, c.wrong("A value is missing.")
		case !there:
			continue
		}
		v, err := c.value(d.Type, value)
		if err != nil {
			return nil, err
		}
		values[d.Variable] = v
	}
	return values, nil
}

// coercing is a walk over a value and its type.
type coercing struct {
	schema *ast.Schema
	path   []string // variable, fields and indexes on the way to the value
}

// wrong is the error about the value at the path; extensions.variable gives the path.
func (c *coercing) wrong(sentence string) *gqlerror.Error {
	err := requestError(graph.ValidationFailed, "Variable $%s: %s", c.path[0], sentence)
	err.Extensions["variable"] = append([]string(nil), c.path...)
	return err
}

func (c *coercing) at(name string, t *ast.Type, v any) (any, *gqlerror.Error) {
	c.path = append(c.path, name)
	value, err := c.value(t, v)
	c.path = c.path[:len(c.path)-1]
	return value, err
}

func (c *coercing) value(t *ast.Type, v any) (any, *gqlerror.Error) {
	if v == nil {
		if t.NonNull {
			return nil, c.wrong("null is no value of the type " + t.String() + ".")
		}
		return nil, nil
	}
	if t.Elem != nil {
		return c.list(t, v)
	}
	definition := c.schema.Types[t.NamedType]
	switch definition.Kind {
	case ast.InputObject:
		return c.object(definition, v)
	case ast.Enum:
		if name, ok := v.(string); ok && definition.EnumValues.ForName(name) != nil {
			return name, nil
		}
		return nil, c.wrong("There is no such value of the type " + definition.Name + ".")
	}
	if value, ok := scalarOf(definition.Name, v); ok {
		return value, nil
	}
	return nil, c.wrong("The value is none of the type " + definition.Name + ".")
}

// list takes a value that is no list for a list of it.
func (c *coercing) list(t *ast.Type, v any) (any, *gqlerror.Error) {
	list, ok := v.([]any)
	if !ok {
		element, err := c.value(t.Elem, v)
		return []any{element}, err
	}
	values := make([]any, len(list))
	for i, element := range list {
		value, err := c.at(strconv.Itoa(i), t.Elem, element)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}

func (c *coercing) object(definition *ast.Definition, v any) (any, *gqlerror.Error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, c.wrong("The value is no object of the type " + definition.Name + ".")
	}
	for name := range fields {
		if definition.Fields.ForName(name) == nil {
			return nil, c.wrong("The type " + definition.Name + " lacks a field that is given.")
		}
	}
	values := make(map[string]any, len(fields))
	for _, f := range definition.Fields {
		value, there := fields[f.Name]
		if !there {
			if f.Type.NonNull && f.DefaultValue == nil {
				c.path = append(c.path, f.Name)
				return nil, c.wrong("A value is missing.")
			}
			continue // the executor fills in defaults
		}
		value, err := c.at(f.Name, f.Type, value)
		if err != nil {
			return nil, err
		}
		values[f.Name] = value
	}
	if definition.Directives.ForName("oneOf") != nil && !exactlyOne(values) {
		return nil, c.wrong("The type " + definition.Name + " has exactly one field, and this is not null.")
	}
	return values, nil
}

func exactlyOne(values map[string]any) bool {
	for _, v := range values {
		return len(values) == 1 && v != nil
	}
	return false
}

// scalarOf gives a value of a scalar. Those of our own read theirs themselves.
func scalarOf(name string, v any) (any, bool) {
	switch name {
	case "Int":
		n, ok := whole(v)
		return n, ok && n >= math.MinInt32 && n <= math.MaxInt32
	case "Float":
		n, ok := v.(json.Number)
		if !ok {
			return nil, false
		}
		f, err := n.Float64()
		return f, err == nil
	case "String":
		s, ok := v.(string)
		return s, ok
	case "Boolean":
		b, ok := v.(bool)
		return b, ok
	case "ID":
		if s, ok := v.(string); ok {
			return s, true
		}
		n, ok := whole(v)
		return strconv.FormatInt(n, 10), ok
	}
	return v, true
}

// whole reads a whole number, also one that is written as 1.0 or 1e3.
func whole(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
