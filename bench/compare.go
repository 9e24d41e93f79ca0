package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// dataOf reads the data of an answer.
func dataOf(body []byte) (any, error) {
	var answer struct{ Data any }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return answer.Data, nil
}

// difference says where two JSON values differ first; empty when they say the same. The order of names is no difference.
func difference(a, b any, path string) string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		for _, name := range slices.Sorted(maps.Keys(x)) {
			if _, there := y[name]; !there {
				return fmt.Sprintf("%s.%s is in the first only", path, name)
			}
			if d := difference(x[name], y[name], path+"."+name); d != "" {
				return d
			}
		}
		for _, name := range slices.Sorted(maps.Keys(y)) {
			if _, there := x[name]; !there {
				return fmt.Sprintf("%s.%s is in the second only", path, name)
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok {
			break
		}
		for i := range min(len(x), len(y)) {
			if d := difference(x[i], y[i], fmt.Sprintf("%s.%d", path, i)); d != "" {
				return d
			}
		}
		if len(x) != len(y) {
			return fmt.Sprintf("%s has %d elements, and %d", path, len(x), len(y))
		}
		return ""
	default:
		if _, isObject := b.(map[string]any); isObject {
			break
		}
		if _, isList := b.([]any); isList {
			break
		}
		if a == b {
			return ""
		}
	}
	return fmt.Sprintf("%s is %.100v, and %.100v", path, a, b)
}

// within gives what is in an object under a name, and in that under the next; nil when there is nothing.
func within(v any, names ...string) any {
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// values counts what is neither list nor object.
func values(v any) int {
	sum := 0
	switch x := v.(type) {
	case map[string]any:
		for _, e := range x {
			sum += values(e)
		}
	case []any:
		for _, e := range x {
			sum += values(e)
		}
	default:
		return 1
	}
	return sum
}
