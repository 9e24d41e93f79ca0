package server

import (
	"bufio"
	"encoding/json"
	"net/http"

	"grantwood/graph"
)

// report writes JSON objects, a line each.
type report struct {
	w     http.ResponseWriter
	lines *bufio.Writer // nil until the first line
}

func newReport(w http.ResponseWriter) *report { return &report{w: w} }

// line writes an object with one name.
func (p *report) line(name string, value any) {
	if p.lines == nil {
		p.w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
		p.w.Header().Set("X-Content-Type-Options", "nosniff")
		p.w.Header().Set("Cache-Control", "no-store")
		p.lines = bufio.NewWriterSize(p.w, 64<<10)
	}
	_ = json.NewEncoder(p.lines).Encode(map[string]any{name: value}) // the caller may have gone
}

// flush sends what was written.
func (p *report) flush() {
	_ = p.lines.Flush()
	_ = http.NewResponseController(p.w).Flush()
}

// progress tells at once how much of something long is done.
func (p *report) progress(done, of int) {
	p.line("progress", struct {
		Done int `json:"done"`
		Of   int `json:"of"`
	}{done, of})
	p.flush()
}

// sheetChange is a cell that changes.
type sheetChange struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	User   string `json:"user"`
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// sheetResult is the last line of a report.
type sheetResult struct {
	Applied     bool    `json:"applied"`
	Changes     int     `json:"changes"`
	Refused     int     `json:"refused"`
	Enabled     int     `json:"enabled"`
	Disabled    int     `json:"disabled"`
	OperationID *string `json:"operationId"`
}

// all writes every change and refusal, and the result.
func (p *report) all(c *graph.SheetComparison, operation *graph.ID, apply bool) {
	for i := range c.Changes {
		change := &c.Changes[i]
		p.line("change", sheetChange{change.Line, change.Column, change.User().Email, change.Key().Key, change.Before(), change.After()})
	}
	for _, refusal := range c.Refusals.List {
		p.line("refused", refusal)
	}
	result := sheetResult{Applied: apply && c.Refusals.Count == 0, Changes: len(c.Changes), Refused: c.Refusals.Count, Enabled: c.Enabled, Disabled: c.Disabled}
	if operation != nil {
		result.OperationID = new(operation.String())
	}
	p.line("result", result)
	p.flush()
}
