package apply

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Operations of a managed fields entry.
const (
	OperationApply  = "Apply"
	OperationUpdate = "Update"
	fieldsV1        = "FieldsV1"
)

// MaxUpdaters is how many entries of operation Update an object keeps; the oldest are put together as "ancient-changes".
const MaxUpdaters = 10

const ancient = "ancient-changes"

// manager identifies an entry. Appliers are the same in every version.
type manager struct{ name, operation, apiVersion, subresource string }

// entry is a managed fields entry whose set is parsed when it is first needed.
type entry struct {
	manager
	version string
	time    *metav1.Time
	raw     []byte
	read    *parsed // shared, not to be changed
	// from is the entry as it was read, which is written again where nothing of it has changed.
	from *metav1.ManagedFieldsEntry
}

// decode reads managed fields. ok is false where they are malformed: ownership is then forgotten, as Kubernetes does.
func decode(list []*metav1.ManagedFieldsEntry) (out []*entry, ok bool) {
	for _, e := range list {
		if e.Operation != OperationApply && e.Operation != OperationUpdate || e.ApiVersion == "" || e.FieldsType != fieldsV1 {
			return nil, false
		}
		m := manager{e.Manager, e.Operation, e.ApiVersion, e.Subresource}
		if e.Operation == OperationApply {
			m.apiVersion = ""
		}
		raw := e.GetFieldsV1().GetRaw()
		read := &entry{manager: m, version: e.ApiVersion, time: e.Time, raw: raw, from: e}
		if len(raw) == 0 {
			read.raw, read.from = []byte("{}"), nil
		}
		out = append(out, read)
	}
	return out, true
}

// Check tells whether managed fields can be read.
func Check(list []*metav1.ManagedFieldsEntry) error {
	entries, ok := decode(list)
	if !ok {
		return errors.New("an entry lacks its version, or its operation or the type of its fields is unknown")
	}
	for _, e := range entries {
		if _, err := e.fields(); err != nil {
			return err
		}
	}
	return nil
}

func (e *entry) fields() (*fieldpath.Set, error) {
	p, err := e.parsed()
	if err != nil {
		return nil, err
	}
	return p.set, nil
}

func (e *entry) parsed() (*parsed, error) {
	if e.read == nil {
		p, err := sets.get(e.raw)
		if err != nil {
			return nil, fmt.Errorf("managed fields of %q: %w", e.name, err)
		}
		e.read = p
	}
	return e.read, nil
}

// empty tells whether an entry has no field.
func (e *entry) empty() (bool, error) {
	set, err := e.fields()
	return err == nil && set.Empty(), err
}

func (e *entry) replace(set *fieldpath.Set) { e.read, e.raw, e.from = &parsed{set: set}, nil, nil }

// encode writes entries in Kubernetes' order: by operation, time, manager, version, subresource.
func encode(list []*entry) ([]*metav1.ManagedFieldsEntry, error) {
	slices.SortStableFunc(list, func(a, b *entry) int {
		return cmp.Or(strings.Compare(a.operation, b.operation), cmp.Compare(a.time.GetSeconds(), b.time.GetSeconds()),
			strings.Compare(a.name, b.name), strings.Compare(a.version, b.version), strings.Compare(a.subresource, b.subresource))
	})
	out := make([]*metav1.ManagedFieldsEntry, 0, len(list))
	for _, e := range list {
		if e.from != nil && e.from.Time == e.time {
			out = append(out, e.from)
			continue
		}
		if e.raw == nil {
			raw, err := e.read.set.ToJSON()
			if err != nil {
				return nil, err
			}
			e.raw = raw
		}
		out = append(out, &metav1.ManagedFieldsEntry{Manager: e.name, Operation: e.operation, ApiVersion: e.version, Time: e.time,
			FieldsType: fieldsV1, FieldsV1: &metav1.FieldsV1{Raw: e.raw}, Subresource: e.subresource})
	}
	return out, nil
}

// limit puts the oldest update entries of each version together until at most MaxUpdaters are left.
func limit(list []*entry) ([]*entry, error) {
	var updaters []*entry
	for _, e := range list {
		if e.operation == OperationUpdate {
			updaters = append(updaters, e)
		}
	}
	count := len(updaters)
	if count <= MaxUpdaters {
		return list, nil
	}
	slices.SortStableFunc(updaters, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.time.GetSeconds(), b.time.GetSeconds()), strings.Compare(a.name, b.name))
	})
	first := map[string]*entry{}
	for _, e := range updaters {
		if count <= MaxUpdaters {
			break
		}
		into := first[e.version]
		if into == nil {
			first[e.version] = e
			e.manager, e.from = manager{name: ancient, operation: OperationUpdate, apiVersion: e.version}, nil
			continue
		}
		a, err := into.fields()
		if err != nil {
			return nil, err
		}
		b, err := e.fields()
		if err != nil {
			return nil, err
		}
		into.replace(a.Union(b))
		into.time = e.time
		list = slices.DeleteFunc(list, func(x *entry) bool { return x == e })
		count--
	}
	return list, nil
}

// unmanaged returns an object without managed fields; it shares all else.
func unmanaged(k *schema.Kind, obj proto.Message) proto.Message {
	meta := k.Meta(obj)
	if len(meta.GetManagedFields()) == 0 {
		return obj
	}
	bare := without(meta.ProtoReflect(), "managedFields")
	m := obj.ProtoReflect()
	out := without(m, "metadata")
	out.Set(m.Descriptor().Fields().ByName("metadata"), protoreflect.ValueOfMessage(bare))
	return out.Interface()
}

// without returns a message that lacks a field and shares the others.
func without(m protoreflect.Message, field protoreflect.Name) protoreflect.Message {
	out := m.New()
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Name() != field {
			out.Set(fd, v)
		}
		return true
	})
	return out
}

func seconds(t time.Time) *metav1.Time {
	s := t.Unix()
	// Kubernetes always writes both fields, and so does a time that was read from JSON.
	return &metav1.Time{Seconds: &s, Nanos: new(int32)}
}

// SameButTimes tells whether two lists of entries differ in their times at most.
func SameButTimes(a, b []*metav1.ManagedFieldsEntry) bool {
	return slices.EqualFunc(a, b, func(x, y *metav1.ManagedFieldsEntry) bool {
		return x.Manager == y.Manager && x.Operation == y.Operation && x.ApiVersion == y.ApiVersion && x.Subresource == y.Subresource &&
			x.FieldsType == y.FieldsType && bytes.Equal(x.GetFieldsV1().GetRaw(), y.GetFieldsV1().GetRaw())
	})
}
