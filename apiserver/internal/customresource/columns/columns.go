package columns

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Columns computes the cells of a kind.
type Columns struct {
	definitions []schema.Column
	paths       []*Path
}

var age = &apiextensionsv1.CustomResourceColumnDefinition{Name: "Age", Type: "date", JsonPath: ".metadata.creationTimestamp",
	Description: "How long ago the object was created."}

// New returns the columns of a definition; without any there is the age. A path that cannot be read leaves its cells empty.
func New(list []*apiextensionsv1.CustomResourceColumnDefinition) *Columns {
	if len(list) == 0 {
		list = []*apiextensionsv1.CustomResourceColumnDefinition{age}
	}
	c := &Columns{}
	for _, d := range list {
		description := d.GetDescription()
		if description == "" {
			description = "Custom resource definition column (in JSONPath format): " + d.GetJsonPath()
		}
		c.definitions = append(c.definitions, schema.Column{Name: d.GetName(), Type: d.GetType(), Format: d.GetFormat(),
			Description: description, Priority: d.GetPriority(), Path: d.GetJsonPath()})
		p, err := Parse(d.GetJsonPath())
		if err != nil {
			p = nil
		}
		c.paths = append(c.paths, p)
	}
	return c
}

// Definitions describe the columns after the name.
func (c *Columns) Definitions() []schema.Column { return c.definitions }

// Cells returns the cells of an object.
func (c *Columns) Cells(obj map[string]any, now time.Time) []any {
	out := make([]any, len(c.paths))
	for i, p := range c.paths {
		if p == nil {
			continue
		}
		if found := p.Find(obj); len(found) > 0 {
			out[i] = cell(c.definitions[i].Type, found[0], now)
		}
	}
	return out
}

func cell(typ string, v any, now time.Time) any {
	switch typ {
	case "string":
		return Text(v)
	case "integer":
		switch n := v.(type) {
		case int64:
			return n
		case float64:
			return int64(n)
		}
	case "number":
		switch n := v.(type) {
		case int64:
			return float64(n)
		case float64:
			return n
		}
	case "boolean":
		if b, ok := v.(bool); ok {
			return b
		}
	case "date":
		if text, ok := v.(string); ok {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return "<invalid>"
			}
			return duration.HumanDuration(now.Sub(t))
		}
	}
	return nil
}

// Text writes a value as kubectl prints it: scalars as they are, others as JSON.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return "<nil>"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case map[string]any, []any:
		if b, err := json.Marshal(v); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v)
}
