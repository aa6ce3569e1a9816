package validate

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
	"github.com/keelson/keelson/proto/codec"
)

// checkLists finds items that stand twice in lists of type set and map.
func checkLists(s *structural.Schema, v any, at *field.Path) field.ErrorList {
	if s == nil {
		return nil
	}
	var errs field.ErrorList
	switch v := v.(type) {
	case []any:
		if s.ListType == "set" || s.ListType == "map" {
			errs = duplicates(s, v, at)
		}
		for i, e := range v {
			errs = append(errs, checkLists(s.Items, e, at.Index(i))...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if sub := s.Properties[name]; sub != nil {
				errs = append(errs, checkLists(sub, v[name], at.Child(name))...)
			} else if s.Additional != nil {
				errs = append(errs, checkLists(s.Additional, v[name], at.Key(name))...)
			}
		}
	}
	return errs
}

func duplicates(s *structural.Schema, list []any, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen, told := map[string]bool{}, map[string]bool{}
	for i, e := range list {
		key := e
		if s.ListType == "map" {
			m, ok := e.(map[string]any)
			if !ok {
				errs = append(errs, field.Invalid(at.Index(i), e, "must be an object for an array of list-type map"))
				continue
			}
			keys := make(map[string]any, len(s.ListMapKeys))
			for _, k := range s.ListMapKeys {
				if v, ok := m[k]; ok {
					keys[k] = v
				} else if sub := s.Items.Child(k); sub != nil && sub.HasDefault {
					keys[k] = sub.Default
				}
			}
			key = keys
		}
		text, err := codec.AppendTree(nil, key)
		if err != nil {
			continue
		}
		if id := string(text); seen[id] && !told[id] {
			told[id] = true
			errs = append(errs, field.Duplicate(at.Index(i), key))
		} else {
			seen[id] = true
		}
	}
	return errs
}
