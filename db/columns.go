package db

import (
	"slices"
	"strings"

	"grantwood/graph"
)

// columnList is what is read of a table: "column" or "column = expression", where @ stands for the table's alias.
type columnList []string

// of lists the columns of the table with the alias.
func (l columnList) of(alias string) string { return l.list(alias, "") }

// as lists the columns for a part of a row: with part "user" the column email is read into the field User.Email.
func (l columnList) as(alias, part string) string { return l.list(alias, part+".") }

// sent are the same columns, but the named instants as readAll reads them fastest.
func (l columnList) sent(instants ...string) columnList {
	list := slices.Clone(l)
	for i, c := range list {
		if slices.Contains(instants, c) {
			list[i] = c + " = timestamptz_send(@." + c + ")"
		}
	}
	return list
}

func (l columnList) list(alias, prefix string) string {
	var b strings.Builder
	for i, c := range l {
		name, expression, computed := strings.Cut(c, " = ")
		if !computed {
			expression = "@." + name
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strings.ReplaceAll(expression, "@", alias) + ` AS "` + prefix + name + `"`)
	}
	return b.String()
}

// again lists columns that as has read for the part, from a part of the statement with the alias.
func (l columnList) again(alias, part string) string {
	var b strings.Builder
	for i, c := range l {
		name, _, _ := strings.Cut(c, " = ")
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(alias + `."` + part + "." + name + `"`)
	}
	return b.String()
}

var (
	accountColumns = columnList{"account_id", "name", "status", "currency", "max_users", "max_api_keys", "max_unit_depth", "tree_version",
		"created_at"}
	userColumns = columnList{"account_id", "user_id", "person_id", "email", "display_name",
		`sort_name = lower(@.display_name) COLLATE "C"`, "is_primary", "granted", "status", "rules_version",
		"last_sign_in_at", "created_at"}
	keyColumns = columnList{"account_id", "key_id", "key", "name", `sort_name = lower(@.name) COLLATE "C"`, "kind",
		"unit_id", "is_master", "enabled", "secret_hint", "secret_issued_at", "previous_secret_expires_at", "created_at", "last_used_at", "deleted_at"}
	unitColumns = columnList{"account_id", "unit_id", "parent_id", "name", `sort_name = lower(@.name) COLLATE "C"`, "kind",
		"depth = (SELECT count(*) FROM unit_paths d WHERE d.account_id = @.account_id AND d.unit_id = @.unit_id)", "created_at"}
)

// uuidArray gives ids as a parameter for uuid[].
func uuidArray(ids []graph.UUID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	return "{" + join(names, ",") + "}"
}

// nameArray gives names without special characters, such as the values of an enum, as a parameter for text[]; null when
// the list is nil.
func nameArray[T ~string](names []T) *string {
	if names == nil {
		return nil
	}
	text := "{" + join(names, ",") + "}"
	return &text
}

func join[T ~string](names []T, separator string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(string(n))
	}
	return b.String()
}

// pattern gives a parameter for LIKE that finds the text anywhere; null when there is no text. The statement lowers both
// sides: Go and a database know different letters.
func pattern(text *string) *string {
	if text == nil {
		return nil
	}
	p := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*text) + "%"
	return &p
}

// textArray gives any texts as a parameter for text[].
func textArray(texts []string) *array {
	a := newArray(oidText, len(texts), 8)
	for _, t := range texts {
		a.text(t)
	}
	return a
}
