package main

import (
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"grantwood/demo"
)

// introduce prints what somebody needs to begin.
func introduce(url, operatorToken string, u demoUsage) {
	fmt.Printf("\nGrantwood listens on %s/graphql\nOpen %[1]s/playground in a browser to explore it.\n\nPeople, all with the password %[2]s:\n\n", url, demo.Password)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range demo.People() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", p.Email, p.About)
	}
	_ = table.Flush()
	if !u.Loaded {
		fmt.Printf("\nUsage is being loaded, %d records: what is asked meanwhile finds those that are there already.\n", u.Records)
	}
	from, to := u.Day.AddDate(0, 0, -7).Format(time.RFC3339), u.Day.Format(time.RFC3339)
	fmt.Printf(`
Operator token (new at every start): %s

Try, in another terminal:

  # sign in as somebody who sees two keys
  TOKEN=$(curl -s %[2]s/graphql -H 'Content-Type: application/json' -d '{"query":"mutation{signIn(input:{email:\"reporting@globex.example\",password:\"%[3]s\"}){sessionToken userErrors{message}}}"}' | sed 's/.*"sessionToken":"\([^"]*\)".*/\1/')

  # what they see, and what these keys used in the last week
  curl -s %[2]s/graphql -H 'Content-Type: application/json' -H "Authorization: Bearer $TOKEN" -d '{"query":"{viewer{user{displayName}} account{name apiKeys{totalCount nodes{name status}} users{nodes{displayName}} usageReport(input:{from:\"%[4]s\",to:\"%[5]s\",groupBy:[KEY,PRODUCT]}){rows{key{name} product totals{records quantity cost{amount currency}}}}}}"}'

  # any account, as the provider
  curl -s %[2]s/graphql -H 'Content-Type: application/json' -H "Authorization: Bearer %[1]s" -d '{"query":"mutation{createAccount(input:{name:\"Hooli\",currency:\"USD\",primaryEmail:\"me@hooli.example\"}){account{id name} link userErrors{message path}}}"}'

`, operatorToken, url, demo.Password, from, to)
}
