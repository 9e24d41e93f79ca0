package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
	"grantwood/resolvers"
)

// ReadTrusted reads documents from a manifest and gives their texts by hash. Two forms are known: the object of hash and text that the
// client preset of GraphQL Code Generator writes (persisted-documents.json), and Apollo's manifest of persisted queries.
func ReadTrusted(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read trusted documents: %w", err)
	}
	documents, err := manifestOf(text)
	if err != nil {
		return nil, fmt.Errorf("read trusted documents in %s: %w", file, err)
	}
	return documents, nil
}

func manifestOf(text []byte) (map[string]string, error) {
	var apollo struct {
		Format     string
		Version    int
		Operations []struct{ ID, Body string }
	}
	if err := json.Unmarshal(text, &apollo); err == nil && apollo.Format != "" {
		if apollo.Format != "apollo-persisted-query-manifest" || apollo.Version != 1 {
			return nil, fmt.Errorf("the format is %q, version %d; known is apollo-persisted-query-manifest, version 1", apollo.Format, apollo.Version)
		}
		documents := map[string]string{}
		for _, o := range apollo.Operations {
			documents[o.ID] = o.Body
		}
		return documents, nil
	}
	documents := map[string]string{}
	if err := json.Unmarshal(text, &documents); err != nil {
		return nil, errors.New("it is neither an object of hashes and documents nor a manifest of Apollo's")
	}
	return documents, nil
}

// trust makes documents known by their hashes, which newer manifests of GraphQL Code Generator begin with "sha256:" as the parameter
// documentId does. All of them have to be valid.
func (d *documents) trust(list map[string]string) error {
	for hash, text := range list {
		if _, errs := d.read(text, false); errs != nil {
			return fmt.Errorf("the trusted document %.80s: %w", hash, errs[0])
		}
		hash = strings.TrimPrefix(hash, "sha256:")
		d.listed[hashOf(text)] = true
		d.trusted[hash] = text
	}
	return nil
}

// trusts refuses documents that are not among the trusted ones, where only these run, for callers without a token of their own: people who
// are signed in, and everybody without credentials.
func (o *operations) trusts(ctx context.Context, text string) *gqlerror.Error {
	if !o.trustedOnly || o.documents.listed[hashOf(text)] {
		return nil
	}
	if kind := resolvers.ViewerOf(ctx).Kind; kind != graph.KindOfUser && kind != graph.Nobody {
		return nil
	}
	return requestError(graph.Forbidden, "Only the documents of this server's own clients run here; use an access token for others.")
}
