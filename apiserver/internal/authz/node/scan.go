package node

import (
	"hash/maphash"
	"unique"

	"google.golang.org/protobuf/encoding/protowire"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/wire"
)

// Field numbers of Pod and its parts.
const (
	podMetadata = 1
	podSpec     = 2

	metaUID         = 5
	metaDeletion    = 9
	metaAnnotations = 12

	specVolumes        = 1
	specServiceAccount = 8
	specNodeName       = 10
)

var seed = maphash.MakeSeed()

// SetEncoded is SetPod for a pod in protobuf encoding. Every write of every pod comes by here, and few change what the
// graph is about: a pod whose specification is what it was is not decoded, and one that is not bound only in part.
func (g *Graph) SetEncoded(namespace, name string, encoded []byte) error {
	meta, spec, err := split(encoded)
	if err != nil {
		return err
	}
	var print maphash.Hash
	print.SetSeed(seed)
	print.Write(meta)
	print.WriteByte(0)
	print.Write(spec)
	sum := print.Sum64()
	if g.has(podKey{namespace, name}, sum) {
		return nil
	}
	pod := &corev1.Pod{Metadata: &metav1.ObjectMeta{}, Spec: &corev1.PodSpec{}}
	if err := wire.Unmarshal(meta, pod.Metadata); err != nil {
		return err
	}
	bound, err := pick(nil, spec, specNodeName)
	if err != nil {
		return err
	}
	if len(bound) == 0 {
		if spec, err = pick(nil, spec, specVolumes, specServiceAccount); err != nil {
			return err
		}
	}
	if err := wire.Unmarshal(spec, pod.Spec); err != nil {
		return err
	}
	pod.Metadata.Namespace, pod.Metadata.Name = namespace, name
	g.set(pod, sum)
	return nil
}

// split returns what the graph needs of a pod's metadata, and its specification.
func split(wire []byte) (meta, spec []byte, err error) {
	for len(wire) > 0 {
		num, typ, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return nil, nil, protowire.ParseError(n)
		}
		m := protowire.ConsumeFieldValue(num, typ, wire[n:])
		if m < 0 {
			return nil, nil, protowire.ParseError(m)
		}
		if typ == protowire.BytesType && (num == podMetadata || num == podSpec) {
			value, _ := protowire.ConsumeBytes(wire[n:])
			if num == podSpec && spec == nil {
				spec = value
			} else if num == podSpec {
				spec = append(spec[:len(spec):len(spec)], value...)
			} else if meta, err = pick(meta, value, metaUID, metaDeletion, metaAnnotations); err != nil {
				return nil, nil, err
			}
		}
		wire = wire[n+m:]
	}
	return meta, spec, nil
}

// pick appends the fields with given numbers. Of annotations only the one that marks mirror pods counts.
func pick(dst, wire []byte, numbers ...protowire.Number) ([]byte, error) {
	for len(wire) > 0 {
		num, typ, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		m := protowire.ConsumeFieldValue(num, typ, wire[n:])
		if m < 0 {
			return nil, protowire.ParseError(m)
		}
		for _, want := range numbers {
			if num == want && !(want == metaAnnotations && !mirrors(wire[n:n+m])) {
				dst = append(dst, wire[:n+m]...)
			}
		}
		wire = wire[n+m:]
	}
	return dst, nil
}

// mirrors tells whether an entry of annotations is the mark of mirror pods.
func mirrors(entry []byte) bool {
	entry, _ = protowire.ConsumeBytes(entry)
	for len(entry) > 0 {
		num, typ, n := protowire.ConsumeTag(entry)
		if n < 0 {
			return false
		}
		m := protowire.ConsumeFieldValue(num, typ, entry[n:])
		if m < 0 {
			return false
		}
		if num == 1 && typ == protowire.BytesType {
			key, _ := protowire.ConsumeBytes(entry[n:])
			return string(key) == mirrorAnnotation
		}
		entry = entry[n+m:]
	}
	return false
}

// shared is s in one copy for all pods: thousands name the same account and a few hundred nodes.
func shared(s string) string { return unique.Make(s).Value() }
