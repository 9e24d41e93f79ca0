package server_test

import (
	"testing"

	"grantwood/graph"
)

// TestLastUseOfAKey: verification and a call of the key itself are noted after their answer, a refusal is not.
func TestLastUseOfAKey(t *testing.T) {
	t.Parallel()
	w, gateway := newWorld(t), operator(t, graph.ScopeVerify)
	const lastUse = `query($k: ID!) { node(id: $k) { ... on ApiKey { lastUsedAt } } }`
	for name, use := range map[string]func(k credential){
		"verification": func(k credential) {
			gateway.ask(t, verify, map[string]any{"k": k.key, "s": k.secret}, "verifyApiKey")
		},
		"own call": func(k credential) {
			keyed(w.owner.api, k.key, k.secret).ask(t, `{ viewer { kind } }`, nil, "viewer")
		},
	} {
		k := w.credential(t, name)
		at := func() any {
			if err := w.owner.db.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			return w.owner.ask(t, lastUse, map[string]any{"k": k.id}, "node.lastUsedAt")
		}
		gateway.ask(t, verify, map[string]any{"k": k.key, "s": "wrong"}, "verifyApiKey")
		if used := at(); used != nil {
			t.Errorf("%s: a refused secret was noted, %v", name, used)
		}
		use(k)
		first := at()
		if first == nil {
			t.Errorf("%s: the use was not noted", name)
		}
		use(k)
		if second := at(); second != first {
			t.Errorf("%s: noted again within a minute, %v after %v", name, second, first)
		}
	}
}
