// Genqlient asks a Grantwood server for what a dashboard shows, with the code that genqlient generates from the schema and
// from documents/dashboard.graphql.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/Khan/genqlient/graphql"
)

// docs: genqlient
type bearer struct{ token string }

// RoundTrip says who is asking.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

func newClient(url, token string) graphql.Client {
	return graphql.NewClient(url+"/graphql", &http.Client{Transport: bearer{token}})
}

// end

var failed bool

// check says how a case went.
func check(name string, err error, good bool) {
	if err != nil || !good {
		failed = true
		fmt.Printf("FAIL  %s: %v\n", name, err)
		return
	}
	fmt.Println("ok   ", name)
}

func main() {
	ctx := context.Background()
	c := newClient(os.Getenv("GRANTWOOD_URL"), os.Getenv("GRANTWOOD_TOKEN"))
	var ids struct{ User, Key string }
	if err := json.Unmarshal([]byte(os.Getenv("GRANTWOOD_IDS")), &ids); err != nil {
		panic(err)
	}
	viewer, _, err := Viewer(ctx, c)
	check("Viewer", err, err == nil && viewer.Viewer.User.IsPrimary)
	keys, _, err := Keys(ctx, c, 2, nil, nil)
	check("Keys", err, err == nil && len(keys.Account.ApiKeys.Edges) == 2 && keys.Account.ApiKeys.TotalCount == 4)
	people, _, err := People(ctx, c)
	check("People", err, err == nil && len(people.Account.Users.Nodes) == 2)
	from, to := time.Now().Add(-24*time.Hour), time.Now().Add(time.Hour)
	usage, _, err := Usage(ctx, c, from, to, nil)
	check("Usage", err, err == nil && len(usage.Account.Usage.Edges) == 1)
	report, _, err := Report(ctx, c, UsageReportInput{From: from, To: to, GroupBy: []UsageGrouping{UsageGroupingDay}, TimeZone: "UTC", Limit: 10})
	check("Report", err, err == nil && len(report.Account.UsageReport.Rows) > 0)
	thing, _, err := Thing(ctx, c, ids.Key)
	check("Thing", err, err == nil && (*thing.Node).GetId() == ids.Key)
	set, _, err := SetGrant(ctx, c, SetGrantInput{UserId: ids.User, KeyId: ids.Key, State: GrantStateEnabled})
	check("SetGrant", err, err == nil && set.SetGrant.Grant.Enabled && len(set.SetGrant.UserErrors) == 0)
	_, _, err = Thing(ctx, newClient(os.Getenv("GRANTWOOD_URL"), "nonsense"), ids.Key)
	check("no access is an error", nil, err != nil)
	if failed {
		os.Exit(1)
	}
}
