// Package graph is the account domain: accounts, users, keys, grants, invitations, the audit trail, and the rules about
// who sees and who may do what. It is pure: no SQL, no HTTP, no GraphQL library. A rule is a function named MayX that
// returns an *Error; visibility of one object is its method VisibleTo.
package graph
