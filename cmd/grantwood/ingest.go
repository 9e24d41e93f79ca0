package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type ingestCommand struct {
	Files  []string `arg:"" help:"Files of usage records, NDJSON or CSV by their names, compressed when they end in .gz; - for standard input."`
	URL    string   `help:"Address of the server." default:"http://127.0.0.1:8080" env:"GRANTWOOD_URL"`
	Format string   `help:"Form of the records: ndjson, csv, or auto to go by the name of the file (ndjson for standard input)." enum:"auto,ndjson,csv" default:"auto"`
	Strict bool     `help:"Stop at the first record that is refused; nothing of its batch or later is added."`
}

// Help says what no flag says.
func (ingestCommand) Help() string {
	return "The token of an operator with the scope INGEST is taken from GRANTWOOD_TOKEN. Records that are there already add nothing: " +
		"what was interrupted can simply be sent again. Refused records are listed on standard error with their lines."
}

// Run sends the files one after the other. It fails when a record was refused, after all files unless strict.
func (c ingestCommand) Run(ctx context.Context) error {
	token := os.Getenv("GRANTWOOD_TOKEN")
	if token == "" {
		return errors.New("GRANTWOOD_TOKEN is not set: give it the token of an operator with the scope INGEST")
	}
	refused := 0
	for _, name := range c.Files {
		n, err := c.send(ctx, name, token)
		refused += n
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d records were refused", refused)
	}
	return nil
}

// send sends a file and says how many of its records were refused.
func (c ingestCommand) send(ctx context.Context, name, token string) (refused int, err error) {
	in, size := os.Stdin, int64(-1)
	if name != "-" {
		if in, err = os.Open(name); err != nil {
			return 0, err
		}
		defer func() { _ = in.Close() }() // it was only read
		info, err := in.Stat()
		if err != nil {
			return 0, err
		}
		size = info.Size()
	}
	bar := newBar(name, size)
	defer bar.end()
	ctx, cancel := context.WithCancel(ctx) // ends what is still being sent when the answer is complete
	defer cancel()
	req, err := c.request(ctx, name, token, io.TeeReader(in, bar))
	if err != nil {
		return 0, err
	}
	// A refusal of the whole comes before the body is sent.
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ExpectContinueTimeout: 5 * time.Second}}
	res, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return 0, refusal(res)
	}
	return readAnswer(res.Body, name, bar)
}

func (c ingestCommand) request(ctx context.Context, name, token string, body io.Reader) (*http.Request, error) {
	address := strings.TrimSuffix(c.URL, "/") + "/usage/records"
	if c.Strict {
		address += "?strict=true"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, io.NopCloser(body))
	if err != nil {
		return nil, err
	}
	plain, packed := strings.CutSuffix(strings.ToLower(name), ".gz")
	if packed {
		req.Header.Set("Content-Encoding", "gzip")
	}
	media := "application/x-ndjson"
	if c.Format == "csv" || c.Format == "auto" && filepath.Ext(plain) == ".csv" {
		media = "text/csv"
	}
	req.Header.Set("Content-Type", media)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Expect", "100-continue")
	return req, nil
}

// ingestLine is a line of the server's answer: about a line that was refused, progress, or the last one.
type ingestLine struct {
	Line                 int
	Code, Field, Message string
	Acknowledged         int
	Accepted, Duplicates int
	Refused              int
	Finished             *bool
	Error                *struct{ Message string }
}

// readAnswer shows what the server says while it comes.
func readAnswer(body io.Reader, name string, bar *bar) (refused int, err error) {
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		var l ingestLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return refused, fmt.Errorf("read the answer: %w", err)
		}
		switch {
		case l.Finished != nil:
			bar.end()
			fmt.Printf("%s: %d accepted, %d duplicates, %d refused\n", name, l.Accepted, l.Duplicates, l.Refused)
			if l.Error != nil {
				return l.Refused, fmt.Errorf("%s (line %d is the last that was added)", l.Error.Message, l.Acknowledged)
			}
			return l.Refused, nil
		case l.Line > 0:
			bar.say("%s:%d: %s", name, l.Line, strings.TrimPrefix(fmt.Sprintf("%s: %s (%s)", l.Field, l.Message, l.Code), ": "))
		default:
			refused = l.Refused
			bar.acknowledge(l.Acknowledged)
		}
	}
	return refused, fmt.Errorf("the connection broke: send it again, what is added already is not added twice: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}
