package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"grantwood/graph"
	"grantwood/pgembed"
)

// Files are measured one at a time, and compared with what COPY costs for the same rows: psql, which does nothing but send and receive,
// and its PostgreSQL. What counts is a thousand records.

const (
	perUpload  = 50_000
	downloaded = 1_000_000
)

// files are the workloads of files.
var files = []struct {
	workload
	round func(b *bench, ctx context.Context, n int, lines []line) error
}{
	{workload{name: "W6", title: "upload batches of 5,000 records", must: 0.5, aim: 0.8}, (*bench).upload},
	{workload{name: "W8", title: "download 1 million records as CSV", must: 0.5, aim: 0.8}, (*bench).download},
}

func (b *bench) allFiles(ctx context.Context) error {
	programs, err := pgembed.Find()
	if err != nil {
		return err
	}
	b.psql = filepath.Join(programs.BinDir, "psql")
	for _, f := range files {
		if !b.wants(f.name) {
			continue
		}
		lines := make([]line, 2)
		for i, peer := range []string{"product", "limit"} {
			lines[i] = line{workload: f.name, title: f.title, clients: 1, peer: peer, must: f.must, aim: f.aim}
		}
		if err := b.forgetUploads(ctx); err != nil {
			return err
		}
		for n := range b.rounds {
			if err := f.round(b, ctx, n, lines); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		}
		related(lines)
		b.lines = append(b.lines, lines...)
		printTable(os.Stderr, lines)
		if b.profile == "" {
			continue
		}
		whole := lines[0].elapsed / time.Duration(b.rounds)
		err := b.profiled(f.name, 1, whole, func() error { return f.round(b, ctx, b.rounds, []line{{peer: "product"}, {peer: "limit"}}) })
		if err != nil {
			return err
		}
	}
	return nil
}

// uploadDay is a day before all usage that was seeded, another one in each round, so that no sums are there yet.
func (b *bench) uploadDay(round int) time.Time { return b.From.AddDate(0, 0, -1-round) }

// forgetUploads removes what earlier runs uploaded and copied.
func (b *bench) forgetUploads(ctx context.Context) error {
	for table, column := range map[string]string{"usage_records": "occurred_at", "usage_quarters": "at", "usage_days": "day"} {
		if _, err := b.pool.ExecContext(ctx, fmt.Sprintf(`DELETE FROM %s WHERE account_id IN ('%s', '%s') AND %s < '%s'`, table, b.Account, b.Copies, column, instant(b.From))); err != nil {
			return err
		}
		if _, err := b.pool.ExecContext(ctx, `VACUUM (ANALYZE) `+table); err != nil {
			return err
		}
	}
	return nil
}

// upload sends a file of new records, and then copies the same rows and sums for another account.
func (b *bench) upload(ctx context.Context, n int, lines []line) error {
	body, err := b.uploadBody(ctx, n)
	if err != nil {
		return err
	}
	err = b.timed(&lines[0], perUpload, func() (time.Duration, error) {
		answer, err := b.send(ctx, http.MethodPost, "/usage/records", b.Operator, "application/x-ndjson", body)
		if err != nil {
			return 0, err
		}
		if !bytes.Contains(answer, []byte(`"accepted":`+strconv.Itoa(perUpload)+`,"duplicates":0,"refused":0`)) || !bytes.Contains(answer, []byte(`"finished":true`)) {
			return 0, fmt.Errorf("not everything was added: %.500s", answer[max(0, len(answer)-500):])
		}
		return 0, nil
	})
	if err != nil {
		return err
	}
	script, err := b.copyScript(ctx, n)
	if err != nil {
		return err
	}
	return b.timed(&lines[1], perUpload, func() (time.Duration, error) {
		return b.runPSQL(ctx, script, io.Discard, "-q", "-v", "ON_ERROR_STOP=1")
	})
}

// uploadBody is a file of records of all keys, in the order of time.
func (b *bench) uploadBody(ctx context.Context, round int) ([]byte, error) {
	rows, err := b.pool.QueryContext(ctx, `SELECT key FROM api_keys WHERE account_id = $1::uuid ORDER BY key_id`, b.Account.String())
	if err != nil {
		return nil, err
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	var body bytes.Buffer
	day, run := b.uploadDay(round), time.Now().UnixNano()
	for i := range perUpload {
		at := day.Add(time.Duration(i) * 24 * time.Hour / perUpload)
		fmt.Fprintf(&body, `{"key":%q,"reference":"%016x%016x","product":%q,"direction":"OUTBOUND","country":"DE","quantity":%d,"cost":"0.%07d","status":"SUCCEEDED","occurredAt":%q}`+"\n",
			names[i*7919%len(names)], run, i, products[i*31%len(products)], 1+i%3, 1+i*7%9_999_999, at.Format(time.RFC3339Nano))
	}
	return body.Bytes(), rows.Err()
}

// copyScript gives what psql does to add the rows of a round for another account: records in batches like those of the product, each
// committed, then the sums.
func (b *bench) copyScript(ctx context.Context, round int) ([]byte, error) {
	day := b.uploadDay(round)
	var script bytes.Buffer
	for _, t := range []struct{ table, columns, at, order string }{
		{"usage_records", "occurred_at, id, key_id, product, direction, country, quantity, cost, succeeded, recorded_at, reference, tags, replaces, replaced_by", "occurred_at", "occurred_at, id"},
		{"usage_quarters", "key_id, at, product, country, records, quantity, cost, failed_records, failed_quantity, failed_cost", "at", "at, key_id, product, country"},
		{"usage_days", "key_id, day, product, records, quantity, cost, failed_records, failed_quantity, failed_cost", "day", "key_id, day, product"},
	} {
		var rows bytes.Buffer
		_, err := b.runPSQL(ctx, nil, &rows, "-q", "-c", fmt.Sprintf(`COPY (SELECT '%s', %s FROM %s WHERE account_id = '%s' AND %s >= '%s' AND %s < '%s' ORDER BY %s) TO STDOUT`,
			b.Copies, t.columns, t.table, b.Account, t.at, instant(day), t.at, instant(day.AddDate(0, 0, 1)), t.order))
		if err != nil {
			return nil, err
		}
		lines := bytes.SplitAfter(rows.Bytes(), []byte("\n"))
		for from := 0; from < len(lines)-1; from += graph.MaxUsageBatch {
			fmt.Fprintf(&script, "COPY %s (account_id, %s) FROM STDIN;\n", t.table, t.columns)
			for _, l := range lines[from:min(from+graph.MaxUsageBatch, len(lines)-1)] {
				script.Write(l)
			}
			script.WriteString("\\.\n")
		}
	}
	return script.Bytes(), nil
}

// download fetches a file of the newest million records, and then lets psql copy the same.
func (b *bench) download(ctx context.Context, _ int, lines []line) error {
	share := min(1, float64(downloaded)/float64(b.Records))
	from := b.To.Add(-time.Duration(share * float64(b.To.Sub(b.From)))).Truncate(time.Second)
	var records int
	err := b.pool.QueryRowContext(ctx, `SELECT count(*) FROM usage_records WHERE account_id = $1::uuid AND occurred_at >= $2 AND occurred_at < $3`,
		b.Account.String(), from, b.To).Scan(&records)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"variables": map[string]any{"from": instant(from), "to": instant(b.To)},
		"query": `query($from: DateTime!, $to: DateTime!) { account { usageDownload(filter: {from: $from, to: $to}) { url } } }`})
	if err != nil {
		return err
	}
	answer, err := b.send(ctx, http.MethodPost, "/graphql", b.Owner, "application/json", body)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(answer), `"url":"`)
	url, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return fmt.Errorf("there is no download: %s", answer)
	}
	if err := b.timed(&lines[0], records, func() (time.Duration, error) { return 0, b.fetch(ctx, url, records) }); err != nil {
		return err
	}
	return b.timed(&lines[1], records, func() (time.Duration, error) {
		return b.runPSQL(ctx, nil, io.Discard, "-q", "-c", fmt.Sprintf(`COPY (
			SELECT occurred_at, recorded_at, key_id, product, direction, country, quantity, cost, succeeded, reference, replaces, tags
			FROM usage_records
			WHERE account_id = '%s' AND occurred_at >= '%s' AND occurred_at < '%s' AND replaced_by IS NULL
			ORDER BY occurred_at, id) TO STDOUT (FORMAT csv)`, b.Account, instant(from), instant(b.To)))
	})
}

// lineCounter counts lines, and the most memory that the product has while they come.
type lineCounter struct {
	b     *bench
	lines int
	next  time.Time
	most  int
	err   error
}

// Write counts the lines of a part.
func (c *lineCounter) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte("\n"))
	if now := time.Now(); now.After(c.next) {
		var memory int
		memory, c.err = resident(c.b.product.pid())
		c.most, c.next = max(c.most, memory), now.Add(100*time.Millisecond)
	}
	return len(p), c.err
}

func (b *bench) fetch(ctx context.Context, url string, records int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	count := lineCounter{b: b}
	_, err = io.CopyBuffer(struct{ io.Writer }{&count}, res.Body, make([]byte, 256<<10))
	b.peak = max(b.peak, count.most)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if count.lines != records+1 { // the first names the columns
		return fmt.Errorf("the file has %d lines, there are %d records", count.lines, records)
	}
	return nil
}

// send asks the product and gives the whole answer, which is not refused.
func (b *bench) send(ctx context.Context, method, path, token, media string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+b.product.addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", media)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s: %.500s", res.Status, answer)
	}
	return answer, err
}

// timed adds a round of so many records to a line. Programs that do runs give their own CPU time; otherwise it is the product's.
func (b *bench) timed(l *line, records int, do func() (time.Duration, error)) error {
	b.peak = 0
	before, err := b.used(b.product)
	if err != nil {
		return err
	}
	start := time.Now()
	program, err := do()
	elapsed := time.Since(start)
	if err != nil {
		return err
	}
	after, err := b.used(b.product)
	if err != nil {
		return err
	}
	memory, err := resident(b.product.pid())
	c := cost{after.server - before.server, after.postgres - before.postgres}
	if l.peer != "product" {
		c.server, memory = program, 0
	}
	l.add(round{elapsed: elapsed, latencies: []time.Duration{elapsed}}, c, max(memory, b.peak))
	l.count += records/1000 - 1
	return err
}

// runPSQL runs psql on the database and gives the CPU time that it used.
func (b *bench) runPSQL(ctx context.Context, in []byte, out io.Writer, arguments ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.psql, append([]string{"-X", b.dsn}, arguments...)...)
	var problems bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &problems
	if out != io.Discard {
		cmd.Stdout = out // otherwise the system's own null device, which costs nothing
	}
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("psql: %w: %s", err, problems.String())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
