package db

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/reflectx"
)

// readAll reads all rows of a statement as sqlx does, by the names of columns, for lists that may be long: where each column goes is
// found once for all rows, and rows lie next to each other. A part of a row that is a pointer is left to sqlx, since each row needs its own.
func readAll[T any](ctx context.Context, q sqlx.QueryerContext, statement string, args ...any) ([]*T, error) {
	rows, err := q.QueryxContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var row T
	targets, err := targetsOf(&row, rows)
	if err != nil {
		return nil, err
	}
	if targets == nil {
		var list []*T
		return list, sqlx.StructScan(rows, &list)
	}
	var list []*T
	var block []T
	var empty T
	for rows.Next() {
		row = empty
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		if len(block) == cap(block) {
			block = make([]T, 0, min(max(16, 2*cap(block)), 256))
		}
		block = append(block, row)
		list = append(list, &block[len(block)-1])
	}
	return list, rows.Err()
}

// targetsOf gives where in the row each column is read to: nil when that lies behind a pointer, or sqlx has to say that it is nowhere.
func targetsOf[T any](row *T, rows *sqlx.Rows) ([]any, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	value := reflect.ValueOf(row).Elem()
	if value.Kind() != reflect.Struct {
		return nil, nil
	}
	targets := make([]any, len(columns))
	for i, path := range rows.Mapper.TraversalsByName(value.Type(), columns) {
		if len(path) == 0 || behindPointer(value.Type(), path) {
			return nil, nil
		}
		targets[i] = reflectx.FieldByIndexesReadOnly(value, path).Addr().Interface()
		if t, ok := targets[i].(*time.Time); ok {
			targets[i] = timeTarget{t}
		}
	}
	return targets, nil
}

// timeTarget reads a time, as a timestamptz or as timestamptz_send gives it: microseconds since the epoch of PostgreSQL. Writing a date as
// text, and reading it, costs more than most columns.
type timeTarget struct{ to *time.Time }

// Scan reads a column.
func (i timeTarget) Scan(src any) error {
	switch src := src.(type) {
	case time.Time:
		*i.to = src
		return nil
	case []byte:
		if len(src) == 8 {
			*i.to = time.UnixMicro(epoch.UnixMicro() + int64(binary.BigEndian.Uint64(src))).UTC()
			return nil
		}
	}
	return fmt.Errorf("scan time: unexpected %T", src)
}

func behindPointer(t reflect.Type, path []int) bool {
	for _, i := range path[:len(path)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}
