package graph

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// UsageRecordInput is a record as the provider sends it.
type UsageRecordInput struct {
	Key        string // public part
	Reference  string
	Product    string
	Direction  *UsageDirection
	Country    string
	Quantity   int64
	Cost       decimal.Decimal
	Currency   *string
	Status     UsageStatus
	OccurredAt time.Time
	Tags       []*UsageTagInput
	Replaces   *string
}

// UsageTagInput is a tag as the provider sends it.
type UsageTagInput struct{ Name, Value string }

// IngestUsageInput is a batch of records of any accounts.
type IngestUsageInput struct {
	Records []*UsageRecordInput
	Strict  bool
}

// UsageRefusal says why a record was not added.
type UsageRefusal struct {
	Index   int // of the record in its batch
	Code    Code
	Field   string
	Message string
}

// Ingested is what became of a batch.
type Ingested struct {
	Accepted   int // new records
	Duplicates int // records that were there already
	Refused    []*UsageRefusal
}

// Problems gives what keeps a strict batch from being added: every refusal. Others are added without what is refused.
func (d Ingested) Problems(strict bool) []UserError {
	if !strict {
		return nil
	}
	list := make([]UserError, len(d.Refused))
	for i, r := range d.Refused {
		list[i] = refuse(r.Code, "input.records."+strconv.Itoa(r.Index)+"."+r.Field, r.Message).UserError()
	}
	return list
}

// Limits of a record.
const (
	MaxUsageBatch     = 5000
	maxReference      = 100
	maxUsageKey       = 100
	maxUsageQuantity  = 1_000_000_000_000
	usageAheadAllowed = 24 * time.Hour
)

// maxCost is the largest price of a record, whichever its sign; ten such fit into what the database keeps.
var maxCost = decimal.New(1_000_000_000, 0)

// UsageRules are what records are checked against, beside what concerns the account.
type UsageRules struct {
	Products map[string]bool // codes
	Now      time.Time
	Oldest   time.Time // beginning of the kept period
}

// refuseRecord makes a refusal; whoever checks the batch adds the index.
func refuseRecord(code Code, field, message string) *UsageRefusal {
	return &UsageRefusal{Code: code, Field: field, Message: message}
}

// Check gives why a record cannot be added, whatever the account: nil when it can.
func (r UsageRules) Check(in *UsageRecordInput) *UsageRefusal {
	switch {
	case len(in.Key) > maxUsageKey:
		return UnknownUsageKey()
	case in.Reference == "" || !shortText(in.Reference, maxReference):
		return refuseRecord(Invalid, "reference", "A reference has 1 to 100 characters.")
	case !r.Products[in.Product]:
		return refuseRecord(NotFound, "product", "There is no such product: define it first.")
	case in.Direction != nil && *in.Direction != Outbound && *in.Direction != Inbound:
		return refuseRecord(Invalid, "direction", "A direction is OUTBOUND or INBOUND.")
	case !IsCountry(in.Country):
		return refuseRecord(Invalid, "country", "A country is a two-letter code of ISO 3166 in capitals, ZZ when it is unknown.")
	case in.Quantity < 0:
		return refuseRecord(Invalid, "quantity", "A quantity is not negative.")
	case in.Quantity > maxUsageQuantity:
		return refuseRecord(Invalid, "quantity", "A quantity is at most 1,000,000,000,000.")
	case in.Status != UsageSucceeded && in.Status != UsageFailed:
		return refuseRecord(Invalid, "status", "A status is SUCCEEDED or FAILED.")
	case in.Replaces != nil && (*in.Replaces == "" || !shortText(*in.Replaces, maxReference)):
		return refuseRecord(Invalid, "replaces", "A reference has 1 to 100 characters.")
	case in.Replaces != nil && *in.Replaces == in.Reference:
		return refuseRecord(Invalid, "replaces", "A correction has a reference of its own.")
	}
	if refusal := r.checkTime(in.OccurredAt); refusal != nil {
		return refusal
	}
	if refusal := checkCost(in.Cost); refusal != nil {
		return refusal
	}
	return checkTags(in.Tags)
}

func (r UsageRules) checkTime(at time.Time) *UsageRefusal {
	switch {
	case at.After(r.Now.Add(usageAheadAllowed)):
		return refuseRecord(Invalid, "occurredAt", "The time lies more than a day ahead.")
	case at.Before(r.Oldest):
		return refuseRecord(Invalid, "occurredAt", "The time lies before "+r.Oldest.Format(time.RFC3339)+", and older usage is not kept.")
	}
	return nil
}

func checkCost(cost decimal.Decimal) *UsageRefusal {
	if e := cost.Exponent(); e >= -CostPlaces && e <= 0 && cost.NumDigits()+int(e) <= 9 {
		return nil // below a billion, without any arithmetic
	}
	switch {
	case !cost.Equal(cost.Truncate(CostPlaces)):
		return refuseRecord(Invalid, "cost", "A price has at most 8 decimal places.")
	case cost.Abs().GreaterThan(maxCost):
		return refuseRecord(Invalid, "cost", "A price is at most 1,000,000,000.")
	}
	return nil
}

func checkTags(tags []*UsageTagInput) *UsageRefusal {
	if len(tags) > maxTags {
		return refuseRecord(Invalid, "tags", "A record has at most 8 tags.")
	}
	for i, t := range tags {
		if t.Name == "" || !shortText(t.Name, maxTagText) || !shortText(t.Value, maxTagText) {
			return refuseRecord(Invalid, "tags", "Names of tags have 1 to 100 characters, values at most 100.")
		}
		for _, other := range tags[:i] {
			if other.Name == t.Name {
				return refuseRecord(Invalid, "tags", "A record has no two tags with the same name.")
			}
		}
	}
	return nil
}

// shortText reports whether text is at most that many characters of UTF-8, none of them NUL, which PostgreSQL does not keep.
func shortText(text string, most int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && strings.IndexByte(text, 0) < 0
}

// IsCountry reports whether the text has the form of a country's code.
func IsCountry(code string) bool {
	return len(code) == 2 && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z'
}

// CheckCurrency refuses a price in another currency than the account's; none is the account's.
func (in *UsageRecordInput) CheckCurrency(ofAccount string) *UsageRefusal {
	if in.Currency != nil && *in.Currency != ofAccount {
		return refuseRecord(Invalid, "currency", "The account's currency is another one.")
	}
	return nil
}

// UnknownUsageKey refuses a record of a key that there is not.
func UnknownUsageKey() *UsageRefusal { return refuseRecord(NotFound, "key", "There is no such key.") }

// UsageContradicted refuses a record whose reference stands, in the same month, for another one.
func UsageContradicted() *UsageRefusal {
	return refuseRecord(Conflict, "reference", "The reference was used before in this month for a record with other content.")
}

// Refusals of corrections.
func UsageNothingToReplace() *UsageRefusal {
	return refuseRecord(NotFound, "replaces", "There is no record with this reference to correct.")
}

// UsageReplacedAlready refuses the correction of a record that was corrected before: the correction can be corrected.
func UsageReplacedAlready() *UsageRefusal {
	return refuseRecord(InvalidState, "replaces", "The record was corrected before: correct the correction.")
}

// UsageReplacesSeveral refuses a correction when records of several months have the reference.
func UsageReplacesSeveral() *UsageRefusal {
	return refuseRecord(Conflict, "replaces", "Records of several months have this reference.")
}

// CostUnits gives the price as a whole number of 10⁻⁸ units; it was checked.
func (in *UsageRecordInput) CostUnits() int64 {
	if e := in.Cost.Exponent(); e >= -CostPlaces && e <= 0 {
		n := in.Cost.CoefficientInt64()
		for range e + CostPlaces {
			n *= 10
		}
		return n
	}
	return in.Cost.Shift(CostPlaces).IntPart()
}

// TagSet gives the tags by name.
func (in *UsageRecordInput) TagSet() UsageTags {
	if len(in.Tags) == 0 {
		return nil
	}
	set := make(UsageTags, len(in.Tags))
	for _, t := range in.Tags {
		set[t.Name] = t.Value
	}
	return set
}
