package schema

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema/rule"
)

// Kind is one API kind in one version: how it is served, stored, printed, defaulted and validated. Kinds are shared
// and must not be changed.
type Kind struct {
	// Group is empty for the core group.
	Group, Version string
	// Kind is the name in manifests ("Pod"), ListKind that of its collections ("PodList").
	Kind, ListKind string
	// Plural and Singular are lower case.
	Plural, Singular string
	ShortNames       []string
	Categories       []string
	// Namespaced is false for cluster-scoped kinds.
	Namespaced bool
	// Served is false while the kind's behaviour does not exist: it is absent from discovery and refused.
	Served bool
	// Ephemeral kinds exist only as requests and responses; nothing is stored.
	Ephemeral bool
	// Verbs are those that the kind has where that are not all: then its objects are not stored, but made up when they are
	// asked for.
	Verbs []string
	// Generation tells whether metadata.generation is kept.
	Generation bool
	// CreateOnUpdate tells whether an update of what is not there creates it, VersionedUpdate whether an update must name the
	// resourceVersion that it replaces.
	CreateOnUpdate, VersionedUpdate bool
	// StatusKeepsMetadata tells whether a write of the status leaves labels, annotations, finalizers and owners alone.
	StatusKeepsMetadata bool
	// NameFormat is the rule of metadata.name, a name of package format.
	NameFormat   string
	Subresources []Subresource
	Columns      []Column
	// SelectableFields are the paths, beside metadata.name and metadata.namespace, that field selectors may name.
	SelectableFields []string
	// StoragePath lies between "/registry/" and the namespace in the store.
	StoragePath string
	// StorageVersion is the apiVersion in which objects are stored ("apps/v1").
	StorageVersion string
	// Descriptor is that of CustomObject for all custom kinds.
	Descriptor protoreflect.MessageDescriptor
	// ListDescriptor is nil where the kind has no collection.
	ListDescriptor protoreflect.MessageDescriptor

	// StoredAsJSON kinds are in the store as plain JSON, as Kubernetes has them.
	StoredAsJSON bool
	// Custom is the behaviour of a kind that a definition has added; nil for built-in kinds.
	Custom Custom
	// Converter is set for custom kinds whose versions differ in more than apiVersion.
	Converter Converter
	// Scale is set for custom kinds with a scale subresource.
	Scale *Scale
	// Deprecation is what users of the version are warned of; mostly empty.
	Deprecation string
	// Terminating kinds are about to vanish with all their objects: none are created any more.
	Terminating bool

	messageType protoreflect.MessageType
	hooks       rule.Kind
	plan        *plan
	fields      []selectable
	statusField protoreflect.FieldDescriptor
	specField   protoreflect.FieldDescriptor
	metaField   protoreflect.FieldDescriptor
}

// Subresource is a path segment below an object.
type Subresource struct {
	Name string
	// Group, Version and Kind are of what it takes and returns.
	Group, Version, Kind string
	// Verbs in discovery's vocabulary: get, update, patch, create.
	Verbs []string
}

// Column is one column of the table that `kubectl get` prints, after NAME.
type Column struct {
	Name, Type, Format, Description string
	// Priority 0 is always shown, 1 with -o wide.
	Priority int32
	// Path is where the value is; empty where package table computes it.
	Path string
}

// APIVersion returns what manifests hold in apiVersion: "v1", "apps/v1".
func (k *Kind) APIVersion() string { return APIVersion(k.Group, k.Version) }

// APIVersion joins a group and a version.
func APIVersion(group, version string) string {
	if group == "" {
		return version
	}
	return group + "/" + version
}

// SplitAPIVersion takes apart what APIVersion joins.
func SplitAPIVersion(s string) (group, version string) {
	if g, v, ok := strings.Cut(s, "/"); ok {
		return g, v
	}
	return "", s
}

// GroupResource names the kind as error messages do: "pods", "deployments.apps".
func (k *Kind) GroupResource() string {
	if k.Group == "" {
		return k.Plural
	}
	return k.Plural + "." + k.Group
}

// New returns an empty object.
func (k *Kind) New() proto.Message { return k.messageType.New().Interface() }

// Subresource returns the subresource with a name.
func (k *Kind) Subresource(name string) (Subresource, bool) {
	for _, s := range k.Subresources {
		if s.Name == name {
			return s, true
		}
	}
	return Subresource{}, false
}

// HasStatus tells whether the kind has a status of its own: then only writes to the status subresource change it.
func (k *Kind) HasStatus() bool {
	_, ok := k.Subresource("status")
	return ok
}
