package resolvers

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/go-playground/validator/v10"

	"grantwood/graph"
)

var validate = validator.New(validator.WithRequiredStructEnabled())

// constraint checks a value that is there against a rule. For a mutation it collects what is violated, to be
// reported together once access is granted; elsewhere the first violation is BAD_USER_INPUT.
func (r *Resolver) constraint(ctx context.Context, _ any, next graphql.Resolver, rule string) (any, error) {
	value, err := next(ctx)
	if err != nil {
		return nil, err
	}
	plain := reflect.Indirect(reflect.ValueOf(value))
	if !plain.IsValid() || plain.Kind() == reflect.Slice && plain.IsNil() {
		return value, nil
	}
	field := graphql.GetFieldContext(ctx)
	argument := pathNames(graphql.GetPath(ctx)[len(field.Path()):])
	for _, e := range violations(plain, rule, argument) {
		if field.Object != "Mutation" {
			e.Code = graph.BadUserInput
			return nil, e
		}
		caller(ctx).violated(field.Field.Alias, e)
	}
	return value, nil
}

func violations(value reflect.Value, rule string, path []string) []*graph.Error {
	var fields validator.ValidationErrors
	if !errors.As(validate.Var(value.Interface(), rule), &fields) {
		return nil
	}
	list := make([]*graph.Error, len(fields))
	for i, f := range fields {
		list[i] = &graph.Error{Code: graph.Invalid, Message: sentence(f.Tag(), f.Param(), value.Kind()), Path: path, Rule: f.Tag(),
			Parameter: f.Param()}
	}
	return list
}

// sentence says what a rule asks for.
func sentence(rule, parameter string, kind reflect.Kind) string {
	unit := ""
	switch kind {
	case reflect.String:
		unit = " characters"
	case reflect.Slice:
		unit = " elements"
	}
	if parameter == "1" {
		unit = strings.TrimSuffix(unit, "s")
	}
	switch rule {
	case "email":
		return "This is not an e-mail address."
	case "min":
		return "At least " + parameter + unit + "."
	case "max":
		return "At most " + parameter + unit + "."
	case "unique":
		return "No element may be given twice."
	}
	return "The value breaks the rule " + rule + "."
}
