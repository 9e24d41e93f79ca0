package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

type grantsCommand struct {
	Export grantsExport `cmd:"" help:"Write which keys are enabled for whom into a file."`
	Plan   grantsPlan   `cmd:"" help:"Show what a file would change, and what of it is refused."`
	Import grantsImport `cmd:"" help:"Change grants as a file says: all of it, or nothing when something is refused."`
}

// serverSettings say which server is asked, and as whom.
type serverSettings struct {
	URL   string `help:"Address of the server." default:"http://127.0.0.1:8080" env:"GRANTWOOD_URL"`
	Token secret `help:"Token of a session, or of an operator for an export; better given by its variable, which other people on the machine do not see." env:"GRANTWOOD_TOKEN"`
}

// send sends a request and gives the answer, whose body is to be closed. An answer that is a refusal is an error.
func (s serverSettings) send(ctx context.Context, method string, query url.Values, body io.Reader) (*http.Response, error) {
	if s.Token == "" {
		return nil, errors.New("GRANTWOOD_TOKEN is not set: give the token of a session, such as signIn answers")
	}
	address := strings.TrimSuffix(s.URL, "/") + "/grants.csv"
	req, err := http.NewRequestWithContext(ctx, method, address+"?"+query.Encode(), body)
	if err != nil {
		return nil, fmt.Errorf("--url (GRANTWOOD_URL) is %q: give an address such as https://accounts.example.com", s.URL)
	}
	req.Header.Set("Authorization", "Bearer "+string(s.Token))
	req.Header.Set("Content-Type", "text/csv; charset=utf-8")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the server: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(refusal(res), res.Body.Close())
	}
	return res, nil
}

// refusal gives what an answer says that is no success.
func refusal(res *http.Response) error {
	var body struct{ Errors []struct{ Message string } }
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&body); err != nil || len(body.Errors) == 0 {
		return fmt.Errorf("the server answers %s", res.Status)
	}
	return fmt.Errorf("the server answers %s: %s", res.Status, body.Errors[0].Message)
}

type grantsExport struct {
	serverSettings
	Unit    string `help:"ID of a unit: only keys in or below it."`
	Account string `help:"ID of the account; needed with the token of an operator."`
	File    string `arg:"" help:"File to write; - for standard output." type:"path"`
}

// Run writes the file, which is whole or not there.
func (c grantsExport) Run(ctx context.Context) (err error) {
	query := url.Values{}
	for name, value := range map[string]string{"unit": c.Unit, "account": c.Account} {
		if value != "" {
			query.Set(name, value)
		}
	}
	res, err := c.send(ctx, http.MethodGet, query, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if c.File == "-" {
		_, err := io.Copy(os.Stdout, res.Body)
		return err
	}
	return writeWhole(c.File, res.Body)
}

// writeWhole writes a file that nobody sees in parts.
func writeWhole(name string, text io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".grantwood-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), name)
}

type grantsFile struct {
	serverSettings
	File string `arg:"" help:"File to read; - for standard input." type:"path"`
}

type grantsPlan struct{ grantsFile }

// Run shows what the file would change.
func (c grantsPlan) Run(ctx context.Context) error { return c.run(ctx, true) }

type grantsImport struct{ grantsFile }

// Run changes grants.
func (c grantsImport) Run(ctx context.Context) error { return c.run(ctx, false) }

func (c grantsFile) run(ctx context.Context, plan bool) (err error) {
	file := os.Stdin
	if c.File != "-" {
		if file, err = os.Open(c.File); err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
	}
	res, err := c.send(ctx, http.MethodPost, url.Values{"plan": {fmt.Sprint(plan)}}, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	return show(res.Body, os.Stdout, os.Stderr)
}

// reportLine is a line of what the server says about a file.
type reportLine struct {
	Progress *struct{ Done, Of int }
	Change   *struct {
		Line, Column             int
		User, Key, Before, After string
	}
	Refused *struct {
		Line, Column  int
		Code, Message string
	}
	Result *struct {
		Applied                             bool
		Changes, Refused, Enabled, Disabled int
		OperationID                         *string
	}
	Error *struct{ Code, Message string }
}

// show writes a report for people: changes and refusals to one side, how far it is to the other. It is an error when something is
// refused, and when the report has no end.
func show(report io.Reader, out, aside io.Writer) error {
	lines := json.NewDecoder(report)
	for {
		var l reportLine
		if err := lines.Decode(&l); err != nil {
			return fmt.Errorf("the server broke off, and nothing is known of what is done: %w", err)
		}
		switch {
		case l.Progress != nil:
			_, _ = fmt.Fprintf(aside, "%d of %d changes written\n", l.Progress.Done, l.Progress.Of)
		case l.Change != nil:
			c := l.Change
			_, _ = fmt.Fprintf(out, "line %d, column %d: %s %s: %s -> %s\n", c.Line, c.Column, c.User, c.Key, c.Before, c.After)
		case l.Refused != nil:
			_, _ = fmt.Fprintf(out, "line %d, column %d: refused, %s: %s\n", l.Refused.Line, l.Refused.Column, l.Refused.Code, l.Refused.Message)
		case l.Error != nil:
			return fmt.Errorf("the server gave up, %s: %s", l.Error.Code, l.Error.Message)
		case l.Result != nil:
			return l.end(out)
		}
	}
}

// end writes what came of it.
func (l reportLine) end(out io.Writer) error {
	r := l.Result
	will := "would enable"
	if r.Applied {
		will = "enabled"
	}
	_, _ = fmt.Fprintf(out, "%d changes: %s %d grants, %s %d\n", r.Changes, will, r.Enabled, strings.Replace(will, "enable", "disable", 1), r.Disabled)
	if r.OperationID != nil {
		_, _ = fmt.Fprintf(out, "operation %s\n", *r.OperationID)
	}
	if r.Refused > 0 {
		return fmt.Errorf("%d refusals: nothing is changed", r.Refused)
	}
	return nil
}
