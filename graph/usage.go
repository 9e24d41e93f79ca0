package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"regexp"
	"time"
)

// Product is something that is billed when it is used. The provider defines its own.
type Product struct {
	Code      string
	Name      string
	CreatedAt time.Time
}

// DefineProductInput is a product's code and name.
type DefineProductInput struct{ Code, Name string }

var productCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// Check reports Invalid for a code that is not of capitals, digits and underscores.
func (in DefineProductInput) Check() error {
	if !productCode.MatchString(in.Code) {
		return refuse(Invalid, "input.code", "A code has capitals, digits and underscores, and begins with a letter.")
	}
	return nil
}

// UsageDirection is the direction of traffic.
type UsageDirection string

// The directions.
const (
	Outbound UsageDirection = "OUTBOUND"
	Inbound  UsageDirection = "INBOUND"
)

// UsageStatus is the outcome of one use.
type UsageStatus string

// The outcomes.
const (
	UsageSucceeded UsageStatus = "SUCCEEDED"
	UsageFailed    UsageStatus = "FAILED"
)

// UnknownCountry is the country of records that came without one.
const UnknownCountry = "ZZ"

// UsageTag is a label of a record, by which the provider's customers tell uses apart.
type UsageTag struct{ Name, Value string }

// UsageRecord is one billed use of a key.
type UsageRecord struct {
	AccountID  UUID
	RecordID   UUID
	KeyID      UUID
	Product    string // code
	Direction  *UsageDirection
	Country    string
	Quantity   int64
	CostUnits  int64  // in 10⁻⁸ units of the currency
	Currency   string // of the account
	Succeeded  bool
	OccurredAt time.Time
	RecordedAt time.Time
	Reference  string
	Tags       UsageTagText
	Replaces   *string // reference of the record that this one corrects
	Nested     Nested
}

// IsNode marks what has a global ID.
func (*UsageRecord) IsNode() {}

// ID gives the global ID.
func (r *UsageRecord) ID() ID { return ID{Kind: KindUsage, Account: r.AccountID, Object: r.RecordID} }

// Cost gives the price.
func (r *UsageRecord) Cost() *Money { return &Money{Cost(r.CostUnits), r.Currency} }

// Status gives the outcome.
func (r *UsageRecord) Status() UsageStatus {
	if r.Succeeded {
		return UsageSucceeded
	}
	return UsageFailed
}

// VisibleTo reports whether v sees the key and holds VIEW_USAGE; operators need SUPPORT.
func (r *UsageRecord) VisibleTo(v *Viewer) bool {
	return r != nil && v.SeesUsage() && v.SeesKey(r.AccountID, r.KeyID)
}

// SeesUsage reports whether usage of visible keys is visible.
func (v *Viewer) SeesUsage() bool { return v.May(ViewUsage) || v.HasScope(ScopeSupport) }

// UsageRecordID makes the identifier of a record from what it is known by, so that the same record sent again has the same. It is
// a version 7 UUID (RFC 9562) whose time is when the record happened; its other bits are the first of the SHA-256 over the
// account, the exact time in microseconds and the reference.
func UsageRecordID(account UUID, occurredAt time.Time, reference string) UUID {
	micros := occurredAt.UnixMicro()
	var room [16 + 8 + maxReference]byte // enough for nearly all of them
	text := append(room[:0], account[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(micros))
	text = append(text, reference...)
	sum := sha256.Sum256(text)
	var id UUID
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(micros/1000))
	copy(id[:6], millis[2:])
	copy(id[6:], sum[:10])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// UsageMillis gives the time, in whole milliseconds, of a record by its identifier.
func UsageMillis(id UUID) time.Time {
	var millis [8]byte
	copy(millis[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(millis[:]))).UTC()
}

// UsageFilter restricts usage; all parts must match.
type UsageFilter struct {
	From      *time.Time
	To        *time.Time
	KeyIds    []ID
	UnitID    *ID
	Products  []string
	Countries []string
	Status    *UsageStatus
	Direction *UsageDirection
	Tag       *UsageTagFilter
}

// UsageTagFilter asks for records with a tag; with any value when Value is nil.
type UsageTagFilter struct {
	Name  string
	Value *string
}

// defaultUsagePeriod is how far a page of usage reaches back when nothing is said.
const defaultUsagePeriod = 24 * time.Hour

// Since gives the beginning of the period: 24 hours before its end, or before now, when nothing is said.
func (f UsageFilter) Since(now time.Time) time.Time {
	switch {
	case f.From != nil:
		return *f.From
	case f.To != nil:
		return f.To.Add(-defaultUsagePeriod)
	}
	return now.Add(-defaultUsagePeriod)
}
