package resolvers

import (
	"sync"

	"github.com/99designs/gqlgen/graphql"

	"grantwood/db"
	"grantwood/graph"
)

// siblings are the objects of one account below which a field of the document gives a page each. Unlike with other nested pages
// nothing is read ahead: the arguments are many, and only the executor reads them as the schema says. The first of the siblings
// whose field is resolved reads the pages of all.
type siblings[P, C any] struct {
	all   []*P
	mu    sync.Mutex
	pages map[db.Ask]map[graph.UUID]*C
}

// putSiblings keeps at each of the objects that they are siblings in a field that gives a C.
func putSiblings[C, P any](f graphql.CollectedField, all []*P, nested func(*P) *graph.Nested) {
	s := &siblings[P, C]{all: all}
	for _, o := range all {
		nested(o).Put(f.Field, s)
	}
}

// together gives the page of one object, and reads those of all its siblings when none was read yet. An object without siblings
// is one alone.
func together[P, C any](n *graph.Nested, field any, object *P, id graph.UUID, ask db.Ask,
	read func([]*P) (map[graph.UUID]*C, error)) (*C, error) {
	s, ok := graph.Loaded[*siblings[P, C]](n, field)
	if !ok {
		s = &siblings[P, C]{all: []*P{object}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if pages, ok := s.pages[ask]; ok {
		return pages[id], nil
	}
	pages, err := read(s.all)
	if err != nil {
		return nil, err
	}
	if s.pages == nil {
		s.pages = map[db.Ask]map[graph.UUID]*C{}
	}
	s.pages[ask] = pages
	return pages[id], nil
}
