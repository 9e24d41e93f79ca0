package graph

import (
	"reflect"
	"testing"
)

// TestCopiesAreWhole fills every field, those of the future included, and looks for one that a copy leaves out.
func TestCopiesAreWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filled any
		copied func(any) any
	}{
		{&ApiKey{}, func(x any) any { return x.(*ApiKey).Copy() }},
		{&User{}, func(x any) any { return x.(*User).Copy() }},
		{&Grant{User: &User{}, Key: &ApiKey{}}, func(x any) any { return x.(*Grant).Copy() }},
		{&UsageRecord{}, func(x any) any { return x.(*UsageRecord).Copy() }},
	} {
		v := reflect.ValueOf(c.filled).Elem()
		for i := range v.NumField() {
			fill(v.Field(i))
		}
		copied := reflect.ValueOf(c.copied(c.filled)).Elem()
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; copied.Field(i).IsZero() != (name == "Nested") {
				t.Errorf("%s.%s is not copied, or should not be", v.Type(), name)
			}
		}
	}
}

func fill(f reflect.Value) {
	switch f.Kind() {
	case reflect.String:
		f.SetString("text")
	case reflect.Bool:
		f.SetBool(true)
	case reflect.Int, reflect.Int64:
		f.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		f.SetUint(1)
	case reflect.Array:
		fill(f.Index(0))
	case reflect.Pointer:
		if f.IsNil() {
			f.Set(reflect.New(f.Type().Elem()))
		}
	case reflect.Map:
		f.Set(reflect.MakeMap(f.Type()))
	case reflect.Struct:
		for i := range f.NumField() {
			if f.Field(i).CanSet() {
				fill(f.Field(i))
				return
			}
		}
		if tm := f.Addr().MethodByName("UnmarshalText"); tm.IsValid() {
			tm.Call([]reflect.Value{reflect.ValueOf([]byte("2026-01-02T03:04:05Z"))})
		}
	}
}
