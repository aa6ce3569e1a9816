package codec

import (
	"bytes"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of keelson.meta.v1.ObjectMeta, and of metadata in every object.
const (
	numMetadata = 1

	numName              = 1
	numGenerateName      = 2
	numNamespace         = 3
	numUID               = 5
	numResourceVersion   = 6
	numGeneration        = 7
	numCreationTimestamp = 8
	numDeletionTimestamp = 9
	numLabels            = 11
	numAnnotations       = 12
	numOwnerReferences   = 13
	numFinalizers        = 14
	numManagedFields     = 17
)

// Meta is what the server needs of an object's metadata. Its strings share memory with the wire that they were scanned
// from, which must not change afterwards.
type Meta struct {
	Name, GenerateName, Namespace string
	UID, ResourceVersion          string
	Generation                    int64
	// CreationSeconds and DeletionSeconds are seconds since the epoch; 0 where the time is not set.
	CreationSeconds, DeletionSeconds int64
	// Deleting says that deletionTimestamp is set.
	Deleting bool
	// Labels and Annotations are in the order of their keys, each key once.
	Labels, Annotations []KeyValue
	OwnerReferences     []OwnerReference
	Finalizers          []string
}

// KeyValue is one label or annotation.
type KeyValue struct{ Key, Value string }

// OwnerReference is what garbage collection needs of an owner reference.
type OwnerReference struct {
	APIVersion, Kind, Name, UID    string
	Controller, BlockOwnerDeletion bool
}

// Label returns the value of a label and whether it is set.
func (m *Meta) Label(key string) (string, bool) {
	i, ok := slices.BinarySearchFunc(m.Labels, key, func(l KeyValue, key string) int {
		return bytes.Compare(unsafeBytes(l.Key), unsafeBytes(key))
	})
	if !ok {
		return "", false
	}
	return m.Labels[i].Value, true
}

// ScanMeta reads the metadata of an object in protobuf encoding without decoding the object. It allocates nothing but
// the slices of the result.
func ScanMeta(wire []byte) (Meta, error) {
	var m Meta
	err := eachField(wire, func(num uint64, typ protowire.Type, value []byte) error {
		if num == numMetadata && typ == protowire.BytesType {
			return m.merge(value)
		}
		return nil
	})
	if err != nil {
		return Meta{}, err
	}
	m.Labels, m.Annotations = sortPairs(m.Labels), sortPairs(m.Annotations)
	return m, nil
}

// merge adds one occurrence of metadata.
func (m *Meta) merge(w []byte) error {
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return errMalformed
		}
		i = end
		if typ == protowire.VarintType && num == numGeneration {
			v, _ := uvarint(w, next)
			m.Generation = int64(v)
		}
		if typ != protowire.BytesType {
			continue
		}
		from, to := chunk(w, next)
		value := w[from:to]
		var err error
		switch num {
		case numName:
			m.Name = alias(value)
		case numGenerateName:
			m.GenerateName = alias(value)
		case numNamespace:
			m.Namespace = alias(value)
		case numUID:
			m.UID = alias(value)
		case numResourceVersion:
			m.ResourceVersion = alias(value)
		case numCreationTimestamp:
			m.CreationSeconds, _, err = scanSeconds(value, m.CreationSeconds)
		case numDeletionTimestamp:
			var set bool
			m.DeletionSeconds, set, err = scanSeconds(value, m.DeletionSeconds)
			m.Deleting = m.Deleting || set
		case numLabels:
			m.Labels, err = appendPair(m.Labels, value)
		case numAnnotations:
			m.Annotations, err = appendPair(m.Annotations, value)
		case numOwnerReferences:
			var o OwnerReference
			o, err = scanOwner(value)
			m.OwnerReferences = append(m.OwnerReferences, o)
		case numFinalizers:
			m.Finalizers = append(m.Finalizers, alias(value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scanSeconds reads a Time: the empty message is not set.
func scanSeconds(w []byte, before int64) (seconds int64, set bool, err error) {
	seconds = before
	err = eachField(w, func(num uint64, typ protowire.Type, value []byte) error {
		if typ == protowire.VarintType && num == 1 {
			v, _ := uvarint(value, 0)
			seconds = int64(v)
		}
		return nil
	})
	if set = len(w) > 0 && seconds != zeroSeconds; !set && len(w) > 0 {
		seconds = 0
	}
	return seconds, set, err
}

func appendPair(pairs []KeyValue, w []byte) ([]KeyValue, error) {
	var kv KeyValue
	err := eachField(w, func(num uint64, typ protowire.Type, value []byte) error {
		switch {
		case typ != protowire.BytesType:
		case num == 1:
			kv.Key = alias(value)
		case num == 2:
			kv.Value = alias(value)
		}
		return nil
	})
	return append(pairs, kv), err
}

// sortPairs orders by key and keeps the last of equal ones.
func sortPairs(pairs []KeyValue) []KeyValue {
	for i := 1; i < len(pairs); i++ {
		if pairs[i-1].Key < pairs[i].Key {
			continue
		}
		slices.SortStableFunc(pairs, func(a, b KeyValue) int {
			return bytes.Compare(unsafeBytes(a.Key), unsafeBytes(b.Key))
		})
		out := pairs[:0]
		for j, kv := range pairs {
			if j+1 == len(pairs) || kv.Key != pairs[j+1].Key {
				out = append(out, kv)
			}
		}
		return out
	}
	return pairs
}

func scanOwner(w []byte) (OwnerReference, error) {
	var o OwnerReference
	err := eachField(w, func(num uint64, typ protowire.Type, value []byte) error {
		switch {
		case typ == protowire.BytesType && num == 5:
			o.APIVersion = alias(value)
		case typ == protowire.BytesType && num == 1:
			o.Kind = alias(value)
		case typ == protowire.BytesType && num == 3:
			o.Name = alias(value)
		case typ == protowire.BytesType && num == 4:
			o.UID = alias(value)
		case typ == protowire.VarintType && num == 6:
			o.Controller = value[0] != 0
		case typ == protowire.VarintType && num == 7:
			o.BlockOwnerDeletion = value[0] != 0
		}
		return nil
	})
	return o, err
}

// eachField calls fn for every field of a message; value is without the length of what has one.
func eachField(w []byte, fn func(num uint64, typ protowire.Type, value []byte) error) error {
	for i := 0; i < len(w); {
		num, typ, next := nextTag(w, i)
		if next < 0 {
			return errMalformed
		}
		end := skipValue(w, next, num, typ)
		if end < 0 {
			return errMalformed
		}
		from := next
		if typ == protowire.BytesType {
			from, _ = chunk(w, next)
		}
		if err := fn(num, typ, w[from:end]); err != nil {
			return err
		}
		i = end
	}
	return nil
}

// alias returns b as a string that shares its memory.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unsafeBytes returns the bytes of s without copying; they must not be written.
func unsafeBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
