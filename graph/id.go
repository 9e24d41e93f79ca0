package graph

import (
	"database/sql/driver"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// UUID is the internal identifier of a row: 16 bytes, a version 7 UUID (RFC 9562), so that ids sort by creation.
// The zero UUID stands for "none" and matches no row.
type UUID [16]byte

// IsZero reports whether u is the zero UUID.
func (u UUID) IsZero() bool { return u == UUID{} }

// String gives u in the usual form of 36 characters.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], u[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], u[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], u[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], u[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], u[10:16])
	return string(b[:])
}

// Value lets a UUID be a parameter of a statement.
func (u UUID) Value() (driver.Value, error) { return u.String(), nil }

// Scan reads a column of type uuid.
func (u *UUID) Scan(src any) error {
	text, ok := src.([]byte)
	if !ok {
		s, isString := src.(string)
		if !isString {
			return fmt.Errorf("scan uuid: unexpected %T", src)
		}
		text = []byte(s)
	}
	if len(text) != 36 {
		return fmt.Errorf("scan uuid: %d characters", len(text))
	}
	var digits [32]byte
	n := copy(digits[:], text[0:8])
	n += copy(digits[n:], text[9:13])
	n += copy(digits[n:], text[14:18])
	n += copy(digits[n:], text[19:23])
	copy(digits[n:], text[24:36])
	if _, err := hex.Decode(u[:], digits[:]); err != nil {
		return fmt.Errorf("scan uuid: %w", err)
	}
	return nil
}

// Kind is the type of object that an ID names, and the prefix of its text.
type Kind string

// The kinds of objects that have IDs.
const (
	KindAccount     Kind = "acc"
	KindUser        Kind = "usr"
	KindKey         Kind = "key"
	KindGrant       Kind = "grt"
	KindInvitation  Kind = "inv"
	KindAuditEvent  Kind = "evt"
	KindKeyRequest  Kind = "req"
	KindAccessToken Kind = "tok"
	KindSession     Kind = "ses"
	KindUnit        Kind = "unt"
	KindUnitGrant   Kind = "ugr"
	KindUsage       Kind = "use"

	KindUsageThreshold Kind = "thr"
	KindLiveEvent      Kind = "liv"
)

// parts gives how many UUIDs an ID of kind k holds: the account, then the object, for a grant user and key or unit. Zero
// when there is no such kind.
func (k Kind) parts() int {
	switch k {
	case KindAccount:
		return 1
	case KindUser, KindKey, KindInvitation, KindAuditEvent, KindKeyRequest, KindAccessToken, KindSession, KindUnit, KindUsage, KindUsageThreshold:
		return 2
	case KindGrant, KindUnitGrant, KindLiveEvent:
		return 3
	}
	return 0
}

// ID is the opaque global ID of an object. It carries the account, so that whoever may read several accounts
// needs no search to find an object, and every statement can name its account. The zero ID names nothing.
type ID struct {
	Kind    Kind
	Account UUID
	Object  UUID // the object itself; for a grant the user; zero for an account
	Second  UUID // for a grant the key or unit; for a live event see LiveEventID
}

// idText is lower-case base32hex without padding: safe in addresses, marked by a double click, sorting as the bytes do.
var idText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// maxIDText is the length of the longest ID: prefix, underscore, three UUIDs.
const maxIDText = 3 + 1 + 77

// ParseID reads an ID from its text. Whatever is not the exact text of an ID gives the zero ID, so that malformed
// IDs end where missing objects do.
func ParseID(text string) ID {
	prefix, body, ok := strings.Cut(text, "_")
	kind := Kind(prefix)
	parts := kind.parts()
	if !ok || parts == 0 || len(body) != idText.EncodedLen(parts*16) {
		return ID{}
	}
	var raw [48]byte
	if _, err := idText.Decode(raw[:], []byte(body)); err != nil {
		return ID{}
	}
	id := ID{Kind: kind, Account: UUID(raw[0:16]), Object: UUID(raw[16:32]), Second: UUID(raw[32:48])}
	if id.String() != text { // unused bits of the last character were set
		return ID{}
	}
	return id
}

// In gives the object that id names when it is of kind k and of the account, otherwise the zero UUID.
func (id ID) In(account UUID, k Kind) UUID {
	if id.Kind != k || id.Account != account || account.IsZero() {
		return UUID{}
	}
	return id.Object
}

// String gives the text of id.
func (id ID) String() string {
	var b [maxIDText]byte
	return string(id.appendText(b[:0]))
}

func (id ID) appendText(b []byte) []byte {
	var raw [48]byte
	copy(raw[0:], id.Account[:])
	copy(raw[16:], id.Object[:])
	copy(raw[32:], id.Second[:])
	b = append(b, id.Kind...)
	b = append(b, '_')
	return idText.AppendEncode(b, raw[:id.Kind.parts()*16])
}

// MarshalGQL writes id as a JSON string.
func (id ID) MarshalGQL(w io.Writer) {
	var b [maxIDText + 2]byte
	_, _ = w.Write(id.AppendGQL(b[:0]))
}

// AppendGQL appends what MarshalGQL writes.
func (id ID) AppendGQL(b []byte) []byte { return append(id.appendText(append(b, '"')), '"') }

// UnmarshalGQL reads an ID. A string that is not an ID gives the zero ID, and so does a whole number, which GraphQL lets stand for one.
func (id *ID) UnmarshalGQL(v any) error {
	text, _ := v.(string)
	*id = ParseID(text)
	return nil
}

// Node is an object that has a global ID.
type Node interface{ IsNode() }
