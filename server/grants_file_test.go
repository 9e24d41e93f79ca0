package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"grantwood/graph"
)

// file asks for /grants.csv, or sends one.
func (c client) file(t testing.TB, method, query, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+"/grants.csv?"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if strings.HasPrefix(c.token, "Basic ") {
		req.Header.Set("Authorization", c.token)
	}
	req.Header.Set("Content-Type", "text/csv")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return send(t, req)
}

func (c client) export(t testing.TB, query string) string {
	t.Helper()
	a := c.file(t, http.MethodGet, query, "")
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/csv; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("export: %d %v %s", a.Status, a.Header, a.Body)
	}
	return string(a.Body)
}

// sheetAnswer is what is said about a file that was sent.
type sheetAnswer struct {
	Changes []string // such as "4.3 user key: (disabled) -> enabled"
	Refused []string // such as "4.3 INVALID"
	Result  struct {
		Applied                             bool
		Changes, Refused, Enabled, Disabled int
		OperationID                         *string
	}
}

func (a answer) sheet(t testing.TB) sheetAnswer {
	t.Helper()
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/x-ndjson; charset=utf-8" {
		t.Fatalf("import: %d %v %s", a.Status, a.Header, a.Body)
	}
	var said sheetAnswer
	lines := strings.Split(strings.TrimSuffix(string(a.Body), "\n"), "\n")
	for i, line := range lines {
		var l struct {
			Change *struct {
				Line, Column             int
				User, Key, Before, After string
			}
			Refused *struct {
				Line, Column  int
				Code, Message string
			}
			Result json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case l.Change != nil:
			said.Changes = append(said.Changes, fmt.Sprintf("%d.%d %s %s: %s -> %s", l.Change.Line, l.Change.Column, l.Change.User, l.Change.Key, l.Change.Before, l.Change.After))
		case l.Refused != nil && l.Refused.Message != "":
			said.Refused = append(said.Refused, fmt.Sprintf("%d.%d %s", l.Refused.Line, l.Refused.Column, l.Refused.Code))
		case i == len(lines)-1 && l.Result != nil:
			if err := json.Unmarshal(l.Result, &said.Result); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("line %d: %s", i+1, line)
		}
	}
	if said.Result.Changes != len(said.Changes) || said.Result.Refused != len(said.Refused) {
		t.Errorf("the result counts otherwise: %s", a.Body)
	}
	return said
}

// sheetWorld has keys and users whose names a spreadsheet would calculate, and one grant of each kind for them.
type sheetWorld struct {
	*world
	europe, asia      credential
	master            string // public part
	rita, dora, admin member
	end               string
}

func newSheetWorld(t *testing.T) *sheetWorld {
	w := &sheetWorld{world: newWorld(t)}
	w.europe, w.asia = w.credential(t, "=HYPERLINK(\"http://evil.example\")"), w.credential(t, "Asia, and \"more\"")
	w.master = w.owner.text(t, `{ account { masterKey { key } } }`, nil, "account.masterKey.key")
	w.rita = w.user(t, invitee{role: graph.RoleReporting, keys: []string{w.asia.id}})
	w.dora = w.user(t, invitee{role: graph.RoleDeveloper, withoutMaster: true})
	w.admin = w.user(t, invitee{capabilities: []graph.Capability{graph.ManageGrants, graph.ViewAudit}, keys: []string{w.europe.id}, withoutMaster: true})
	for _, n := range []struct {
		c    client
		name string
	}{{w.rita.client, "+1+cmd|' /C calc'!A0"}, {w.dora.client, "'Dora"}} {
		n.c.ask(t, `mutation($n: String!) { updateProfile(input: {displayName: $n}) { userErrors { message } } }`, map[string]any{"n": n.name}, "updateProfile")
	}
	w.end = time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	w.owner.set(t, with(pair(w.dora.id, w.europe.id, "ENABLED"), "expiresAt", w.end))
	return w
}

// head are the first two lines for the keys.
func head(keys, names string) string { return "email,name," + keys + "\n,," + names + "\n" }

func TestExportGrants(t *testing.T) {
	t.Parallel()
	w := newSheetWorld(t)
	inner := w.unit(t, "Inner", "")
	w.place(t, w.asia.id, inner)
	w.rule(t, w.dora.id, inner, true)
	w.owner.set(t, with(pair(w.rita.id, w.europe.id, "ENABLED"), "expiresAt", inAnHour()))
	w.edit(t, `UPDATE grants SET expires_at = '2016-06-29T09:00:00Z' WHERE account_id = $1 AND user_id = $2 AND key_id = $3`, rowOf(w.rita.id), rowOf(w.europe.id))
	gone := w.key(t, "Gone")
	w.remove(t, gone)
	everything := head(w.master+","+w.europe.key+","+w.asia.key, `Master key,"'=HYPERLINK(""http://evil.example"")","Asia, and ""more"""`) +
		w.rita.email + `,'+1+cmd|' /C calc'!A0,(enabled),enabled until 2016-06-29T09:00:00Z,enabled` + "\n" +
		w.dora.email + `,''Dora,disabled,enabled until ` + w.end + `,(enabled)` + "\n" +
		w.admin.email + `,` + name(w.admin) + `,disabled,enabled,(disabled)` + "\n"
	partly := head(w.europe.key, `"'=HYPERLINK(""http://evil.example"")"`) + w.rita.email + `,'+1+cmd|' /C calc'!A0,enabled until 2016-06-29T09:00:00Z` + "\n" +
		w.dora.email + `,''Dora,enabled until ` + w.end + "\n" + w.admin.email + `,` + name(w.admin) + ",enabled\n"
	nothing := "email,name\n,\n" + w.rita.email + `,'+1+cmd|' /C calc'!A0` + "\n" + w.dora.email + ",''Dora\n" + w.admin.email + "," + name(w.admin) + "\n"
	asia := head(w.asia.key, `"Asia, and ""more"""`) + w.rita.email + `,'+1+cmd|' /C calc'!A0,enabled` + "\n" + w.dora.email + ",''Dora,(enabled)\n" + w.admin.email + "," + name(w.admin) + ",(disabled)\n"
	support := operator(t, graph.ScopeSupport)
	for what, c := range map[string]struct {
		c     client
		query string
		want  string
	}{
		"owner": {w.owner.client, "", everything}, "owner by name": {w.owner.client, "account=" + w.account, everything},
		"support": {support, "account=" + w.account, everything}, "who sees one key": {w.admin.client, "", partly},
		"unit": {w.owner.client, "unit=" + inner, asia}, "hidden unit": {w.admin.client, "unit=" + inner, nothing}, "missing unit": {w.owner.client, "unit=unt_0", nothing},
		"no unit": {support, "unit=&account=" + w.account, nothing},
	} {
		if diff := cmp.Diff(c.want, c.c.export(t, c.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	other := otherWorld(t)
	for what, c := range map[string]struct {
		c      client
		query  string
		status int
		code   graph.Code
	}{
		"nobody": {nobody(), "", 401, "UNAUTHENTICATED"}, "a wrong token": {client{w.owner.api, "gws_x"}, "", 401, "UNAUTHENTICATED"},
		"who manages no grants": {w.rita.client, "", 403, "FORBIDDEN"}, "an operator without the scope": {operator(t, graph.ScopeVerify), "account=" + w.account, 403, "FORBIDDEN"},
		"a key":                      {keyed(w.owner.api, w.europe.key, w.europe.secret), "", 403, "FORBIDDEN"},
		"an operator who names none": {support, "", 404, "NOT_FOUND"}, "an operator who names a key": {support, "account=" + w.europe.id, 404, "NOT_FOUND"},
		"another account": {w.owner.client, "account=" + other.account, 404, "NOT_FOUND"}, "no account": {w.owner.client, "account=acc_" + strings.Repeat("0", 26), 404, "NOT_FOUND"},
	} {
		if a := c.c.file(t, http.MethodGet, c.query, ""); a.Status != c.status || a.code(t) != string(c.code) {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
	w.suspend(t)
	if got := w.owner.export(t, ""); got != everything {
		t.Errorf("of a suspended account: %s", got)
	}
}

// TestImportChangesNothing: what was exported changes nothing when it is sent back, also as spreadsheets save it.
func TestImportChangesNothing(t *testing.T) {
	t.Parallel()
	w := newSheetWorld(t)
	w.owner.set(t, with(pair(w.rita.id, w.europe.id, "ENABLED"), "expiresAt", inAnHour()))
	w.edit(t, endGrant, rowOf(w.rita.id), rowOf(w.europe.id))
	inner := w.unit(t, "Inner", "")
	w.place(t, w.asia.id, inner)
	w.rule(t, w.dora.id, inner, true)
	for _, c := range []client{w.owner.client, w.admin.client} {
		text := c.export(t, "")
		for what, sent := range map[string]string{
			"as it is": text, "with a mark of UTF-8": "\uFEFF" + text, "with lines as of Windows": strings.ReplaceAll(text, "\n", "\r\n"),
			"in capitals": strings.ReplaceAll(strings.ToUpper(text), strings.ToUpper(w.europe.key), w.europe.key),
			"quoted":      strings.Replace(text, "email,name", `"email","name"`, 1), "empty": "email,name\n", "nobody": strings.Join(strings.SplitAfter(text, "\n")[:2], ""),
			"with columns alone": strings.SplitAfter(text, "\n")[0], "without the last line's end": strings.TrimSuffix(text, "\n"),
		} {
			if what == "in capitals" && c.token == w.owner.token {
				continue // public keys are not in capitals
			}
			w.unchanged(t, func() {
				for _, plan := range []string{"plan=true", "plan=false"} {
					got := c.file(t, http.MethodPost, plan, sent).sheet(t)
					if len(got.Changes)+len(got.Refused) > 0 || got.Result.Applied != (plan == "plan=false") || got.Result.OperationID != nil {
						t.Errorf("%s, %s: %+v", what, plan, got)
					}
				}
			})
		}
	}
}

// TestImportGrants plans, applies, and takes back.
func TestImportGrants(t *testing.T) {
	t.Parallel()
	w := newSheetWorld(t)
	until := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	// Columns and lines in another order, and with what spreadsheets do to words.
	sent := "Email,NAME," + w.asia.key + ",'" + w.europe.key + "," + w.master + "\n" +
		",\n,,,,\n" + // lines that say nothing; the first is ragged
		strings.ToUpper(w.dora.email) + ",whatever,Enabled until " + until + ", inherit ,\n" +
		"'" + w.rita.email + ",," + "(enabled),DISABLED,(disabled)\n"
	sent = strings.Replace(sent, ",\n,,,,\n", ",,Names,of,keys\n,,,,\n", 1)
	changes := []string{
		fmt.Sprintf("4.3 %s %s: (disabled) -> enabled until %s", w.dora.email, w.asia.key, until),
		fmt.Sprintf("4.4 %s %s: enabled until %s -> (disabled)", w.dora.email, w.europe.key, w.end),
		fmt.Sprintf("5.3 %s %s: enabled -> (disabled)", w.rita.email, w.asia.key),
		fmt.Sprintf("5.4 %s %s: (disabled) -> disabled", w.rita.email, w.europe.key),
	}
	check := func(got sheetAnswer, applied bool) {
		t.Helper()
		r := got.Result
		if diff := cmp.Diff(changes, got.Changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if r.Applied != applied || r.Enabled != 1 || r.Disabled != 2 || (r.OperationID != nil) != applied || r.Refused != 0 {
			t.Errorf("result %+v", r)
		}
	}
	w.unchanged(t, func() { check(w.owner.file(t, http.MethodPost, "plan=true", sent).sheet(t), false) })
	before := w.owner.export(t, "")
	a := w.owner.file(t, http.MethodPost, "plan=false", sent, "Content-Type", "text/csv; charset=UTF-8")
	got := a.sheet(t)
	check(got, true)
	w.tells(t, a, event{Action: "GRANTS_CHANGED", Actor: w.owner.id, ActorLabel: w.owner.display(), Summary: "Set grants as a file says.", IPAddress: "127.0.0.1"})
	operation := *got.Result.OperationID
	w.owner.hasCells(t, operation,
		w.rita.email+" =HYPERLINK(\"http://evil.example\"): INHERIT -> DISABLED", w.dora.email+" =HYPERLINK(\"http://evil.example\"): ENABLED -> INHERIT (expiresBefore "+w.end+")",
		w.rita.email+" Asia, and \"more\": ENABLED -> INHERIT", w.dora.email+" Asia, and \"more\": INHERIT -> ENABLED (expiresAfter "+until+")")
	if again := w.owner.file(t, http.MethodPost, "plan=false", sent).sheet(t); len(again.Changes) > 0 || again.Result.OperationID != nil {
		t.Errorf("repeated: %+v", again)
	}
	w.owner.done(t, toUndo, undo(operation))
	if diff := cmp.Diff(before, w.owner.export(t, "")); diff != "" {
		t.Errorf("taken back (-want +got):\n%s", diff)
	}
	// What was exported before, sent later, puts back too.
	w.owner.file(t, http.MethodPost, "plan=false", sent).sheet(t)
	w.owner.file(t, http.MethodPost, "plan=false", before).sheet(t)
	if diff := cmp.Diff(before, w.owner.export(t, "")); diff != "" {
		t.Errorf("put back (-want +got):\n%s", diff)
	}
}

// TestImportRefuses: whatever is refused says where and why, and then nothing is done of the rest.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	w := newSheetWorld(t)
	gone := w.credential(t, "Gone")
	w.remove(t, gone.id)
	all := w.master + "," + w.europe.key + "," + w.asia.key
	past := "enabled until 2016-06-29T09:00:00Z"
	for what, c := range map[string]struct {
		c    client
		sent string
		want []string
	}{
		"nothing":                        {w.owner.client, "", []string{"1.1 INVALID"}},
		"no header":                      {w.owner.client, w.rita.email + ",Rita,enabled\n", []string{"1.1 INVALID"}},
		"other separators":               {w.owner.client, strings.ReplaceAll(head(all, ",,"), ",", ";"), []string{"1.1 INVALID"}},
		"header without names":           {w.owner.client, "email," + all + "\n", []string{"1.2 INVALID"}},
		"header that is no CSV":          {w.owner.client, "email,na\"me\n", []string{"1.1 INVALID"}},
		"column without a key":           {w.owner.client, "email,name,," + all + "\n", []string{"1.3 INVALID"}},
		"column twice":                   {w.owner.client, "email,name," + all + ",'" + w.europe.key + "\n", []string{"1.6 INVALID"}},
		"unknown columns":                {w.owner.client, "email,name,gwk_x," + w.europe.key + "," + otherKey(t) + "\n" + w.rita.email + ",,enabled,disabled,enabled\n", []string{"1.3 NOT_FOUND", "1.5 NOT_FOUND"}},
		"hidden columns":                 {w.admin.client, "email,name," + all + "\n" + w.rita.email + ",,enabled,disabled,enabled\n", []string{"1.3 NOT_FOUND", "1.5 NOT_FOUND"}},
		"column that is no text":         {w.owner.client, "email,name,\xff\xfe\n", []string{"1.3 INVALID"}},
		"ragged lines":                   {w.owner.client, head(all, ",,") + w.rita.email + ",,enabled\n" + w.dora.email + ",,,,,,\n", []string{"3.1 INVALID", "4.1 INVALID"}},
		"lines that are no CSV":          {w.owner.client, head(all, ",,") + w.rita.email + ",,en\"abled,,\n" + w.dora.email + ",,enabled,,\n" + `"`, []string{"3.1 INVALID", "5.1 INVALID"}},
		"unknown users":                  {w.owner.client, head(all, ",,") + "nobody@test.example,,enabled,,\nnonsense,,,,\n" + otherWorld(t).user.email + ",,,,\n", []string{"3.1 NOT_FOUND", "4.1 NOT_FOUND", "5.1 NOT_FOUND"}},
		"user twice":                     {w.owner.client, head(all, ",,") + w.rita.email + ",,enabled,,\n" + strings.ToUpper(w.rita.email) + ",,,,\n", []string{"4.1 INVALID"}},
		"user who is no text":            {w.owner.client, head(all, ",,") + "\xff@x,,,,\n" + "a\x00b,,,,\n", []string{"3.1 INVALID", "4.1 INVALID"}},
		"cells":                          {w.owner.client, head(all, ",,") + w.rita.email + ",,yes,(inherit),enabled until tomorrow\n" + w.dora.email + ",,enabled until,1,disabled until " + w.end + "\n", []string{"3.3 INVALID", "3.4 INVALID", "3.5 INVALID", "4.3 INVALID", "4.4 INVALID", "4.5 INVALID"}},
		"an end that is past":            {w.owner.client, head(all, ",,") + w.rita.email + ",,enabled," + past + ",\n", []string{"3.4 INVALID"}},
		"the primary user":               {w.owner.client, head(all, ",,") + w.owner.email + ",,enabled,disabled,\n" + w.rita.email + ",,disabled,,\n", []string{"3.1 NOT_ALLOWED"}},
		"oneself":                        {w.admin.client, head(w.europe.key, "") + w.admin.email + ",,disabled\n" + w.rita.email + ",,enabled\n", []string{"3.1 NOT_ALLOWED"}},
		"a deleted key":                  {w.owner.client, head(gone.key+","+w.europe.key, ",") + w.rita.email + ",,enabled,\n" + w.dora.email + ",,enabled,\n", []string{"1.3 INVALID_STATE"}},
		"several at once, one of a kind": {w.admin.client, "email,name,gwk_x," + w.europe.key + "\nnobody@test.example,,,\n" + w.rita.email + ",,,perhaps\n" + w.dora.email + ",,,disabled\nx\n", []string{"1.3 NOT_FOUND", "2.1 NOT_FOUND", "3.4 INVALID", "5.1 INVALID"}},
		"too many columns":               {w.owner.client, "email,name" + strings.Repeat(",", 20_000) + "\n", []string{"1.1 INVALID"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w.unchanged(t, func() {
				for _, plan := range []string{"plan=true", "plan=false"} {
					got := c.c.file(t, http.MethodPost, plan, c.sent).sheet(t)
					if diff := cmp.Diff(c.want, got.Refused); diff != "" || got.Result.Applied || got.Result.OperationID != nil {
						t.Errorf("%s: %+v (-want +got):\n%s", plan, got.Result, diff)
					}
				}
			})
		})
	}
}

// otherKey is the public part of a key of another account.
func otherKey(t testing.TB) string {
	t.Helper()
	return otherWorld(t).owner.text(t, `{ account { masterKey { key } } }`, nil, "account.masterKey.key")
}

// TestImportBetraysNothing: hidden, foreign and missing keys and users are met with the same words.
func TestImportBetraysNothing(t *testing.T) {
	t.Parallel()
	w := newSheetWorld(t)
	var first []byte
	for what, key := range map[string]string{"hidden": w.asia.key, "hidden master key": w.master, "foreign": otherKey(t), "missing": "gwk" + strings.Repeat("0", len(w.asia.key)-3), "nonsense": "x"} {
		a := w.admin.file(t, http.MethodPost, "plan=false", "email,name,"+w.europe.key+","+key+"\n"+w.rita.email+",,,enabled\n"+w.dora.email+",,(enabled),disabled\n")
		if first == nil {
			first = a.Body
		}
		if !bytes.Equal(first, a.Body) {
			t.Errorf("%s: %s\nothers: %s", what, a.Body, first)
		}
	}
	first = nil
	for what, email := range map[string]string{"foreign": otherWorld(t).user.email, "missing": "nobody@test.example", "nonsense": "x"} {
		a := w.admin.file(t, http.MethodPost, "plan=false", "email,name,"+w.europe.key+"\n"+email+",,enabled\n")
		if first == nil {
			first = a.Body
		}
		if !bytes.Equal(first, a.Body) {
			t.Errorf("%s: %s\nothers: %s", what, a.Body, first)
		}
	}
}

// TestImportRequests: what is no file, or comes from somebody who may not, is refused as a whole.
func TestImportRequests(t *testing.T) {
	t.Parallel()
	w := newSheetWorld(t)
	sent := head(w.europe.key, "") + w.rita.email + ",,enabled\n"
	partner, _ := tokenOf(t, w.owner.client, usageOnly, w.europe.id)
	w.unchanged(t, func() {
		for what, c := range map[string]struct {
			c       client
			method  string
			query   string
			headers []string
			status  int
			code    graph.Code
		}{
			"nobody":                {nobody(), "POST", "plan=false", nil, 401, "UNAUTHENTICATED"},
			"who manages no grants": {w.rita.client, "POST", "plan=false", nil, 403, "FORBIDDEN"},
			"a token":               {partner, "POST", "plan=false", nil, 403, "FORBIDDEN"},
			"an operator":           {operator(t, graph.ScopeAdmin, graph.ScopeSupport), "POST", "plan=false&account=" + w.account, nil, 403, "FORBIDDEN"},
			"a form":                {w.owner.client, "POST", "plan=false", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "BAD_USER_INPUT"},
			"a form with a file":    {w.owner.client, "POST", "plan=false", []string{"Content-Type", "multipart/form-data; boundary=x"}, 415, "BAD_USER_INPUT"},
			"plain text":            {w.owner.client, "POST", "plan=false", []string{"Content-Type", "text/plain"}, 415, "BAD_USER_INPUT"},
			"another alphabet":      {w.owner.client, "POST", "plan=false", []string{"Content-Type", "text/csv; charset=latin1"}, 415, "BAD_USER_INPUT"},
			"no plan":               {w.owner.client, "POST", "", nil, 400, "BAD_USER_INPUT"},
			"a plan that is none":   {w.owner.client, "POST", "plan=maybe", nil, 400, "BAD_USER_INPUT"},
			"another site":          {client{api: w.owner.api}, "POST", "plan=false", []string{"Cookie", "grantwood_session=" + w.owner.token, "Sec-Fetch-Site", "cross-site"}, 403, "FORBIDDEN"},
		} {
			if a := c.c.file(t, c.method, c.query, sent, c.headers...); a.Status != c.status || a.code(t) != string(c.code) {
				t.Errorf("%s: %d %s", what, a.Status, a.Body)
			}
		}
		if a := w.owner.file(t, http.MethodPut, "plan=false", sent); a.Status != 405 || a.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("PUT: %d %v", a.Status, a.Header)
		}
		large := head(w.europe.key, "") + strings.Repeat(w.rita.email+","+strings.Repeat("x", 1<<20)+",enabled\n", 65)
		if a := w.owner.file(t, http.MethodPost, "plan=false", large); a.Status != 413 {
			t.Errorf("a large file: %d %.200s", a.Status, a.Body)
		}
	})
	w.suspend(t)
	if a := w.owner.file(t, http.MethodPost, "plan=false", sent); a.Status != 403 || a.code(t) != "ACCOUNT_SUSPENDED" {
		t.Errorf("suspended: %d %s", a.Status, a.Body)
	}
}
