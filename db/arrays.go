package db

import (
	"database/sql/driver"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"grantwood/graph"
)

// array is a parameter for an array of PostgreSQL in its binary form, which costs both sides a fraction of the text: for batches
// of thousands of rows that a statement unnests. See array_recv in PostgreSQL's arrayfuncs.c for the form.
type array struct {
	raw   []byte
	count int
}

// Identifiers of types, fixed in PostgreSQL's pg_type.dat.
const (
	oidBool        = 16
	oidInt8        = 20
	oidText        = 25
	oidTimestamptz = 1184
	oidUUID        = 2950
	oidJSONB       = 3802
)

// arrayHeader is dimensions, whether there are nulls, type, length and lower bound.
const arrayHeader = 5 * 4

// newArray makes an empty array for about so many elements of about so many bytes each.
func newArray(oid uint32, elements, bytes int) *array {
	a := &array{raw: make([]byte, arrayHeader, arrayHeader+elements*(4+bytes))}
	a.begin(oid)
	return a
}

// begin writes the header, but for the number of elements.
func (a *array) begin(oid uint32) {
	binary.BigEndian.PutUint32(a.raw[0:], 1)
	binary.BigEndian.PutUint32(a.raw[4:], 1) // there may be nulls
	binary.BigEndian.PutUint32(a.raw[8:], oid)
	binary.BigEndian.PutUint32(a.raw[16:], 1)
}

// arrays are parameters of a statement whose memory serves another one after it.
type arrays []*array

var arrayRoom = sync.Pool{New: func() any { return new(array) }}

// new is newArray in memory of earlier statements.
func (s *arrays) new(oid uint32, elements, bytes int) *array {
	a, _ := arrayRoom.Get().(*array)
	*s = append(*s, a)
	raw := slices.Grow(a.raw[:0], arrayHeader+elements*(4+bytes))[:arrayHeader]
	clear(raw)
	*a = array{raw: raw}
	a.begin(oid)
	return a
}

// mostRoom is how many bytes of an array are kept for the next statement: enough for a whole batch of usage.
const mostRoom = 1 << 20

// free gives the memory back. The statement has been sent, and the arrays are not used any more.
func (s *arrays) free() {
	for _, a := range *s {
		if cap(a.raw) <= mostRoom {
			arrayRoom.Put(a)
		}
	}
	*s = nil
}

// Value gives the parameter: bytes go to PostgreSQL as they are.
func (a *array) Value() (driver.Value, error) {
	binary.BigEndian.PutUint32(a.raw[12:], uint32(a.count))
	return a.raw, nil
}

func (a *array) size(n int) {
	a.count++
	a.raw = binary.BigEndian.AppendUint32(a.raw, uint32(n))
}

func (a *array) null() {
	a.count++
	a.raw = binary.BigEndian.AppendUint32(a.raw, 0xffffffff)
}

func (a *array) uuid(id graph.UUID) {
	a.size(len(id))
	a.raw = append(a.raw, id[:]...)
}

// uuidOrNull writes null for the zero UUID.
func (a *array) uuidOrNull(id graph.UUID) {
	if id.IsZero() {
		a.null()
		return
	}
	a.uuid(id)
}

func (a *array) text(s string) {
	a.size(len(s))
	a.raw = append(a.raw, s...)
}

// digits writes a sum as text.
func (a *array) digits(s *costSum) {
	a.size(0)
	start := len(a.raw)
	a.raw = s.appendTo(a.raw)
	binary.BigEndian.PutUint32(a.raw[start-4:], uint32(len(a.raw)-start))
}

func (a *array) int8(n int64) {
	a.size(8)
	a.raw = binary.BigEndian.AppendUint64(a.raw, uint64(n))
}

func (a *array) bool(b bool) {
	a.size(1)
	if b {
		a.raw = append(a.raw, 1)
		return
	}
	a.raw = append(a.raw, 0)
}

// epoch is where PostgreSQL's time begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (a *array) timestamp(t time.Time) {
	a.int8(t.UnixMicro() - epoch.UnixMicro())
}

// jsonb writes a JSON text, after the version of its form.
func (a *array) jsonb(text string) {
	a.size(1 + len(text))
	a.raw = append(append(a.raw, 1), text...)
}

// orNull writes a value that may be absent.
func orNull[T ~string](a *array, s *T) {
	if s == nil {
		a.null()
		return
	}
	a.text(string(*s))
}
