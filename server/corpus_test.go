package server_test

import (
	"fmt"
	"slices"
	"strings"
)

// operation is one of the corpus that the tests of visibility run.
type operation struct {
	query     string
	variables map[string]any
}

// names reports whether the operation's own text or variables hold the trace, so that an echo of it betrays nothing.
func (o operation) names(trace string) bool {
	return strings.Contains(o.query, trace) || strings.Contains(fmt.Sprint(o.variables), trace)
}

const (
	keyFields = `id key name kind isMaster status unit { id name } secretHint secretIssuedAt previousSecretExpiresAt createdAt lastUsedAt deletedAt viewerCanManage
		viewerGrant { id enabled source inheritedFrom { id } expiresAt updatedAt user { id } key { id } }`
	userFields       = `id displayName email role isPrimary status capabilities lastSignInAt createdAt`
	grantFields      = `id enabled source expiresAt updatedAt updatedBy { __typename ... on User { id email grants(first: 1) { totalCount } } } user { id email } key { id name }`
	eventFields      = `id action occurredAt actorLabel summary changes { field before after } ipAddress requestId actor { __typename ... on User { id email } ... on AccessToken { id name } ... on Operator { label scopes } } user { id } key { id name } unit { id name } grantChanges(first: 3) { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { ` + changeFields + ` } }`
	changeFields     = `key { id name } user { id email } stateBefore expiresBefore stateAfter expiresAfter`
	invitationFields = `id email capabilities role status sentAt expiresAt invitedBy { id } keys { id name }`
	requestFields    = `id account { id name } name kind unit { id name } reason status requestedBy { id email } createdAt decidedAt decisionNote key { ` + keyFields + ` }`
	tokenFields      = `id name hint capabilities status createdAt expiresAt lastUsedAt createdBy { id email } keys { id name }`
	pageFields       = `totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`
	errorFields      = `userErrors { __typename code message path }`
)

// corpus asks for everything on every way, about visible, hidden, foreign and missing objects alike. None of it changes
// anything that could be seen later.
func corpus(o demoObjects) []operation {
	list := append(plainOperations(), unitOperations(o)...)
	for _, id := range someIDs(o) {
		list = append(list, operation{`query($id: ID!) { node(id: $id) { __typename id
			... on Account { name users(first: 3) { ` + pageFields + ` } }
			... on ApiKey { ` + keyFields + ` grants(first: 5) { ` + pageFields + ` nodes { ` + grantFields + ` } } }
			... on User { ` + userFields + ` grants(first: 5) { ` + pageFields + ` nodes { ` + grantFields + ` } } }
			... on Grant { ` + grantFields + ` ` + whyFields + ` }
			... on Invitation { ` + invitationFields + ` }
			... on KeyRequest { ` + requestFields + ` }
			... on AccessToken { ` + tokenFields + ` keys { grants(first: 2) { ` + pageFields + ` nodes { id } } } }
			... on UsageRecord { ` + usageFields + ` }
			... on UsageThreshold { ` + thresholdFields + ` }
			... on AuditEvent { ` + eventFields + ` } } }`, map[string]any{"id": id}})
	}
	list = append(list, filterOperations(o)...)
	list = append(list, usageOperations(o)...)
	list = append(list, thresholdOperations(o)...)
	return append(list, mutationOperations(o)...)
}

func plainOperations() []operation {
	var list []operation
	for _, query := range []string{
		`{ viewer { kind capabilities user { ` + userFields + ` } operator { label } account { id name } } serverInfo { version maxPageSize maxOperationCost } }`,
		`{ viewer { accessToken { ` + tokenFields + ` keys { ` + keyFields + ` } } apiKey { ` + keyFields + ` } } }`,
		`{ account { accessTokens { ` + pageFields + ` nodes { ` + tokenFields + ` } } } }`,
		`{ account { accessTokens(first: 1) { ` + pageFields + ` edges { cursor node { id keys { name } } } } } }`,
		`{ accounts { totalCount nodes { id name primaryUser { id } masterKey { id } } } }`,
		`{ verifyApiKey(key: "x", secret: "x") { result accountId keyId } }`,
		`{ viewer { memberships { accountId accountName role current } sessions { id accountName createdAt lastUsedAt expiresAt current ipAddress } } }`,
		`{ account { id name status currency createdAt limits { maxUsers maxApiKeys } primaryUser { ` + userFields + ` } masterKey { ` + keyFields + ` } } }`,
		`{ account { apiKeys { ` + pageFields + ` nodes { ` + keyFields + ` } } } }`,
		`{ account { apiKeys(first: 1) { ` + pageFields + ` edges { cursor node { id } } } } }`,
		`{ account { apiKeys(last: 1) { ` + pageFields + ` nodes { id } } } }`,
		`{ account { apiKeys(first: 100, orderBy: {field: NAME, direction: DESC}) { ` + pageFields + ` edges { cursor node { id name } } } } }`,
		`{ account { apiKeys(first: 100, orderBy: {field: CREATED_AT, direction: ASC}) { ` + pageFields + ` edges { cursor node { id name } } } } }`,
		`{ account { apiKeys(last: 2, orderBy: {field: CREATED_AT, direction: DESC}) { ` + pageFields + ` edges { cursor node { id name } } } } }`,
		`{ account { apiKeys(first: 100, filter: {search: "sales"}) { ` + pageFields + ` nodes { id name } } } }`,
		`{ account { apiKeys(first: 100, filter: {search: "master"}) { ` + pageFields + ` nodes { id name } } } }`,
		`{ account { apiKeys(first: 100, filter: {kinds: [REGION, BUSINESS_UNIT]}) { ` + pageFields + ` nodes { id name } } } }`,
		`{ account { apiKeys(first: 100, filter: {statuses: [DISABLED, DELETED]}) { ` + pageFields + ` nodes { id name } } } }`,
		`{ account { apiKeys(first: 100) { nodes { id grants(first: 100) { ` + pageFields + ` nodes { ` + grantFields + ` } } } } } }`,
		`{ account { apiKeys(first: 100) { nodes { on: grants(first: 2, enabled: true) { ` + pageFields + ` nodes { id } } off: grants(first: 1, enabled: false) { ` + pageFields + ` nodes { id } } } } } }`,
		`{ account { users { ` + pageFields + ` nodes { ` + userFields + ` } } } }`,
		`{ account { users(first: 1) { ` + pageFields + ` edges { cursor node { id } } } } }`,
		`{ account { users(last: 1) { ` + pageFields + ` nodes { id } } } }`,
		`{ account { users(first: 100, orderBy: {field: CREATED_AT, direction: DESC}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {search: "adam"}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {search: "globex.example"}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {role: DEVELOPER}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {role: PRIMARY}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {role: CUSTOM}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {status: ACTIVE}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100, filter: {status: DISABLED}) { ` + pageFields + ` nodes { id email } } } }`,
		`{ account { users(first: 100) { nodes { id grants(first: 100) { ` + pageFields + ` nodes { ` + grantFields + ` } } } } } }`,
		`{ account { users(first: 100) { nodes { a: grants(first: 1) { ` + pageFields + ` nodes { id key { grants(first: 2) { ` + pageFields + ` nodes { id } } } } } b: grants(first: 3, enabled: true) { ` + pageFields + ` nodes { id } } } } } }`,
		`{ account { grants { ` + pageFields + ` nodes { ` + grantFields + ` } } } }`,
		`{ account { grants(first: 100, filter: {enabled: true}) { ` + pageFields + ` edges { cursor node { id } } } } }`,
		`{ account { grants(first: 100, filter: {enabled: false}) { ` + pageFields + ` nodes { id } } } }`,
		`{ account { grants(first: 100, filter: {source: EXPLICIT}) { ` + pageFields + ` nodes { id } } } }`,
		`{ account { grants(first: 100, filter: {source: DEFAULT}) { ` + pageFields + ` nodes { id } } } }`,
		`{ account { invitations { ` + pageFields + ` nodes { ` + invitationFields + ` } } } }`,
		`{ account { invitations(status: PENDING) { ` + pageFields + ` edges { cursor node { id } } } } }`,
		`{ account { keyRequests { ` + pageFields + ` nodes { ` + requestFields + ` } } } }`,
		`{ account { keyRequests(first: 1) { ` + pageFields + ` edges { cursor node { id } } } } }`,
		`{ account { keyRequests(first: 1, status: APPROVED) { ` + pageFields + ` nodes { key { id grants(first: 2) { ` + pageFields + ` } } } } } }`,
		`{ account { keyRequests(status: PENDING) { ` + pageFields + ` nodes { id requestedBy { grants(first: 2) { ` + pageFields + ` } } } } } }`,
		`{ pendingKeyRequests { ` + pageFields + ` nodes { id } } }`,
		`{ account { auditEvents(first: 100, filter: {actions: [KEY_REQUESTED, KEY_REQUEST_DECIDED]}) { nodes { ` + eventFields + ` } } } }`,
		`{ account { auditEvents { pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes { ` + eventFields + ` } } } }`,
		`{ account { auditEvents(first: 100) { edges { cursor node { ` + eventFields + ` } } } } }`,
		`{ account { auditEvents(first: 100, filter: {actions: [GRANT_ENABLED, KEY_CREATED]}) { pageInfo { hasNextPage } nodes { ` + eventFields + ` } } } }`,
		`{ account { auditEvents(first: 100, filter: {to: "2100-01-01T00:00:00Z", actions: [USER_INVITED]}) { nodes { ` + eventFields + ` } } } }`,
		`{ account { accessMatrix ` + matrixFields + ` } }`,
		`{ account { accessMatrix(unitId: "nonsense") ` + matrixFields + ` } }`,
		`{ account { auditEvents(first: 10, filter: {actions: [GRANTS_CHANGED]}) { nodes { id summary grantChanges(first: 100) { pageInfo { hasNextPage } edges { cursor node { ` + changeFields + ` } } } } } } }`,
		`{ account { auditEvents(first: 10, filter: {actions: [GRANTS_CHANGED]}) { nodes { grantChanges(first: 2) { nodes { key { grants(first: 2) { ` + pageFields + ` } } user { grants(first: 2) { ` + pageFields + ` } } } } } } } }`,
		`{ account { apiKeys(first: 0) { totalCount } } }`,
		`{ account { apiKeys(first: 1, last: 1) { totalCount } } }`,
		`{ account { apiKeys(after: "nonsense") { totalCount } } }`,
		`{ account { nothing } }`,
		`{ a: account { name } b: account { auditEvents { nodes { id } } invitations { totalCount } } }`,
	} {
		list = append(list, operation{query: query})
	}
	return list
}

// someIDs are a few of each kind, from both accounts, and some that name nothing.
func someIDs(o demoObjects) []string {
	list := []string{"", "nonsense", "key_0", "key_" + strings.Repeat("0", 52), "usr_" + strings.Repeat("v", 52), o.accounts["Globex"], o.accounts["Initech"]}
	every := func(objects []object, n int) {
		for i := 0; i < len(objects); i += n {
			list = append(list, objects[i].ID)
		}
	}
	every(o.keys, 3)
	every(o.users, 3)
	for u := 0; u < len(o.users); u += 6 {
		for k := 0; k < len(o.keys); k += 6 {
			if id := o.grants[[2]string{o.users[u].ID, o.keys[k].ID}]; id != "" {
				list = append(list, id)
			}
		}
	}
	list = append(list, o.requests...)
	list = append(list, o.invitations[0], o.invitations[5], o.invitations[len(o.invitations)-1])
	list = append(list, o.tokens...)
	list = append(list, o.operations.ids...)
	list = append(list, o.thresholds...)
	for i := 0; i < len(o.events); i += 15 {
		list = append(list, o.events[i])
	}
	return list
}

func filterOperations(o demoObjects) []operation {
	var list []operation
	for i := 0; i < len(o.users); i += 4 {
		u := map[string]any{"u": o.users[i].ID}
		list = append(list,
			operation{`query($u: ID!) { account { apiKeys(first: 100, filter: {enabledForUserId: $u}) { ` + pageFields + ` nodes { id name } } } }`, u},
			operation{`query($u: ID!) { account { grants(first: 100, filter: {userId: $u}) { ` + pageFields + ` nodes { ` + grantFields + ` } } } }`, u},
			operation{`query($u: ID!) { account { auditEvents(first: 100, filter: {userId: $u}) { nodes { ` + eventFields + ` } } } }`, u})
	}
	for i := 0; i < len(o.keys); i += 8 {
		k := map[string]any{"k": o.keys[i].ID}
		list = append(list,
			operation{`query($k: ID!) { account { grants(first: 100, filter: {keyId: $k}) { ` + pageFields + ` nodes { ` + grantFields + ` } } } }`, k},
			operation{`query($k: ID!) { viewer { user { grant(keyId: $k) { ` + grantFields + ` } } } }`, k},
			operation{`query($k: ID!) { account { primaryUser { grant(keyId: $k) { id } grants { totalCount } } users(first: 100) { nodes { id grant(keyId: $k) { ` + grantFields + ` } } } } }`, k},
			operation{`query($k: ID!) { account { auditEvents(first: 100, filter: {keyId: $k}) { nodes { ` + eventFields + ` } } } }`, k},
			operation{`query($s: String!) { account { apiKeys(first: 100, filter: {search: $s}) { ` + pageFields + ` nodes { id name } } } }`, map[string]any{"s": o.keys[i].Traces[1]}})
	}
	for _, id := range append(o.operations.few, o.operations.many[1], o.operations.many[7]) {
		list = append(list, operation{`query($id: ID!) { account { user: auditEvents(first: 100, filter: {userId: $id, actions: [GRANTS_CHANGED]}) { nodes { id } }
			key: auditEvents(first: 100, filter: {keyId: $id, actions: [GRANTS_CHANGED]}) { nodes { id } } } }`, map[string]any{"id": id}})
	}
	return append(list, operation{`query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`, map[string]any{"ids": someIDs(o)}})
}

// mutationOperations are refused whoever calls, or change nothing: about keys and users that are hidden from most.
func mutationOperations(o demoObjects) []operation {
	var list []operation
	missing := "key_" + strings.Repeat("0", 52)
	for _, k := range []string{o.keys[7].ID, o.keys[30].ID, o.keys[45].ID, missing, "nonsense"} {
		list = append(list,
			operation{`mutation($k: ID!) { setGrant(input: {userId: "nonsense", keyId: $k, state: ENABLED}) { ` + errorFields + ` grant { id } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!, $u: ID!) { setGrant(input: {userId: $u, keyId: $k, state: INHERIT, expiresAt: "2100-01-01T00:00:00Z"}) { ` + errorFields + ` grant { id } } }`,
				map[string]any{"k": k, "u": o.users[9].ID}},
			operation{`mutation($k: ID!) { inviteUser(input: {email: "nobody@test.example", access: {role: PRIMARY}, keyIds: [$k]}) { ` + errorFields + ` invitation { id } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { inviteUser(input: {email: "contractor@globex.example", access: {role: REPORTING}, keyIds: [$k]}) { ` + errorFields + ` invitation { id } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { updateApiKey(input: {keyId: $k}) { ` + errorFields + ` key { ` + keyFields + ` } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { rotateApiKeySecret(input: {keyId: $k, graceMinutes: 20000}) { ` + errorFields + ` secret key { id } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { createAccessToken(input: {name: "X", keyIds: [$k, "nonsense"], expiresAt: "` + inAnHour() + `"}) { ` + errorFields + ` token } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { createAccessToken(input: {name: "X", capabilities: [VIEW_USAGE, ROTATE_SECRETS], keyIds: [$k], expiresAt: "2100-01-01T00:00:00Z"}) { ` + errorFields + ` token } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { revokeAccessToken(input: {accessTokenId: $k}) { ` + errorFields + ` accessToken { id } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { setApiKeyEnabled(input: {keyId: $k, enabled: true}) { ` + errorFields + ` key { ` + keyFields + ` } } }`, map[string]any{"k": k}})
	}
	for _, q := range append([]string{missing, "nonsense"}, o.requests...) {
		list = append(list, operation{`mutation($q: ID!) { approveKeyRequest(input: {keyRequestId: $q}) { ` + errorFields + ` keyRequest { id } } }`, map[string]any{"q": q}})
		if !slices.Contains(o.pending, q) {
			list = append(list, operation{`mutation($q: ID!) { cancelKeyRequest(input: {keyRequestId: $q}) { ` + errorFields + ` keyRequest { id } } }`, map[string]any{"q": q}})
		}
	}
	for _, k := range []string{missing, "nonsense"} {
		list = append(list,
			operation{`mutation($k: ID!) { deleteApiKey(input: {keyId: $k}) { ` + errorFields + ` key { id } } }`, map[string]any{"k": k}},
			operation{`mutation($k: ID!) { rotateApiKeySecret(input: {keyId: $k}) { ` + errorFields + ` secret } }`, map[string]any{"k": k}})
	}
	list = append(list, operationOperations(o)...)
	if o.revoked != "" {
		list = append(list, operation{`mutation($k: ID!) { revokeAccessToken(input: {accessTokenId: $k}) { ` + errorFields + ` accessToken { ` + tokenFields + ` } } }`, map[string]any{"k": o.revoked}})
	}
	for _, email := range []string{"alice@globex.example", "owner@initech.example", "nobody@test.example"} {
		list = append(list, operation{`mutation($e: String!) { signIn(input: {email: $e, password: "a wrong password"}) { ` + errorFields + ` } }`, map[string]any{"e": email}})
	}
	for i := 0; i < len(o.users); i += 3 {
		u := map[string]any{"u": o.users[i].ID}
		list = append(list,
			operation{`mutation($u: ID!) { setUserStatus(input: {userId: $u, status: ACTIVE}) { ` + errorFields + ` user { ` + userFields + ` } } }`, u},
			operation{`mutation($u: ID!) { setUserCapabilities(input: {userId: $u, access: {role: PRIMARY}}) { ` + errorFields + ` user { id } } }`, u})
	}
	for _, u := range []string{o.users[4].ID, o.users[len(o.users)-1].ID, "nonsense"} {
		list = append(list, operation{`mutation($u: ID!) { transferOwnership(input: {userId: $u, currentPassword: "a wrong password", formerOwnerAccess: {role: REPORTING}}) { ` +
			errorFields + ` account { id } } }`, map[string]any{"u": u}})
	}
	// These invitations are accepted.
	for _, i := range []string{o.invitations[1], o.invitations[7], o.invitations[len(o.invitations)-1], "nonsense"} {
		v := map[string]any{"i": i}
		list = append(list,
			operation{`mutation($i: ID!) { resendInvitation(input: {invitationId: $i}) { ` + errorFields + ` invitation { ` + invitationFields + ` } link } }`, v},
			operation{`mutation($i: ID!) { revokeInvitation(input: {invitationId: $i}) { ` + errorFields + ` invitation { ` + invitationFields + ` } } }`, v})
	}
	for _, id := range []string{o.keys[3].ID, o.users[20].ID, "ses_" + strings.Repeat("0", 52), "acc_" + strings.Repeat("0", 26), "nonsense"} {
		v := map[string]any{"id": id}
		list = append(list,
			operation{`mutation($id: ID!) { switchAccount(input: {accountId: $id}) { ` + errorFields + ` sessionToken } }`, v},
			operation{`mutation($id: ID!) { revokeSession(input: {sessionId: $id}) { ` + errorFields + ` revokedSessionId } }`, v},
			operation{`mutation($id: ID!) { removeUser(input: {userId: "nonsense"}) { ` + errorFields + ` removedUserId } setUserStatus(input: {userId: $id, status: ACTIVE}) { ` + errorFields + ` } }`, v})
	}
	for _, email := range []string{"bruno@globex.example", "owner@initech.example", "nobody@test.example"} {
		list = append(list, operation{`mutation($e: String!) { requestPasswordReset(input: {email: $e}) { ` + errorFields + ` } }`, map[string]any{"e": email}})
	}
	return append(list,
		operation{`mutation { requestApiKey(input: {name: "X", kind: OTHER, reason: ""}) { ` + errorFields + ` keyRequest { id } } }`, nil},
		operation{`{ invitationPreview(token: "gwi_0000000000000000000000") { accountName } }`, nil},
		operation{`mutation { resetPassword(input: {token: "gwr_0000000000000000000000", newPassword: "a password of twelve"}) { ` + errorFields + ` } }`, nil},
		operation{`mutation { changePassword(input: {currentPassword: "a wrong password", newPassword: "a password of twelve"}) { ` + errorFields + ` } }`, nil},
		operation{`mutation { createAccount(input: {name: "X", currency: "EUR", primaryEmail: "x@test.example"}) { ` + errorFields + ` } }`, nil},
		operation{`mutation { acceptInvitation(input: {token: "gwi_0000000000000000000000", password: "a password of twelve"}) { ` + errorFields + ` } }`, nil})
}

// operationOperations are changes of many grants that are refused, or change nothing any more.
func operationOperations(o demoObjects) []operation {
	about := func(m mutation, in input) operation { return operation{m.document(), variables(in)} }
	list := []operation{about(toSetAccess, o.operations.block)}
	for _, id := range []string{"nonsense", o.events[0], o.keys[0].ID, o.operations.undone} {
		list = append(list, about(toUndo, undo(id)))
	}
	for _, k := range []string{o.keys[7].ID, o.keys[30].ID, o.operations.many[2], "nonsense"} {
		list = append(list, about(toSetAccess, access([]string{o.operations.few[0], "usr_0"}, []string{k}, "DISABLED")),
			about(toSetGrants, changes(pair(o.operations.few[0], k, "ENABLED"), pair("usr_0", k, "INHERIT"), pair(o.operations.few[0], o.keys[12].ID, "ENABLED"))))
	}
	return list
}
