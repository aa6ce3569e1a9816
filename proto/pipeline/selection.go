package pipeline

import (
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/selector"
)

// filter is a parsed selection.
type filter struct {
	namespace string
	labels    selector.Labels
	fields    selector.Fields
	// view is set where the fields are those of another version than the stored one.
	view func(*item.Item) (*item.Item, error)
}

func parseSelection(res *resource, sel *resourcev1.Selection) (*filter, error) {
	f := &filter{namespace: sel.GetNamespace()}
	k := res.kind
	if k != res.storage {
		f.view = res.view
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
	return f.fields.Matches(it.Field)
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
		if !t.Not && (f.view == nil || t.Path == "metadata.name") {
			return t.Path, t.Value
		}
	}
	return "", ""
}
