package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"grantwood/graph"
)

// hostile is a request that costs its sender little, and its server much unless it is refused early.
type hostile struct {
	query     string
	variables string // JSON
	code      string // of the refusal
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func nested(n int, open, inside, end string) string {
	return strings.Repeat(open, n) + inside + strings.Repeat(end, n)
}

// hostiles are requests of nearly 1 MiB, or of as much as a limit lets pass.
var hostiles = map[string]hostile{
	"aliases":             {query: "{" + repeat(33_000, "a%d: serverInfo{version} ") + "}", code: "GRAPHQL_PARSE_FAILED"},
	"a few aliases":       {query: "{" + repeat(61, "a%d: serverInfo{version} ") + "}", code: tooMuch},
	"fields":              {query: "{" + repeat(4000, "f%d ") + "}", code: tooMuch},
	"the same field":      {query: "{" + strings.Repeat("serverInfo{version} ", 3000) + "}", code: tooMuch},
	"merged fields":       {query: "{" + strings.Repeat("viewer{"+strings.Repeat("user{id} ", 30)+"} ", 16) + "}", code: tooMuch},
	"overlapping":         {query: "{" + strings.Repeat(nested(15, "a{", "b", "}")+" ", 30) + "}", code: "GRAPHQL_VALIDATION_FAILED"},
	"depth":               {query: nested(17, "{a", "", "}"), code: tooMuch},
	"depth of a thousand": {query: nested(2000, "{a", "{a}", "}"), code: "GRAPHQL_PARSE_FAILED"},
	"inline fragments":    {query: nested(990, "{...", "{a}", "}"), code: "GRAPHQL_VALIDATION_FAILED"},
	"nested lists":        {query: "{a(x:" + nested(5000, "[", "", "]") + ")}", code: "GRAPHQL_PARSE_FAILED"},
	"nested types":        {query: "query($x:" + nested(900, "[", "Int", "]") + "){a}", code: "GRAPHQL_VALIDATION_FAILED"},
	"directives":          {query: "{serverInfo " + strings.Repeat("@skip(if:false)", 2000) + "{version}}", code: tooMuch},
	"definitions":         {query: repeat(101, "fragment F%d on Query{serverInfo{version}} ") + "{a}", code: tooMuch},
	"operations":          {query: repeat(101, "query Q%d{serverInfo{version}} "), code: tooMuch},
	"variables":           {query: "query(" + repeat(101, "$v%d:Int ") + "){serverInfo{version}}", code: tooMuch},
	"a cycle":             {query: "{...A} fragment A on Query{...B} fragment B on Query{...A}", code: "GRAPHQL_VALIDATION_FAILED"},
	"fragments doubling":  {query: "{...F0} " + doubling(30), code: tooMuch},
	"unused fragments":    {query: "{serverInfo{version}} fragment U on Query{" + strings.Repeat("viewer{kind} ", 600) + "}", code: tooMuch},
	"a long name":         {query: "{" + strings.Repeat("x", 1_000_000) + "}", code: "GRAPHQL_VALIDATION_FAILED"},
	"long names":          {query: "{" + repeat(900, strings.Repeat("x", 1100)+"%d ") + "}", code: "GRAPHQL_VALIDATION_FAILED"},
	"a long string":       {query: `{node(id:"` + strings.Repeat("x", 1_000_000) + `"){id}}`},
	"a block string":      {query: `{node(id:"""` + strings.Repeat("\\n ", 300_000) + `"""){id}}`},
	"comments":            {query: strings.Repeat("#\\n", 300_000) + "{serverInfo{version}}", code: "GRAPHQL_PARSE_FAILED"},
	"commas":              {query: strings.Repeat(",", 1_000_000) + "{serverInfo{version}}"},
	"arguments":           {query: "{node(" + repeat(4900, "a%d:1 ") + "){id}}", code: "GRAPHQL_VALIDATION_FAILED"},
	"values":              {query: "{nodes(ids:[" + strings.Repeat("x ", 14_900) + "]){id}}", code: "GRAPHQL_VALIDATION_FAILED"},
	"values in variables": {query: "{serverInfo{version}}", variables: `{"x":[` + strings.Repeat("0,", 500_000) + `0]}`, code: tooMuch},
	"deep variables":      {query: "{serverInfo{version}}", variables: `{"x":` + nested(9000, "[", "", "]") + `}`},
	"introspection":       {query: "{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}", code: "GRAPHQL_VALIDATION_FAILED"},
	"cost":                {query: cubed, code: tooMuch},
}

const tooMuch = "COMPLEXITY_LIMIT_EXCEEDED"

// doubling is n fragments that use the next one twice.
func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "fragment F%d on Query{...F%d ...F%d} ", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "fragment F%d on Query{serverInfo{version}}", n)
	return b.String()
}

func (h hostile) body(t testing.TB) string {
	t.Helper()
	query, err := json.Marshal(strings.ReplaceAll(h.query, `\n`, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	variables := h.variables
	if variables == "" {
		variables = "{}"
	}
	return `{"query":` + string(query) + `,"variables":` + variables + `}`
}

// TestHostile: what would cost too much is refused, and a sentence never repeats much of it. BenchmarkHostile shows what each costs.
func TestHostile(t *testing.T) {
	t.Parallel()
	machine := operator(t, graph.ScopeVerify)
	for name, h := range hostiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := raw(t, machine.api, http.MethodPost, "/graphql", h.body(t), "Content-Type", "application/json", "Authorization", "Bearer "+machine.token)
			if a.Status != http.StatusOK || h.code != "" && !onlyErrors(t, a, h.code) || h.code == "" && !strings.HasPrefix(string(a.Body), `{"data":`) {
				t.Errorf("%d %.500s", a.Status, a.Body)
			}
			var body struct{ Errors []struct{ Message string } }
			_ = json.Unmarshal(a.Body, &body) // looked at above
			if len(body.Errors) > 100 {
				t.Errorf("%d errors", len(body.Errors))
			}
			for _, e := range body.Errors {
				if len(e.Message) > 310 {
					t.Errorf("a sentence of %d bytes", len(e.Message))
				}
			}
		})
	}
}

// TestOrdinaryDocuments pass the limits: the query for the whole schema that tools send, and the largest page of a dashboard.
func TestOrdinaryDocuments(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	if name := otherWorld(t).owner.ask(t, string(text), nil, "__schema.queryType.name"); name != "Query" {
		t.Errorf("query type %v", name)
	}
	otherWorld(t).owner.ask(t, "{ account { id ... on Node { __typename } "+repeat(29, "u%d: users(first: 1) { totalCount } ")+"} }", nil, "account.id")
}

// BenchmarkHostile prints the CPU time that each hostile request takes, of the test's client too, beside the limit of 1 s.
func BenchmarkHostile(b *testing.B) {
	machine := operator(b, graph.ScopeVerify)
	fmt.Printf("%-22s %10s %10s %8s\n", "request", "bytes", "CPU ms", "limit")
	for name, h := range hostiles {
		body := h.body(b)
		b.Run(name, func(b *testing.B) {
			start, n := cpu(b), 0
			for b.Loop() {
				raw(b, machine.api, http.MethodPost, "/graphql", body, "Content-Type", "application/json", "Authorization", "Bearer "+machine.token)
				n++
			}
			took := (cpu(b) - start) / time.Duration(n)
			fmt.Printf("%-22s %10d %10.1f %8d\n", name, len(body), took.Seconds()*1000, 1000)
		})
	}
}

// cpu is the time that this process has spent computing.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
