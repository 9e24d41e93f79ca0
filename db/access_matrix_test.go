package db_test

import (
	"testing"

	"grantwood/graph"
)

// BenchmarkAccessMatrix reads a thousand users and a thousand keys.
func BenchmarkAccessMatrix(b *testing.B) {
	c := newCrowd(b, 1000, 1000)
	c.settle(b)
	for _, viewer := range []struct {
		name string
		v    *graph.Viewer
	}{{"owner", c.owner}} {
		b.Run(viewer.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := c.db.AccessMatrix(b.Context(), viewer.v, c.id, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
