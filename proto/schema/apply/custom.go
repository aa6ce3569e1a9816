package apply

import (
	"bytes"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// typedOf returns a custom object as structured-merge-diff sees it. Managed fields are not part of it.
func typedOf(k *schema.Kind, obj proto.Message) (*typed.TypedValue, error) {
	tree, err := k.ToTree(obj)
	if err != nil {
		return nil, err
	}
	return typeOf(k).FromUnstructured(without(tree, "managedFields"), typed.AllowDuplicates)
}

// diffCustom is Diff for custom objects; live is nil for a new object. An object that does not fit its schema, such as
// one that is about to be refused, has changed nothing.
func diffCustom(k *schema.Kind, live, obj proto.Message) (Change, error) {
	c := Change{Set: fieldpath.NewSet(), Removed: fieldpath.NewSet()}
	if was, ok := live.(*metav1.CustomObject); ok && sameOwned(was, obj.(*metav1.CustomObject)) {
		return c, nil
	}
	now, err := typedOf(k, obj)
	if err != nil {
		return c, nil //nolint:nilerr // validation names the fields
	}
	if live == nil {
		set, err := now.ToFieldSet()
		if err == nil {
			c.Set = set.Difference(server)
		}
		return c, err
	}
	was, err := typedOf(k, live)
	if err != nil {
		return c, nil //nolint:nilerr // the schema has changed since it was stored
	}
	cmp, err := was.Compare(now)
	if err != nil {
		return c, err
	}
	c.Set, c.Removed = cmp.Modified.Union(cmp.Added).Difference(server), cmp.Removed.Difference(server)
	return c, nil
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
	change, err := diffCustom(k, nil, obj)
	if err != nil || change.Set.Empty() {
		return err
	}
	raw, err := change.Set.ToJSON()
	if err != nil {
		return err
	}
	meta.ManagedFields = []*metav1.ManagedFieldsEntry{{Manager: w.name(), Operation: OperationUpdate, ApiVersion: k.APIVersion(),
		Time: seconds(w.Now), FieldsType: fieldsV1, FieldsV1: &metav1.FieldsV1{Raw: raw}, Subresource: w.Subresource}}
	return nil
}
