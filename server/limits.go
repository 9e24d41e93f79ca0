package server

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
)

// Limits bound what one operation may ask, before it is validated: validation and the collection of fields take time by the
// square of what they look at. The defaults let every document of ordinary clients pass, and the variables of the largest ingestUsage. The tags name the program's settings.
type Limits struct {
	Body        int `name:"max-body" help:"Bytes of a request's body." default:"1048576" env:"GRANTWOOD_MAX_BODY"`
	URL         int `name:"max-url" help:"Bytes of a request's address." default:"16384" env:"GRANTWOOD_MAX_URL"`
	Tokens      int `name:"max-tokens" help:"Tokens of a document." default:"15000" env:"GRANTWOOD_MAX_TOKENS"`
	Depth       int `name:"max-depth" help:"Levels of fields in fields; fragments are none." default:"16" env:"GRANTWOOD_MAX_DEPTH"`
	Fields      int `name:"max-fields" help:"Fields of a document, those of a fragment once for each use." default:"1000" env:"GRANTWOOD_MAX_FIELDS"`
	Aliases     int `name:"max-aliases" help:"Aliases among these." default:"60" env:"GRANTWOOD_MAX_ALIASES"`
	Directives  int `name:"max-directives" help:"Directives of a document, those in a fragment once for each use." default:"60" env:"GRANTWOOD_MAX_DIRECTIVES"`
	SameKeys    int `name:"max-same-keys" help:"Fields that one selection set answers under one name." default:"30" env:"GRANTWOOD_MAX_SAME_KEYS"`
	Definitions int `name:"max-definitions" help:"Operations and fragments of a document." default:"100" env:"GRANTWOOD_MAX_DEFINITIONS"`
	Variables   int `name:"max-variables" help:"Variables of an operation." default:"100" env:"GRANTWOOD_MAX_VARIABLES"`
	Values      int `name:"max-values" help:"Values in the variables of a request, lists and objects included." default:"75000" env:"GRANTWOOD_MAX_VALUES"`
	Page        int `name:"max-page" help:"Records of usage in a page; other lists have at most 100 elements." default:"100" env:"GRANTWOOD_MAX_PAGE"`
	Errors      int `name:"max-errors" help:"Errors in an answer." default:"100" env:"GRANTWOOD_MAX_ERRORS"`
}

// DefaultLimits are the limits when nothing is set.
var DefaultLimits = Limits{Body: 1 << 20, URL: 16 << 10, Tokens: 15_000, Depth: 16, Fields: 1000, Aliases: 60, Directives: 60, SameKeys: 30,
	Definitions: 100, Variables: 100, Values: 75_000, Page: graph.MaxPageSize, Errors: 100}

// Check refuses limits that let nothing pass.
func (l Limits) Check() error {
	for name, limit := range map[string]int{"max-body": l.Body, "max-url": l.URL, "max-tokens": l.Tokens, "max-depth": l.Depth, "max-fields": l.Fields,
		"max-same-keys": l.SameKeys, "max-definitions": l.Definitions, "max-values": l.Values + 1, "max-errors": l.Errors,
		"max-aliases": l.Aliases + 1, "max-directives": l.Directives + 1, "max-variables": l.Variables + 1} {
		if limit < 1 {
			return fmt.Errorf("--%s is too small: nothing would pass", name)
		}
	}
	if l.Page < graph.MaxPageSize || l.Page > graph.UsagePageLimit {
		return fmt.Errorf("--max-page (GRANTWOOD_MAX_PAGE) is %d: give a number from %d to %d", l.Page, graph.MaxPageSize, graph.UsagePageLimit)
	}
	return nil
}

// check refuses a document that is beyond a limit, before it is validated: names need not be known, and fragments may be missing or
// use themselves, which is refused too. A field that several fragments bring is looked at as often as they are used, as validation
// and execution do; the limit of fields ends that.
func (l Limits) check(doc *ast.QueryDocument) *gqlerror.Error {
	if len(doc.Operations)+len(doc.Fragments) > l.Definitions {
		return tooLarge("operations and fragments", l.Definitions)
	}
	m := measuring{limits: l, fragments: make(map[string]*ast.FragmentDefinition, len(doc.Fragments)), used: map[string]bool{}, open: map[string]bool{}}
	for _, f := range doc.Fragments {
		m.fragments[f.Name] = f
	}
	for _, o := range doc.Operations {
		if len(o.VariableDefinitions) > l.Variables {
			return tooLarge("variables", l.Variables)
		}
		m.directive(o.Directives)
		for _, v := range o.VariableDefinitions {
			m.directive(v.Directives)
		}
		m.sets([]ast.SelectionSet{o.SelectionSet}, 1)
	}
	for _, f := range doc.Fragments {
		m.directive(f.Directives)
		if !m.used[f.Name] { // validated all the same
			m.sets([]ast.SelectionSet{f.SelectionSet}, 1)
		}
	}
	return m.refused
}

func tooLarge(what string, limit int) *gqlerror.Error {
	return requestError(graph.TooComplex, "The document is too large: at most %d %s.", limit, what)
}

// measuring counts what a document asks. It goes no further once a limit is passed.
type measuring struct {
	limits     Limits
	fragments  map[string]*ast.FragmentDefinition
	used       map[string]bool // fragments that a definition uses
	open       map[string]bool // fragments that are being looked into
	fields     int
	spreads    int
	aliases    int
	directives int
	refused    *gqlerror.Error
}

func (m *measuring) count(n *int, by int, what string, limit int) {
	if *n += by; *n > limit && m.refused == nil {
		m.refused = tooLarge(what, limit)
	}
}

func (m *measuring) directive(list ast.DirectiveList) {
	m.count(&m.directives, len(list), "directives", m.limits.Directives)
}

// sets looks at the selection sets of fields that are answered under one name, which execution merges.
func (m *measuring) sets(sets []ast.SelectionSet, depth int) {
	if depth > m.limits.Depth && m.refused == nil {
		m.refused = tooLarge("levels", m.limits.Depth)
	}
	var (
		order []string // for a result that does not change from try to try
		below = map[string][]ast.SelectionSet{}
		times = map[string]int{}
	)
	for _, set := range sets {
		m.collect(set, func(f *ast.Field) {
			if times[f.Alias]++; times[f.Alias] == 1 {
				order = append(order, f.Alias)
			} else if times[f.Alias] > m.limits.SameKeys && m.refused == nil {
				m.refused = tooLarge("fields under one name", m.limits.SameKeys)
			}
			if len(f.SelectionSet) > 0 {
				below[f.Alias] = append(below[f.Alias], f.SelectionSet)
			}
		})
	}
	for _, key := range order {
		if m.refused != nil {
			return
		}
		if len(below[key]) > 0 {
			m.sets(below[key], depth+1)
		}
	}
}

// collect gives the fields of a selection set, those in fragments included.
func (m *measuring) collect(set ast.SelectionSet, field func(*ast.Field)) {
	for _, selection := range set {
		if m.refused != nil {
			return
		}
		switch s := selection.(type) {
		case *ast.Field:
			m.count(&m.fields, 1, "fields, those of a fragment once for each use", m.limits.Fields)
			if s.Alias != s.Name {
				m.count(&m.aliases, 1, "aliases", m.limits.Aliases)
			}
			m.directive(s.Directives)
			field(s)
		case *ast.InlineFragment:
			m.directive(s.Directives)
			m.collect(s.SelectionSet, field)
		case *ast.FragmentSpread:
			m.directive(s.Directives)
			m.spread(s, field)
		}
	}
}

func (m *measuring) spread(s *ast.FragmentSpread, field func(*ast.Field)) {
	m.count(&m.spreads, 1, "uses of fragments", m.limits.Fields)
	f := m.fragments[s.Name]
	if f == nil || m.refused != nil {
		return // validation says so
	}
	if m.open[s.Name] {
		m.refused = requestError(graph.ValidationFailed, "A fragment uses itself.")
		return
	}
	m.open[s.Name], m.used[s.Name] = true, true
	m.collect(f.SelectionSet, field)
	delete(m.open, s.Name)
}
