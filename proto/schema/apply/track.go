package apply

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Writer says who writes, and how.
type Writer struct {
	// Manager names the field manager; empty is "unknown".
	Manager string
	// Subresource is empty for the object itself.
	Subresource string
	// Now is the time of the write; seconds are kept.
	Now time.Time
}

func (w Writer) name() string {
	if w.Manager == "" {
		return "unknown"
	}
	return w.Manager
}

// Track sets the managed fields of obj after a write that is not an apply: live is the stored object, nil on create. obj must be
// as it will be stored, defaults included. A write that changes nothing that anybody can own leaves entries and times as
// they are. The managed fields that obj itself brings count (so a client may edit or reset them), but for subresources.
func Track(k *schema.Kind, live, obj proto.Message, w Writer) error {
	meta := k.Meta(obj)
	if meta == nil {
		return nil
	}
	var liveMeta *metav1.ObjectMeta
	if live != nil {
		liveMeta = k.Meta(live)
	}
	entries := current(liveMeta, meta, w.Subresource != "")
	meta.ManagedFields = nil
	if len(entries) == 0 {
		if live == nil && k.IsCustom() {
			return createCustom(k, meta, obj, w)
		}
		if live == nil {
			create(k, meta, obj, w)
		}
		// Else tracking of this object has ended: somebody reset its managed fields.
		return nil
	}
	change, err := diff(k, live, obj)
	if err != nil {
		return err
	}
	if !change.Empty() {
		var err error
		if entries, err = update(entries, change, k.APIVersion(), w); err != nil {
			return err
		}
	}
	list, err := encode(entries)
	if err != nil {
		return err
	}
	meta.ManagedFields = list
	return nil
}

func diff(k *schema.Kind, live, obj proto.Message) (Change, error) {
	if k.IsCustom() {
		return diffCustom(k, live, obj)
	}
	var old protoreflect.Message
	if live != nil {
		old = live.ProtoReflect()
	}
	return Diff(old, obj.ProtoReflect()), nil
}

// create gives everything in a new object to the writer.
func create(k *schema.Kind, meta *metav1.ObjectMeta, obj proto.Message, w Writer) {
	raw := appendCreated(nil, obj.ProtoReflect())
	if len(raw) <= len("{}") {
		return
	}
	meta.ManagedFields = []*metav1.ManagedFieldsEntry{{Manager: w.name(), Operation: OperationUpdate, ApiVersion: k.APIVersion(),
		Time: seconds(w.Now), FieldsType: fieldsV1, FieldsV1: &metav1.FieldsV1{Raw: raw}, Subresource: w.Subresource}}
}

// current returns the entries to go on with.
func current(live, obj *metav1.ObjectMeta, fromLive bool) []*entry {
	given := obj.GetManagedFields()
	if !fromLive {
		if len(given) == 1 && proto.Size(given[0]) == 0 {
			return nil // a reset
		}
		if out, ok := decode(given); ok && len(out) > 0 && readable(out, live) {
			return out
		}
	}
	out, _ := decode(live.GetManagedFields())
	return out
}

// readable tells whether the sets of entries can be read, where they are not those that are stored: what a client sends
// may be anything.
func readable(entries []*entry, live *metav1.ObjectMeta) bool {
	stored := live.GetManagedFields()
	for i, e := range entries {
		if i < len(stored) && bytes.Equal(e.raw, stored[i].GetFieldsV1().GetRaw()) {
			continue
		}
		if _, err := e.fields(); err != nil {
			return false
		}
	}
	return true
}

// update gives what changed to the writer and takes it, and what is gone, from everybody else.
func update(entries []*entry, change Change, version string, w Writer) ([]*entry, error) {
	self := manager{w.name(), OperationUpdate, version, w.Subresource}
	kept := entries[:0:0]
	tops := topLevel(change.Set, change.Removed)
	var mine *entry
	for _, e := range entries {
		own := e.manager == self
		if own {
			mine = e
		}
		if e.version == version && overlaps(e.raw, tops) {
			set, err := e.fields()
			if err != nil {
				return nil, err
			}
			after := set
			if meets(set, change.Removed) {
				after = after.Difference(change.Removed)
			}
			if !own && meets(set, change.Set) {
				after = after.Difference(change.Set)
			}
			if !own && after.Empty() {
				continue
			}
			if after != set {
				e.replace(after)
			}
		}
		kept = append(kept, e)
	}
	if mine == nil {
		mine = &entry{manager: self, version: version, read: &parsed{set: fieldpath.NewSet()}}
		kept = append(kept, mine)
	}
	set, err := mine.fields()
	if err != nil {
		return nil, err
	}
	switch {
	case !covers(set, change.Set):
		mine.replace(set.Union(change.Set))
		mine.time = seconds(w.Now)
	case set.Empty():
		kept = remove(kept, mine)
	case !change.Set.Empty():
		mine.time = seconds(w.Now)
	}
	return limit(kept)
}

// meets tells whether a set has any of the fields of another.
func meets(set, fields *fieldpath.Set) bool {
	found := false
	fields.Members.Iterate(func(pe fieldpath.PathElement) { found = found || set.Members.Has(pe) })
	fields.Children.Iterate(func(pe fieldpath.PathElement) {
		if found {
			return
		}
		if below, ok := set.Children.Get(pe); ok {
			others, _ := fields.Children.Get(pe)
			found = meets(below, others)
		}
	})
	return found
}

// covers tells whether a set has all of the fields of another.
func covers(set, fields *fieldpath.Set) bool {
	all := true
	fields.Members.Iterate(func(pe fieldpath.PathElement) { all = all && set.Members.Has(pe) })
	fields.Children.Iterate(func(pe fieldpath.PathElement) {
		if !all {
			return
		}
		others, _ := fields.Children.Get(pe)
		below, ok := set.Children.Get(pe)
		all = ok && covers(below, others) || !ok && others.Empty()
	})
	return all
}

func remove(list []*entry, e *entry) []*entry {
	out := list[:0]
	for _, x := range list {
		if x != e {
			out = append(out, x)
		}
	}
	return out
}

// topLevel returns the names of the top-level fields in sets, as they are spelled in encoded sets.
func topLevel(sets ...*fieldpath.Set) map[string]bool {
	out := map[string]bool{}
	for _, s := range sets {
		add := func(pe fieldpath.PathElement) {
			if pe.FieldName != nil {
				out["f:"+*pe.FieldName] = true
			}
		}
		s.Members.Iterate(add)
		s.Children.Iterate(add)
	}
	return out
}

// overlaps tells whether an encoded set may have anything below the given top-level fields, without parsing it. It may
// say yes wrongly, and never no wrongly.
func overlaps(raw []byte, tops map[string]bool) bool {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '"':
			start := i + 1
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					if depth == 1 {
						return true // an escaped name is not worth unescaping
					}
					i++
				}
			}
			if depth == 1 && i <= len(raw) && tops[string(raw[start:min(i, len(raw))])] {
				return true
			}
		}
	}
	return raw == nil
}
