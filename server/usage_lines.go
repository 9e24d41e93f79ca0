package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"grantwood/graph"
	"grantwood/graph/scalar"
)

// lineReader gives the records of an upload with the numbers of their lines, from 1. A line that is no record is refused, and the
// next one follows; io.EOF comes last, or an error after which nothing can be read.
type lineReader interface {
	next() (in *graph.UsageRecordInput, number int, why *graph.UsageRefusal, err error)
}

// maxLine is how long a line may be.
const maxLine = 64 << 10

// brokenBody is what cannot be read any further.
type brokenBody struct {
	sentence string
	cause    error
}

// Error says what is wrong.
func (b *brokenBody) Error() string { return b.sentence }

// Unwrap gives the cause.
func (b *brokenBody) Unwrap() error { return b.cause }

// broken tells errors of the body from its end.
func broken(err error) error {
	var already *brokenBody
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.As(err, &already):
		return err
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return &brokenBody{"The compressed body is damaged, or ended early.", err}
	}
	return &brokenBody{"The body cannot be read.", err}
}

func refusal(field, sentence string) *graph.UsageRefusal {
	return &graph.UsageRefusal{Code: graph.Invalid, Field: field, Message: sentence}
}

func sortLines(lines []refusedLine) {
	slices.SortStableFunc(lines, func(a, b refusedLine) int { return a.Line - b.Line })
}

// newRecord is a record before its fields are read.
func newRecord() *graph.UsageRecordInput {
	return &graph.UsageRecordInput{Country: graph.UnknownCountry, Status: graph.UsageSucceeded}
}

// required are the fields that every record has.
var required = []string{"key", "reference", "product", "quantity", "cost", "occurredAt"}

// setField reads the text of a field, and refuses one that a record does not have.
func setField(in *graph.UsageRecordInput, name, text string) *graph.UsageRefusal {
	var err error
	switch name {
	case "key":
		in.Key = text
	case "reference":
		in.Reference = text
	case "product":
		in.Product = text
	case "direction":
		in.Direction = directionOf(text)
	case "country":
		in.Country = text
	case "quantity":
		if in.Quantity, err = strconv.ParseInt(text, 10, 64); err != nil {
			return refusal(name, "A quantity is a whole number of 64 bits.")
		}
	case "cost":
		if in.Cost, err = graph.ParseDecimal(text); err != nil {
			return refusal(name, "A price is a decimal number such as 0.0125.")
		}
	case "currency":
		in.Currency = new(text)
	case "status":
		in.Status = graph.UsageStatus(text)
	case "occurredAt":
		if in.OccurredAt, err = scalar.UnmarshalDateTime(text); err != nil {
			return refusal(name, "A time has RFC 3339 form with a zone, such as 2016-06-29T09:00:00Z.")
		}
	case "replaces":
		in.Replaces = new(text)
	default:
		return refusal(name, "A record has no such field.")
	}
	return nil
}

var outbound, inbound = graph.Outbound, graph.Inbound

// directionOf gives a direction; nearly all records share one of two.
func directionOf(text string) *graph.UsageDirection {
	switch graph.UsageDirection(text) {
	case outbound:
		return &outbound
	case inbound:
		return &inbound
	}
	return new(graph.UsageDirection(text))
}

// jsonLines reads a JSON object on each line.
type jsonLines struct {
	in     *bufio.Reader
	number int
	fields map[string]json.RawMessage
}

func newJSONLines(body io.Reader) *jsonLines {
	return &jsonLines{in: bufio.NewReaderSize(body, maxLine), fields: map[string]json.RawMessage{}}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func (l *jsonLines) next() (*graph.UsageRecordInput, int, *graph.UsageRefusal, error) {
	for {
		line, err := l.in.ReadSlice('\n')
		l.number++
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = l.in.ReadSlice('\n')
			}
			return nil, l.number, refusal("", "A line has at most 65,536 bytes."), broken(err)
		}
		if l.number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, l.number, nil, broken(err) // of a broken line nothing is taken
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			in, why := l.record(line)
			return in, l.number, why, err
		}
		if err != nil {
			return nil, l.number, nil, err
		}
	}
}

func (l *jsonLines) record(line []byte) (*graph.UsageRecordInput, *graph.UsageRefusal) {
	if !utf8.Valid(line) {
		return nil, refusal("", "The line is not UTF-8.")
	}
	if in, ok := leanRecord(string(line)); ok {
		return in, nil
	}
	return l.slow(line)
}

// slow reads a record whatever way its JSON is written.
func (l *jsonLines) slow(line []byte) (*graph.UsageRecordInput, *graph.UsageRefusal) {
	clear(l.fields)
	if err := json.Unmarshal(line, &l.fields); err != nil || l.fields == nil {
		l.fields = map[string]json.RawMessage{}
		return nil, refusal("", "The line is no JSON object.")
	}
	in := newRecord()
	for _, name := range required {
		if raw := l.fields[name]; len(raw) == 0 || string(raw) == "null" {
			return nil, refusal(name, "This is missing.")
		}
	}
	for name, raw := range l.fields {
		if why := setJSON(in, name, raw); why != nil {
			return nil, why
		}
	}
	return in, nil
}

// setJSON reads a field from JSON: quantities are numbers, prices numbers or text, tags an object, everything else is text.
func setJSON(in *graph.UsageRecordInput, name string, raw json.RawMessage) *graph.UsageRefusal {
	if name == "tags" {
		return setTags(in, raw)
	}
	var text string
	switch {
	case string(raw) == "null":
		return nil
	case raw[0] == '"' && name != "quantity":
		if json.Unmarshal(raw, &text) != nil {
			return refusal(name, "This is no text.")
		}
	case name == "quantity" || name == "cost":
		text = string(raw)
	default:
		if why := setField(in, name, ""); why != nil {
			return why // there is no such field
		}
		return refusal(name, "This is no text.")
	}
	return setField(in, name, text)
}

func setTags(in *graph.UsageRecordInput, raw json.RawMessage) *graph.UsageRefusal {
	var tags map[string]string
	if json.Unmarshal(raw, &tags) != nil {
		return refusal("tags", "Tags are an object of names and texts.")
	}
	for name, value := range tags {
		in.Tags = append(in.Tags, &graph.UsageTagInput{Name: name, Value: value})
	}
	return nil
}

// csvLines reads comma-separated values (RFC 4180) with a header line. Tags are in columns such as tag:campaign. An empty value is
// none.
type csvLines struct {
	in      *csv.Reader
	limit   *recordLimit
	columns []string
}

const tagColumn = "tag:"

// newCSVLines reads the header. The error is a brokenBody that says what is wrong with it.
func newCSVLines(body io.Reader) (*csvLines, error) {
	buffered := bufio.NewReader(body)
	if start, _ := buffered.Peek(len(byteOrderMark)); bytes.Equal(start, byteOrderMark) {
		_, _ = buffered.Discard(len(byteOrderMark))
	}
	l := &csvLines{limit: &recordLimit{in: buffered, left: maxLine}}
	l.in = csv.NewReader(l.limit)
	l.in.FieldsPerRecord, l.in.ReuseRecord = -1, true
	header, err := l.in.Read()
	if err != nil {
		return nil, &brokenBody{"The body begins with a line that names the columns.", err}
	}
	l.columns = slices.Clone(header)
	for i, name := range l.columns {
		if slices.Contains(l.columns[:i], name) {
			return nil, &brokenBody{"The column " + strconv.QuoteToASCII(name) + " is there twice.", nil}
		}
		if tag, ok := strings.CutPrefix(name, tagColumn); ok && tag != "" {
			continue
		}
		if why := setField(newRecord(), name, ""); why != nil && !slices.Contains(required, name) {
			return nil, &brokenBody{"A record has no field " + strconv.QuoteToASCII(name) + ".", nil}
		}
	}
	for _, name := range required {
		if !slices.Contains(l.columns, name) {
			return nil, &brokenBody{"There is no column " + name + ".", nil}
		}
	}
	return l, nil
}

func (l *csvLines) next() (*graph.UsageRecordInput, int, *graph.UsageRefusal, error) {
	l.limit.left = maxLine
	values, err := l.in.Read()
	var malformed *csv.ParseError
	switch {
	case errors.As(err, &malformed):
		return nil, malformed.StartLine, refusal("", "The line is not of comma-separated values: a quotation mark is out of place."), nil
	case err != nil:
		return nil, 0, nil, broken(err)
	}
	number, _ := l.in.FieldPos(0)
	if len(values) != len(l.columns) {
		return nil, number, refusal("", "The line has another number of values than the first one."), nil
	}
	in := newRecord()
	for i, name := range l.columns {
		if why := setCSV(in, name, values[i]); why != nil {
			return nil, number, why, nil
		}
	}
	return in, number, nil, nil
}

func setCSV(in *graph.UsageRecordInput, name, value string) *graph.UsageRefusal {
	tag, isTag := strings.CutPrefix(name, tagColumn)
	switch {
	case value == "" && slices.Contains(required, name):
		return refusal(name, "This is missing.")
	case value == "":
		return nil
	case isTag:
		in.Tags = append(in.Tags, &graph.UsageTagInput{Name: tag, Value: value})
		return nil
	}
	return setField(in, name, value)
}

// recordLimit keeps one record, such as one whose quotation mark is never closed, from filling the memory.
type recordLimit struct {
	in   io.Reader
	left int
}

// Read reads what belongs to the record, and some of what follows.
func (r *recordLimit) Read(b []byte) (int, error) {
	if r.left <= 0 {
		return 0, &brokenBody{"A record has more than 65,536 bytes: a quotation mark may be missing.", nil}
	}
	n, err := r.in.Read(b)
	r.left -= n
	return n, broken(err)
}
