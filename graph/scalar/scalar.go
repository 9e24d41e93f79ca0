// Package scalar reads and writes the scalars of the schema. It is a room of its own because generated code imports it,
// and neither the domain (which knows nothing of GraphQL) nor resolvers (which import the generated code) can hold it.
// Every failure is BAD_USER_INPUT: the built-in scalars of the library report theirs like faults of a resolver.
package scalar

import (
	"encoding/json"
	"io"
	"math"
	"net/url"
	"strconv"
	"time"

	"grantwood/graph"
	"grantwood/selfwriting"

	"github.com/99designs/gqlgen/graphql"
	"github.com/shopspring/decimal"
	"golang.org/x/text/currency"
)

func bad(sentence string) error { return &graph.Error{Code: graph.BadUserInput, Message: sentence} }

// MarshalDateTime writes an instant in UTC.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var b [40]byte
		_, _ = w.Write(AppendDateTime(b[:0], t))
	})
}

// AppendDateTime appends what MarshalDateTime writes.
func AppendDateTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// UnmarshalDateTime reads an instant in RFC 3339 form, cut to microseconds, which is what the database keeps.
func UnmarshalDateTime(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, bad("A DateTime is a string in RFC 3339 form.")
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, bad("A DateTime has RFC 3339 form with a zone, such as 2016-06-29T09:00:00Z.")
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// MarshalCurrencyCode writes a currency.
func MarshalCurrencyCode(code string) graphql.Marshaler { return graphql.MarshalString(code) }

// AppendCurrencyCode appends what MarshalCurrencyCode writes.
func AppendCurrencyCode(b []byte, code string) []byte { return selfwriting.AppendString(b, code) }

// UnmarshalCurrencyCode reads a currency of ISO 4217.
func UnmarshalCurrencyCode(v any) (string, error) {
	text, _ := v.(string)
	if unit, err := currency.ParseISO(text); err != nil || unit.String() != text {
		return "", bad("A CurrencyCode is a three-letter code of ISO 4217 in capitals, such as EUR.")
	}
	return text, nil
}

// MarshalInt64 writes a whole number.
func MarshalInt64(n int64) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		var b [20]byte
		_, _ = w.Write(strconv.AppendInt(b[:0], n, 10))
	})
}

// AppendInt64 appends what MarshalInt64 writes.
func AppendInt64(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// UnmarshalInt64 reads a whole number of 64 bits; text and fractions are refused.
func UnmarshalInt64(v any) (int64, error) {
	n, err := wholeNumber(v)
	if err != nil {
		return 0, bad("An Int64 is a whole number of 64 bits.")
	}
	return n, nil
}

// MarshalDecimal writes a decimal number as text.
func MarshalDecimal(d decimal.Decimal) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, `"`+d.String()+`"`) })
}

// AppendDecimal appends what MarshalDecimal writes.
func AppendDecimal(b []byte, d decimal.Decimal) []byte {
	return append(append(append(b, '"'), d.String()...), '"')
}

// UnmarshalDecimal reads a decimal number from text, or from a number as it is written.
func UnmarshalDecimal(v any) (decimal.Decimal, error) {
	text := ""
	switch x := v.(type) {
	case string:
		text = x
	case json.Number:
		text = x.String()
	case int64:
		text = strconv.FormatInt(x, 10)
	}
	d, err := graph.ParseDecimal(text)
	if err != nil {
		return d, bad("A Decimal is a decimal number as text, such as \"0.0125\".")
	}
	return d, nil
}

// MarshalCountryCode writes a country.
func MarshalCountryCode(code string) graphql.Marshaler { return graphql.MarshalString(code) }

// AppendCountryCode appends what MarshalCountryCode writes.
func AppendCountryCode(b []byte, code string) []byte { return selfwriting.AppendString(b, code) }

// UnmarshalCountryCode reads the code of a country.
func UnmarshalCountryCode(v any) (string, error) {
	text, _ := v.(string)
	if !graph.IsCountry(text) {
		return "", bad("A CountryCode is a two-letter code of ISO 3166 in capitals, such as DE.")
	}
	return text, nil
}

// MarshalURL writes an address.
func MarshalURL(address string) graphql.Marshaler { return graphql.MarshalString(address) }

// UnmarshalURL reads an absolute http or https address.
func UnmarshalURL(v any) (string, error) {
	text, _ := v.(string)
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", bad("A URL is an absolute http or https address.")
	}
	return text, nil
}

// MarshalInt writes a whole number.
func MarshalInt(n int) graphql.Marshaler { return graphql.MarshalInt(n) }

// AppendInt appends what MarshalInt writes.
func AppendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// UnmarshalInt reads a whole number of 32 bits; text and fractions are refused.
func UnmarshalInt(v any) (int, error) {
	n, err := wholeNumber(v)
	if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, bad("An Int is a whole number of 32 bits.")
	}
	return int(n), nil
}

func wholeNumber(v any) (int64, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), nil
		}
	case json.Number:
		return strconv.ParseInt(n.String(), 10, 64)
	}
	return 0, strconv.ErrSyntax
}

// MarshalString writes text.
func MarshalString(text string) graphql.Marshaler { return graphql.MarshalString(text) }

// AppendString appends what MarshalString writes.
func AppendString(b []byte, text string) []byte { return selfwriting.AppendString(b, text) }

// UnmarshalString reads text; numbers and booleans are not taken for text. PostgreSQL keeps no NUL.
func UnmarshalString(v any) (string, error) {
	text, ok := v.(string)
	if !ok {
		return "", bad("A String is text.")
	}
	for i := range len(text) {
		if text[i] == 0 {
			return "", bad("A String has no NUL character.")
		}
	}
	return text, nil
}

// MarshalBoolean writes a truth value.
func MarshalBoolean(b bool) graphql.Marshaler { return graphql.MarshalBoolean(b) }

// AppendBoolean appends what MarshalBoolean writes.
func AppendBoolean(b []byte, yes bool) []byte { return strconv.AppendBool(b, yes) }

// UnmarshalBoolean reads a truth value; text and numbers are refused.
func UnmarshalBoolean(v any) (bool, error) {
	b, ok := v.(bool)
	if !ok {
		return false, bad("A Boolean is true or false.")
	}
	return b, nil
}
