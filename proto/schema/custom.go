package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Custom is what a definition says about a kind that is not built in, where descriptors and options say it of others. A
// body is the tree of an object without apiVersion, kind and metadata; an object's tree has those. Methods may be called
// concurrently.
type Custom interface {
	// Prune drops what the kind's schema does not know from a body and tells where it stood. dropped may be nil.
	Prune(body map[string]any, dropped func(path string))
	// Default sets what a body leaves unsaid.
	Default(body map[string]any)
	// Validate returns what is wrong with an object; old is nil on create. Both are whole trees. status tells that only the
	// status subresource is written.
	Validate(obj, old map[string]any, status bool) ErrorList
	// Field returns the value of a selectable field of a body.
	Field(body map[string]any, path string) string
	// Cells returns the cells of the kind's columns.
	Cells(obj map[string]any, now time.Time) []any
	// ApplyType is the type by which server-side apply tells whose field is whose; of whole objects.
	ApplyType() typed.ParseableType
	// OpenAPI returns the schema of a whole object, but for apiVersion, kind and metadata, for a document of version 2 or 3.
	OpenAPI(v3 bool) map[string]any
}

// Converter brings objects of a custom kind from one version to another.
type Converter interface {
	// Convert returns objects in the version of to, in the same order. They are in the version of from and are not changed.
	Convert(ctx context.Context, objects []*metav1.CustomObject, from, to *Kind) ([]*metav1.CustomObject, error)
}

// Scale says where a custom kind has what its scale subresource shows: paths of field names. Selector may be empty.
type Scale struct{ Spec, Status, Selector []string }

var customDescriptor = (*metav1.CustomObject)(nil).ProtoReflect().Descriptor()

// NewCustom completes a custom kind, of which the caller has set group, version, names, scope, storage and behaviour. A
// kind without behaviour has no schema: everything is allowed in its objects.
func NewCustom(k Kind) *Kind {
	k.Descriptor = customDescriptor
	k.messageType = (*metav1.CustomObject)(nil).ProtoReflect().Type()
	k.metaField = messageField(customDescriptor, "metadata")
	k.Generation, k.StoredAsJSON, k.VersionedUpdate, k.StatusKeepsMetadata = true, true, true, true
	if k.NameFormat == "" {
		k.NameFormat = "dns-subdomain"
	}
	if k.ListKind == "" {
		k.ListKind = k.Kind + "List"
	}
	if k.StoragePath == "" {
		k.StoragePath = k.Group + "/" + k.Plural
	}
	if k.StorageVersion == "" {
		k.StorageVersion = k.APIVersion()
	}
	if k.Custom == nil {
		k.Custom = schemaless{}
	}
	if len(k.Columns) == 0 {
		k.Columns = []Column{{Name: "Age", Type: "date", Path: ".metadata.creationTimestamp"}}
	}
	return &k
}

// IsCustom tells whether a definition has added the kind.
func (k *Kind) IsCustom() bool { return k.Custom != nil }

// Unmarshal reads the JSON of an object, which is reset first. Unknown fields are dropped and reported as the options ask.
func (k *Kind) Unmarshal(json []byte, obj proto.Message, o codec.DecodeOptions) (codec.Warnings, error) {
	custom, ok := obj.(*metav1.CustomObject)
	if !ok || k.Custom == nil {
		return codec.Unmarshal(json, obj, o)
	}
	lenient := o
	if o.Validation == codec.Strict {
		lenient.Validation = codec.Warn
	}
	warnings, err := codec.Unmarshal(json, obj, lenient)
	if err != nil {
		return nil, err
	}
	body, err := bodyTree(custom)
	if err != nil {
		return nil, err
	}
	var paths []string
	var dropped func(string)
	if o.Validation != codec.Ignore {
		dropped = func(path string) { paths = append(paths, path) }
	}
	k.Custom.Prune(body, dropped)
	slices.Sort(paths)
	for _, path := range paths[:min(len(paths), maxDropped)] {
		warnings = append(warnings, fmt.Sprintf("unknown field %q", path))
	}
	if err := setBody(custom, body); err != nil {
		return nil, err
	}
	if o.Validation == codec.Strict && len(warnings) > 0 {
		return nil, &codec.StrictError{Problems: warnings}
	}
	return warnings, nil
}

// Check tells what Unmarshal would say of a document.
func (k *Kind) Check(doc *codec.Node, o codec.DecodeOptions) (codec.Warnings, error) {
	if k.Custom == nil {
		return codec.Check(doc, k.Descriptor, o)
	}
	json, err := codec.AppendNode(nil, doc)
	if err != nil {
		return nil, err
	}
	return k.Unmarshal(json, k.New(), o)
}

// maxDropped bounds the unknown fields that one document reports.
const maxDropped = 100

// ToTree returns the JSON of an object as a tree, with apiVersion and kind.
func (k *Kind) ToTree(obj proto.Message) (map[string]any, error) {
	if k.Custom == nil {
		return codec.ToTree(obj)
	}
	wire, err := proto.Marshal(obj)
	if err != nil {
		return nil, err
	}
	return codec.For(customDescriptor).WireToTree(wire, codec.EncodeOptions{APIVersion: k.APIVersion(), Kind: k.Kind})
}

// AppendJSON appends the JSON of an object, with apiVersion and kind, to dst.
func (k *Kind) AppendJSON(dst []byte, obj proto.Message) ([]byte, error) {
	return codec.AppendMessage(dst, obj, codec.EncodeOptions{APIVersion: k.APIVersion(), Kind: k.Kind})
}

// FromTree reads a tree into an object, which is reset first.
func (k *Kind) FromTree(tree map[string]any, obj proto.Message, o codec.DecodeOptions) (codec.Warnings, error) {
	if k.Custom == nil {
		return codec.FromTree(tree, obj, o)
	}
	json, err := codec.AppendTree(nil, tree)
	if err != nil {
		return nil, err
	}
	return k.Unmarshal(json, obj, o)
}

// bodyTree parses a custom object's body.
func bodyTree(obj *metav1.CustomObject) (map[string]any, error) {
	if len(obj.Body) == 0 {
		return map[string]any{}, nil
	}
	v, err := codec.ParseTree(obj.Body)
	if err != nil {
		return nil, err
	}
	body, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("the body of a custom object is not a JSON object")
	}
	return body, nil
}

// setBody writes a custom object's body, always the same bytes for the same tree.
func setBody(obj *metav1.CustomObject, body map[string]any) error {
	if len(body) == 0 {
		obj.Body = nil
		return nil
	}
	var err error
	obj.Body, err = codec.AppendTree(nil, body)
	return err
}

func (k *Kind) defaultCustom(obj *metav1.CustomObject) {
	body, err := bodyTree(obj)
	if err != nil {
		return // validation says so
	}
	k.Custom.Default(body)
	if b, err := codec.AppendTree(nil, body); err == nil && len(body) > 0 {
		obj.Body = b
	}
}

func (k *Kind) validateCustom(obj, old proto.Message, status bool) ErrorList {
	tree, err := k.ToTree(obj)
	if err != nil {
		return ErrorList{internalError(err)}
	}
	var was map[string]any
	if old != nil {
		if was, err = k.ToTree(old); err != nil {
			return ErrorList{internalError(err)}
		}
	}
	return k.Custom.Validate(tree, was, status)
}

func (k *Kind) customFields(obj *metav1.CustomObject) map[string]string {
	out := map[string]string{"metadata.name": obj.GetMetadata().GetName()}
	if k.Namespaced {
		out["metadata.namespace"] = obj.GetMetadata().GetNamespace()
	}
	body, err := bodyTree(obj)
	if err != nil {
		return out
	}
	for _, path := range k.SelectableFields {
		out[path] = k.Custom.Field(body, path)
	}
	return out
}

// SameDesired tells whether two objects differ in metadata and, for kinds with a status of their own, status at most.
func (k *Kind) SameDesired(a, b proto.Message) bool {
	x, ok := a.(*metav1.CustomObject)
	if !ok {
		return EqualBut(a, b, "metadata", "status")
	}
	y, ok := b.(*metav1.CustomObject)
	if !ok {
		return false
	}
	p, q := x.Body, y.Body
	if k.HasStatus() {
		p, q = codec.SetMember(p, "status", nil), codec.SetMember(q, "status", nil)
	}
	return string(p) == string(q)
}

// Adopt makes an object that came from another version one of this: it drops what the schema does not know and sets what
// is left unsaid.
func (k *Kind) Adopt(obj *metav1.CustomObject) error {
	body, err := bodyTree(obj)
	if err != nil {
		return err
	}
	k.Custom.Prune(body, nil)
	k.Custom.Default(body)
	return setBody(obj, body)
}

// SetMember sets a value deep in a custom object's body, creating the objects on the way.
func (k *Kind) SetMember(obj proto.Message, path []string, value any) error {
	custom, ok := obj.(*metav1.CustomObject)
	if !ok || len(path) == 0 {
		return errors.New("not a custom object")
	}
	body, err := bodyTree(custom)
	if err != nil {
		return err
	}
	at := body
	for _, name := range path[:len(path)-1] {
		below, ok := at[name].(map[string]any)
		if !ok {
			if at[name] != nil {
				return fmt.Errorf("value cannot be set because %s is not an object", name)
			}
			below = map[string]any{}
			at[name] = below
		}
		at = below
	}
	at[path[len(path)-1]] = value
	return setBody(custom, body)
}

// Walk returns the value at a path of names in a tree.
func Walk(tree map[string]any, path []string) (any, bool) {
	var v any = tree
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[name]; !ok {
			return nil, false
		}
	}
	return v, true
}
