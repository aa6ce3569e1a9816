package apply

import (
	"bytes"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// customNode returns a custom object as its owners see it, without managed fields. ok is false where it does not fit its
// schema: one that is about to be refused, or that was stored before the schema changed.
func customNode(k *schema.Kind, t *kindType, obj proto.Message) (n codec.Node, ok bool, err error) {
	json, err := k.AppendJSON(nil, unmanaged(k, obj))
	if err != nil {
		return n, false, err
	}
	if n, err = codec.ParseNode(json); err != nil {
		return n, false, err
	}
	return n, t.check(&n, true), nil
}

// diffCustom is Diff for custom objects; live is nil for a new object. An object that does not fit its schema has changed
// nothing.
func diffCustom(k *schema.Kind, live, obj proto.Message) (Change, error) {
	c := Change{Set: fieldpath.NewSet(), Removed: fieldpath.NewSet()}
	if was, ok := live.(*metav1.CustomObject); ok && sameOwned(was, obj.(*metav1.CustomObject)) {
		return c, nil
	}
	t := kindTypeOf(k)
	now, ok, err := customNode(k, t, obj)
	if err != nil || !ok {
		return c, nil //nolint:nilerr // validation names the fields
	}
	was := codec.Node{Kind: codec.ObjectNode}
	if live != nil {
		if was, ok, err = customNode(k, t, live); err != nil || !ok {
			return c, nil //nolint:nilerr // as above
		}
	}
	return compareNodes(&was, &now, t, ofServer)
}

// ofServer tells which fields nobody owns.
func ofServer(root, second string) bool {
	return root == "apiVersion" || root == "kind" || root == "metadata" && serverFields[second]
}

// sameOwned tells at little cost that nothing that somebody can own differs.
func sameOwned(a, b *metav1.CustomObject) bool {
	if !bytes.Equal(a.Body, b.Body) {
		return false
	}
	return Diff((&metav1.PartialObjectMetadata{Metadata: a.Metadata}).ProtoReflect(),
		(&metav1.PartialObjectMetadata{Metadata: b.Metadata}).ProtoReflect()).Empty()
}

// createCustom gives everything in a new custom object to the writer.
func createCustom(k *schema.Kind, meta *metav1.ObjectMeta, obj proto.Message, w Writer) error {
	t := kindTypeOf(k)
	n, ok, err := customNode(k, t, obj)
	if err != nil || !ok {
		return nil //nolint:nilerr // validation names the fields
	}
	raw := nodeSet{ignored: ofServer}.append(nil, &n, t)
	if len(raw) <= len("{}") {
		return nil
	}
	meta.ManagedFields = []*metav1.ManagedFieldsEntry{{Manager: w.name(), Operation: OperationUpdate, ApiVersion: k.APIVersion(),
		Time: seconds(w.Now), FieldsType: fieldsV1, FieldsV1: &metav1.FieldsV1{Raw: raw}, Subresource: w.Subresource}}
	return nil
}
