// Package selfwriting is what generated types need to write themselves: code that turns a selection and a value into bytes, where
// gqlgen would make a context, closures and often a goroutine for each field and element. Its plugin generates that code.
//
// A Plan says what a selection set asks of one type; it is made once for each operation. A Writer walks values along plans and
// appends to one slice of bytes. It writes what is plain: fields of structs and methods without a context. Everything else is executed
// in the ordinary way, field by field, in its place: fields with resolvers, and every field whose value is not as it should be (nil
// where the schema says non-null, an error of a directive), so that errors, their paths and the bubbling of nulls are those of
// gqlgen. What is executed twice for that is only what has no effects: directives and plain values.
package selfwriting

import (
	"context"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// Result is what became of a field.
type Result int

const (
	// Written means that the field's value stands in the Writer.
	Written Result = iota
	// Irregular means that nothing was done; ordinary execution has to answer.
	Irregular
	// Invalid means that the field is null because of an error, which was reported.
	Invalid
)

// Writer appends an object and all below it. It is used by one goroutine.
type Writer struct {
	B    []byte
	ctx  context.Context // of the object that writing began with
	path []step
}

// step is one on the way to the value that is being written: a field, or an index when there is none.
type step struct {
	object string
	field  *graphql.CollectedField
	index  int
}

var writers = sync.Pool{New: func() any { return &Writer{B: make([]byte, 0, 16<<10)} }}

// largestKept is the size of the buffers that are used again.
const largestKept = 1 << 20

// Begin gives a Writer for an object that is executed with ctx.
func Begin(ctx context.Context) *Writer {
	w := writers.Get().(*Writer)
	w.ctx, w.B, w.path = ctx, w.B[:0], w.path[:0]
	return w
}

// End gives what was written, or null, and ends the use of the Writer.
func (w *Writer) End(ok bool) graphql.Marshaler {
	if !ok {
		w.release()
		return graphql.Null
	}
	return (*written)(w)
}

func (w *Writer) release() {
	if w.ctx = nil; cap(w.B) <= largestKept {
		writers.Put(w)
	}
}

// written is a Writer whose bytes have not been taken yet.
type written Writer

// MarshalGQL copies the bytes. It is called once, as gqlgen does; the Writer is used again afterwards.
func (w *written) MarshalGQL(to io.Writer) {
	_, _ = to.Write(w.B) // a buffer in memory takes everything
	(*Writer)(w).release()
}

// Enter goes into a field of an object, Leave out of it, or of an element.
func (w *Writer) Enter(object string, f *Field) {
	w.path = append(w.path, step{object: object, field: &f.Collected})
}

// Element goes into an element of a list.
func (w *Writer) Element(i int) { w.path = append(w.path, step{index: i}) }

// Leave goes back by one step.
func (w *Writer) Leave() { w.path = w.path[:len(w.path)-1] }

// Depth and Back remember a place on the way and go back to it.
func (w *Writer) Depth() int { return len(w.path) }

// Back goes back to where Depth was asked.
func (w *Writer) Back(depth int) { w.path = w.path[:depth] }

// Context makes the context that gqlgen would execute a field of the present object with: one that knows the path.
func (w *Writer) Context() context.Context {
	ctx := w.ctx
	for i := range w.path {
		s := &w.path[i]
		fc := &graphql.FieldContext{Object: s.object}
		if s.field == nil {
			fc.Index = &s.index
		} else {
			fc.Field = *s.field
		}
		ctx = graphql.WithFieldContext(ctx, fc)
	}
	return ctx
}

// Executed appends what a field was executed to. It is Invalid when the field makes its object null.
func (w *Writer) Executed(m graphql.Marshaler, nonNull bool) Result {
	if m == graphql.RequiredNull || nonNull && m == graphql.Null {
		return Invalid
	}
	m.MarshalGQL((*appending)(w))
	return Written
}

// appending is a Writer as an io.Writer.
type appending Writer

// Write appends.
func (w *appending) Write(p []byte) (int, error) {
	w.B = append(w.B, p...)
	return len(p), nil
}

// WriteString appends.
func (w *appending) WriteString(s string) (int, error) {
	w.B = append(w.B, s...)
	return len(s), nil
}

// Marshal appends what a scalar writes.
func (w *Writer) Marshal(m graphql.Marshaler) { m.MarshalGQL((*appending)(w)) }

// Null appends null.
func (w *Writer) Null() { w.B = append(w.B, "null"...) }

// Bool appends true or false.
func (w *Writer) Bool(b bool) { w.B = strconv.AppendBool(w.B, b) }

// Int appends a whole number.
func (w *Writer) Int(n int64) { w.B = strconv.AppendInt(w.B, n, 10) }

// String appends a string as gqlgen writes it.
func (w *Writer) String(s string) { w.B = AppendString(w.B, s) }

// AppendString appends a string as JSON, with the escapes that graphql.MarshalString uses.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '\\' || c == '"' || c >= utf8.RuneSelf && !utf8.ValidString(s) {
			w := Writer{B: b}
			w.Marshal(graphql.MarshalString(s))
			return w.B
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
