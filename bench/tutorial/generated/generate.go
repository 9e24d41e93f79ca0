// Package generated is what gqlgen writes for the tutorial: the executor and the models.
package generated

//go:generate sh -c "cd .. && go tool gqlgen generate"
