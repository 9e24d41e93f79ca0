package selfwriting

import (
	"bytes"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"pgregory.net/rapid"
)

// TestAppendString compares with the library's way of writing strings, for any text and for bytes that are none.
func TestAppendString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching("[a-z\"\\\\\x00-\x1f<>&é]*"),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		var want bytes.Buffer
		graphql.MarshalString(text).MarshalGQL(&want)
		if got := AppendString(nil, text); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q is written as %q, not %q", text, got, want.Bytes())
		}
	})
}

// TestExecuted: a field that is null because of an error makes its object null when it may not be null itself.
func TestExecuted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value   graphql.Marshaler
		nonNull bool
		want    Result
	}{{graphql.Null, true, Invalid}, {graphql.Null, false, Written}, {graphql.RequiredNull, false, Invalid}, {graphql.True, true, Written}} {
		w := Begin(t.Context())
		if got := w.Executed(c.value, c.nonNull); got != c.want {
			t.Errorf("%v, %v: %v, want %v", c.value, c.nonNull, got, c.want)
		}
		w.End(false)
	}
}
