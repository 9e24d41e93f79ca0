package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"grantwood/graph"
)

// Sizes of what is remembered about documents.
const (
	cachedDocuments = 1000
	cachedText      = 16 << 10 // bytes of a document, more is read anew each time
	helpedText      = 8 << 10  // bytes of a document for which "did you mean" is worth its time
)

// documents reads the documents of operations: each text is parsed and validated once, as long as it is remembered.
type documents struct {
	schema  *ast.Schema
	limits  Limits
	trusted map[string]string                      // texts by the hashes that their manifest gives them
	listed  map[string]bool                        // their SHA-256
	valid   *lru.Cache[string, *ast.QueryDocument] // by text
	texts   *lru.Cache[string, string]             // by hash, of documents that were valid
}

func newDocuments(schema *ast.Schema, l Limits) *documents {
	d := &documents{schema: schema, limits: l, trusted: map[string]string{}, listed: map[string]bool{}}
	d.valid, _ = lru.New[string, *ast.QueryDocument](cachedDocuments) // fails for sizes below one only
	d.texts, _ = lru.New[string, string](cachedDocuments)
	return d
}

// text gives the text of an operation's document: it comes with the request, or is known under its hash.
func (d *documents) text(p *graphql.RawParams) (string, *gqlerror.Error) {
	hash, err := hashIn(p)
	if err != nil {
		return "", err
	}
	if hash == "" {
		return p.Query, nil
	}
	if p.Query != "" {
		if hashOf(p.Query) != hash {
			return "", requestError(graph.BadUserInput, "The hash is not that of the document.")
		}
		return p.Query, nil
	}
	if text, known := d.trusted[hash]; known {
		return text, nil
	}
	if text, known := d.texts.Get(hash); known {
		return text, nil
	}
	return "", requestError(graph.PersistedQueryNotFound, "PersistedQueryNotFound") // the sentence that Apollo's clients know
}

// read gives the document of a text, parsed, within the limits and valid; or says what is wrong with it.
func (d *documents) read(text string, suggest bool) (*ast.QueryDocument, gqlerror.List) {
	if doc, known := d.valid.Get(text); known {
		return doc, nil
	}
	doc, err := d.parse(text)
	if err != nil {
		return nil, gqlerror.List{err}
	}
	rules := silentRules()
	if suggest && len(text) <= helpedText {
		rules = helpfulRules()
	}
	if list := validator.ValidateWithRules(d.schema, doc, rules); len(list) > 0 {
		return nil, d.invalid(list)
	}
	if len(text) <= cachedText {
		d.valid.Add(text, doc)
	}
	return doc, nil
}

func (d *documents) parse(text string) (*ast.QueryDocument, *gqlerror.Error) {
	if halfInDocument(text) {
		return nil, requestError(graph.ParseFailed, "A string has half a character: a surrogate stands alone.")
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, d.limits.Tokens)
	if err != nil {
		wrong := &gqlerror.Error{Message: err.Error()}
		if parsed, ok := errors.AsType[*gqlerror.Error](err); ok {
			wrong.Message, wrong.Locations = parsed.Message, parsed.Locations
		}
		return nil, coded(wrong, graph.ParseFailed)
	}
	if len(doc.Operations) == 0 {
		return nil, requestError(graph.ValidationFailed, "The document has no operation.")
	}
	return doc, d.limits.check(doc)
}

// invalid prepares what validation says for an answer.
func (d *documents) invalid(list gqlerror.List) gqlerror.List {
	for _, e := range list {
		coded(e, graph.ValidationFailed)
	}
	return list[:min(len(list), d.limits.Errors)]
}

// remember lets the text be named by its hash from now on.
func (d *documents) remember(p *graphql.RawParams, text string) {
	if hash, _ := hashIn(p); hash != "" && p.Query != "" && len(text) <= cachedText {
		d.texts.Add(hash, text)
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// requestError is why a request cannot be run.
func requestError(code graph.Code, format string, args ...any) *gqlerror.Error {
	return coded(gqlerror.Errorf(format, args...), code)
}

// sentenceLength is how much of a sentence about a request is shown, which may hold names from it.
const sentenceLength = 300

// coded gives an error about a request its code. Such errors have no path, since nothing was run.
func coded(e *gqlerror.Error, code graph.Code) *gqlerror.Error {
	e.Path, e.Rule = nil, ""
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	e.Extensions["code"] = string(code)
	if len(e.Message) > sentenceLength {
		e.Message = strings.ToValidUTF8(e.Message[:sentenceLength], "") + "…"
	}
	return e
}
