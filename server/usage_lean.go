package server

import (
	"strings"

	"grantwood/graph"
)

// leanRecord reads a line that is written as programs write records: one object, with each field at most once, texts without escapes, and
// whole quantities. It takes a fraction of what encoding/json does. Of every other line, wrong ones included, it says so, and nothing
// else: such a line is for jsonLines.record to read or to refuse, so that the two can never differ in what they refuse. The line is valid
// UTF-8 without white space around it; parts of it live on in the record.
func leanRecord(line string) (in *graph.UsageRecordInput, ok bool) {
	s := leanScanner{rest: line}
	if !s.take('{') {
		return nil, false
	}
	in = newRecord()
	var seen uint
	for {
		name, ok := s.text()
		field := leanField(name)
		if !ok || field == 0 || seen&field != 0 || !s.take(':') || !s.value(in, name) {
			return nil, false
		}
		seen |= field
		if s.take(',') {
			continue
		}
		return in, s.take('}') && s.rest == "" && seen&leanRequired == leanRequired
	}
}

// Fields of a record, a bit for each.
const (
	leanKey uint = 1 << iota
	leanReference
	leanProduct
	leanQuantity
	leanCost
	leanOccurredAt
	leanOther // the first of those that may be missing

	leanRequired = leanOther - 1
)

func leanField(name string) uint {
	switch name {
	case "key":
		return leanKey
	case "reference":
		return leanReference
	case "product":
		return leanProduct
	case "quantity":
		return leanQuantity
	case "cost":
		return leanCost
	case "occurredAt":
		return leanOccurredAt
	case "direction":
		return leanOther
	case "country":
		return leanOther << 1
	case "status":
		return leanOther << 2
	case "currency":
		return leanOther << 3
	case "replaces":
		return leanOther << 4
	case "tags":
		return leanOther << 5
	}
	return 0
}

// leanScanner goes through a line.
type leanScanner struct{ rest string }

// take skips white space of JSON and takes the character, if it comes next.
func (s *leanScanner) take(c byte) bool {
	for i := range len(s.rest) {
		switch s.rest[i] {
		case c:
			s.rest = s.rest[i+1:]
			return true
		case ' ', '\t', '\r', '\n':
		default:
			return false
		}
	}
	return false
}

// text takes a text without escapes.
func (s *leanScanner) text() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	end := strings.IndexByte(s.rest, '"')
	if end < 0 {
		return "", false
	}
	text := s.rest[:end]
	for i := range len(text) {
		if text[i] < ' ' || text[i] == '\\' {
			return "", false
		}
	}
	s.rest = s.rest[end+1:]
	return text, true
}

// number takes a number that JSON permits, as far as graph.ParseDecimal or strconv.ParseInt leave a doubt: one with digits before anything
// else, and no zero before them.
func (s *leanScanner) number() (string, bool) {
	text := strings.TrimLeft(s.rest, " \t\r\n")
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || strings.IndexByte("-+.eE", text[end]) >= 0) {
		end++
	}
	s.rest = text[end:]
	text = text[:end]
	digits := strings.TrimPrefix(text, "-")
	return text, digits != "" && digits[0] != '+' && (digits[0] != '0' || len(digits) == 1 || strings.IndexByte(".eE", digits[1]) >= 0)
}

// value takes what belongs to a field.
func (s *leanScanner) value(in *graph.UsageRecordInput, name string) bool {
	if name == "tags" {
		return s.tags(in)
	}
	take := s.text
	if name == "quantity" || name == "cost" && !s.quoted() {
		take = s.number
	}
	text, ok := take()
	return ok && setField(in, name, text) == nil
}

func (s *leanScanner) quoted() bool {
	return strings.HasPrefix(strings.TrimLeft(s.rest, " \t\r\n"), `"`)
}

// tags takes an object of names, each of them once, and texts.
func (s *leanScanner) tags(in *graph.UsageRecordInput) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.text()
		if !ok || !s.take(':') {
			return false
		}
		value, ok := s.text()
		if !ok {
			return false
		}
		for _, t := range in.Tags {
			if t.Name == name {
				return false
			}
		}
		in.Tags = append(in.Tags, &graph.UsageTagInput{Name: name, Value: value})
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}
