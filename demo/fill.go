package demo

import (
	"context"
	"fmt"
	"time"

	"grantwood/db"
	"grantwood/graph"
)

// Operator is the label of the operator that the demo makes.
const Operator = "Demo provider"

// Fill makes both accounts in an empty database.
func Fill(ctx context.Context, d *db.DB) error {
	v, _, err := NewOperator(ctx, d)
	if err != nil {
		return err
	}
	f := filler{db: d, provider: v}
	// In the order of accountNames.
	if err := f.initech(ctx); err != nil {
		return fmt.Errorf("fill %s: %w", Initech, err)
	}
	if err := f.globex(ctx); err != nil {
		return fmt.Errorf("fill %s: %w", Globex, err)
	}
	return nil
}

// NewOperator makes the demo's operator anew and gives its token; tokens from earlier are refused.
func NewOperator(ctx context.Context, d *db.DB) (*graph.Viewer, string, error) {
	if _, err := d.RevokeOperators(ctx, Operator); err != nil {
		return nil, "", err
	}
	o, token, err := d.CreateOperator(ctx, Operator, graph.ScopeList{graph.ScopeSupport, graph.ScopeAdmin, graph.ScopeIngest})
	return &graph.Viewer{Kind: graph.KindOperator, Operator: o, Request: request()}, token, err
}

type filler struct {
	db       *db.DB
	provider *graph.Viewer
}

func request() graph.Request {
	return graph.Request{ID: "demo", At: time.Now().UTC().Truncate(time.Microsecond)}
}

func (f filler) globex(ctx context.Context) error {
	owner, err := f.open(ctx, Globex, "EUR", globexPeople[0])
	if err != nil {
		return err
	}
	units, err := f.branches(ctx, owner)
	if err != nil {
		return err
	}
	keys, names := map[string]graph.ID{}, globexKeys(0, 1, 2)
	last := len(names) - 1
	for i, name := range names {
		p := purposes[i%len(purposes)]
		unit := units[inRegion(regions[i/len(purposes)], p.unit)]
		if i == last {
			keys[name], err = f.requests(ctx, owner, name, unit)
		} else {
			err = f.key(ctx, owner, name, p.kind, unit, keys)
		}
		if err != nil {
			return err
		}
	}
	members, err := f.people(ctx, owner, append(globexPeople[1:], globexColleagues()...), keys, units)
	if err != nil {
		return err
	}
	if _, err := f.request(ctx, members["admin@globex.example"], "Europe: Fairs", nil); err != nil {
		return err
	}
	_, err = f.db.InviteUser(ctx, owner, invitation(Person{Email: "newcomer@globex.example", Role: graph.RoleReporting,
		Keys: []string{"Asia Pacific: Finance"}}, keys))
	return err
}

func (f filler) initech(ctx context.Context) error {
	owner, err := f.open(ctx, Initech, "USD", initechPeople[0])
	if err != nil {
		return err
	}
	keys, units := map[string]graph.ID{}, map[string]graph.ID{}
	for _, name := range customers {
		if err := f.unit(ctx, owner, name, name, graph.Customer, nil, units); err != nil {
			return err
		}
		if err := f.key(ctx, owner, "Customer: "+name, graph.Customer, units[name], keys); err != nil {
			return err
		}
	}
	_, err = f.people(ctx, owner, initechPeople[1:], keys, units)
	return err
}

// branches makes Globex' units and gives them by their region and name.
func (f filler) branches(ctx context.Context, owner *graph.Viewer) (map[string]graph.ID, error) {
	units := map[string]graph.ID{}
	for _, region := range regions {
		if err := f.unit(ctx, owner, region, region, graph.Region, nil, units); err != nil {
			return nil, err
		}
		for _, b := range branches {
			above := units[inRegion(region, b.above)]
			if err := f.unit(ctx, owner, inRegion(region, b.name), b.name, b.kind, &above, units); err != nil {
				return nil, err
			}
		}
	}
	return units, nil
}

func (f filler) unit(ctx context.Context, owner *graph.Viewer, place, name string, kind graph.UnitKind, above *graph.ID, units map[string]graph.ID) error {
	owner.Request = request()
	u, err := f.db.CreateUnit(ctx, owner, graph.CreateUnitInput{Name: name, Kind: kind, ParentID: above})
	if err != nil {
		return fmt.Errorf("create unit %s: %w", place, err)
	}
	units[place] = u.ID()
	return nil
}

// requests lets the owner ask for three keys, of which the provider gives the first and refuses the second. It gives the
// ID of the key.
func (f filler) requests(ctx context.Context, owner *graph.Viewer, granted string, unit graph.ID) (graph.ID, error) {
	var made [3]*graph.KeyRequest
	for i, name := range []string{granted, "Antarctica: Sales", "Africa: Headquarters"} {
		place := &unit
		if i > 0 {
			place = nil
		}
		q, err := f.request(ctx, owner, name, place)
		if err != nil {
			return graph.ID{}, err
		}
		made[i] = q
	}
	note := "Nobody to sell to."
	if _, err := f.db.RejectKeyRequest(ctx, f.provider, graph.DecideKeyRequestInput{KeyRequestID: made[1].ID(), Note: &note}); err != nil {
		return graph.ID{}, err
	}
	q, err := f.db.ApproveKeyRequest(ctx, f.provider, graph.DecideKeyRequestInput{KeyRequestID: made[0].ID()})
	if err != nil {
		return graph.ID{}, err
	}
	_, _, err = f.db.RotateApiKeySecret(ctx, owner, graph.RotateApiKeySecretInput{KeyID: q.Key.ID()})
	return q.Key.ID(), err
}

func (f filler) request(ctx context.Context, v *graph.Viewer, name string, unit *graph.ID) (*graph.KeyRequest, error) {
	v.Request = request()
	q, err := f.db.RequestApiKey(ctx, v, graph.RequestApiKeyInput{Name: name, Kind: graph.Application, UnitID: unit, Reason: "We grow."})
	if err != nil {
		return nil, fmt.Errorf("request key %s: %w", name, err)
	}
	return q, nil
}

// open makes an account and lets its owner in.
func (f filler) open(ctx context.Context, name, currency string, owner Person) (*graph.Viewer, error) {
	made, err := f.db.CreateAccount(ctx, f.provider, graph.CreateAccountInput{Name: name, Currency: currency, PrimaryEmail: owner.Email})
	if err != nil {
		return nil, err
	}
	return f.accept(ctx, owner, made.Invitation.Token)
}

func (f filler) accept(ctx context.Context, p Person, token string) (*graph.Viewer, error) {
	s, err := f.db.AcceptInvitation(ctx, &graph.Viewer{Request: request()},
		graph.AcceptInvitationInput{Token: token, DisplayName: &p.Name, Password: Password})
	if err != nil {
		return nil, fmt.Errorf("accept for %s: %w", p.Email, err)
	}
	return s.Viewer, nil
}

func (f filler) key(ctx context.Context, owner *graph.Viewer, name string, kind graph.UnitKind, unit graph.ID, keys map[string]graph.ID) error {
	owner.Request = request()
	k, _, err := f.db.CreateApiKey(ctx, owner, graph.CreateApiKeyInput{Name: name, Kind: kind, UnitID: &unit})
	if err != nil {
		return fmt.Errorf("create key %s: %w", name, err)
	}
	keys[name] = k.ID()
	return nil
}

// people invites everybody, accepts in their name, signs them out and sets their rules for units. It gives them by their
// addresses.
func (f filler) people(ctx context.Context, owner *graph.Viewer, people []Person, keys, units map[string]graph.ID) (map[string]*graph.Viewer, error) {
	members := map[string]*graph.Viewer{}
	for _, p := range people {
		owner.Request = request()
		made, err := f.db.InviteUser(ctx, owner, invitation(p, keys))
		if err != nil {
			return nil, fmt.Errorf("invite %s: %w", p.Email, err)
		}
		v, err := f.accept(ctx, p, made.Token)
		if err != nil {
			return nil, err
		}
		if _, err := f.db.SignOut(ctx, v); err != nil {
			return nil, err
		}
		for _, name := range p.Units {
			owner.Request = request()
			in := graph.SetUnitGrantInput{UserID: v.User.ID(), UnitID: units[name], State: graph.GrantEnabled}
			if _, err := f.db.SetUnitGrant(ctx, owner, in); err != nil {
				return nil, fmt.Errorf("enable %s for %s: %w", name, p.Email, err)
			}
		}
		members[p.Email] = v
	}
	return members, nil
}

func invitation(p Person, keys map[string]graph.ID) graph.InviteUserInput {
	in := graph.InviteUserInput{Email: p.Email, Access: graph.AccessInput{Role: &p.Role}, WithoutMasterKey: p.WithoutMaster,
		ValidDays: db.DefaultValidDays}
	for _, name := range p.Keys {
		in.KeyIds = append(in.KeyIds, keys[name])
	}
	return in
}
