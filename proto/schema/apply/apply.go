package apply

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Request is an apply.
type Request struct {
	Kind *schema.Kind
	// Live is the stored object; nil where there is none. It is not changed.
	Live proto.Message
	// Config is what the client applies, an object.
	Config *codec.Node
	Writer Writer
	// Force takes fields over from other managers instead of refusing.
	Force bool
}

// Result is what an apply makes of an object.
type Result struct {
	// Object is the merged object with its new managed fields; it has no defaults for what it gained. It shares nothing with
	// the live one but entries of managed fields.
	Object proto.Message
	// Changed is false where the object is as it was; then entries keep their times.
	Changed bool
}

const (
	beforeFirstApply  = "before-first-apply"
	kubectl           = "kubectl"
	lastAppliedConfig = "kubectl.kubernetes.io/last-applied-configuration"
)

// Apply merges a configuration into an object: what the manager applied before and left out now goes, unless somebody
// else owns it too. Errors are API errors, but for values that a field does not take; where other managers own fields that
// get another value, it is the conflict that Kubernetes' clients know.
func Apply(r Request) (*Result, error) {
	a := appliers.Get().(*applier)
	defer a.free()
	a.Request, a.t = r, kindTypeOf(r.Kind)
	if err := a.read(); err != nil {
		return nil, err
	}
	if err := a.owners(); err != nil {
		return nil, err
	}
	if err := a.merge(); err != nil {
		return nil, err
	}
	return a.result()
}

// applier is one apply at work.
type applier struct {
	Request
	t       *kindType
	managed []*metav1.ManagedFieldsEntry
	// memory of the nodes, and the documents that they refer to
	memory         codec.Nodes
	json, setBytes []byte

	live, merged codec.Node
	// applied is the encoded set of what the configuration names.
	applied []byte
	own     *entry   // of the manager itself; nil at first
	others  []*entry // of the same version
	foreign []*entry // of other versions, which are left alone
}

var appliers = sync.Pool{New: func() any { return new(applier) }}

func (a *applier) free() {
	memory, json, setBytes := a.memory, a.json[:0], a.setBytes[:0]
	if cap(json) > maxPooled {
		json = nil
	}
	if cap(setBytes) > maxPooled {
		setBytes = nil
	}
	memory.Reset()
	*a = applier{memory: memory, json: json, setBytes: setBytes}
	appliers.Put(a)
}

// read parses and checks what the client sent and what is there.
func (a *applier) read() error {
	if want, got := a.Kind.APIVersion(), a.Config.Member("apiVersion").String(); got != want {
		return apierrors.NewBadRequest(fmt.Sprintf("Incorrect version specified in apply patch. Specified patch version: %s, expected: %s",
			got, want))
	}
	if m := a.Config.Member("metadata").Member("managedFields"); m != nil && m.Kind != codec.NullNode {
		return apierrors.NewBadRequest("metadata.managedFields must be nil")
	}
	if !a.t.check(a.Config, false) {
		return apierrors.NewBadRequest(fmt.Sprintf("failed to create typed patch object (%s): %v", a.name(), a.misfit(a.Config)))
	}
	var err error
	a.live = codec.Node{Kind: codec.ObjectNode}
	if a.Live == nil {
		return nil
	}
	a.managed, a.Live = a.Kind.Meta(a.Live).GetManagedFields(), unmanaged(a.Kind, a.Live)
	if a.json, err = a.Kind.AppendJSON(a.json, a.Live); err != nil {
		return apierrors.NewInternal(err)
	}
	if a.live, err = a.memory.Parse(a.json); err != nil {
		return apierrors.NewInternal(err)
	}
	if !a.t.check(&a.live, true) {
		return apierrors.NewInternal(fmt.Errorf("failed to create typed live object (%s): %w", a.name(), a.misfit(&a.live, typed.AllowDuplicates)))
	}
	return nil
}

// misfit says why a value is not of the kind's type, as Kubernetes does.
func (a *applier) misfit(n *codec.Node, o ...typed.ValidationOptions) error {
	if _, err := typeOf(a.Kind).FromUnstructured(n.Tree(), o...); err != nil {
		return err
	}
	return errors.New("value does not fit the schema")
}

func (a *applier) name() string {
	meta := a.Config.Member("metadata")
	group, version := schema.SplitAPIVersion(a.Kind.APIVersion())
	return fmt.Sprintf("%s/%s; %s, Kind=%s", meta.Member("namespace").String(), meta.Member("name").String(),
		group+"/"+version, a.Kind.Kind)
}

// owners reads the managed fields that there are, and makes the set of what is applied.
func (a *applier) owners() error {
	entries, ok := decode(a.managed)
	if !ok {
		return apierrors.NewInternal(errors.New("failed to decode managed fields"))
	}
	version := a.Kind.APIVersion()
	self := manager{name: a.Writer.name(), operation: OperationApply, subresource: a.Writer.Subresource}
	if a.Live != nil && len(entries) == 0 {
		entries = a.claim(version)
	}
	for i, e := range entries {
		switch {
		case e.version != version:
			a.foreign = append(a.foreign, e)
			continue
		case repeated(entries[i+1:], e):
			continue // the last one counts
		}
		if err := e.reconcile(a.t, a.Kind); err != nil {
			return apierrors.NewInternal(err)
		}
		if e.manager == self {
			a.own = e
		} else {
			a.others = append(a.others, e)
		}
	}
	a.setBytes = nodeSet{ignored: a.ignored}.append(a.setBytes[:0], a.Config, a.t)
	a.applied = a.setBytes
	return nil
}

func repeated(list []*entry, e *entry) bool {
	for _, o := range list {
		if o.manager == e.manager && o.version == e.version {
			return true
		}
	}
	return false
}

// claim gives everything that is there to a manager of its own, as if it had created it: the object was not tracked so far.
func (a *applier) claim(version string) []*entry {
	var raw []byte
	if a.Kind.IsCustom() {
		var change Change
		empty, err := codec.ParseNode([]byte(`{"metadata":{}}`))
		if err == nil {
			change, err = compareNodes(&empty, &a.live, a.t, ofServer)
		}
		if err != nil {
			return nil // it does not fit its schema
		}
		if raw, err = change.Set.ToJSON(); err != nil {
			return nil
		}
	} else {
		raw = appendCreated(nil, a.Live.ProtoReflect())
	}
	if string(raw) == "{}" {
		return nil
	}
	return []*entry{{manager: manager{name: beforeFirstApply, operation: OperationUpdate, apiVersion: version}, version: version, raw: raw}}
}

// merge makes the new object and settles who owns what of it.
func (a *applier) merge() error {
	a.merged = joiner{&a.memory}.join(&a.live, a.Config, a.t)
	pruned, err := a.prune()
	if err != nil {
		return err
	}
	if !pruned && (len(a.others) == 0 || a.merged.Same(&a.live)) {
		return nil
	}
	change, err := compareNodes(&a.live, &a.merged, a.t, a.ignored)
	if err != nil {
		return apierrors.NewBadRequest("failed to compare objects: " + err.Error())
	}
	return a.settle(change)
}

// prune takes away what the manager applied before and not now.
func (a *applier) prune() (bool, error) {
	if a.own == nil || bytes.Equal(a.own.raw, a.applied) {
		return false, nil
	}
	last, err := a.own.fields()
	if err != nil {
		return false, apierrors.NewInternal(err)
	}
	if last.Empty() {
		return false, nil
	}
	whole, err := sets.parse(nodeSet{ignored: a.ignored, whole: true}.append(nil, a.Config, a.t))
	if err != nil {
		return false, apierrors.NewInternal(err)
	}
	now := []*fieldpath.Set{whole}
	tops := topLevel(last)
	for _, e := range a.others {
		if !overlaps(e.raw, tops) {
			continue
		}
		set, err := e.fields()
		if err != nil {
			return false, apierrors.NewInternal(err)
		}
		now = append(now, set)
	}
	p := pruner{memory: &a.memory, unusual: hollow(&a.live, a.t) || hollow(a.Config, a.t)}
	left := a.merged
	if !p.unusual {
		left = p.prune(&a.merged, a.t, last, now, above{})
	}
	if p.unusual {
		if left, err = pruneBySets(a.Kind, &a.merged, last, now); err != nil {
			return false, apierrors.NewBadRequest("failed to prune fields: " + err.Error())
		}
	}
	pruned := !left.Same(&a.merged)
	a.merged = left
	return pruned, nil
}

// settle takes from the others what changes, which is a conflict without force, and what goes.
func (a *applier) settle(change Change) error {
	if change.Empty() {
		return nil
	}
	tops := topLevel(change.Set, change.Removed)
	var found conflicts
	type loss struct {
		e    *entry
		left *fieldpath.Set
	}
	var losses []loss
	for _, e := range a.others {
		if !overlaps(e.raw, tops) {
			continue
		}
		set, err := e.fields()
		if err != nil {
			return apierrors.NewInternal(err)
		}
		taken := set.Intersection(change.Set)
		found.add(e.manager, taken)
		if left := set.Difference(taken).Difference(change.Removed); !left.Equals(set) {
			losses = append(losses, loss{e, left})
		}
	}
	if !a.Force && len(found) > 0 {
		left := found
		if a.Writer.name() == kubectl {
			left = a.notLastApplied(found)
		}
		if len(left) > 0 {
			return left.error()
		}
	}
	for _, l := range losses {
		l.e.replace(l.left)
	}
	return nil
}

// result makes the object and its managed fields.
func (a *applier) result() (*Result, error) {
	out := &Result{Changed: !a.merged.Equal(&a.live)}
	self := &entry{manager: manager{name: a.Writer.name(), operation: OperationApply, subresource: a.Writer.Subresource},
		version: a.Kind.APIVersion()}
	switch {
	case out.Changed:
		self.time = seconds(a.Writer.Now)
	case a.own != nil:
		self.time = a.own.time
	}
	object := &a.merged
	if !out.Changed {
		object = &a.live
	}
	if a.Writer.name() == kubectl && a.syncLastApplied(object) {
		out.Changed = true
	}
	list := a.foreign
	if string(a.applied) != "{}" {
		self.raw = bytes.Clone(a.applied)
		if a.own != nil && bytes.Equal(a.own.raw, a.applied) {
			self.raw = a.own.raw
		}
		list = append(list, self)
	}
	for _, e := range a.others {
		if none, err := e.empty(); err != nil {
			return nil, apierrors.NewInternal(err)
		} else if !none {
			list = append(list, e)
		}
	}
	managed, err := encode(list)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	if out.Object, err = a.object(object, out.Changed); err != nil {
		return nil, err
	}
	if meta := a.Kind.Meta(out.Object); meta != nil {
		meta.ManagedFields = managed
	}
	return out, nil
}

// object returns the message of an object, without managed fields.
func (a *applier) object(n *codec.Node, changed bool) (proto.Message, error) {
	if !changed && a.Live != nil {
		return proto.Clone(a.Live), nil
	}
	var err error
	// The set is written out by now, and its memory free.
	if a.setBytes, err = codec.AppendNode(a.setBytes[:0], n); err != nil {
		return nil, err
	}
	obj := a.Kind.New()
	_, err = a.Kind.Unmarshal(a.setBytes, obj, codec.DecodeOptions{})
	return obj, err
}
