package apply

import (
	"fmt"
	"maps"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/schema"
)

// Merge lays a configuration over an object as an apply does, whoever owns what. The trees are not changed. A
// configuration that touches what is replaced as a whole is refused: it would drop what it does not name.
func Merge(k *schema.Kind, live, config map[string]any) (map[string]any, error) {
	t := typeOf(k)
	patch, err := t.FromUnstructured(config)
	if err != nil {
		return nil, fmt.Errorf("invalid ApplyConfiguration: %w", err)
	}
	set, err := patch.ToFieldSet()
	if err != nil {
		return nil, err
	}
	if paths := atomics(config, set); len(paths) > 0 {
		return nil, fmt.Errorf("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: %s", strings.Join(paths, ", "))
	}
	base := treeWithout(live, "managedFields")
	typedLive, err := t.FromUnstructured(base, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	merged, err := typedLive.Merge(patch)
	if err != nil {
		return nil, err
	}
	out, ok := merged.AsValue().Unstructured().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the merged object is not an object")
	}
	out = maps.Clone(out)
	if meta, ok := live["metadata"].(map[string]any); ok && meta["managedFields"] != nil {
		m, _ := out["metadata"].(map[string]any)
		m = maps.Clone(m)
		m["managedFields"] = meta["managedFields"]
		out["metadata"] = m
	}
	return out, nil
}

// atomics are the leaves of a configuration that are lists or maps: no field of theirs is a leaf of its own.
func atomics(config map[string]any, set *fieldpath.Set) []string {
	var out []string
	set.Leaves().Iterate(func(p fieldpath.Path) {
		switch v := valueAt(config, p).(type) {
		case []any:
			if len(v) > 0 {
				out = append(out, p.String())
			}
		case map[string]any:
			if len(v) > 0 {
				out = append(out, p.String())
			}
		}
	})
	return out
}

// valueAt follows field names; below a list nothing is looked at, as its elements have leaves of their own.
func valueAt(v any, p fieldpath.Path) any {
	for _, e := range p {
		switch t := v.(type) {
		case map[string]any:
			if e.FieldName == nil {
				return nil
			}
			v = t[*e.FieldName]
		case []any:
			v = elementAt(t, e)
		default:
			return nil
		}
	}
	return v
}

// elementAt finds the element of a list that a path names by its key or place.
func elementAt(list []any, e fieldpath.PathElement) any {
	if e.Index != nil && *e.Index < len(list) {
		return list[*e.Index]
	}
	if e.Key == nil {
		return nil
	}
	for _, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		same := true
		for _, f := range *e.Key {
			same = same && fmt.Sprint(m[f.Name]) == fmt.Sprint(f.Value.Unstructured())
		}
		if same {
			return m
		}
	}
	return nil
}

// treeWithout returns a tree that lacks one field of metadata, sharing the rest.
func treeWithout(tree map[string]any, field string) map[string]any {
	meta, ok := tree["metadata"].(map[string]any)
	if tree == nil {
		return map[string]any{}
	}
	if !ok || meta[field] == nil {
		return tree
	}
	out, m := maps.Clone(tree), maps.Clone(meta)
	delete(m, field)
	out["metadata"] = m
	return out
}
