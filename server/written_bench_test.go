package server_test

import (
	"fmt"
	"testing"
	"time"

	"grantwood/db/dbtest"
)

// BenchmarkWritten prints what an answer with lists costs in this process, the client included, when types write themselves and when they are
// executed in the ordinary way.
func BenchmarkWritten(b *testing.B) {
	name := dbtest.Copy(b, demoDatabase(b))
	a := apiOn(b, dbtest.OpenNamed(b, name))
	token := signIn(b, a, "owner@globex.example").token
	const tree = `{ account { users(first: 100) { nodes { id displayName email role status grants(first: 20) { totalCount
		nodes { id enabled source expiresAt key { id name kind status } } } } } } }`
	for way, c := range map[string]client{"written": {a, token}, "executed": {ordinarily(a, b), token}} {
		b.Run(way, func(b *testing.B) {
			size, n, start := len(c.post(b, tree, nil).Body), 0, cpu(b)
			for b.Loop() {
				c.post(b, tree, nil)
				n++
			}
			took := (cpu(b) - start) / time.Duration(n)
			fmt.Printf("%-10s %8d bytes %8.2f cpu-ms\n", way, size, took.Seconds()*1000)
		})
	}
}
