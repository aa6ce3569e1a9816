package table

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/util/duration"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/shape"
)

// age words the time since t as kubectl does: "5m", "3d4h".
func age(t *metav1.Time, now time.Time) string {
	if t.GetSeconds() == 0 && t.GetNanos() == 0 {
		return unknown
	}
	return duration.HumanDuration(now.Sub(time.Unix(t.GetSeconds(), int64(t.GetNanos()))))
}

func microAge(t *metav1.MicroTime, now time.Time) string {
	if t.GetSeconds() == 0 && t.GetNanos() == 0 {
		return unknown
	}
	return duration.HumanDuration(now.Sub(time.Unix(t.GetSeconds(), int64(t.GetNanos()))))
}

// created is an object's age.
func created(m *metav1.ObjectMeta, now time.Time) string { return age(m.GetCreationTimestamp(), now) }

// or returns the text, or what stands for none.
func or(text, empty string) string {
	if text == "" {
		return empty
	}
	return text
}

// pairs prints labels: "a=1,b=2".
func pairs(labels map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return or(strings.Join(out, ","), none)
}

// selector prints a label selector in the syntax of selectors.
func selector(s *metav1.LabelSelector) string {
	if s == nil {
		return none
	}
	var out []string
	type requirement struct{ key, text string }
	var all []requirement
	for k, v := range s.MatchLabels {
		all = append(all, requirement{k, k + "=" + v})
	}
	for _, e := range s.MatchExpressions {
		values := slices.Sorted(slices.Values(e.Values))
		switch e.Operator {
		case "In":
			all = append(all, requirement{e.Key, fmt.Sprintf("%s in (%s)", e.Key, strings.Join(values, ","))})
		case "NotIn":
			all = append(all, requirement{e.Key, fmt.Sprintf("%s notin (%s)", e.Key, strings.Join(values, ","))})
		case "Exists":
			all = append(all, requirement{e.Key, e.Key})
		case "DoesNotExist":
			all = append(all, requirement{e.Key, "!" + e.Key})
		default:
			return "<error>"
		}
	}
	slices.SortStableFunc(all, func(a, b requirement) int { return strings.Compare(a.key, b.key) })
	for _, r := range all {
		out = append(out, r.text)
	}
	return or(strings.Join(out, ","), none)
}

// shorten joins a list of which it shows three items.
func shorten(list []string) string {
	const most = 3
	if len(list) > most {
		return fmt.Sprintf("%s + %d more...", strings.Join(list[:most], ","), len(list)-most)
	}
	return strings.Join(list, ",")
}

// at returns the value at a column's path.
func at(m protoreflect.Message, path, typ string, now time.Time) any {
	var f *shape.Field
	names := strings.Split(strings.TrimPrefix(path, "."), ".")
	for i, name := range names {
		var ok bool
		if f, ok = shape.Of(m.Descriptor()).Field(name); !ok || i < len(names)-1 && (f.Elem == nil || f.Desc.IsList() || f.Desc.IsMap()) {
			return none
		}
		m = f.Holder(m)
		if i < len(names)-1 {
			m = m.Get(f.Desc).Message()
		}
	}
	if !m.Has(f.Desc) && f.Desc.HasPresence() && f.Desc.Message() == nil {
		return zero(typ)
	}
	v := m.Get(f.Desc)
	switch {
	case f.Desc.IsMap():
		labels := map[string]string{}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			labels[k.String()] = v.String()
			return true
		})
		return pairs(labels)
	case f.Desc.IsList():
		var out []string
		for i := range v.List().Len() {
			out = append(out, v.List().Get(i).String())
		}
		return or(strings.Join(out, ","), none)
	}
	switch x := v.Interface().(type) {
	case string:
		return x
	case bool:
		if typ == "string" {
			return fmt.Sprint(x)
		}
		return x
	case int32:
		return int64(x)
	case int64:
		return x
	case protoreflect.Message:
		switch x := x.Interface().(type) {
		case *metav1.Time:
			if typ == "date" {
				if x.GetSeconds() == 0 {
					return nil
				}
				return time.Unix(x.GetSeconds(), 0).UTC().Format(time.RFC3339)
			}
			return age(x, now)
		case *metav1.LabelSelector:
			return selector(x)
		case *metav1.Quantity:
			return or(x.GetString_(), "0")
		}
	}
	return none
}

// zero is the cell of a value that is not there.
func zero(typ string) any {
	switch typ {
	case "integer":
		return int64(0)
	case "boolean":
		return false
	}
	return ""
}
