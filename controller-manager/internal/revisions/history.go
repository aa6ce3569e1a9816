package revisions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/selector"
	"github.com/keelson/keelson/controller-manager/internal/templates"
	"github.com/keelson/keelson/controller-manager/internal/writes"
)

// Revision is a revision with its template.
type Revision struct {
	*appsv1.ControllerRevision
	Template *corev1.PodTemplateSpec
}

// Name of the revision's object.
func (r *Revision) Name() string { return r.GetMetadata().GetName() }

// Hash is the part of the name that tells templates apart.
func (r *Revision) Hash(label string) string { return r.GetMetadata().GetLabels()[label] }

// Owner is an object that has a history.
type Owner struct {
	// Object is the owner itself.
	Object   client.Object
	Selector selector.Selector
	Template *corev1.PodTemplateSpec
	// Collisions is how many names were taken by other templates; see Sync.
	Collisions int32
}

// Keeper keeps the histories of objects of one kind.
type Keeper struct {
	env    *controller.Env
	wrote  func(key controller.Key, src controller.Source, revision int64)
	label  string
	cache  *informer.Informer[*appsv1.ControllerRevision]
	client *client.Client[*appsv1.ControllerRevision]

	mu sync.Mutex
	// decoded are templates by the UID of the revision, whose data never changes.
	decoded map[string]*corev1.PodTemplateSpec
}

// New makes a keeper whose revisions have their hash in the label. It must be told how to reach the runner by OnWrite.
func New(env *controller.Env, label string) *Keeper {
	k := &Keeper{
		env: env, label: label, cache: caches.Of[*appsv1.ControllerRevision](env.Caches),
		client: client.For[*appsv1.ControllerRevision](env.Conn), decoded: map[string]*corev1.PodTemplateSpec{},
	}
	k.cache.OnEvent(func(e informer.Event[*appsv1.ControllerRevision]) {
		if e.Type == informer.Deleted {
			k.mu.Lock()
			delete(k.decoded, e.Old.GetMetadata().GetUid())
			k.mu.Unlock()
		}
	})
	return k
}

// Cache is the revisions' cache, to be read and subscribed to.
func (k *Keeper) Cache() *informer.Informer[*appsv1.ControllerRevision] { return k.cache }

// OnWrite sets what is told of each write: a runner's Wrote.
func (k *Keeper) OnWrite(f func(key controller.Key, src controller.Source, revision int64)) {
	k.wrote = f
}

// ErrCollision says that the name of a new revision is taken by another template. The owner's count of collisions has to
// be raised and stored; the next pass takes another name.
var ErrCollision = errors.New("the name is taken by another template")

// ErrTerminating says that the namespace is being deleted, where nothing can be created any more.
var ErrTerminating = errors.New("the namespace is being deleted")

// List returns the owner's revisions, the newest last. Revisions without owner that it selects are adopted.
func (k *Keeper) List(ctx context.Context, key controller.Key, o Owner) ([]*Revision, error) {
	m := o.Object.GetMetadata()
	var out []*Revision
	var adopt []writes.Write
	kind := client.KindOf(o.Object)
	for _, r := range append(k.cache.ByIndex(caches.Controller, m.GetUid()), k.cache.ByIndex(caches.Orphan, m.GetNamespace())...) {
		switch owner.Decide(m, r.GetMetadata(), o.Selector.Matches(r.GetMetadata().GetLabels())) {
		case owner.Keep:
			t, err := k.decode(r)
			if err != nil {
				// Somebody else's data: it can be no template of ours.
				t = nil
			}
			out = append(out, &Revision{r, t})
		case owner.Adopt:
			changed := proto.CloneOf(r)
			changed.Metadata.OwnerReferences = append(changed.Metadata.OwnerReferences, owner.NewControllerRef(kind.APIVersion(), kind.Kind, m))
			adopt = append(adopt, writes.Update(changed))
		}
	}
	if len(adopt) > 0 {
		if err := k.write(ctx, key, adopt); err != nil {
			return nil, err
		}
		return nil, apierrors.NewConflict("apps", "controllerrevisions", m.GetName(), errors.New("revisions were adopted, looking again"))
	}
	slices.SortFunc(out, func(a, b *Revision) int {
		return cmp.Or(cmp.Compare(a.GetRevision(), b.GetRevision()),
			apitime.Go(a.GetMetadata().GetCreationTimestamp()).Compare(apitime.Go(b.GetMetadata().GetCreationTimestamp())),
			cmp.Compare(a.Name(), b.Name()))
	})
	return out, nil
}

func (k *Keeper) decode(r *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	uid := r.GetMetadata().GetUid()
	if t, ok := k.decoded[uid]; ok {
		return t, nil
	}
	t, err := templateOf(r)
	if err == nil {
		k.decoded[uid] = t
	}
	return t, err
}

// Sync makes sure that the owner's present template is the newest revision, and returns that one. have is what List
// returned.
func (k *Keeper) Sync(ctx context.Context, key controller.Key, o Owner, have []*Revision) (*Revision, error) {
	var next int64 = 1
	var found *Revision
	for _, r := range have {
		next = max(next, r.GetRevision()+1)
		if r.Template != nil && schema.Equal(r.Template, o.Template) {
			found = r
		}
	}
	switch {
	case found == nil:
		return k.create(ctx, key, o, next)
	case found == have[len(have)-1]:
		return found, nil
	}
	changed := proto.CloneOf(found.ControllerRevision)
	changed.Revision = next
	written, err := k.client.Update(ctx, changed)
	if err != nil {
		return nil, fmt.Errorf("renewing revision %s: %w", found.Name(), err)
	}
	k.wrote(key, k.cache, client.Revision(written))
	return &Revision{written, found.Template}, nil
}

func (k *Keeper) create(ctx context.Context, key controller.Key, o Owner, number int64) (*Revision, error) {
	data, err := patchOf(o.Template)
	if err != nil {
		return nil, err
	}
	m, kind := o.Object.GetMetadata(), client.KindOf(o.Object)
	hash := templates.Hash(o.Template, o.Collisions)
	labels := maps.Clone(o.Template.GetMetadata().GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	labels[k.label] = hash
	r := &appsv1.ControllerRevision{
		Metadata: &metav1.ObjectMeta{
			Namespace: m.GetNamespace(), Name: m.GetName() + "-" + hash, Labels: labels, Annotations: maps.Clone(m.GetAnnotations()),
			OwnerReferences: []*metav1.OwnerReference{owner.NewControllerRef(kind.APIVersion(), kind.Kind, m)},
		},
		Data: &metav1.RawExtension{Raw: data}, Revision: number,
	}
	written, err := k.client.Create(ctx, r)
	switch {
	case apierrors.IsAlreadyExists(err):
		// By an earlier attempt whose answer was lost, or for another template.
		taken, err := k.client.Get(ctx, m.GetNamespace(), r.Metadata.Name)
		if err != nil {
			return nil, fmt.Errorf("reading the revision whose name is taken: %w", err)
		}
		t, err := templateOf(taken)
		if err != nil || owner.ControllerUID(taken.GetMetadata()) != m.GetUid() || !schema.Equal(t, o.Template) {
			return nil, ErrCollision
		}
		written = taken
	case apierrors.HasCause(err, apierrors.CauseNamespaceTerminating):
		return nil, ErrTerminating
	case err != nil:
		return nil, fmt.Errorf("creating revision %s: %w", r.Metadata.Name, err)
	}
	k.wrote(key, k.cache, client.Revision(written))
	return &Revision{written, o.Template}, nil
}

// Truncate deletes revisions beyond the limit that are not live.
func (k *Keeper) Truncate(ctx context.Context, key controller.Key, have []*Revision, limit int32, live func(*Revision) bool) error {
	var old []writes.Write
	for _, r := range have {
		if !live(r) {
			old = append(old, writes.Delete(r.ControllerRevision, nil))
		}
	}
	return k.write(ctx, key, old[:max(len(old)-int(limit), 0)])
}

func (k *Keeper) write(ctx context.Context, key controller.Key, all []writes.Write) error {
	var failed error
	for _, o := range writes.All(ctx, k.env.Pipeline, all) {
		switch {
		case o.Err == nil:
			k.wrote(key, k.cache, o.Revision)
		case apierrors.IsNotFound(o.Err):
		default:
			failed = o.Err
		}
	}
	return failed
}
