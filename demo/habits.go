package demo

import (
	"time"

	"grantwood/graph"
)

// share is a choice that is made so often among others.
type share[T any] struct {
	of     T
	weight float64
}

// habit is what a key is used for, and when.
type habit struct {
	weight   float64
	products []share[string]
	hours    *[24]float64 // of the clock where it is used
	days     *[7]float64  // from Sunday on
	growth   float64      // of the 90 days, beside that of everything
	inbound  float64      // share of messages and calls that come in
	campaign bool         // records say for which campaign
	city     bool         // records say for which city
}

// Times of the day, in the hours of the clock.
var (
	office = [24]float64{0, 0, 0, 0, 0, .1, .4, 1.5, 5, 9, 10, 9, 6, 8, 10, 9, 7, 4, 1.5, .6, .3, .1, 0, 0}
	home   = [24]float64{1.2, .6, .3, .2, .2, .5, 1.6, 3, 4, 4.5, 5, 5.5, 6.5, 5.5, 5, 5, 5.5, 7, 8.5, 10, 9.5, 7.5, 5, 2.5}
	early  = [24]float64{.1, .1, .1, .3, 2, 6, 9, 10, 9, 8, 7, 6, 5, 5, 4, 3, 2, 1, .6, .3, .2, .1, .1, .1}
	mails  = [24]float64{0, 0, 0, 0, 0, 0, 0, .3, 1, 4, 16, 5, 1, .5, .5, 1, 3, 11, 4, .5, .2, 0, 0, 0}
	always = [24]float64{3, 3, 3, 3, 3, 3, 3.5, 4, 4.5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 4.5, 4.5, 4, 4, 3.5, 3}
)

// Days of the week, from Sunday on.
var (
	workdays  = [7]float64{.08, 1.05, 1.05, 1, 1, .9, .15}
	shopping  = [7]float64{.62, .95, .95, 1, 1.05, 1.15, .85}
	campaigns = [7]float64{.1, .6, 2.2, .5, 1.9, .6, .2}
)

// habits are those of the purposes, and of the master key.
var habits = map[string]*habit{
	master:             {weight: .1, products: []share[string]{{"NUMBER_INSIGHT", 3}, {"NUMBER_RENTAL", 1}}, hours: &office, days: &workdays},
	"Headquarters":     {weight: .4, products: []share[string]{{"VOICE", 3}, {"SMS", 1}, {"NUMBER_RENTAL", 1}}, hours: &office, days: &workdays, inbound: .3},
	"Sales":            {weight: 1.5, products: []share[string]{{"VOICE", 4}, {"SMS", 2}, {"NUMBER_INSIGHT", 1}}, hours: &office, days: &workdays, inbound: .2},
	"Support":          {weight: 4, products: []share[string]{{"VOICE", 9}, {"SMS", 1}}, hours: &office, days: &workdays, inbound: .8, growth: .1},
	"Marketing":        {weight: 10, products: []share[string]{{"SMS", 1}}, hours: &mails, days: &campaigns, campaign: true},
	"Logistics":        {weight: 3, products: []share[string]{{"SMS", 9}, {"VOICE", 1}}, hours: &early, days: &workdays, city: true},
	"Finance":          {weight: .2, products: []share[string]{{"SMS", 2}, {"VERIFY", 1}}, hours: &office, days: &workdays},
	"Human resources":  {weight: .2, products: []share[string]{{"VOICE", 2}, {"SMS", 1}}, hours: &office, days: &workdays, inbound: .4},
	"Web shop":         {weight: 7, products: []share[string]{{"SMS", 2}, {"VERIFY", 1}}, hours: &home, days: &shopping, growth: .3},
	"Mobile app":       {weight: 9, products: []share[string]{{"VERIFY", 4}, {"SMS", 1}}, hours: &home, days: &shopping, growth: .8},
	"Two-factor login": {weight: 12, products: []share[string]{{"VERIFY", 1}}, hours: &always, days: &shopping, growth: .2},
	"Order tracking":   {weight: 8, products: []share[string]{{"SMS", 1}}, hours: &early, days: &shopping, city: true},
	"Chat":             {weight: 4, products: []share[string]{{"SMS", 1}}, hours: &home, days: &shopping, inbound: .55, growth: .5},
	"Alerts":           {weight: 3, products: []share[string]{{"SMS", 9}, {"VOICE", 1}}, hours: &always, days: &[7]float64{.9, 1, 1, 1, 1, 1, .9}},
}

// customerPurposes are what Initech's customers use their keys for, by turns.
var customerPurposes = []string{"Marketing", "Two-factor login", "Support", "Web shop", "Order tracking", "Mobile app", "Chat"}

// country is where messages and calls go, and what they cost: 10⁻⁸ units of the currency for a message, and for a minute.
type country struct {
	code        string
	sms, minute int64
	cities      []string
}

// market is what is particular to a region.
type market struct {
	weight    float64
	ahead     time.Duration // of UTC
	countries []share[country]
}

// markets are those of the regions, in their order.
var markets = []market{
	{1, time.Hour, []share[country]{
		{country{"DE", 7_500_000, 1_200_000, []string{"Berlin", "Hamburg", "Munich"}}, 45}, {country{"FR", 6_400_000, 1_100_000, []string{"Paris", "Lyon"}}, 22},
		{country{"GB", 4_000_000, 900_000, []string{"London", "Leeds"}}, 18}, {country{"ES", 5_900_000, 1_300_000, []string{"Madrid", "Seville"}}, 10},
		{country{"NL", 8_100_000, 1_500_000, []string{"Utrecht"}}, 5}}},
	{1.2, -5 * time.Hour, []share[country]{
		{country{"US", 810_000, 1_390_000, []string{"Boston", "Chicago", "Denver"}}, 66}, {country{"CA", 790_000, 1_350_000, []string{"Montreal", "Toronto"}}, 14},
		{country{"BR", 4_700_000, 3_900_000, []string{"Recife", "São Paulo"}}, 12}, {country{"MX", 3_600_000, 2_800_000, []string{"Puebla"}}, 8}}},
	{.8, 8 * time.Hour, []share[country]{
		{country{"JP", 7_000_000, 6_800_000, []string{"Osaka", "Tokyo"}}, 34}, {country{"IN", 2_300_000, 2_100_000, []string{"Chennai", "Mumbai", "Pune"}}, 30},
		{country{"AU", 4_500_000, 2_400_000, []string{"Perth", "Sydney"}}, 20}, {country{"SG", 3_800_000, 3_100_000, []string{"Singapore"}}, 16}}},
}

// campaignNames follow each other, a fortnight each.
var campaignNames = []string{"new-arrivals", "loyalty-points", "clearance", "free-shipping", "survey", "members-only", "last-chance"}

// What is charged beside messages and calls, in 10⁻⁸ units of the currency.
const (
	verifyPrice  = 5_000_000
	insightPrice = 500_000
	rentalPrice  = 90_000_000
)

var (
	outbound = graph.Outbound
	inbound  = graph.Inbound
)
