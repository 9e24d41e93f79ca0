package server_test

import (
	"fmt"
	"strings"

	"grantwood/demo"
)

const (
	unitFields = `id name kind depth createdAt parent { id name } ancestors { id name } unitGrants { ` + ruleFields + ` }`
	ruleFields = `id enabled updatedAt user { id } unit { id name }`
	whyFields  = `inheritedFrom { id name depth } explanation { source enabled reason unit { id name } }`
	keysInUnit = `apiKeys { ` + pageFields + ` nodes { id name } } all: apiKeys(first: 2, includeDescendants: true) { ` + pageFields + ` nodes { id name unit { id } } }`
)

// unitOperations ask for units on every way. There are few in the demo; the lists are asked for all the same.
func unitOperations(o demoObjects) []operation {
	var list []operation
	for _, query := range []string{
		`{ account { units { ` + pageFields + ` nodes { ` + unitFields + ` } } } }`,
		`{ account { units(first: 1) { ` + pageFields + ` edges { cursor node { id name } } } } }`,
		`{ account { units(last: 1) { ` + pageFields + ` nodes { id } } } }`,
		`{ account { units(first: 2) { ` + pageFields + ` nodes { ` + keysInUnit + ` } } } }`,
		`{ account { units { nodes { id a: children(first: 1) { ` + pageFields + ` edges { cursor node { id } } } b: children(first: 4) { ` + pageFields + `
			nodes { name depth c: children(first: 2) { ` + pageFields + ` nodes { name ancestors { name } children(first: 1) { totalCount nodes { id parent { id } } } } } } } } } } }`,
		`{ account { apiKeys(first: 30) { nodes { id unit { ` + unitFields + ` } viewerGrant { ` + whyFields + ` } } } } }`,
		`{ account { apiKeys(first: 30) { nodes { id grants(first: 10) { nodes { id source ` + whyFields + ` } } } } } }`,
		`{ account { users(first: 30) { nodes { id unitGrants { ` + ruleFields + ` } grants(first: 10) { nodes { id ` + whyFields + ` } } } } } }`,
		`{ account { grants(first: 100, filter: {source: UNIT}) { ` + pageFields + ` nodes { ` + grantFields + ` ` + whyFields + ` } } } }`,
		`{ viewer { user { unitGrants { ` + ruleFields + ` unit { ` + keysInUnit + ` } } } accessToken { keys { unit { ` + unitFields + ` } } } apiKey { unit { ` + unitFields + ` } } } }`,
		`{ account { primaryUser { unitGrants { id } } limits { maxUnitDepth } } }`,
		`{ account { keyRequests(status: PENDING) { nodes { id unit { ` + unitFields + ` ` + keysInUnit + ` } } } } }`,
		`{ account { auditEvents(first: 100, filter: {actions: [UNIT_CHANGED, UNIT_GRANT_CHANGED, KEY_UPDATED]}) { pageInfo { hasNextPage } nodes { ` + eventFields + ` unit { ancestors { id } } } } } }`,
	} {
		list = append(list, operation{query: query})
	}
	for _, u := range append([]unitObject{{object: object{ID: "unt_" + strings.Repeat("0", 52)}}, {object: object{ID: "nonsense"}}}, o.units...) {
		list = append(list, operation{aboutUnit, map[string]any{"u": u.ID}}, unitMutations(u))
	}
	if len(o.units) > 0 {
		ids := []string{o.accounts[demo.Globex], "nonsense"}
		for _, u := range o.units {
			ids = append(ids, u.ID)
		}
		list = append(list, operation{`query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Unit { name children(first: 2) { totalCount } } ... on UnitGrant { ` + ruleFields + ` } } }`,
			map[string]any{"ids": append(ids, o.rules...)}})
	}
	return list
}

// aboutUnit asks for one unit by its ID, and filters by it.
const aboutUnit = `query($u: ID!) { node(id: $u) { ... on Unit { ` + unitFields + ` children(first: 3) { ` + pageFields + ` nodes { id name } } ` + keysInUnit + ` } }
	account { units(parentId: $u) { ` + pageFields + ` nodes { id name depth } } apiKeys(first: 100, filter: {unitId: $u}) { ` + pageFields + ` nodes { id name } }
		deleted: apiKeys(first: 100, filter: {unitId: $u, statuses: [DELETED]}) { ` + pageFields + ` nodes { id name } }
		auditEvents(first: 100, filter: {unitId: $u}) { nodes { ` + eventFields + ` } } } }`

// unitMutations are refused whoever calls, or change nothing. Where they are used, the account has as many keys and levels of
// units as it may have.
func unitMutations(u unitObject) operation {
	text := `mutation($u: ID!) { updateUnit(input: {unitId: $u}) { ` + errorFields + ` unit { ` + unitFields + ` } affectedGrants }
		moveUnit(input: {unitId: $u, parentId: $u}) { ` + errorFields + ` unit { id } affectedGrants }
		below: moveUnit(input: {unitId: "nonsense", parentId: $u}) { ` + errorFields + ` unit { id } }
		moveApiKey(input: {keyId: "nonsense", unitId: $u}) { ` + errorFields + ` key { id } }
		createUnit(input: {name: "", kind: OTHER, parentId: $u}) { ` + errorFields + ` unit { id } }
		requestApiKey(input: {name: "X", kind: OTHER, reason: "", unitId: $u}) { ` + errorFields + ` keyRequest { id } }`
	if u.Account == demo.Globex || u.Account == "" {
		text += ` createApiKey(input: {name: "X", kind: OTHER, unitId: $u}) { ` + errorFields + ` key { id } }`
	}
	if u.depth == 4 {
		text += ` deeper: createUnit(input: {name: "X", kind: OTHER, parentId: $u}) { ` + errorFields + ` unit { id } }`
	}
	for i, k := range u.keys {
		text += fmt.Sprintf(` key%d: moveApiKey(input: {keyId: %q, unitId: $u}) { %s key { id unit { id } } }`, i, k, errorFields)
	}
	if !u.empty {
		text += ` deleteUnit(input: {unitId: $u}) { ` + errorFields + ` deletedUnitId }`
	}
	return operation{text + ` }`, map[string]any{"u": u.ID}}
}
