package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
)

// encode returns the bytes of an object as they are stored, in the object's own version.
func encode(obj Object) ([]byte, error) { return item.Encode(obj) }

// encode returns an object's bytes as addressed and as stored: the same but for second versions.
func (res *resource) encode(ctx context.Context, obj Object) (raw, stored []byte, err error) {
	if raw, err = encode(obj); err != nil || res.kind == res.storage {
		return raw, raw, err
	}
	custom, ok := obj.(*metav1.CustomObject)
	if !ok {
		stored, err = encode(res.kind.ToStorage(obj).(Object))
		return raw, stored, err
	}
	out, err := convert(ctx, []*metav1.CustomObject{custom}, res.kind, res.storage)
	if err != nil {
		return nil, nil, err
	}
	stored, err = encode(out[0])
	return raw, stored, err
}

// view returns a stored item as the addressed kind shows it.
func (res *resource) view(ctx context.Context, it *Item) (*Item, error) {
	one := []*Item{it}
	err := res.views(ctx, one)
	return one[0], err
}

// views replaces stored items by ones as the addressed kind shows them. What was converted is remembered with the item.
func (res *resource) views(ctx context.Context, items []*Item) error {
	if !res.kind.IsCustom() && res.kind == res.storage {
		return nil
	}
	var todo map[*schema.Kind][]int
	for i, it := range items {
		v, ok := res.known(it)
		switch {
		case ok:
			items[i] = v
		case res.kind.IsCustom():
			if todo == nil {
				todo = map[*schema.Kind][]int{}
			}
			todo[it.Kind] = append(todo[it.Kind], i)
		default:
			v, err := res.builtinView(it)
			if err != nil {
				return err
			}
			it.SetView(v)
			items[i] = v
		}
	}
	return res.convertAll(ctx, items, todo)
}

// known returns the view of an item, or none, where nobody has to be waited for; false where a webhook would have to be asked.
func (res *resource) known(it *Item) (*Item, bool) {
	switch {
	case it == nil || it.Kind == res.kind || !res.kind.IsCustom() && res.kind == res.storage:
		return it, true
	case res.kind.IsCustom() && it.Kind.Version == res.kind.Version:
		return it, true
	}
	v := it.View(res.kind)
	return v, v != nil
}

func (res *resource) builtinView(it *Item) (*Item, error) {
	stored, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	obj := res.kind.FromStorage(stored).(Object)
	obj.GetMetadata().ResourceVersion = ""
	raw, err := encode(obj)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return item.New(res.kind, raw, it.Revision, it.Namespace, it.Name)
}

// convertAll converts items of custom kinds, whose places are given by the version in which they are stored, by as few
// questions to a webhook as can be: one for each version.
func (res *resource) convertAll(ctx context.Context, items []*Item, todo map[*schema.Kind][]int) error {
	for from, places := range todo {
		objects := make([]*metav1.CustomObject, len(places))
		for n, i := range places {
			obj, err := items[i].Decode()
			if err != nil {
				return apierrors.NewInternal(err)
			}
			objects[n] = obj.(*metav1.CustomObject)
		}
		out, err := convert(ctx, objects, from, res.kind)
		if err != nil {
			return err
		}
		for n, i := range places {
			it := items[i]
			raw, err := encode(out[n])
			if err != nil {
				return apierrors.NewInternal(err)
			}
			v, err := item.New(res.kind, raw, it.Revision, it.Namespace, it.Name)
			if err != nil {
				return apierrors.NewInternal(err)
			}
			it.SetView(v)
			items[i] = v
		}
	}
	return nil
}

// convert brings custom objects into another version of their kind, as its schema wants them.
func convert(ctx context.Context, objects []*metav1.CustomObject, from, to *schema.Kind) ([]*metav1.CustomObject, error) {
	out := make([]*metav1.CustomObject, len(objects))
	if to.Converter == nil {
		for i, o := range objects {
			out[i] = &metav1.CustomObject{Metadata: o.Metadata, Body: o.Body}
		}
	} else {
		var err error
		if out, err = to.Converter.Convert(ctx, objects, from, to); err != nil {
			return nil, conversionError(err)
		}
		if len(out) != len(objects) {
			return nil, apierrors.NewInternal(fmt.Errorf("conversion returned %d objects of %d", len(out), len(objects)))
		}
	}
	for _, o := range out {
		if err := to.Adopt(o); err != nil {
			return nil, apierrors.NewInternal(err)
		}
	}
	return out, nil
}

func conversionError(err error) error {
	if errors.As(err, new(*apierrors.StatusError)) {
		return err
	}
	return apierrors.NewInternal(err)
}
