// Package generated is what gqlgen writes from the schema: the executor and the types that belong to no domain. It is
// committed and never edited; `go generate ./...` writes it anew.
package generated

//go:generate sh -c "cd ../.. && go run ./selfwriting/generate"
