package graph

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// UsageTags are the tags of a record by their names. In the database they are a JSON object.
type UsageTags map[string]string

// Limits of tags.
const (
	maxTags    = 8
	maxTagText = 100
)

// Scan reads a JSON object.
func (t *UsageTags) Scan(src any) error {
	text, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("scan tags: unexpected %T", src)
	}
	if string(text) == "{}" {
		*t = nil
		return nil
	}
	return json.Unmarshal(text, t)
}

// TagList gives the tags by name.
func (r *UsageRecord) TagList() []*UsageTag { return r.Tags.list() }

func (t UsageTags) list() []*UsageTag {
	list := make([]*UsageTag, 0, len(t))
	for _, name := range slices.Sorted(maps.Keys(t)) {
		list = append(list, &UsageTag{name, t[name]})
	}
	return list
}
