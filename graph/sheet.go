package graph

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// A sheet is the grants of an account as a table for spreadsheets: a line for each additional user, a column for each key. The
// first line names the columns: email, name, public keys; the second one the keys, for people. Lines without an address say
// nothing.

// SheetUser are the grants of one user for the keys of a sheet, by the number of the key.
type SheetUser struct {
	User      *User
	Set       SheetLine // what is set; cellInherit where nothing is
	Inherited Bits      // what units and the default enable
}

// cellState is what a cell says.
type cellState byte

const (
	cellKeep cellState = iota // leave it as it is
	cellInherit
	cellEnabled
	cellDisabled
)

// SheetLine is what a line says about each key, compact enough for a million cells.
type SheetLine struct {
	states []cellState
	ends   map[int]time.Time
}

// NewSheetLine makes a line for n keys that says nothing is set.
func NewSheetLine(n int) SheetLine {
	l := SheetLine{states: make([]cellState, n)}
	for i := range l.states {
		l.states[i] = cellInherit
	}
	return l
}

// Put sets what the line says about a key.
func (l *SheetLine) Put(key int, r Rule) {
	l.put(key, map[bool]cellState{true: cellEnabled, false: cellDisabled}[r.Enabled], r.ExpiresAt)
}

// End gives what the line enables an end; nothing else ends.
func (l *SheetLine) End(key int, at time.Time) {
	if l.states[key] == cellEnabled {
		l.put(key, cellEnabled, &at)
	}
}

func (l *SheetLine) put(key int, s cellState, end *time.Time) {
	l.states[key] = s
	if end == nil {
		return
	}
	if l.ends == nil {
		l.ends = map[int]time.Time{}
	}
	l.ends[key] = *end
}

// The rules without an end, which all cells share.
var on, off = &Rule{Enabled: true}, &Rule{}

// rule gives what the line sets for a key; nil for nothing.
func (l *SheetLine) rule(key int) *Rule {
	end, ends := l.ends[key]
	switch {
	case ends:
		return &Rule{Enabled: true, ExpiresAt: &end}
	case l.states[key] == cellEnabled:
		return on
	case l.states[key] == cellDisabled:
		return off
	}
	return nil
}

// cellText writes what is set for a pair, or in parentheses what is inherited.
func cellText(r *Rule, inherited bool) string {
	switch {
	case r == nil && inherited:
		return "(enabled)"
	case r == nil:
		return "(disabled)"
	case !r.Enabled:
		return "disabled"
	case r.ExpiresAt != nil:
		return untilPrefix + r.ExpiresAt.UTC().Format(time.RFC3339Nano)
	}
	return "enabled"
}

const untilPrefix = "enabled until "

// parseCell reads a cell; false when it says nothing that is known.
func parseCell(text string) (cellState, *time.Time, bool) {
	text = strings.TrimSpace(text)
	if len(text) > len(untilPrefix) && strings.EqualFold(text[:len(untilPrefix)], untilPrefix) {
		end, err := time.Parse(time.RFC3339Nano, strings.ToUpper(strings.TrimSpace(text[len(untilPrefix):])))
		end = end.Truncate(time.Microsecond)
		return cellEnabled, &end, err == nil
	}
	switch strings.ToLower(text) {
	case "":
		return cellKeep, nil, true
	case "(enabled)", "(disabled)", "inherit":
		return cellInherit, nil, true
	case "enabled":
		return cellEnabled, nil, true
	case "disabled":
		return cellDisabled, nil, true
	}
	return cellKeep, nil, false
}

// FormulaMarks are the characters with which a text begins that spreadsheets take for a formula (OWASP, CSV injection), also in the
// wide characters of East Asia, and the apostrophe that is put before such a text.
const FormulaMarks = "=+-@\t\r\n＝＋－＠'"

// PlainCell marks text that begins with one of FormulaMarks with an apostrophe, which can be taken off again.
func PlainCell(text string) string {
	if first, _ := utf8.DecodeRuneInString(text); text != "" && strings.ContainsRune(FormulaMarks, first) {
		return "'" + text
	}
	return text
}

// unmarked takes the apostrophe away again.
func unmarked(text string) string { return strings.TrimPrefix(strings.TrimSpace(text), "'") }

// WriteSheet writes a sheet of the keys and users.
func WriteSheet(w io.Writer, keys []*ApiKey, users []SheetUser) error {
	out := csv.NewWriter(w)
	head, names := []string{"email", "name"}, []string{"", ""}
	for _, k := range keys {
		head, names = append(head, PlainCell(k.Key)), append(names, PlainCell(k.Name))
	}
	if err := errors.Join(out.Write(head), out.Write(names)); err != nil {
		return err
	}
	line := make([]string, len(head))
	for _, u := range users {
		line[0], line[1] = PlainCell(u.User.Email), PlainCell(u.User.DisplayName)
		for k := range keys {
			line[2+k] = cellText(u.Set.rule(k), u.Inherited.Has(k))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
