package demo

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"grantwood/graph"
)

const (
	// UsageDays is for how many days before the day of the first start there is usage.
	UsageDays = 90

	quarter    = 15 * time.Minute
	slotsOfDay = int(24 * time.Hour / quarter)
	slots      = UsageDays * slotsOfDay
	// oneIn is of how many records one corrects another.
	oneIn = 2000
)

// UsageOf says how many of n records in all are of an account.
func UsageOf(account string, n int) int {
	initech := int(int64(n) * 2 / 5)
	if account == Initech {
		return initech
	}
	return n - initech
}

// Outage gives the five hours in which little worked: on a Wednesday, about a month before the day.
func Outage(day time.Time) (from, to time.Time) {
	from = day.AddDate(0, 0, -28)
	for from.Weekday() != time.Wednesday {
		from = from.AddDate(0, 0, -1)
	}
	from = from.Add(11 * time.Hour)
	return from, from.Add(5 * time.Hour)
}

// What is left in the outage: of the usage, and of its success.
const (
	usedInOutage   = .2
	failedInOutage = .85
)

// Usage makes n records of one of the accounts: of the 90 days before the beginning of a day (UTC), in the order of time, and then
// those that correct some of them. Public parts of the account's keys come in the order in which the keys were made, the
// master key first. With the same arguments it makes the same.
func Usage(account string, keys []string, day time.Time, n int) iter.Seq[*graph.UsageRecordInput] {
	return func(yield func(*graph.UsageRecordInput) bool) {
		m := newMeter(account, keys, day)
		var corrections []*graph.UsageRecordInput
		made, plain := 0, n-n/oneIn
		for r := range m.records(plain) {
			if made%(oneIn-1) == oneIn/2 && len(corrections) < n-plain {
				corrections = append(corrections, correct(r))
			}
			if made++; !yield(r) {
				return
			}
		}
		for _, r := range corrections {
			if !yield(r) {
				return
			}
		}
	}
}

// correct makes the record that says that less was used, or that a failure was none.
func correct(r *graph.UsageRecordInput) *graph.UsageRecordInput {
	c, replaced := *r, r.Reference
	c.Reference, c.Replaces = replaced+"-1", &replaced
	if c.Status == graph.UsageFailed {
		c.Status, c.Quantity, c.Cost = graph.UsageSucceeded, max(1, c.Quantity), decimal.New(insightPrice, -graph.CostPlaces)
	} else {
		c.Cost = decimal.New(c.CostUnits()*4/5, -graph.CostPlaces)
	}
	return &c
}

// meteredKey is a key with what is used by it.
type meteredKey struct {
	key   string
	habit *habit
	market
	size float64
}

// meter makes the usage of one account.
type meter struct {
	keys     []meteredKey
	day      time.Time // after the last
	seed     uint64
	rand     *rand.Rand
	from, to time.Time // of the outage
	made     int
}

func newMeter(account string, keys []string, day time.Time) *meter {
	m := &meter{day: day, seed: 0x9e37, rand: rand.New(rand.NewPCG(uint64(len(account)), 0x9e37))}
	m.from, m.to = Outage(day)
	for i, key := range keys[:len(KeyNames(account))] {
		k := meteredKey{key: key, habit: habits[master], market: markets[0], size: 1}
		switch {
		case i == 0:
		case account == Globex:
			k.habit, k.market = habits[purposes[(i-1)%len(purposes)].name], markets[(i-1)/len(purposes)]
		default:
			ofCustomer := *habits[customerPurposes[(i-1)%len(customerPurposes)]]
			ofCustomer.city = true
			k.habit, k.market, k.size = &ofCustomer, markets[(i-1)%len(markets)], .4+1.2*m.noise(i, -1)
		}
		m.keys = append(m.keys, k)
	}
	return m
}

// noise gives a number from 0 to below 1 for a key and something else: the same whenever it is asked (SplitMix64).
func (m *meter) noise(key, n int) float64 {
	z := m.seed + uint64(key+1)*0x9e3779b97f4a7c15 + uint64(n+2)*0xd1b54a32d192ed03
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// start gives when a slot begins.
func (m *meter) start(slot int) time.Time {
	return m.day.AddDate(0, 0, -UsageDays).Add(time.Duration(slot) * quarter)
}

func (m *meter) broken(at time.Time) bool { return !at.Before(m.from) && at.Before(m.to) }

// weight says how much a key is used in a slot, compared with others.
func (m *meter) weight(key, slot int) float64 {
	k, at := &m.keys[key], m.start(slot)
	local := at.Add(k.ahead)
	age := float64(slot) / float64(slots)
	w := k.size * k.habit.weight * k.market.weight * k.habit.hours[local.Hour()] * k.habit.days[local.Weekday()]
	w *= .8 + (.4+k.habit.growth)*age
	w *= .9 + .2*m.noise(key, -10-slot/slotsOfDay)
	w *= .4 + 1.2*m.noise(key, slot)
	if m.broken(at) {
		w *= usedInOutage
	}
	return w
}

// records makes n records. Each slot of each key gets its share of them, and what is left over by rounding goes to the next.
func (m *meter) records(n int) iter.Seq[*graph.UsageRecordInput] {
	return func(yield func(*graph.UsageRecordInput) bool) {
		var all float64
		sums := make([]float64, 0, slots*len(m.keys))
		for slot := range slots {
			for key := range m.keys {
				all += m.weight(key, slot)
				sums = append(sums, all)
			}
		}
		before := 0
		for slot := range slots {
			var records []*graph.UsageRecordInput
			for key := range m.keys {
				upTo := int(sums[slot*len(m.keys)+key] / all * float64(n))
				for range upTo - before {
					records = append(records, m.record(&m.keys[key], m.start(slot)))
				}
				before = upTo
			}
			slices.SortStableFunc(records, func(a, b *graph.UsageRecordInput) int { return a.OccurredAt.Compare(b.OccurredAt) })
			for _, r := range records {
				m.made++
				r.Reference = fmt.Sprintf("%013x-%06x", r.OccurredAt.UnixMicro(), m.made)
				if !yield(r) {
					return
				}
			}
		}
	}
}

// record makes a record of a key in the quarter of an hour that begins at a time, without its reference.
func (m *meter) record(k *meteredKey, start time.Time) *graph.UsageRecordInput {
	at := start.Add(time.Duration(m.rand.Int64N(quarter.Microseconds())) * time.Microsecond)
	c := choose(m.rand, k.countries)
	r := &graph.UsageRecordInput{Key: k.key, Product: *choose(m.rand, k.habit.products), Country: c.code, Status: graph.UsageSucceeded, OccurredAt: at}
	m.fail(r)
	r.Quantity = m.quantity(r)
	if r.Status == graph.UsageSucceeded {
		r.Cost = decimal.New(price(r, c), -graph.CostPlaces)
	}
	if r.Product == "SMS" || r.Product == "VOICE" || r.Product == "VERIFY" {
		r.Direction = &outbound
		if r.Product != "VERIFY" && m.rand.Float64() < k.habit.inbound {
			r.Direction = &inbound
		}
	}
	if k.habit.campaign {
		fortnight := int(start.Sub(m.start(0)) / (14 * 24 * time.Hour))
		r.Tags = append(r.Tags, &graph.UsageTagInput{Name: "campaign", Value: campaignNames[fortnight%len(campaignNames)]})
	}
	if k.habit.city {
		r.Tags = append(r.Tags, &graph.UsageTagInput{Name: "city", Value: c.cities[m.rand.IntN(len(c.cities))]})
	}
	return r
}

// fail lets some records fail, and most in the outage.
func (m *meter) fail(r *graph.UsageRecordInput) {
	share := map[string]float64{"SMS": .018, "VOICE": .035, "VERIFY": .025}[r.Product]
	if m.broken(r.OccurredAt) {
		share = failedInOutage
	}
	if m.rand.Float64() < share {
		r.Status = graph.UsageFailed
	}
}

// quantity is the parts of a message, the seconds of a call, and one of everything else.
func (m *meter) quantity(r *graph.UsageRecordInput) int64 {
	switch {
	case r.Product == "VOICE" && r.Status == graph.UsageFailed:
		return 0
	case r.Product == "VOICE":
		return min(3600, 8+int64(math.Round(m.rand.ExpFloat64()*170)))
	case r.Product == "SMS" && m.rand.IntN(6) == 0:
		return 2 + m.rand.Int64N(2)
	}
	return 1
}

// price gives what a record costs, in 10⁻⁸ units of the currency.
func price(r *graph.UsageRecordInput, c *country) int64 {
	switch r.Product {
	case "SMS":
		return c.sms * r.Quantity
	case "VOICE":
		return c.minute * r.Quantity / 60
	case "VERIFY":
		return verifyPrice
	case "NUMBER_RENTAL":
		return rentalPrice
	}
	return insightPrice
}

// choose chooses by the weights.
func choose[T any](r *rand.Rand, from []share[T]) *T {
	var all float64
	for i := range from {
		all += from[i].weight
	}
	left := r.Float64() * all
	for i := range from {
		if left -= from[i].weight; left < 0 {
			return &from[i].of
		}
	}
	return &from[len(from)-1].of
}
