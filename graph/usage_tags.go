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

// UsageTagText is a JSON object of tags as the database keeps it, empty when there are none. Lists of records are long, and few who ask
// for them ask for tags.
type UsageTagText string

// Scan reads a JSON object.
func (t *UsageTagText) Scan(src any) error {
	text, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("scan tags: unexpected %T", src)
	}
	*t = ""
	if string(text) != "{}" {
		*t = UsageTagText(text)
	}
	return nil
}

// Tags gives the tags by their names.
func (t UsageTagText) Tags() UsageTags {
	if t == "" {
		return nil
	}
	var tags UsageTags
	if err := json.Unmarshal([]byte(t), &tags); err != nil {
		panic(fmt.Sprintf("tags of a record: %v", err)) // what is kept was checked when it came in
	}
	return tags
}

// TagList gives the tags by name.
func (r *UsageRecord) TagList() []*UsageTag { return r.Tags.Tags().list() }

func (t UsageTags) list() []*UsageTag {
	list := make([]*UsageTag, 0, len(t))
	for _, name := range slices.Sorted(maps.Keys(t)) {
		list = append(list, &UsageTag{name, t[name]})
	}
	return list
}
