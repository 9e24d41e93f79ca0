package limit

import (
	"encoding/binary"
	"strconv"
	"time"

	"grantwood/graph"
)

// appendID writes the global ID of an object of the account as a JSON string.
func appendID(b []byte, k graph.Kind, account graph.UUID, objects ...[]byte) []byte {
	var raw [48]byte
	n := copy(raw[:], account[:])
	for _, o := range objects {
		n += copy(raw[n:], o)
	}
	b = append(b, '"')
	b = append(b, k...)
	b = append(b, '_')
	b = tokenText.AppendEncode(b, raw[:n])
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string.
func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	b = append(b, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default: // what PostgreSQL gives is valid UTF-8
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendNullable writes a JSON string, or null for a column that is null.
func appendNullable(b, text []byte) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return appendText(b, text)
}

// epoch is where PostgreSQL counts microseconds from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// timeOf reads what timestamptz_send gives.
func timeOf(sent []byte) time.Time {
	return time.UnixMicro(epoch + int64(binary.BigEndian.Uint64(sent))).UTC()
}

// appendTime writes a time as a JSON string.
func appendTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

// appendCost writes whole numbers of 10⁻⁸ units as a decimal number in a JSON string, without zeros at its end.
func appendCost[T ~string | ~[]byte](b []byte, units T) []byte {
	b = append(b, '"')
	if len(units) > 0 && units[0] == '-' {
		b, units = append(b, '-'), units[1:]
	}
	whole := len(units) - graph.CostPlaces
	if whole > 0 {
		b = append(b, units[:whole]...)
	} else {
		b = append(b, '0')
	}
	b = append(b, '.')
	for ; whole < 0; whole++ {
		b = append(b, '0')
	}
	b = append(b, units[whole:]...)
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return append(b, '"')
}

func appendUnits(b []byte, units int64) []byte {
	var digits [20]byte
	return appendCost(b, strconv.AppendInt(digits[:0], units, 10))
}

func appendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }
