package graph

import (
	"regexp"

	"github.com/shopspring/decimal"
)

// CostPlaces is how many decimal places a price has: the database keeps whole numbers of 10⁻⁸ units of the currency.
const CostPlaces = 8

// Money is an amount in a currency.
type Money struct {
	Amount   decimal.Decimal
	Currency string
}

// Cost gives a whole number of 10⁻⁸ units of a currency as an amount.
func Cost(units int64) decimal.Decimal { return decimal.New(units, -CostPlaces) }

// maxDecimalText is how long the text of a decimal number may be.
const maxDecimalText = 60

// The exponent is short: a long one lets a short text stand for a number that fills the memory.
var decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?$`)

// ParseDecimal reads a decimal number as JSON writes it. Invalid for what is none.
func ParseDecimal(text string) (decimal.Decimal, error) {
	if len(text) > maxDecimalText || !plainDecimal(text) && !decimalText.MatchString(text) {
		return decimal.Decimal{}, refuse(Invalid, "", "This is no decimal number.")
	}
	return decimal.NewFromString(text)
}

// plainDecimal reports whether a text is of digits, with digits after a point or without: most are, and the expression takes longer.
func plainDecimal(text string) bool {
	point := -1
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.' && point < 0 && i > 0:
			point = i
		case c < '0' || c > '9':
			return false
		}
	}
	return point < len(text)-1
}
