package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
)

// persistedQuery and documentID name the document of a request by its hash, in extensions. The first is that of Apollo's automatic
// persisted queries, the second the parameter of the appendix "Persisted Documents" of GraphQL over HTTP.
const (
	persistedQuery = "persistedQuery"
	documentID     = "documentId"
)

// Sentences about parameters. None repeats what was sent.
const (
	notOneObject    = "The body is one JSON object with query, operationName, variables and extensions, each once, in UTF-8."
	noDocument      = "The parameter query is missing."
	wrongParameters = "query, operationName and documentId are strings, variables and extensions are objects."
	repeated        = "A parameter is repeated."
	halfSent        = "A string has half a character: a surrogate stands alone."
)

// parametersOf reads the JSON body of a request: one object in UTF-8 and nothing after it. Names other than those of the parameters are
// passed over, as the specification wants.
func parametersOf(body []byte) (*graphql.RawParams, *httpRefusal) {
	if !utf8.Valid(body) {
		return nil, badRequest(notOneObject)
	}
	fields, err := objectOf(body)
	if err != nil {
		return nil, badRequest(notOneObject)
	}
	if halfCharacter(string(body)) {
		return nil, badRequest(halfSent)
	}
	return decoded(fields)
}

// objectOf gives the fields of a JSON object as they are written, and refuses one that has a name twice or is followed by more.
func objectOf(text []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no object")
	}
	fields := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := fields[name.(string)]; twice {
			return nil, errors.New("a name twice")
		}
		fields[name.(string)] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more after the object")
	}
	return fields, nil
}

func decoded(fields map[string]json.RawMessage) (*graphql.RawParams, *httpRefusal) {
	p, id := &graphql.RawParams{}, ""
	for name, target := range map[string]any{"query": &p.Query, "operationName": &p.OperationName, documentID: &id,
		"variables": &p.Variables, "extensions": &p.Extensions} {
		if decode(fields[name], target) != nil {
			return nil, badRequest(wrongParameters)
		}
	}
	if id != "" {
		if p.Extensions == nil {
			p.Extensions = map[string]any{}
		}
		p.Extensions[documentID] = id
	}
	if _, there := fields["query"]; !there && id == "" && p.Extensions[persistedQuery] == nil {
		return nil, badRequest(noDocument)
	}
	return p, nil
}

func decode(text json.RawMessage, target any) error {
	if text == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(target)
}

// countValues takes the number of values in v, without v itself, off left, and stops below zero.
func countValues(v any, left *int) {
	switch v := v.(type) {
	case map[string]any:
		*left -= len(v)
		for _, element := range v {
			if *left < 0 {
				return
			}
			countValues(element, left)
		}
	case []any:
		*left -= len(v)
		for _, element := range v {
			if *left < 0 {
				return
			}
			countValues(element, left)
		}
	}
}

// parametersOfURL reads the parameters of a GET request. Variables and extensions are JSON.
func parametersOfURL(u *url.URL) (*graphql.RawParams, *httpRefusal) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, badRequest("The query string is malformed.")
	}
	fields := map[string]json.RawMessage{}
	for _, name := range []string{"query", "operationName", documentID, "variables", "extensions"} {
		list := values[name]
		switch {
		case len(list) > 1:
			return nil, badRequest(repeated)
		case len(list) == 0 || list[0] == "" && name != "query":
			continue
		case !utf8.ValidString(list[0]):
			return nil, badRequest("The parameters are in UTF-8.")
		case name == "variables" || name == "extensions":
			if !json.Valid([]byte(list[0])) || halfCharacter(list[0]) {
				return nil, badRequest("The parameters variables and extensions are JSON.")
			}
			fields[name] = json.RawMessage(list[0])
		default:
			fields[name], _ = json.Marshal(list[0]) // a string is always written
		}
	}
	return decoded(fields)
}

// hashIn gives the hash that the request names its document by; empty when it does not.
func hashIn(p *graphql.RawParams) (string, *gqlerror.Error) {
	if id, there := p.Extensions[documentID].(string); there {
		return strings.TrimPrefix(id, "sha256:"), nil
	}
	of := p.Extensions[persistedQuery]
	if of == nil {
		return "", nil
	}
	persisted, _ := of.(map[string]any)
	hash, _ := persisted["sha256Hash"].(string)
	version, _ := persisted["version"].(json.Number)
	if sum, err := hex.DecodeString(hash); err != nil || len(sum) != sha256.Size || version != "1" {
		return "", requestError(graph.BadUserInput, "extensions.persistedQuery has the version 1 and sha256Hash, in hexadecimal digits.")
	}
	return strings.ToLower(hash), nil
}
