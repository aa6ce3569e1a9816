package apply

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// oracle applies by structured-merge-diff's own updater on JSON trees: what Kubernetes does.
type oracle struct {
	kind    *schema.Kind
	live    map[string]any // nil where there is none; without managed fields
	managed []*metav1.ManagedFieldsEntry
	config  map[string]any
	writer  Writer
	force   bool

	owners fieldpath.ManagedFields
	names  map[string]manager
	times  map[string]*metav1.Time
}

// applyByOracle is Apply by the oracle, with the ways from and to messages.
func applyByOracle(k *schema.Kind, live proto.Message, config []byte, w Writer, force bool) (*Result, error) {
	v, err := codec.ParseTree(config)
	if err != nil {
		return nil, err
	}
	o := oracle{kind: k, writer: w, force: force}
	o.config, _ = v.(map[string]any)
	if live != nil {
		if o.live, err = k.ToTree(live); err != nil {
			return nil, err
		}
		o.live = treeWithout(o.live, "managedFields")
		o.managed = k.Meta(live).GetManagedFields()
	}
	tree, managed, changed, err := o.apply()
	if err != nil {
		return nil, err
	}
	out := &Result{Object: k.New(), Changed: changed}
	if _, err := k.FromTree(tree, out.Object, codec.DecodeOptions{}); err != nil {
		return nil, err
	}
	if m := k.Meta(out.Object); m != nil {
		m.ManagedFields = managed
	}
	return out, nil
}

func (o *oracle) apply() (tree map[string]any, managed []*metav1.ManagedFieldsEntry, changed bool, err error) {
	t, version := typeOf(o.kind), o.kind.APIVersion()
	config, err := t.FromUnstructured(o.config)
	if err != nil {
		return nil, nil, false, apierrors.NewBadRequest("patch: " + err.Error())
	}
	was := o.live
	if was == nil {
		was = map[string]any{}
	}
	live, err := t.FromUnstructured(was, typed.AllowDuplicates)
	if err != nil {
		return nil, nil, false, apierrors.NewInternal(fmt.Errorf("live: %w", err))
	}
	entries, ok := decode(o.managed)
	if !ok {
		return nil, nil, false, apierrors.NewInternal(errors.New("managed fields"))
	}
	o.owners, o.names, o.times = fieldpath.ManagedFields{}, map[string]manager{}, map[string]*metav1.Time{}
	self := manager{name: o.writer.name(), operation: OperationApply, subresource: o.writer.Subresource}
	var list []*entry
	for _, e := range entries {
		if e.version != version {
			list = append(list, e)
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(strings.NewReader(string(e.raw))); err != nil {
			return nil, nil, false, apierrors.NewInternal(err)
		}
		o.own(e.manager, set, version)
		o.times[o.key(e.manager)] = e.time
	}
	if o.live != nil && len(entries) == 0 {
		// As an update that makes all of an empty object.
		tree, err := o.kind.ToTree(o.kind.New())
		if err != nil {
			return nil, nil, false, apierrors.NewInternal(err)
		}
		empty, err := t.FromUnstructured(tree)
		if err != nil {
			return nil, nil, false, apierrors.NewInternal(err)
		}
		made, err := empty.Compare(live)
		if err != nil {
			return nil, nil, false, apierrors.NewInternal(err)
		}
		set := made.Added.Union(made.Modified)
		if set = set.Difference(server); !set.Empty() {
			o.own(manager{name: beforeFirstApply, operation: OperationUpdate, apiVersion: version}, set, version)
		}
	}
	merged, owners, err := o.run(t, live, config, o.key(self))
	if err != nil {
		return nil, nil, false, err
	}
	tree = maps.Clone(was)
	if changed = merged != nil; changed {
		tree, _ = merged.AsValue().Unstructured().(map[string]any)
		o.times[o.key(self)] = seconds(o.writer.Now)
	}
	if o.writer.name() == kubectl && o.syncLastApplied(tree) {
		changed = true
	}
	for key, vs := range owners {
		list = append(list, &entry{manager: o.names[key], version: version, time: o.times[key], read: &parsed{set: vs.Set()}})
	}
	managed, err = encode(list)
	return tree, managed, changed, err
}

func (o *oracle) key(m manager) string {
	s := strings.Join([]string{m.name, m.operation, m.apiVersion, m.subresource}, "\x00")
	o.names[s] = m
	return s
}

func (o *oracle) own(m manager, set *fieldpath.Set, version string) {
	o.owners[o.key(m)] = fieldpath.NewVersionedSet(set, fieldpath.APIVersion(version), m.operation == OperationApply)
}

func (o *oracle) run(t typed.ParseableType, live, config *typed.TypedValue, self string) (*typed.TypedValue, fieldpath.ManagedFields, error) {
	version := fieldpath.APIVersion(o.kind.APIVersion())
	u := (&merge.UpdaterBuilder{Converter: oneVersion(version), IgnoreFilter: map[fieldpath.APIVersion]fieldpath.Filter{
		version: fieldpath.NewExcludeSetFilter(o.resetFields()),
	}}).BuildUpdater()
	merged, owners, err := u.Apply(live, config, version, o.owners.Copy(), self, o.force)
	var found merge.Conflicts
	if errors.As(err, &found) {
		left := found
		if o.writer.name() == kubectl {
			if owned := o.lastAppliedSet(t, live); owned != nil {
				left = slices.DeleteFunc(slices.Clone(found), func(c merge.Conflict) bool { return owned.Has(c.Path) })
			}
		}
		if len(left) > 0 {
			var list conflicts
			for _, c := range left {
				list = append(list, conflict{o.names[c.Manager], c.Path})
			}
			return nil, nil, list.error()
		}
		merged, owners, err = u.Apply(live, config, version, o.owners.Copy(), self, true)
	}
	if err != nil {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	if vs := owners[self]; vs != nil {
		if set := vs.Set().Difference(server); set.Empty() {
			delete(owners, self)
		} else {
			owners[self] = fieldpath.NewVersionedSet(set, version, true)
		}
	}
	return merged, owners, nil
}

// server are the fields that nobody owns.
var server = func() *fieldpath.Set {
	s := fieldpath.NewSet(fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"))
	for f := range serverFields {
		s.Insert(fieldpath.MakePathOrDie("metadata", f))
	}
	return s
}()

// resetFields are the fields that a write of the subresource does not change.
func (o *oracle) resetFields() *fieldpath.Set {
	out := fieldpath.NewSet()
	if !o.kind.HasStatus() {
		return out
	}
	if o.writer.Subresource != "status" {
		out.Insert(fieldpath.MakePathOrDie("status"))
		if kept := partFields[o.writer.Subresource]; kept != nil && !o.kind.IsCustom() {
			spec := o.kind.Descriptor.Fields().ByName("spec").Message().Fields()
			for i := range spec.Len() {
				if n := spec.Get(i).JSONName(); !slices.Contains(kept, n) {
					out.Insert(fieldpath.MakePathOrDie("spec", n))
				}
			}
		}
		return out
	}
	for _, tree := range []map[string]any{o.live, o.config} {
		for name := range tree {
			if !slices.Contains([]string{"metadata", "status", "apiVersion", "kind"}, name) {
				out.Insert(fieldpath.MakePathOrDie(name))
			}
		}
	}
	return out
}

func (o *oracle) lastAppliedSet(t typed.ParseableType, live *typed.TypedValue) *fieldpath.Set {
	text := annotationIn(o.live)
	tree, err := codec.ParseTree([]byte(text))
	m, ok := tree.(map[string]any)
	if err != nil || !ok || m["apiVersion"] != o.kind.APIVersion() {
		return nil
	}
	last, err := t.FromUnstructured(m)
	if err != nil {
		return nil
	}
	set, err := last.ToFieldSet()
	if err != nil {
		return nil
	}
	diff, err := last.Compare(live)
	if err != nil {
		return nil
	}
	return set.Difference(diff.Modified).Difference(diff.Added).Difference(diff.Removed)
}

func annotationIn(tree map[string]any) string {
	meta, _ := tree["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	text, _ := annotations[lastAppliedConfig].(string)
	return text
}

func (o *oracle) syncLastApplied(tree map[string]any) bool {
	was := annotationIn(tree)
	if was == "" {
		return false
	}
	applied := maps.Clone(o.config)
	if m, ok := applied["metadata"].(map[string]any); ok {
		if a, ok := m["annotations"].(map[string]any); ok && a[lastAppliedConfig] != nil {
			m, a = maps.Clone(m), maps.Clone(a)
			delete(a, lastAppliedConfig)
			m["annotations"], applied["metadata"] = a, m
		}
	}
	text, err := json.Marshal(applied)
	now := string(append(text, '\n'))
	if err != nil || was == now {
		return false
	}
	meta := maps.Clone(tree["metadata"].(map[string]any))
	meta["annotations"] = maps.Clone(meta["annotations"].(map[string]any))
	meta["annotations"].(map[string]any)[lastAppliedConfig] = now
	tree["metadata"] = meta
	return true
}

// oneVersion knows one version: entries of others are kept out of merges.
type oneVersion string

func (c oneVersion) Convert(v *typed.TypedValue, version fieldpath.APIVersion) (*typed.TypedValue, error) {
	if string(version) != string(c) {
		return nil, errOtherVersion
	}
	return v, nil
}

func (oneVersion) IsMissingVersionError(err error) bool { return errors.Is(err, errOtherVersion) }

var errOtherVersion = errors.New("another version")
