package server

import (
	"strconv"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// strictRules are the rules that the specification has and the library lacks.
var strictRules = []core.Rule{
	{Name: "IntLiterals", RuleFunc: func(events *core.Events, addError core.AddErrFunc) {
		events.OnValue(func(_ *core.Walker, v *ast.Value) {
			if v.Kind != ast.IntValue || v.Definition == nil || v.Definition.Name != "Int" {
				return
			}
			if _, err := strconv.ParseInt(v.Raw, 10, 32); err != nil {
				addError(core.Message("An Int is a whole number of 32 bits."), core.At(v.Position))
			}
		})
	}},
	{Name: "NoVariablesOfFragments", RuleFunc: func(events *core.Events, addError core.AddErrFunc) {
		events.OnFragment(func(_ *core.Walker, f *ast.FragmentDefinition) {
			if len(f.VariableDefinition) > 0 {
				addError(core.Message("A fragment has no variables of its own."), core.At(f.Position))
			}
		})
	}},
}

// helpfulRules are the rules of validation that say "did you mean", for callers who may see the schema.
var helpfulRules = sync.OnceValue(func() *rules.Rules { return withStrict(rules.NewDefaultRules()) })

// silentRules say nothing of the schema beyond what the document names: "did you mean" would tell it bit by bit.
var silentRules = sync.OnceValue(func() *rules.Rules {
	r := rules.NewDefaultRules()
	for _, pair := range [][2]core.Rule{
		{rules.FieldsOnCorrectTypeRule, rules.FieldsOnCorrectTypeRuleWithoutSuggestions},
		{rules.ScalarLeafsRule, rules.ScalarLeafsRuleWithoutSuggestions},
		{rules.KnownArgumentNamesRule, rules.KnownArgumentNamesRuleWithoutSuggestions},
		{rules.KnownTypeNamesRule, rules.KnownTypeNamesRuleWithoutSuggestions},
		{rules.ValuesOfCorrectTypeRule, rules.ValuesOfCorrectTypeRuleWithoutSuggestions},
	} {
		r.ReplaceRule(pair[0].Name, pair[1].RuleFunc)
	}
	return withStrict(r)
})

func withStrict(r *rules.Rules) *rules.Rules {
	for _, rule := range strictRules {
		r.AddRule(rule.Name, rule.RuleFunc)
	}
	return r
}
