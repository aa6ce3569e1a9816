package pipeline

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/selector"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// filter is a parsed selection.
type filter struct {
	namespace string
	labels    selector.Labels
	fields    selector.Fields
	// view is set where the fields are those of another version than the stored one.
	view func(*item.Item) (*item.Item, error)
	// field is set where the kind itself finds a field in any version of an object.
	field func(it *item.Item, path string) (string, bool)
}

func parseSelection(res *resource, sel *resourcev1.Selection) (*filter, error) {
	f := &filter{namespace: sel.GetNamespace()}
	k := res.kind
	switch {
	case k.IsCustom():
		f.field = fieldOf(k)
	case k != res.storage:
		f.view = func(it *item.Item) (*item.Item, error) { return res.view(context.Background(), it) }
	}
	var err error
	if f.labels, err = selector.ParseLabels(sel.GetLabelSelector()); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if f.fields, err = selector.ParseFields(sel.GetFieldSelector()); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	for _, t := range f.fields {
		if !k.Selectable(t.Path) {
			if len(k.SelectableFields) == 0 {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("%q is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", t.Path))
			}
			return nil, apierrors.NewBadRequest("field label not supported: " + t.Path)
		}
	}
	return f, nil
}

// fieldOf looks fields up where the version that the client speaks has them. Objects that are stored in another one are
// not converted for it: a webhook may take its time, and this runs while a change is told to the watchers.
func fieldOf(k *schema.Kind) func(it *item.Item, path string) (string, bool) {
	return func(it *item.Item, path string) (string, bool) {
		if it.Kind == k || path == "metadata.name" || path == "metadata.namespace" {
			return it.Field(path)
		}
		if v := it.View(k); v != nil {
			return v.Field(path)
		}
		obj, err := it.Decode()
		if err != nil {
			return "", false
		}
		value, ok := k.Fields(obj)[path]
		return value, ok
	}
}

// all tells whether the selectors let everything pass.
func (f *filter) all() bool { return len(f.labels) == 0 && len(f.fields) == 0 }

func (f *filter) matches(it *item.Item) bool {
	if len(f.labels) > 0 && !f.labels.Matches(it.Label) {
		return false
	}
	if len(f.fields) == 0 {
		return true
	}
	if f.view != nil {
		var err error
		if it, err = f.view(it); err != nil {
			return false
		}
	}
	if f.field != nil {
		return f.fields.Matches(func(path string) (string, bool) { return f.field(it, path) })
	}
	return f.fields.Matches(it.Field)
}

// marks are those of the labels of which an object must have one; nil where no requirement asks for values.
func (f *filter) marks() []watchcache.Marks {
	var best *selector.Requirement
	for i := range f.labels {
		r := &f.labels[i]
		if r.Operator == selector.In && (best == nil || len(r.Values) < len(best.Values)) {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	out := make([]watchcache.Marks, len(best.Values))
	for i, v := range best.Values {
		out[i] = watchcache.Mark(best.Key, v)
	}
	return out
}

// match is matches as a function, or nil where it would always be true.
func (f *filter) match() func(*item.Item) bool {
	if f.all() {
		return nil
	}
	return f.matches
}

// exact returns a field that must have one value, by which watchers are found.
func (f *filter) exact() (path, value string) {
	for _, t := range f.fields {
		if !t.Not && (f.view == nil && f.field == nil || t.Path == "metadata.name") {
			return t.Path, t.Value
		}
	}
	return "", ""
}
