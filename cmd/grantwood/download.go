package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type downloadCommand struct {
	Output string        `arg:"" optional:"" help:"File to write; by default named after the period. - for standard output."`
	URL    string        `help:"Address of the server." default:"http://127.0.0.1:8080" env:"GRANTWOOD_URL"`
	From   time.Time     `help:"Beginning of the period." required:"" format:"2006-01-02T15:04:05Z07:00" placeholder:"2026-01-01T00:00:00Z"`
	To     time.Time     `help:"End of the period, itself no part of it; at most 400 days later." required:"" format:"2006-01-02T15:04:05Z07:00" placeholder:"2026-02-01T00:00:00Z"`
	Format string        `help:"csv, ndjson or parquet." enum:"csv,ndjson,parquet" default:"csv"`
	Key    []string      `help:"ID of a key; all visible ones when none is given."`
	Wait   time.Duration `help:"How long to try when the connection breaks, before giving up." default:"5m"`
}

// Help says what no flag says.
func (downloadCommand) Help() string {
	return "The token of an access token or a session is taken from GRANTWOOD_TOKEN. When the connection breaks, lines go on where they " +
		"stopped, as of the same moment; a Parquet file starts over."
}

// Run fetches the file. It writes to a file beside it until everything is there.
func (c downloadCommand) Run(ctx context.Context) error {
	token := os.Getenv("GRANTWOOD_TOKEN")
	if token == "" {
		return errors.New("GRANTWOOD_TOKEN is not set: give it an access token with VIEW_USAGE, or the token of a session")
	}
	ending := "." + c.Format
	if c.Output == "" {
		c.Output = "usage-" + c.From.UTC().Format(time.DateOnly) + "-" + c.To.UTC().Format(time.DateOnly) + ending
	}
	if c.Output == "-" {
		return c.fetch(ctx, token, os.Stdout)
	}
	part := c.Output + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	if err := errors.Join(c.fetch(ctx, token, f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, c.Output); err != nil {
		return err
	}
	info, err := os.Stat(c.Output)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %.1f MB\n", c.Output, float64(info.Size())/1e6)
	return nil
}

// fetch gets the file, going on after interruptions.
func (c downloadCommand) fetch(ctx context.Context, token string, out io.Writer) error {
	d := &fetching{command: c, token: token, out: out, csv: c.Format == "csv"}
	if err := d.ask(ctx); err != nil {
		return err
	}
	d.bar = newBar(c.Output, -1)
	d.bar.done = fmt.Sprintf("of %d", d.records)
	defer d.bar.end()
	var broke time.Time
	for {
		before := d.lines
		err := d.get(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, errRefused) {
			return err
		}
		if broke.IsZero() || d.lines > before {
			broke = time.Now()
		}
		if time.Since(broke) > c.Wait {
			return err
		}
		d.bar.say("%v; going on", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// errRefused marks what does not get better by trying again.
var errRefused = errors.New("refused")

// fetching is a download on its way.
type fetching struct {
	command downloadCommand
	token   string
	out     io.Writer
	csv     bool
	bar     *bar
	address string
	records int64
	moment  string // that the file shows, as the server said
	last    []byte // the last whole line
	lines   int
}

// ask gets an address for the file, and the number of records.
func (d *fetching) ask(ctx context.Context) error {
	format := map[string]string{"csv": "CSV", "ndjson": "JSON_LINES", "parquet": "PARQUET"}[d.command.Format]
	filter := map[string]any{"from": d.command.From, "to": d.command.To}
	if len(d.command.Key) > 0 {
		filter["keyIds"] = d.command.Key
	}
	body, err := json.Marshal(map[string]any{"query": `query($f: ExportFormat!, $in: UsageFilter!) { account { usageDownload(format: $f, filter: $in) { url records } } }`,
		"variables": map[string]any{"f": format, "in": filter}})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(d.command.URL, "/")+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+d.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask for the file: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Data struct {
			Account *struct {
				UsageDownload *struct {
					URL     string
					Records int64
				}
			}
		}
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("ask for the file: the server answers %s: %w", res.Status, err)
	}
	switch a := answer.Data.Account; {
	case len(answer.Errors) > 0:
		return fmt.Errorf("%w: %s", errRefused, answer.Errors[0].Message)
	case a == nil || a.UsageDownload == nil:
		return fmt.Errorf("%w: the token is not known, or shows no usage", errRefused)
	default:
		d.address, d.records = a.UsageDownload.URL, a.UsageDownload.Records
	}
	return nil
}

// get fetches what is left of the file.
func (d *fetching) get(ctx context.Context) error {
	address, err := d.place()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNotFound: // the address has ended
		return errors.Join(errors.New("the address has ended"), d.ask(ctx))
	case res.StatusCode >= 500:
		return fmt.Errorf("fetch: %w", refusal(res))
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: %w", errRefused, refusal(res))
	}
	if d.moment == "" {
		d.moment = res.Header.Get("X-Grantwood-Moment")
	}
	if d.command.Format == "parquet" {
		return d.whole(res.Body)
	}
	return d.copyLines(res.Body)
}

// whole copies a file that cannot go on: from its beginning.
func (d *fetching) whole(body io.Reader) error {
	if f, ok := d.out.(*os.File); ok && d.bar.bytes > 0 {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("%w: start over: %w", errRefused, err)
		}
		if err := f.Truncate(0); err != nil {
			return fmt.Errorf("%w: start over: %w", errRefused, err)
		}
	}
	_, err := io.Copy(io.MultiWriter(d.out, d.bar), body)
	return err
}

// place is the address, with the last line that is there when there is one.
func (d *fetching) place() (string, error) {
	if d.last == nil {
		return d.address, nil
	}
	at, reference, err := d.lastRecord()
	if err != nil {
		return "", fmt.Errorf("%w: read the last line: %w", errRefused, err)
	}
	return d.address + "&" + url.Values{"after": {at}, "reference": {reference}, "moment": {d.moment}}.Encode(), nil
}

func (d *fetching) lastRecord() (at, reference string, err error) {
	if !d.csv {
		var record struct{ OccurredAt, Reference string }
		err = json.Unmarshal(d.last, &record)
		return record.OccurredAt, record.Reference, err
	}
	fields, err := csv.NewReader(bytes.NewReader(d.last)).Read()
	if err != nil || len(fields) < 13 {
		return "", "", fmt.Errorf("it has %d fields: %w", len(fields), err)
	}
	return fields[4], strings.TrimPrefix(fields[12], "'"), nil
}

// copyLines copies whole lines only. A line of CSV may hold line breaks in quotes.
func (d *fetching) copyLines(body io.Reader) error {
	var rest []byte
	quoted, seen := false, 0 // whether rest[:seen] ends within quotes
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		rest = append(rest, buffer[:n]...)
		start := 0
		for ; seen < len(rest); seen++ {
			switch {
			case d.csv && rest[seen] == '"':
				quoted = !quoted
			case rest[seen] == '\n' && !quoted:
				d.take(rest[start : seen+1])
				start = seen + 1
			}
		}
		if _, err := d.out.Write(rest[:start]); err != nil {
			return fmt.Errorf("%w: write: %w", errRefused, err)
		}
		_, _ = d.bar.Write(rest[:start])
		rest = append(rest[:0], rest[start:]...)
		seen -= start
		if errors.Is(err, io.EOF) && len(rest) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the connection broke: %w", err)
		}
	}
}

// take remembers a line, unless it is the header.
func (d *fetching) take(line []byte) {
	if d.csv && d.last == nil && d.lines == 0 && bytes.HasPrefix(line, []byte("key,")) {
		return
	}
	d.last = append(d.last[:0], line...)
	d.lines++
	d.bar.acknowledge(d.lines)
}
