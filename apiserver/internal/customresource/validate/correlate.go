package validate

import (
	"reflect"

	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/apiserver/internal/customresource/structural"
)

// pair is a value with the one that was in its place before an update. What has not changed is not refused, though the
// schema may have become stricter since it was stored.
type pair struct {
	value, old any
	schema     *structural.Schema

	compared, same bool
	// byKey finds the old items of a list of type map.
	byKey map[any]any
}

// unchanged tells whether the value is what it was.
func (p *pair) unchanged() bool {
	if p == nil {
		return false
	}
	if !p.compared {
		p.same, p.compared = reflect.DeepEqual(p.value, p.old), true
	}
	return p.same
}

// key returns the pair of a member; nil where there was none before.
func (p *pair) key(name string) *pair {
	if p == nil || p.schema != nil && p.schema.MapType == "atomic" {
		return nil
	}
	value, ok := p.value.(map[string]any)
	if !ok {
		return nil
	}
	old, ok := p.old.(map[string]any)
	if !ok {
		return nil
	}
	v, ok := value[name]
	was, had := old[name]
	if !ok || !had {
		return nil
	}
	return &pair{value: v, old: was, schema: p.schema.Child(name)}
}

// index returns the pair of an item: items of lists of type map are told apart by their keys; others have no history.
func (p *pair) index(i int) *pair {
	if p == nil || p.schema == nil || p.schema.ListType != "map" {
		return nil
	}
	value, ok := p.value.([]any)
	if !ok || i >= len(value) {
		return nil
	}
	old, ok := p.old.([]any)
	if !ok {
		return nil
	}
	if p.byKey == nil {
		p.byKey = make(map[any]any, len(old))
		for _, e := range old {
			if k, ok := cel.MapKey(e, p.schema.ListMapKeys); ok {
				p.byKey[k] = e
			}
		}
	}
	k, ok := cel.MapKey(value[i], p.schema.ListMapKeys)
	if !ok {
		return nil
	}
	was, ok := p.byKey[k]
	if !ok {
		return nil
	}
	return &pair{value: value[i], old: was, schema: p.schema.Items}
}
