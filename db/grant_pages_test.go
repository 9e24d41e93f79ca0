package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"grantwood/db"
	"grantwood/db/dbtest"
	"grantwood/graph"
)

// nestedPage is a page of grants in words, and whether more follow.
type nestedPage struct {
	Grants []string
	More   bool
}

// TestNestedGrantsAgree: pages of grants below users, and below keys, are what the plain model says, whoever looks and wherever a page
// begins, and those of the enabled and the disabled ones, which are read in another way, are its parts.
func TestNestedGrantsAgree(t *testing.T) {
	t.Parallel()
	for part := range 4 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(r *rapid.T) {
				p, err := plant(t.Context(), dbtest.Open(t), drawModel(r))
				if err != nil {
					r.Fatal(err)
				}
				at := modelStart.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "hours later"))*time.Hour + 30*time.Minute)
				limit := rapid.IntRange(1, 5).Draw(r, "limit")
				for viewer := range modelUsers {
					v := p.viewer(r, t, viewer, at)
					for _, enabled := range []*bool{nil, new(true), new(false)} {
						p.compareBelowUsers(r, t, v, viewer, limit, enabled)
						p.compareBelowKeys(r, t, v, viewer, limit, enabled)
					}
				}
			})
		})
	}
}

// words says what the model knows of a grant; nothing when the viewer sees none of the pair, or it is not as wanted.
func (p *planted) words(viewer, user, key int, at time.Time, enabled *bool) string {
	if user == modelOwner || viewer == modelReader && user != viewer || !p.seesKey(viewer, key, at) {
		return ""
	}
	a := p.effective(user, key, at)
	if enabled != nil && a.Enabled != *enabled {
		return ""
	}
	var end *time.Time
	if a.Source == graph.FromExplicit {
		end = p.explicit[pairAt{user, key}].ExpiresAt
	}
	return grantWords(p.users[user], p.keys[key], a.Enabled, a.Source, p.at(p.units, a.Unit), end)
}

func grantWords(user, key graph.UUID, enabled bool, source graph.GrantSource, unit *graph.UUID, end *time.Time) string {
	text := fmt.Sprint(user, " ", key, " ", enabled, " ", source)
	if unit != nil {
		text += " of " + unit.String()
	}
	if end != nil {
		text += " until " + end.UTC().String()
	}
	return text
}

// page gives what a page of the elements after one has to be.
func page(n, after, limit int, words func(int) string) nestedPage {
	var p nestedPage
	for i := after + 1; i < n; i++ {
		text := words(i)
		if text == "" {
			continue
		}
		if len(p.Grants) == limit {
			p.More = true
			break
		}
		p.Grants = append(p.Grants, text)
	}
	return p
}

func inWords(c *graph.GrantConnection) nestedPage {
	p := nestedPage{More: c.Next}
	for _, g := range c.Nodes {
		p.Grants = append(p.Grants, grantWords(g.User.UserID, g.Key.KeyID, g.Enabled, g.Source, g.UnitID, g.ExpiresAt))
	}
	return p
}

// begins draws where pages begin: nowhere, or after one of the elements.
func begins(r *rapid.T, limit int, elements []graph.UUID) (graph.Window, int) {
	w, after := graph.Window{Order: graph.ByCreation, Limit: limit}, rapid.IntRange(-1, len(elements)-1).Draw(r, "after")
	if after >= 0 {
		w.After = &graph.Cursor{ID: elements[after]}
	}
	return w, after
}

func (p *planted) compareBelowUsers(r *rapid.T, t *testing.T, v *graph.Viewer, viewer, limit int, enabled *bool) {
	w, after := begins(r, limit, p.keys)
	var users []*graph.User
	for _, id := range p.users {
		users = append(users, &graph.User{AccountID: p.account, UserID: id})
	}
	pages, err := p.db.GrantsOfUsers(t.Context(), v, append(users, users[modelAdmin]), w, enabled, db.Ask{}) // one is named twice
	if err != nil {
		r.Fatal(err)
	}
	for user, id := range p.users {
		want := page(len(p.keys), after, limit, func(key int) string { return p.words(viewer, user, key, v.Request.At, enabled) })
		if diff := cmp.Diff(want, inWords(pages[id])); diff != "" {
			r.Errorf("%d sees below user %d:\n%s", viewer, user, diff)
		}
	}
}

func (p *planted) compareBelowKeys(r *rapid.T, t *testing.T, v *graph.Viewer, viewer, limit int, enabled *bool) {
	w, after := begins(r, limit, p.users)
	var keys []*graph.ApiKey
	for _, id := range p.keys {
		keys = append(keys, &graph.ApiKey{AccountID: p.account, KeyID: id})
	}
	pages, err := p.db.GrantsOfKeys(t.Context(), v, append(keys, keys[0]), w, enabled, db.Ask{})
	if err != nil {
		r.Fatal(err)
	}
	for key, id := range p.keys {
		want := page(len(p.users), after, limit, func(user int) string { return p.words(viewer, user, key, v.Request.At, enabled) })
		if diff := cmp.Diff(want, inWords(pages[id])); diff != "" {
			r.Errorf("%d sees below key %d:\n%s", viewer, key, diff)
		}
	}
}
