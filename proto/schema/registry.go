package schema

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Registry finds kinds by what requests name them: the built-in ones, which do not change once it is built, and in a
// registry made by Fork custom ones, which come and go.
type Registry struct {
	custom     atomic.Pointer[customSet]
	kinds      []*Kind
	byResource map[triple]*Kind
	byKind     map[triple]*Kind
	byMessage  map[protoreflect.FullName]*Kind
}

type triple struct{ group, version, name string }

// NewRegistry returns a registry of the kinds that files define, with hooks for what their options do not say.
func NewRegistry(files *protoregistry.Files, hooks rule.Set) *Registry {
	r := &Registry{byResource: map[triple]*Kind{}, byKind: map[triple]*Kind{}, byMessage: map[protoreflect.FullName]*Kind{}}
	c := &compiler{plans: map[protoreflect.FullName]*plan{}, hooks: hooks.Messages, kinds: hooks.Kinds, types: findMessage}
	var bodies []string
	files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if o := fd.Options(); o != nil && proto.HasExtension(o, optionsv1.E_GroupVersion) {
			gv := proto.GetExtension(o, optionsv1.E_GroupVersion).(*optionsv1.GroupVersion)
			messages := fd.Messages()
			for i := range messages.Len() {
				if k := kindOf(gv, messages.Get(i)); k != nil {
					k.hooks = hooks.Kinds[k.Descriptor.FullName()]
					k.plan = c.compile(k.Descriptor)
					r.add(k)
					for _, s := range resourceOf(k.Descriptor).GetSubresources() {
						bodies = append(bodies, s.GetKind())
					}
				}
			}
		}
		return true
	})
	for _, b := range bodies {
		r.addBody(c, b)
	}
	c.prune()
	sortKinds(r.kinds)
	preferred(r.kinds, r.byResource, r.byKind)
	return r
}

func sortKinds(kinds []*Kind) {
	slices.SortStableFunc(kinds, func(a, b *Kind) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), CompareVersions(a.Version, b.Version), strings.Compare(a.Plural, b.Plural))
	})
}

// preferred adds the versions that are meant where none is named: the first served one, else the first. Kinds are in
// order.
func preferred(kinds []*Kind, byResource, byKind map[triple]*Kind) {
	for _, served := range []bool{true, false} {
		for _, k := range kinds {
			if k.Served != served {
				continue
			}
			for _, e := range []struct {
				m    map[triple]*Kind
				name string
			}{{byResource, k.Plural}, {byKind, k.Kind}} {
				if t := (triple{k.Group, "", e.name}); e.m[t] == nil {
					e.m[t] = k
				}
			}
		}
	}
}

func (r *Registry) add(k *Kind) {
	r.kinds = append(r.kinds, k)
	r.byResource[triple{k.Group, k.Version, k.Plural}] = k
	r.byKind[triple{k.Group, k.Version, k.Kind}] = k
	r.byMessage[k.Descriptor.FullName()] = k
}

// Kinds returns every kind, those that are not served too, by group, version (best first) and plural.
func (r *Registry) Kinds() []*Kind {
	if c := r.custom.Load(); c != nil {
		return c.all
	}
	return r.kinds
}

// ByResource finds a kind by its plural. An empty version is the preferred one.
func (r *Registry) ByResource(group, version, plural string) (*Kind, bool) {
	k, ok := r.byResource[triple{group, version, plural}]
	if !ok {
		if c := r.custom.Load(); c != nil {
			k, ok = c.byResource[triple{group, version, plural}]
		}
	}
	return k, ok
}

// ByKind finds a kind by its name in manifests. An empty version is the preferred one.
func (r *Registry) ByKind(group, version, kind string) (*Kind, bool) {
	k, ok := r.byKind[triple{group, version, kind}]
	if !ok {
		if c := r.custom.Load(); c != nil {
			k, ok = c.byKind[triple{group, version, kind}]
		}
	}
	return k, ok
}

// ByMessage finds a kind by its message: "keelson.core.v1.Pod".
func (r *Registry) ByMessage(name protoreflect.FullName) (*Kind, bool) {
	k, ok := r.byMessage[name]
	return k, ok
}

// findMessage finds the generated Go type of a message.
func findMessage(name protoreflect.FullName) (protoreflect.MessageType, error) {
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

// kindOf reads the kind that a message defines; nil where it defines none.
func kindOf(gv *optionsv1.GroupVersion, md protoreflect.MessageDescriptor) *Kind {
	res := resourceOf(md)
	if res == nil {
		return nil
	}
	t, err := findMessage(md.FullName())
	if err != nil {
		return nil // a descriptor without linked Go code
	}
	name := string(md.Name())
	k := &Kind{
		Group: gv.GetGroup(), Version: gv.GetVersion(), Kind: name, ListKind: name + "List",
		Plural: res.GetPlural(), Singular: cmp.Or(res.GetSingular(), strings.ToLower(name)),
		ShortNames: res.GetShortNames(), Categories: res.GetCategories(), Namespaced: !res.GetClusterScoped(),
		Served: res.GetServed(), Ephemeral: res.GetEphemeral(), Generation: res.GetGeneration(),
		CreateOnUpdate: res.GetCreateOnUpdate(), VersionedUpdate: res.GetVersionedUpdate(),
		StatusKeepsMetadata: res.GetStatusKeepsMetadata(),
		NameFormat:          cmp.Or(res.GetNameFormat(), "dns-subdomain"), SelectableFields: res.GetSelectableFields(),
		Verbs: res.GetVerbs(), Deprecation: res.GetDeprecation(),
		StoragePath: res.GetStoragePath(), Descriptor: md, messageType: t,
	}
	k.StoragePath = cmp.Or(k.StoragePath, k.Plural)
	k.StorageVersion = storageVersion(k, res.GetStorageVersion())
	k.StoredAsJSON = k.Group == "apiextensions.k8s.io" || k.Group == "apiregistration.k8s.io"
	for _, s := range res.GetSubresources() {
		k.Subresources = append(k.Subresources, subresource(k, s))
	}
	for _, c := range res.GetColumns() {
		k.Columns = append(k.Columns, Column{Name: c.GetName(), Type: cmp.Or(c.GetType(), "string"), Format: c.GetFormat(),
			Description: c.GetDescription(), Priority: c.GetPriority(), Path: c.GetPath()})
	}
	if list, ok := md.Parent().(protoreflect.FileDescriptor); ok {
		k.ListDescriptor = list.Messages().ByName(protoreflect.Name(k.ListKind))
	}
	if k.ListDescriptor == nil {
		k.ListKind = ""
	}
	k.metaField = messageField(md, "metadata")
	k.specField = messageField(md, "spec")
	k.statusField = messageField(md, "status")
	k.fields = compileSelectable(k)
	return k
}

// resourceOf returns the resource option of a message; nil where it has none.
func resourceOf(md protoreflect.MessageDescriptor) *optionsv1.Resource {
	o := md.Options()
	if o == nil || !proto.HasExtension(o, optionsv1.E_Resource) {
		return nil
	}
	return proto.GetExtension(o, optionsv1.E_Resource).(*optionsv1.Resource)
}

func messageField(md protoreflect.MessageDescriptor, name protoreflect.Name) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByName(name); fd != nil && fd.Message() != nil && fd.Cardinality() != protoreflect.Repeated {
		return fd
	}
	return nil
}

// storageVersion completes the option: a bare version is of the kind's own group, "/v1" is the core group's.
func storageVersion(k *Kind, option string) string {
	group, version, ok := strings.Cut(option, "/")
	switch {
	case option == "":
		return k.APIVersion()
	case !ok:
		return APIVersion(k.Group, option)
	}
	return APIVersion(group, version)
}

func subresource(k *Kind, s *optionsv1.Subresource) Subresource {
	out := Subresource{Name: s.GetName(), Group: k.Group, Version: k.Version, Kind: k.Kind, Verbs: s.GetVerbs()}
	if md, gv := bodyOf(s.GetKind()); md != nil {
		out.Group, out.Version, out.Kind = gv.GetGroup(), gv.GetVersion(), string(md.Name())
	}
	if len(out.Verbs) == 0 {
		out.Verbs = []string{"get", "patch", "update"}
	}
	return out
}

// bodyOf finds the message that a subresource's kind option names by the directory of its package, as in
// "autoscaling/v1.Scale", with its API group and version.
func bodyOf(kind string) (protoreflect.MessageDescriptor, *optionsv1.GroupVersion) {
	if kind == "" {
		return nil, nil
	}
	t, err := findMessage(protoreflect.FullName("keelson." + strings.ReplaceAll(kind, "/", ".")))
	if err != nil {
		return nil, nil
	}
	o := t.Descriptor().ParentFile().Options()
	if o == nil || !proto.HasExtension(o, optionsv1.E_GroupVersion) {
		return nil, nil
	}
	return t.Descriptor(), proto.GetExtension(o, optionsv1.E_GroupVersion).(*optionsv1.GroupVersion)
}

// addBody registers a message that is only the body of a subresource: it has no place of its own among the resources,
// but is found by its name and message.
func (r *Registry) addBody(c *compiler, kind string) {
	md, gv := bodyOf(kind)
	if md == nil || r.byMessage[md.FullName()] != nil || proto.HasExtension(md.Options(), optionsv1.E_Resource) {
		return
	}
	t, _ := findMessage(md.FullName())
	k := &Kind{Group: gv.GetGroup(), Version: gv.GetVersion(), Kind: string(md.Name()), Namespaced: true, Ephemeral: true,
		Served: true, NameFormat: "dns-subdomain", Descriptor: md, messageType: t}
	k.StorageVersion = k.APIVersion()
	k.metaField, k.specField, k.statusField = messageField(md, "metadata"), messageField(md, "spec"), messageField(md, "status")
	k.hooks, k.plan = c.kinds[md.FullName()], c.compile(md)
	r.byKind[triple{k.Group, k.Version, k.Kind}] = k
	r.byMessage[md.FullName()] = k
}

// Storage returns the kind in whose form objects of k are stored: mostly k itself.
func (r *Registry) Storage(k *Kind) *Kind {
	if k.StorageVersion == k.APIVersion() {
		return k
	}
	group, version := SplitAPIVersion(k.StorageVersion)
	if s, ok := r.ByKind(group, version, k.Kind); ok {
		return s
	}
	return k
}

// ToStorage converts an object to the form in which it is stored. Kinds that are stored as they are return obj itself.
func (k *Kind) ToStorage(obj proto.Message) proto.Message {
	if k.hooks.ToStorage == nil {
		return obj
	}
	return k.hooks.ToStorage(obj)
}

// FromStorage is the inverse of ToStorage.
func (k *Kind) FromStorage(stored proto.Message) proto.Message {
	if k.hooks.FromStorage == nil {
		return stored
	}
	return k.hooks.FromStorage(stored)
}
