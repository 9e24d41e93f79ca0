package graph

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Sheet is a sheet as somebody sent it.
type Sheet struct {
	Keys     []string // public keys, by column from the third on
	rows     []sheetRow
	Refusals SheetRefusals // of what cannot be read
}

type sheetRow struct {
	line  int
	email string
	says  SheetLine
}

// Emails gives the addresses of the lines.
func (s *Sheet) Emails() []string {
	list := make([]string, len(s.rows))
	for i, r := range s.rows {
		list[i] = r.email
	}
	return list
}

// SheetRefusal is why a cell, a column (line 1) or a line (column 1) of a sheet is refused.
type SheetRefusal struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// SheetRefusals counts refusals, and keeps the first of them.
type SheetRefusals struct {
	Count int
	List  []SheetRefusal
}

// keptRefusals is how many refusals are kept: more help nobody, and a file may hold millions of cells.
const keptRefusals = 10_000

func (r *SheetRefusals) add(line, column int, refusals ...error) {
	for _, err := range refusals {
		for _, e := range ErrorsOf(err) {
			if r.Count++; len(r.List) < keptRefusals {
				r.List = append(r.List, SheetRefusal{line, column, e.Code, e.Message})
			}
		}
	}
}

// maxColumns bounds the memory that one line of a sheet takes.
const maxColumns = 20_000

var errTooWide = errors.New("too many cells in a line")

// narrow ends a file at a line with too many cells, before anybody holds them all.
type narrow struct {
	r      io.Reader
	quoted bool
	commas int
}

// Read reads what is narrow enough.
func (n *narrow) Read(p []byte) (int, error) {
	got, err := n.r.Read(p)
	for _, c := range p[:got] {
		switch {
		case c == '"':
			n.quoted = !n.quoted
		case c == '\n' && !n.quoted:
			n.commas = 0
		case c == ',' && !n.quoted:
			n.commas++
		}
		if n.commas >= maxColumns {
			return 0, errTooWide
		}
	}
	return got, err
}

// ReadSheet reads a sheet. What cannot be read is in its Refusals; an error is one of reading.
func ReadSheet(r io.Reader) (*Sheet, error) {
	text := bufio.NewReader(r)
	if mark, _ := text.Peek(3); string(mark) == "\uFEFF" { // as some spreadsheets begin UTF-8; an error comes again
		_, _ = text.Discard(3)
	}
	in := sheetReader{csv: csv.NewReader(&narrow{r: text}), Sheet: &Sheet{}, seen: map[string]bool{}}
	in.csv.ReuseRecord = true
	for {
		record, err := in.csv.Read()
		switch {
		case err == nil:
			line, _ := in.csv.FieldPos(0)
			if in.last == 0 && !in.header(record) {
				return in.Sheet, nil
			}
			if in.last > 0 {
				in.line(line, record)
			}
			in.last = line
		case errors.Is(err, io.EOF):
			if in.last == 0 {
				in.header(nil)
			}
			return in.Sheet, nil
		default:
			if done, err := in.unreadable(err); done || err != nil {
				return in.Sheet, err
			}
		}
	}
}

type sheetReader struct {
	*Sheet
	csv  *csv.Reader
	seen map[string]bool // addresses
	last int             // line that was read last
}

// unreadable refuses a line that is no CSV, and reports whether no other can be read; other errors are given back.
func (in *sheetReader) unreadable(err error) (done bool, _ error) {
	broken, ok := errors.AsType[*csv.ParseError](err)
	refused := func(line int, sentence string) { in.Refusals.add(line, 1, refuse(Invalid, "", sentence)) }
	switch {
	case errors.Is(err, errTooWide):
		refused(in.last+1, fmt.Sprintf("The line has more than %d cells.", maxColumns))
		return true, nil
	case !ok:
		return true, err
	case errors.Is(err, csv.ErrFieldCount):
		refused(broken.StartLine, fmt.Sprintf("The first line has %d cells, this one has another number.", in.csv.FieldsPerRecord))
	default:
		refused(broken.StartLine, "The line is no CSV: a quotation mark is missing, or is where none can be.")
	}
	return in.last == 0, nil // without the first line no other can be understood
}

// header reads the first line, and reports whether the others can be read by it.
func (in *sheetReader) header(record []string) bool {
	for i, want := range []string{"email", "name"} {
		if i >= len(record) || !strings.EqualFold(strings.TrimSpace(record[i]), want) {
			in.Refusals.add(1, i+1, refuse(Invalid, "", "The first line is email, name, and public keys of API keys, with commas between."))
			return false
		}
	}
	columns := map[string]bool{}
	for i, text := range record[2:] {
		key := strings.Clone(unmarked(text))
		switch {
		case !readable(key):
			in.Refusals.add(1, i+3, refuse(Invalid, "", "A column is headed by the public key of an API key."))
			key = ""
		case columns[key]:
			in.Refusals.add(1, i+3, refuse(Invalid, "", "The key has a column already."))
			key = ""
		}
		columns[key] = true
		in.Keys = append(in.Keys, key)
	}
	return true
}

// readable reports whether text can be the name of something that is there.
func readable(text string) bool {
	return text != "" && len(text) <= 254 && utf8.ValidString(text) && !strings.ContainsRune(text, 0)
}

func (in *sheetReader) line(line int, record []string) {
	address := unmarked(record[0])
	if address == "" {
		return
	}
	email := strings.Clone(EmailKey(address))
	switch {
	case !readable(address):
		in.Refusals.add(line, 1, refuse(Invalid, "", "This is not an e-mail address."))
		return
	case in.seen[email]:
		in.Refusals.add(line, 1, refuse(Invalid, "", "The user has a line already."))
		return
	}
	in.seen[email] = true
	row := sheetRow{line: line, email: email, says: SheetLine{states: make([]cellState, len(in.Keys))}}
	for i, text := range record[2:] {
		state, end, ok := parseCell(text)
		if !ok {
			in.Refusals.add(line, i+3, refuse(Invalid, "", "A cell says enabled, disabled, enabled until a time such as 2036-06-29T09:00:00Z, inherit, or nothing."))
			continue
		}
		row.says.put(i, state, end)
	}
	in.rows = append(in.rows, row)
}
