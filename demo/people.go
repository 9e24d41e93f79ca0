// Package demo fills a database with the accounts Globex and Initech: fixed people, fixed names, every right through the
// same functions as in earnest. It is a room of its own because `grantwood demo` and the tests about the fixed people need
// it alike.
package demo

import (
	"strings"

	"grantwood/graph"
)

// Password is everybody's.
const Password = "grantwood-demo"

// Names of the accounts.
const (
	Globex  = "Globex"
	Initech = "Initech"
)

// accountNames are in the order in which Fill makes the accounts: the contractor, who is in both, enters Globex last.
var accountNames = [...]string{Initech, Globex}

// master stands for the master key among purposes of keys.
const master = "Master key"

// Person is one of the fixed people.
type Person struct {
	Email string
	Name  string
	Role  graph.Role
	// Keys are the names of the keys that are enabled for an additional user besides the master key.
	Keys          []string
	WithoutMaster bool
	// Units are those whose keys are enabled for an additional user, those of the future included.
	Units []string
	About string // what they are for, in one line
}

// The fixed people of Globex; the first owns it.
var globexPeople = []Person{
	{Email: "owner@globex.example", Name: "Olivia Owner", Role: graph.RolePrimary, About: "owns Globex: every key"},
	{Email: "admin@globex.example", Name: "Adam Admin", Role: graph.RoleAdministrator,
		Units: []string{"Europe", "Americas"}, About: "administrator for all keys of Europe and the Americas, future ones too"},
	{Email: "developer@globex.example", Name: "Dora Developer", Role: graph.RoleDeveloper,
		Keys:  []string{"Europe: Web shop", "Europe: Mobile app", "Europe: Two-factor login", "Europe: Order tracking", "Europe: Chat"},
		About: "developer, 6 keys"},
	{Email: "reporting@globex.example", Name: "Rita Reporting", Role: graph.RoleReporting, WithoutMaster: true,
		Keys: []string{"Asia Pacific: Sales", "Asia Pacific: Support"}, About: "sees 2 keys, not the master key"},
	{Email: "contractor@globex.example", Name: "Carl Contractor", Role: graph.RoleDeveloper, WithoutMaster: true,
		Keys: []string{"Americas: Chat", "Americas: Mobile app", "Americas: Web shop"}, About: "developer for hire, in Initech too"},
}

// The fixed people of Initech; the first owns it.
var initechPeople = []Person{
	{Email: "owner@initech.example", Name: "Ian Owner", Role: graph.RolePrimary, About: "owns Initech: one key per customer"},
	{Email: "contractor@globex.example", Name: "Carl Contractor", Role: graph.RoleReporting, WithoutMaster: true,
		Keys: []string{"Customer: Acme", "Customer: Hooli"}, About: "sees 2 customers of Initech"},
}

// People lists the fixed people, each once.
func People() []Person { return append(append([]Person{}, globexPeople...), initechPeople[0]) }

var (
	regions = []string{"Europe", "Americas", "Asia Pacific"}
	// branches are the units below each region, above those that lie in them.
	branches = []struct {
		name, above string
		kind        graph.UnitKind
	}{
		{"Sales", "", graph.BusinessUnit}, {"Support", "", graph.BusinessUnit}, {"Marketing", "", graph.BusinessUnit},
		{"Logistics", "", graph.BusinessUnit}, {"Administration", "", graph.BusinessUnit}, {"Finance", "Administration", graph.Department},
		{"Human resources", "Administration", graph.Department}, {"Digital", "", graph.BusinessUnit},
	}
	// purposes are what each region has a key for, and the unit that holds it; empty for the region itself.
	purposes = []struct {
		name, unit string
		kind       graph.UnitKind
	}{
		{"Headquarters", "", graph.Region}, {"Sales", "Sales", graph.BusinessUnit}, {"Support", "Support", graph.BusinessUnit},
		{"Marketing", "Marketing", graph.BusinessUnit}, {"Logistics", "Logistics", graph.BusinessUnit}, {"Finance", "Finance", graph.Department},
		{"Human resources", "Human resources", graph.Department}, {"Web shop", "Digital", graph.Application},
		{"Mobile app", "Digital", graph.Application}, {"Two-factor login", "Digital", graph.Application},
		{"Order tracking", "Digital", graph.Application}, {"Chat", "Digital", graph.Application}, {"Alerts", "Digital", graph.Application},
	}
	customers = []string{"Acme", "Cyberdyne", "Duff", "Hooli", "Massive Dynamic", "Pied Piper", "Soylent", "Stark", "Tyrell", "Umbrella",
		"Wayne", "Wonka"}
	colleagues = []string{"Alice", "Bruno", "Chiara", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jakub", "Kemal", "Lucia",
		"Marek", "Nora", "Oskar", "Paula", "Quentin", "Rosa", "Samir", "Tessa"}
)

// globexKeys names the keys of the regions with the numbers: 13 each.
func globexKeys(which ...int) []string {
	var names []string
	for _, i := range which {
		for _, p := range purposes {
			names = append(names, regions[i]+": "+p.name)
		}
	}
	return names
}

// KeyNames names the keys of an account in the order in which Fill makes them.
func KeyNames(account string) []string {
	if account == Globex {
		return append([]string{master}, globexKeys(0, 1, 2)...)
	}
	names := []string{master}
	for _, name := range customers {
		names = append(names, "Customer: "+name)
	}
	return names
}

// inRegion names a unit: the region itself, or one below it.
func inRegion(region, unit string) string {
	if unit == "" {
		return region
	}
	return region + ": " + unit
}

// globexColleagues are the twenty who make Globex 25: by turns a developer and somebody who reads reports, each with some
// keys of one region.
func globexColleagues() []Person {
	list := make([]Person, len(colleagues))
	for i, name := range colleagues {
		p := Person{Email: strings.ToLower(name) + "@globex.example", Name: name, Role: graph.RoleDeveloper}
		if i%2 == 1 {
			p.Role = graph.RoleReporting
		}
		names := globexKeys(i % len(regions))
		for n := range 1 + i%5 {
			p.Keys = append(p.Keys, names[(i+3*n)%len(names)])
		}
		list[i] = p
	}
	return list
}
