package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"grantwood/db"
	"grantwood/graph"
	"grantwood/selfwriting"
)

// csvHeader names the columns of a CSV file of usage; tags are a JSON object.
const csvHeader = "key,key_name,unit,currency,occurred_at,recorded_at,product,direction,country,quantity,cost,status,reference,replaces,tags\r\n"

// lineBuffer is how much of a file is written at once.
const lineBuffer = 64 << 10

// lines writes a CSV or JSON_LINES file: before the parts of each record it puts what is the same for its key.
type lines struct {
	out    io.Writer
	csv    bool
	goesOn bool // the reader has the header
	heads  map[[36]byte][]byte
	buffer []byte
	rows   int
}

// Heads prepares the beginnings of lines.
func (l *lines) Heads(heads []db.UsageHead) error {
	l.heads = make(map[[36]byte][]byte, len(heads))
	l.buffer = make([]byte, 0, lineBuffer+4<<10)
	for _, h := range heads {
		begin, err := jsonHead(h)
		if l.csv {
			begin, err = csvHead(h), nil
		}
		if err != nil {
			return err
		}
		l.heads[[36]byte([]byte(h.KeyID.String()))] = begin
	}
	if l.csv && !l.goesOn {
		l.buffer = append(l.buffer, csvHeader...)
	}
	return nil
}

// Line adds a line.
func (l *lines) Line(u *db.UsageLine) error {
	begin, ok := l.heads[u.Key]
	if !ok {
		return errors.New("a record of a key that was not read")
	}
	l.rows++
	l.buffer = append(l.buffer, begin...)
	if l.csv {
		l.buffer = appendCSV(l.buffer, u)
	} else {
		l.buffer = appendJSON(l.buffer, u)
	}
	if len(l.buffer) < lineBuffer {
		return nil
	}
	return l.flush()
}

// appendCSV appends the columns after those of the key, and the end of the line.
func appendCSV(b []byte, u *db.UsageLine) []byte {
	b = append(appendInstant(b, u.OccurredAt), ',')
	b = append(appendInstant(b, u.RecordedAt), ',')
	for _, column := range [][]byte{u.Product, u.Direction, u.Country, u.Quantity} {
		b = append(append(b, column...), ',')
	}
	b = append(appendCost(b, u.Cost), ',')
	b = append(append(b, outcomeOf(u)...), ',')
	b = append(appendCell(b, u.Reference), ',')
	if u.Replaces != nil {
		b = appendCell(b, u.Replaces)
	}
	b = append(b, ',')
	if string(u.Tags) != "{}" {
		b = appendQuoted(b, u.Tags)
	}
	return append(b, "\r\n"...)
}

// appendJSON appends the members after those of the key, and the end of the object and of the line.
func appendJSON(b []byte, u *db.UsageLine) []byte {
	b = appendInstant(append(b, `"occurredAt":"`...), u.OccurredAt)
	b = appendInstant(append(b, `","recordedAt":"`...), u.RecordedAt)
	b = append(append(b, `","product":"`...), u.Product...)
	if len(u.Direction) == 0 {
		b = append(b, `","direction":null,"country":"`...)
	} else {
		b = append(append(append(b, `","direction":"`...), u.Direction...), `","country":"`...)
	}
	b = append(append(b, u.Country...), `","quantity":`...)
	b = append(append(b, u.Quantity...), `,"cost":"`...)
	b = append(append(appendCost(b, u.Cost), `","status":"`...), outcomeOf(u)...)
	b = selfwriting.AppendString(append(b, `","reference":`...), string(u.Reference))
	b = append(b, `,"replaces":`...)
	if u.Replaces == nil {
		b = append(b, "null"...)
	} else {
		b = selfwriting.AppendString(b, string(u.Replaces))
	}
	return append(append(append(b, `,"tags":`...), u.Tags...), "}\n"...)
}

func outcomeOf(u *db.UsageLine) graph.UsageStatus {
	return (&graph.UsageRecord{Succeeded: u.Succeeded}).Status()
}

// appendInstant appends what PostgreSQL writes as 2016-06-29 09:00:00.5+00 in RFC 3339 form.
func appendInstant(b, at []byte) []byte {
	day, clock, _ := bytes.Cut(at, []byte(" "))
	return append(append(append(append(b, day...), 'T'), clock...), ":00"...)
}

// appendCost appends 10⁻⁸ units of a currency as a decimal number.
func appendCost(b []byte, units int64) []byte {
	const one = 1_00000000
	if units < 0 {
		b = append(b, '-')
	}
	whole, part := units/one, units%one
	b = strconv.AppendUint(b, magnitude(whole), 10)
	if part == 0 {
		return b
	}
	point := len(b)
	b = strconv.AppendUint(b, one+magnitude(part), 10) // a one before the eight digits
	b[point] = '.'
	return bytes.TrimRight(b, "0")
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// appendCell appends a text in quotes, which is no formula then.
func appendCell(b, text []byte) []byte {
	if len(text) > 0 && (text[0] >= '0' && text[0] <= '9' || text[0] >= 'A' && text[0] <= 'z') { // none of graph.FormulaMarks
		return appendQuoted(b, text)
	}
	return appendQuoted(b, []byte(graph.PlainCell(string(text))))
}

func appendQuoted(b, text []byte) []byte {
	b = append(b, '"')
	for {
		quote := bytes.IndexByte(text, '"')
		if quote < 0 {
			return append(append(b, text...), '"')
		}
		b = append(append(b, text[:quote+1]...), '"')
		text = text[quote+1:]
	}
}

func (l *lines) flush() error {
	_, err := l.out.Write(l.buffer)
	l.buffer = l.buffer[:0]
	return err
}

func csvHead(h db.UsageHead) []byte {
	unit := ""
	if h.Unit != nil {
		unit = *h.Unit
	}
	return []byte(h.Key + "," + csvText(h.Name) + "," + csvText(unit) + "," + h.Currency + ",")
}

// csvText quotes a text, which is no formula then.
func csvText(text string) string {
	if text == "" {
		return ""
	}
	return `"` + strings.ReplaceAll(graph.PlainCell(text), `"`, `""`) + `"`
}

func jsonHead(h db.UsageHead) ([]byte, error) {
	text, err := json.Marshal(struct {
		Key      string  `json:"key"`
		Name     string  `json:"keyName"`
		Unit     *string `json:"unit"`
		Currency string  `json:"currency"`
	}{h.Key, h.Name, h.Unit, h.Currency})
	if err != nil {
		return nil, err
	}
	return append(text[:len(text)-1], ','), nil
}

// parquetGroup is how many records a row group of a Parquet file has: what is held in memory.
const parquetGroup = 20_000

// parquetRecord is a record in a Parquet file. The cost is a decimal with 8 places.
type parquetRecord struct {
	Key        string            `parquet:"key,dict"`
	KeyName    string            `parquet:"key_name,dict"`
	Unit       *string           `parquet:"unit,optional,dict"`
	Currency   string            `parquet:"currency,dict"`
	OccurredAt time.Time         `parquet:"occurred_at,timestamp(microsecond)"`
	RecordedAt time.Time         `parquet:"recorded_at,timestamp(microsecond)"`
	Product    string            `parquet:"product,dict"`
	Direction  *string           `parquet:"direction,optional,dict"`
	Country    string            `parquet:"country,dict"`
	Quantity   int64             `parquet:"quantity"`
	Cost       int64             `parquet:"cost,decimal(8:18)"`
	Status     string            `parquet:"status,dict"`
	Reference  string            `parquet:"reference"`
	Replaces   *string           `parquet:"replaces,optional"`
	Tags       map[string]string `parquet:"tags"`
}

// parquetFile writes a Parquet file.
type parquetFile struct {
	writer *parquet.GenericWriter[parquetRecord]
	heads  map[graph.UUID]db.UsageHead
	group  int
	rows   int
}

func newParquetFile(out io.Writer) *parquetFile {
	return &parquetFile{writer: parquet.NewGenericWriter[parquetRecord](out, parquet.Compression(&parquet.Zstd))}
}

// Heads keeps what is the same for all records of a key.
func (p *parquetFile) Heads(heads []db.UsageHead) error {
	p.heads = make(map[graph.UUID]db.UsageHead, len(heads))
	for _, h := range heads {
		p.heads[h.KeyID] = h
	}
	return nil
}

// Record adds a record.
func (p *parquetFile) Record(u *graph.UsageRecord) error {
	h, ok := p.heads[u.KeyID]
	if !ok {
		return errors.New("a record of a key that was not read")
	}
	row := parquetRecord{Key: h.Key, KeyName: h.Name, Unit: h.Unit, Currency: h.Currency, OccurredAt: u.OccurredAt, RecordedAt: u.RecordedAt,
		Product: u.Product, Direction: (*string)(u.Direction), Country: u.Country, Quantity: u.Quantity, Cost: u.CostUnits, Status: string(u.Status()),
		Reference: u.Reference, Replaces: u.Replaces, Tags: u.Tags.Tags()}
	if _, err := p.writer.Write([]parquetRecord{row}); err != nil {
		return err
	}
	p.rows++
	if p.group++; p.group < parquetGroup {
		return nil
	}
	p.group = 0
	return p.writer.Flush()
}

func (p *parquetFile) close() error { return p.writer.Close() }
