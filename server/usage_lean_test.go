package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"grantwood/graph"
)

// plainLine is a line as programs write it.
const plainLine = `{"key":"gwk1","reference":"r-1","product":"SMS","direction":"OUTBOUND","country":"DE","quantity":3,"cost":"0.0125","currency":"EUR",` +
	`"status":"FAILED","occurredAt":"2016-06-29T09:00:00.123456789+02:00","replaces":"r-0","tags":{"campaign":"summer","team":"é"}}`

func TestLeanRecord(t *testing.T) {
	t.Parallel()
	direction, currency, replaces := graph.Outbound, "EUR", "r-0"
	want := &graph.UsageRecordInput{Key: "gwk1", Reference: "r-1", Product: "SMS", Direction: &direction, Country: "DE", Quantity: 3, Cost: decimal.New(125, -4),
		Currency: &currency, Status: graph.UsageFailed, OccurredAt: time.Date(2016, 6, 29, 7, 0, 0, 123456000, time.UTC), Replaces: &replaces,
		Tags: []*graph.UsageTagInput{{Name: "campaign", Value: "summer"}, {Name: "team", Value: "é"}}}
	if in, ok := leanRecord(plainLine); !ok || gocmp.Diff(want, in) != "" {
		t.Errorf("%v %s", ok, gocmp.Diff(want, in))
	}
	for _, line := range []string{
		strings.ReplaceAll(plainLine, `,"`, `, "`), strings.ReplaceAll(plainLine, `":`, "\" :\t"), strings.Replace(plainLine, `"0.0125"`, `1.25e-2`, 1),
		`{"occurredAt":"2016-06-29T09:00:00Z","cost":"0","quantity":0,"product":"SMS","reference":"","key":""}`,
		`{"occurredAt":"2016-06-29T09:00:00Z","cost":-0.5,"quantity":-1,"product":"SMS","reference":"","key":"","tags":{ } }`,
	} {
		if _, ok := leanRecord(line); !ok {
			t.Errorf("not read: %s", line)
		}
		differ(t, line)
	}
	// What JSON takes in another way, or refuses, is left to the other reader.
	for _, change := range [][2]string{{`,"tags"`, `,"tags":{"a":"b"},"tags"`}, {`"summer"`, `"summer","campaign":"winter"`}, {`"gwk1"`, "\"gwk\x01\""}, {`"gwk1"`, `"gwk\u0031"`}, {`"gwk1"`, `null`},
		{`3,`, `03,`}, {`3,`, `3.0,`}, {`"0.0125"`, `00.5`}, {`"0.0125"`, `.5`}, {`"0.0125"`, `+1`}, {`}}`, `}}}`}, {`}}`, `},}`}, {`}}`, `}`}, {`{"key"`, `{"Key"`}, {`"quantity":3,`, ``}} {
		line := strings.Replace(plainLine, change[0], change[1], 1)
		if _, ok := leanRecord(line); ok || line == plainLine {
			t.Errorf("read: %s", line)
		}
	}
}

// frequencies has numbers from 1 to 7 now and then, mostly 0.
var frequencies = append(make([]int, 150), 1, 2, 3, 4, 5, 6, 7)

// differ compares the two ways to read a line.
func differ(t rapid.TB, line string) {
	t.Helper()
	lean, ok := leanRecord(line)
	if !ok {
		return
	}
	in, why := newJSONLines(strings.NewReader("")).slow([]byte(line))
	if why != nil {
		t.Fatalf("refused as %v, read as %v: %s", why, lean, line)
	}
	slices.SortFunc(in.Tags, func(a, b *graph.UsageTagInput) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(lean.Tags, func(a, b *graph.UsageTagInput) int { return cmp.Compare(a.Name, b.Name) })
	if diff := gocmp.Diff(in, lean, gocmp.Comparer(func(a, b decimal.Decimal) bool {
		return a.Exponent() == b.Exponent() && a.Coefficient().Cmp(b.Coefficient()) == 0
	})); diff != "" {
		t.Fatalf("%s: %s", line, diff)
	}
}

// TestLeanRecordDiffers makes lines of pieces that are right, nearly right and wrong: what the lean way reads, the other one reads too,
// and as the same record. Everything else the other one is asked about.
func TestLeanRecordDiffers(t *testing.T) {
	t.Parallel()
	rare := func(r *rapid.T, name string) int { return rapid.SampledFrom(frequencies).Draw(r, name) }
	space := rapid.Custom(func(r *rapid.T) string {
		return []string{"", " \t", "\r", "\v", "\u00a0"}[rare(r, "space")%5]
	})
	names := []string{"key", "reference", "product", "direction", "country", "quantity", "cost", "currency", "status", "occurredAt", "replaces", "tags"}
	odd := rapid.SampledFrom([]string{"null", "true", "{}", "[]", `""`, `"a\"b"`, `"a\u0041"`, "\"\x01\"", "\"\x7f\u2028é\"", "1", "-0", "01", "-", "+1", "1.", ".5", "1.0", "1e3", "1E+99", "1e100",
		"1e", "9223372036854775807", "9223372036854775808", `"-0"`, `"007.50"`, `"1e-400"`, `"2016-06-29"`, `"2016-02-30T00:00:00Z"`, `"2016-06-29T09:00:00,5Z"`, `"2016-06-29T24:00:00Z"`,
		`"0000-06-29T09:00:00Z"`, `{"a":"b"}`, `{"a":"b","a":"c"}`, `{"a":1}`, `{"a":null}`, `{"":""`, `{"a\u0041":"b"}`, `{"a" : "b" , "c":"d"}`, `{"a":"b",}`, "'a'", ""})
	right := func(name string) string {
		switch name {
		case "quantity":
			return "12"
		case "cost":
			return `"0.0125"`
		case "occurredAt":
			return `"2016-06-29T09:00:00.25Z"`
		case "tags":
			return `{"a":"b"}`
		}
		return `"` + name + `"`
	}
	read := 0
	rapid.Check(t, func(r *rapid.T) {
		var members []string
		fields := rapid.Permutation(names).Draw(r, "order")
		for _, name := range fields {
			value := right(name)
			switch rare(r, "how") {
			case 1, 2:
				value = odd.Draw(r, "odd")
			case 3:
				value = fmt.Sprint(rapid.Int64().Draw(r, "number"))
			case 4:
				raw, _ := json.Marshal(rapid.String().Draw(r, "text"))
				value = string(raw)
			case 5:
				value = `"` + strings.ToValidUTF8(rapid.String().Draw(r, "raw"), "?") + `"`
			case 6:
				if !slices.Contains(required, name) {
					continue
				}
			case 7:
				name = rapid.SampledFrom([]string{"Key", "k\\u0065y", "", "tag", "key", "tags"}).Draw(r, "name")
			}
			members = append(members, space.Draw(r, "s1")+`"`+name+`"`+space.Draw(r, "s2")+":"+space.Draw(r, "s3")+value+space.Draw(r, "s4"))
		}
		end := rapid.SampledFrom([]string{"}", "}", "}", "}", "}", "}", "}}", "", ",}", "} {", "]"}).Draw(r, "end")
		line := "{" + strings.Join(members, rapid.SampledFrom([]string{",", ",", ",", ",", ",", ",,", ""}).Draw(r, "comma")) + end
		if _, ok := leanRecord(line); ok {
			read++
		}
		differ(r, line)
	})
	if read == 0 {
		t.Error("nothing was read")
	}
}

// FuzzLeanRecord is for those who change the reader: go test ./server -fuzz FuzzLeanRecord
func FuzzLeanRecord(f *testing.F) {
	f.Add(plainLine)
	f.Add(`{"occurredAt":"2016-06-29T09:00:00Z","cost":-0.5e1,"quantity":-1,"product":"SMS","reference":"","key":"","tags":{ } }`)
	f.Fuzz(func(t *testing.T, line string) {
		if line == strings.ToValidUTF8(line, "") && line == strings.TrimSpace(line) {
			differ(t, line)
		}
	})
}

func BenchmarkReadLine(b *testing.B) {
	l := newJSONLines(strings.NewReader(""))
	b.ReportAllocs()
	for b.Loop() {
		if in, why := l.record([]byte(plainLine)); in == nil {
			b.Fatal(why)
		}
	}
}

func BenchmarkReadSlow(b *testing.B) {
	l := newJSONLines(strings.NewReader(""))
	b.ReportAllocs()
	for b.Loop() {
		if in, why := l.slow([]byte(plainLine)); in == nil {
			b.Fatal(why)
		}
	}
}
