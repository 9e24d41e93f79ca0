package graph

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPlainDecimal: what is plain is what the expression takes too.
func TestPlainDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"0": true, "007.50": true, "12.0125": true, "": false, ".": false, "1.": false, ".5": false, "1.2.3": false, "-1": false, "1e3": false, "1 ": false, "1..2": false} {
		if plainDecimal(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("0019.-e+ ٣")), 0, 8, -1).Draw(r, "text")
		if plainDecimal(text) && !decimalText.MatchString(text) {
			r.Fatalf("%q is no decimal number", text)
		}
	})
}
