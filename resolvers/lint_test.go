package resolvers

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/graph"
	"grantwood/graph/generated"
)

// The lint over the schema holds what no type system holds: that every way to a protected object is guarded.

// models are the Go types behind the types of the schema that @visible meets: protected ones, edges to them, and other
// members of unions with them.
var models = map[string]any{
	"Account": &graph.Account{}, "User": &graph.User{}, "ApiKey": &graph.ApiKey{}, "Grant": &graph.Grant{},
	"Invitation": &graph.Invitation{}, "AccessToken": &graph.AccessToken{}, "AccessTokenEdge": &graph.AccessTokenEdge{}, "AccountEdge": &graph.AccountEdge{},
	"UsageReportRow": &graph.UsageReportRow{}, "Unit": &graph.Unit{}, "UnitEdge": &graph.UnitEdge{}, "UnitGrant": &graph.UnitGrant{},
	"UsageThreshold": &graph.UsageThreshold{}, "UsageRecord": &graph.UsageRecord{}, "UsageRecordEdge": &graph.UsageRecordEdge{},
	"AuditEvent": &graph.AuditEvent{}, "GrantChange": &graph.GrantChange{}, "GrantChangeEdge": &graph.GrantChangeEdge{}, "Operator": &graph.Operator{},
	"UserEdge": &graph.UserEdge{}, "ApiKeyEdge": &graph.ApiKeyEdge{}, "GrantEdge": &graph.GrantEdge{},
	"KeyRequest": &graph.KeyRequest{}, "KeyRequestEdge": &graph.KeyRequestEdge{}, "InvitationEdge": &graph.InvitationEdge{}, "AuditEventEdge": &graph.AuditEventEdge{},
}

// inert are the directives that only tests and the server's own walk over a document read.
var inert = []string{"subject", "cost", "sensitive"}

type lint struct {
	schema   *ast.Schema
	problems []string
}

// lintSchema gives what is wrong with a schema, a sentence each.
func lintSchema(schema *ast.Schema) []string {
	l := &lint{schema: schema}
	for _, def := range schema.Types {
		if def.BuiltIn || strings.HasPrefix(def.Name, "__") {
			continue
		}
		l.described(def)
		l.fields(def)
		if def.Directives.ForName("subject") != nil {
			l.checks(def.Name)
		}
	}
	l.directives()
	return l.problems
}

func (l *lint) report(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *lint) described(def *ast.Definition) {
	missing := func(what, description string) {
		if strings.TrimSpace(description) == "" {
			l.report("%s has no description", what)
		}
	}
	missing(def.Name, def.Description)
	for _, v := range def.EnumValues {
		missing(def.Name+"."+v.Name, v.Description)
	}
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		missing(def.Name+"."+f.Name, f.Description)
		for _, a := range f.Arguments {
			missing(def.Name+"."+f.Name+"("+a.Name+")", a.Description)
		}
	}
}

func (l *lint) fields(def *ast.Definition) {
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		l.constraints(def, f)
		switch {
		case def.Kind == ast.Interface:
			l.interfaceField(def, f)
		case def.Kind == ast.Object && l.isRoot(def):
			l.rootField(def, f)
			l.guarded(def, f)
		case def.Kind == ast.Object:
			l.guarded(def, f)
			l.arguments(def, f)
		}
	}
}

func (l *lint) isRoot(def *ast.Definition) bool {
	return def == l.schema.Query || def == l.schema.Mutation || def == l.schema.Subscription
}

// rootField: exactly one of @public and @requires; a mutation takes one input and gives a payload.
func (l *lint) rootField(def *ast.Definition, f *ast.FieldDefinition) {
	public, requires := f.Directives.ForName("public") != nil, f.Directives.ForName("requires") != nil
	if public == requires {
		l.report("%s.%s needs exactly one of @public and @requires", def.Name, f.Name)
	}
	if def != l.schema.Mutation {
		return
	}
	if len(f.Arguments) > 1 || len(f.Arguments) == 1 && (f.Arguments[0].Name != "input" || !f.Arguments[0].Type.NonNull) {
		l.report("Mutation.%s takes one argument, input: …Input!", f.Name)
	}
	if payload := l.schema.Types[f.Type.Name()]; !contains(payload.Interfaces, "Payload") || f.Type.NonNull {
		l.report("Mutation.%s gives a nullable type that implements Payload", f.Name)
	}
}

// guarded: whatever can return a protected object is @visible, decided after @requires, and can be null or left out.
func (l *lint) guarded(def *ast.Definition, f *ast.FieldDefinition) {
	visible, requires := f.Directives.ForName("visible") != nil, f.Directives.ForName("requires") != nil
	protected := l.canReturnSubject(f.Type.Name())
	if protected && !visible {
		l.report("%s.%s can return a protected object and lacks @visible", def.Name, f.Name)
	}
	if visible && !protected {
		l.report("%s.%s has @visible and returns nothing that is protected", def.Name, f.Name)
	}
	if visible && requires && index(f.Directives, "visible") > index(f.Directives, "requires") {
		l.report("%s.%s: write @visible before @requires, so that @requires runs first", def.Name, f.Name)
	}
	if requires && f.Type.NonNull {
		l.report("%s.%s has @requires and must be nullable", def.Name, f.Name)
	}
	if visible && f.Type.Elem == nil && f.Type.NonNull && !strings.HasSuffix(def.Name, "Edge") {
		l.report("%s.%s has @visible and must be nullable", def.Name, f.Name)
	}
	if visible {
		for name := range l.possible(f.Type.Name()) {
			l.checks(name)
		}
	}
}

// canReturnSubject reports whether the type is protected, an edge to something protected, or an interface or union that
// something protected belongs to.
func (l *lint) canReturnSubject(name string) bool {
	for possible := range l.possible(name) {
		def := l.schema.Types[possible]
		if def.Directives.ForName("subject") != nil {
			return true
		}
		if node := def.Fields.ForName("node"); node != nil && strings.HasSuffix(possible, "Edge") && l.canReturnSubject(node.Type.Name()) {
			return true
		}
	}
	return false
}

func (l *lint) possible(name string) map[string]bool {
	names := map[string]bool{}
	def := l.schema.Types[name]
	if def.Kind == ast.Object {
		names[name] = true
	}
	for _, p := range l.schema.GetPossibleTypes(def) {
		names[p.Name] = true
	}
	return names
}

// checks: the Go type behind a type that @visible meets has VisibleTo.
func (l *lint) checks(name string) {
	if _, ok := models[name].(subject); !ok {
		l.report("%s has no model with VisibleTo", name)
	}
}

// interfaceField: directives never run on the fields of an interface.
func (l *lint) interfaceField(def *ast.Definition, f *ast.FieldDefinition) {
	for _, name := range []string{"visible", "requires", "public"} {
		if f.Directives.ForName(name) != nil {
			l.report("%s.%s: @%s never runs on a field of an interface", def.Name, f.Name, name)
		}
	}
}

// arguments: a field with arguments that is bound to a struct would ignore them; a page is counted and bounded.
func (l *lint) arguments(def *ast.Definition, f *ast.FieldDefinition) {
	if len(f.Arguments) > 0 && !isResolver(def.Name, f.Name) {
		l.report("%s.%s has arguments and must be a resolver in gqlgen.yml", def.Name, f.Name)
	}
	if !strings.HasSuffix(f.Type.Name(), "Connection") {
		return
	}
	if cost := f.Directives.ForName("cost"); cost == nil || cost.ArgumentMap(nil)["page"] != true {
		l.report("%s.%s is a page and needs @cost(page: true)", def.Name, f.Name)
	}
	for _, name := range []string{"first", "last"} {
		if a := f.Arguments.ForName(name); a != nil && a.Directives.ForName("constraint") == nil {
			l.report("%s.%s(%s) needs a @constraint", def.Name, f.Name, name)
		}
	}
	if f.Arguments.ForName("first") == nil || f.Arguments.ForName("after") == nil {
		l.report("%s.%s is a page and takes first and after", def.Name, f.Name)
	}
}

func isResolver(typeName, fieldName string) bool {
	root := reflect.TypeFor[generated.ResolverRoot]()
	for method := range root.Methods() {
		if !strings.EqualFold(method.Name, typeName) {
			continue
		}
		for field := range method.Type.Out(0).Methods() {
			if strings.EqualFold(field.Name, fieldName) {
				return true
			}
		}
	}
	return false
}

// constraints: every rule compiles, and secrets are marked.
func (l *lint) constraints(def *ast.Definition, f *ast.FieldDefinition) {
	l.constraint(def.Name+"."+f.Name, f.Type, f.Directives)
	for _, a := range f.Arguments {
		l.constraint(def.Name+"."+f.Name+"("+a.Name+")", a.Type, a.Directives)
	}
	for _, word := range []string{"password", "secret", "token", "link"} {
		if f.Type.Name() != "ID" && strings.EqualFold(f.Name, word) && f.Directives.ForName("sensitive") == nil {
			l.report("%s.%s needs @sensitive", def.Name, f.Name)
		}
	}
}

func (l *lint) constraint(what string, t *ast.Type, directives ast.DirectiveList) {
	d := directives.ForName("constraint")
	if d == nil {
		return
	}
	rule, _ := d.ArgumentMap(nil)["rule"].(string)
	if strings.Contains(rule, "omitempty") || rule == "" {
		l.report("%s: absent values are never checked: leave omitempty out", what)
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			l.report("%s: the rule %q does not compile: %v", what, rule, cause)
		}
	}()
	var value any = "text"
	switch {
	case t.Elem != nil:
		value = []string{"text"}
	case t.Name() == "Int":
		value = 1
	}
	_ = validate.Var(value, rule) // whether the sample passes does not matter
}

// directives: each is implemented or known to be inert.
func (l *lint) directives() {
	root := reflect.ValueOf((&Resolver{}).Config().Directives)
	for name, def := range l.schema.Directives {
		if def.Position == nil || def.Position.Src.BuiltIn || contains(inert, name) {
			continue
		}
		if f := root.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) }); !f.IsValid() || f.IsNil() {
			l.report("@%s has no implementation", name)
		}
		if strings.TrimSpace(def.Description) == "" {
			l.report("@%s has no description", name)
		}
	}
}

func contains(list []string, name string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}

func index(list ast.DirectiveList, name string) int {
	for i, d := range list {
		if d.Name == name {
			return i
		}
	}
	return -1
}
