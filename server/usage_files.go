package server

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"grantwood/db"
	"grantwood/graph"
)

// csvHeader names the columns of a CSV file of usage; tags are a JSON object.
const csvHeader = "key,key_name,unit,currency,occurred_at,recorded_at,product,direction,country,quantity,cost,status,reference,replaces,tags\r\n"

// lineBuffer is how much of a file is written at once.
const lineBuffer = 64 << 10

// lines writes a CSV or JSON_LINES file: before what the database gives of each record it puts what is the same for its key.
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
func (l *lines) Line(key [36]byte, rest []byte) error {
	begin, ok := l.heads[key]
	if !ok {
		return errors.New("a record of a key that was not read")
	}
	l.rows++
	l.buffer = append(append(l.buffer, begin...), rest...)
	if l.csv {
		l.buffer = append(l.buffer, '\r')
	}
	l.buffer = append(l.buffer, '\n')
	if len(l.buffer) < lineBuffer {
		return nil
	}
	return l.flush()
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
		Reference: u.Reference, Replaces: u.Replaces, Tags: u.Tags}
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
