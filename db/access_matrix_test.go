package db_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math/bits"
	"testing"

	"grantwood/graph"
)

// BenchmarkAccessMatrix reads a thousand users and a thousand keys, as the owner and as an administrator who sees all of them.
func BenchmarkAccessMatrix(b *testing.B) {
	c := newCrowd(b, 1000, 1000)
	c.settle(b)
	admin := c.seesAll(b)
	for name, v := range map[string]*graph.Viewer{"owner": c.owner, "administrator": admin} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := c.db.AccessMatrix(b.Context(), v, c.id, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestSizeOfAccessMatrix: a thousand users and a thousand keys, about 110 of them enabled for each, are less than 100 kB on the wire.
func TestSizeOfAccessMatrix(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1000, 1000)
	c.settle(t)
	m := must(c.db.AccessMatrix(t.Context(), c.owner, c.id, nil))
	enabled := 0
	for _, row := range m.Enabled {
		for _, b := range row {
			enabled += bits.OnesCount8(b)
		}
	}
	if len(m.UserIds) != 1000 || len(m.KeyIds) != 1001 || enabled < 105_000 || enabled > 115_000 {
		t.Fatalf("%d users, %d keys, %d enabled", len(m.UserIds), len(m.KeyIds), enabled)
	}
	text := func(ids []graph.ID) []string {
		list := make([]string, len(ids))
		for i, id := range ids {
			list[i] = id.String()
		}
		return list
	}
	var wire bytes.Buffer
	z := gzip.NewWriter(&wire)
	err := json.NewEncoder(z).Encode(map[string]any{"data": map[string]any{"account": map[string]any{"accessMatrix": map[string]any{
		"userIds": text(m.UserIds), "keyIds": text(m.KeyIds), "rows": m.Rows()}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", wire.Len())
	if wire.Len() >= 100_000 {
		t.Errorf("%d bytes, want less than 100,000", wire.Len())
	}
}
