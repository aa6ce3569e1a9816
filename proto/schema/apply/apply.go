package apply

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Request is an apply.
type Request struct {
	Kind *schema.Kind
	// Live is the JSON tree of the stored object; nil where there is none. It is not changed. Its managed fields are
	// taken from Managed.
	Live    map[string]any
	Managed []*metav1.ManagedFieldsEntry
	// Config is what the client applies; it is not changed.
	Config map[string]any
	Writer Writer
	// Force takes fields over from other managers instead of refusing.
	Force bool
}

// Result is what an apply makes of an object.
type Result struct {
	// Tree is the merged object, without managed fields; it has no defaults for what it gained. It may share parts with
	// the request's trees.
	Tree map[string]any
	// Managed are the object's new managed fields.
	Managed []*metav1.ManagedFieldsEntry
	// Changed is false where the object is as it was; then entries keep their times.
	Changed bool
}

const (
	beforeFirstApply  = "before-first-apply"
	kubectl           = "kubectl"
	lastAppliedConfig = "kubectl.kubernetes.io/last-applied-configuration"
)

// Apply merges a configuration into an object: what the manager applied before and left out now goes, unless somebody
// else owns it too. Errors are API errors; where other managers own fields that get another value, it is the conflict
// that Kubernetes' clients know.
func Apply(r Request) (*Result, error) {
	k := r.Kind
	if err := checkConfig(r); err != nil {
		return nil, err
	}
	t := typeOf(k)
	config, err := t.FromUnstructured(r.Config)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("failed to create typed patch object (%s): %v", name(r), err))
	}
	live, err := t.FromUnstructured(without(r.Live, "managedFields"), typed.AllowDuplicates)
	if err != nil {
		return nil, apierrors.NewInternal(fmt.Errorf("failed to create typed live object (%s): %w", name(r), err))
	}
	entries, ok := decode(r.Managed)
	if !ok {
		return nil, apierrors.NewInternal(errors.New("failed to decode managed fields"))
	}
	a := applier{version: k.APIVersion(), self: manager{name: r.Writer.name(), operation: OperationApply, subresource: r.Writer.Subresource},
		times: map[string]*metav1.Time{}, names: map[string]manager{}, managed: fieldpath.ManagedFields{}}
	var other []*entry // of other versions
	for _, e := range entries {
		if e.version != a.version {
			other = append(other, e)
			continue
		}
		if err := a.add(e); err != nil {
			return nil, apierrors.NewInternal(err)
		}
	}
	if r.Live != nil && len(entries) == 0 {
		if err := a.claim(live); err != nil {
			return nil, apierrors.NewInternal(err)
		}
	}
	merged, managed, err := a.run(t, live, config, r)
	if err != nil {
		return nil, err
	}
	out := &Result{Changed: merged != nil, Tree: maps.Clone(without(r.Live, "managedFields"))}
	if merged != nil {
		tree, ok := merged.AsValue().Unstructured().(map[string]any)
		if !ok {
			return nil, apierrors.NewInternal(errors.New("the merged object is not an object"))
		}
		out.Tree = tree
		a.times[a.key(a.self)] = seconds(r.Writer.Now)
	}
	if r.Writer.name() == kubectl && syncLastApplied(out.Tree, r.Config) {
		out.Changed = true
	}
	if out.Managed, err = a.entries(managed, other); err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return out, nil
}

func checkConfig(r Request) error {
	want := r.Kind.APIVersion()
	if got, _ := r.Config["apiVersion"].(string); got != want {
		return apierrors.NewBadRequest(fmt.Sprintf("Incorrect version specified in apply patch. Specified patch version: %s, expected: %s",
			got, want))
	}
	if meta, ok := r.Config["metadata"].(map[string]any); ok && meta["managedFields"] != nil {
		return apierrors.NewBadRequest("metadata.managedFields must be nil")
	}
	return nil
}

func name(r Request) string {
	meta, _ := r.Config["metadata"].(map[string]any)
	ns, _ := meta["namespace"].(string)
	n, _ := meta["name"].(string)
	group, version := schema.SplitAPIVersion(r.Kind.APIVersion())
	return fmt.Sprintf("%s/%s; %s, Kind=%s", ns, n, strings.TrimPrefix(group+"/"+version, "/"), r.Kind.Kind)
}

// without returns a tree that lacks one field of metadata, sharing the rest.
func without(tree map[string]any, field string) map[string]any {
	meta, ok := tree["metadata"].(map[string]any)
	if tree == nil {
		return map[string]any{}
	}
	if !ok || meta[field] == nil {
		return tree
	}
	out, m := maps.Clone(tree), maps.Clone(meta)
	delete(m, field)
	out["metadata"] = m
	return out
}

// applier is one apply at work.
type applier struct {
	version string
	self    manager
	managed fieldpath.ManagedFields
	names   map[string]manager
	times   map[string]*metav1.Time
}

// key makes the string by which structured-merge-diff knows a manager.
func (a *applier) key(m manager) string {
	s := strings.Join([]string{m.name, m.operation, m.apiVersion, m.subresource}, "\x00")
	a.names[s] = m
	return s
}

func (a *applier) add(e *entry) error {
	set, err := e.fields()
	if err != nil {
		return err
	}
	key := a.key(e.manager)
	a.managed[key] = fieldpath.NewVersionedSet(set, fieldpath.APIVersion(e.version), e.operation == OperationApply)
	a.times[key] = e.time
	return nil
}

// claim gives everything that is there to a manager of its own: the object was not tracked so far.
func (a *applier) claim(live *typed.TypedValue) error {
	set, err := live.ToFieldSet()
	if err != nil {
		return err
	}
	if set = set.Difference(server); set.Empty() {
		return nil
	}
	a.managed[a.key(manager{name: beforeFirstApply, operation: OperationUpdate, apiVersion: a.version})] =
		fieldpath.NewVersionedSet(set, fieldpath.APIVersion(a.version), false)
	return nil
}

// server are the fields that nobody owns.
var server = func() *fieldpath.Set {
	s := fieldpath.NewSet(fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"))
	for f := range serverFields {
		s.Insert(fieldpath.MakePathOrDie("metadata", f))
	}
	return s
}()

func (a *applier) run(t typed.ParseableType, live, config *typed.TypedValue, r Request) (*typed.TypedValue, fieldpath.ManagedFields, error) {
	u := (&merge.UpdaterBuilder{Converter: converter(a.version), IgnoreFilter: map[fieldpath.APIVersion]fieldpath.Filter{
		fieldpath.APIVersion(a.version): fieldpath.NewExcludeSetFilter(resetFields(r.Kind, r.Writer.Subresource, r.Live, r.Config)),
	}}).BuildUpdater()
	self := a.key(a.self)
	try := func(force bool) (*typed.TypedValue, fieldpath.ManagedFields, error) {
		return u.Apply(live, config, fieldpath.APIVersion(a.version), a.managed.Copy(), self, force)
	}
	merged, managed, err := try(r.Force)
	var conflicts merge.Conflicts
	if errors.As(err, &conflicts) {
		left := conflicts
		if r.Writer.name() == kubectl {
			left = notLastApplied(t, live, r, conflicts)
		}
		if len(left) > 0 {
			return nil, nil, a.conflict(left)
		}
		merged, managed, err = try(true)
	}
	if err != nil {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	if vs := managed[self]; vs != nil {
		if set := vs.Set().Difference(server); set.Empty() {
			delete(managed, self)
		} else {
			managed[self] = fieldpath.NewVersionedSet(set, vs.APIVersion(), vs.Applied())
		}
	}
	return merged, managed, nil
}

// partFields are the fields of spec that subresources change which show the whole object but change a part of it.
var partFields = map[string][]string{
	"ephemeralcontainers": {"ephemeralContainers"},
	"resize":              {"containers", "initContainers"},
}

// resetFields are the fields that a write of the given subresource does not change, and so does not own. The fields of a
// custom kind are those that the trees have.
func resetFields(k *schema.Kind, subresource string, trees ...map[string]any) *fieldpath.Set {
	out := fieldpath.NewSet()
	if !k.HasStatus() {
		return out
	}
	if subresource != "status" {
		out.Insert(fieldpath.MakePathOrDie("status"))
		if kept := partFields[subresource]; kept != nil {
			if spec := k.Descriptor.Fields().ByName("spec"); spec != nil {
				for i := range spec.Message().Fields().Len() {
					if n := spec.Message().Fields().Get(i).JSONName(); !slices.Contains(kept, n) {
						out.Insert(fieldpath.MakePathOrDie("spec", n))
					}
				}
			}
		}
		return out
	}
	reset := func(name string) {
		switch name {
		case "metadata", "status", "apiVersion", "kind":
		default:
			out.Insert(fieldpath.MakePathOrDie(name))
		}
	}
	if k.IsCustom() {
		for _, tree := range trees {
			for name := range tree {
				reset(name)
			}
		}
		return out
	}
	fields := k.Descriptor.Fields()
	for i := range fields.Len() {
		reset(fields.Get(i).JSONName())
	}
	return out
}

func (a *applier) entries(managed fieldpath.ManagedFields, other []*entry) ([]*metav1.ManagedFieldsEntry, error) {
	list := other
	for key, vs := range managed {
		list = append(list, &entry{manager: a.names[key], version: string(vs.APIVersion()), time: a.times[key], set: vs.Set()})
	}
	return encode(list)
}

// converter knows one version: entries of others are kept out of merges.
type converter string

// Convert implements merge.Converter.
func (c converter) Convert(v *typed.TypedValue, version fieldpath.APIVersion) (*typed.TypedValue, error) {
	if string(version) != string(c) {
		return nil, errOtherVersion
	}
	return v, nil
}

// IsMissingVersionError implements merge.Converter.
func (converter) IsMissingVersionError(err error) bool { return errors.Is(err, errOtherVersion) }

var errOtherVersion = errors.New("another version")
