package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/podspec"
)

// syncTime is how long a first look at an object may take.
const syncTime = 15 * time.Second

// Objects keeps what the node's pods refer to: each ConfigMap and Secret is watched by itself, as long as a pod that
// refers to it is here (a kubelet may read no others), and all Services. It implements pods.Objects.
type Objects struct {
	conn     *client.Conn
	log      *zap.Logger
	services *informer.Informer[*corev1.Service]

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	watched map[ref]*watched
}

// ref names an object.
type ref struct{ kind, namespace, name string }

const (
	configMap = "configmap"
	secret    = "secret"
)

// watched is an object that pods refer to.
type watched struct {
	users  map[*follower]struct{}
	cancel context.CancelFunc
	sync   func(context.Context) error
	get    func() (client.Object, bool)
}

type follower struct{ changed func() }

// NewObjects watches through the connection; Run it.
func NewObjects(c *client.Conn, log *zap.Logger) *Objects {
	o := &Objects{conn: c, log: log, watched: map[ref]*watched{}}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.services = informer.New(c, informer.Options[*corev1.Service]{Trim: true, Indexers: map[string]func(*corev1.Service) []string{
		"namespace": func(s *corev1.Service) []string { return []string{s.Metadata.Namespace} },
	}})
	return o
}

// Run watches Services until ctx ends, then waits for every other watch.
func (o *Objects) Run(ctx context.Context) error {
	err := o.services.Run(ctx)
	o.cancel()
	o.work.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// references of a pod.
func references(pod *corev1.Pod) map[ref]bool {
	ns := pod.Metadata.Namespace
	out := map[ref]bool{}
	add := func(kind, name string) {
		if name != "" {
			out[ref{kind, ns, name}] = true
		}
	}
	for _, s := range pod.Spec.ImagePullSecrets {
		add(secret, s.Name)
	}
	for _, v := range pod.Spec.Volumes {
		s := v.VolumeSource
		add(configMap, s.GetConfigMap().GetLocalObjectReference().GetName())
		add(secret, s.GetSecret().GetSecretName())
		for _, p := range s.GetProjected().GetSources() {
			add(configMap, p.ConfigMap.GetLocalObjectReference().GetName())
			add(secret, p.Secret.GetLocalObjectReference().GetName())
		}
	}
	for _, c := range podspec.AllContainers(pod) {
		for _, e := range c.EnvFrom {
			add(configMap, e.ConfigMapRef.GetLocalObjectReference().GetName())
			add(secret, e.SecretRef.GetLocalObjectReference().GetName())
		}
		for _, e := range c.Env {
			add(configMap, e.ValueFrom.GetConfigMapKeyRef().GetLocalObjectReference().GetName())
			add(secret, e.ValueFrom.GetSecretKeyRef().GetLocalObjectReference().GetName())
		}
	}
	return out
}

// Follow implements pods.Objects.
func (o *Objects) Follow(pod *corev1.Pod, changed func()) func() {
	f := &follower{changed}
	refs := references(pod)
	o.mu.Lock()
	defer o.mu.Unlock()
	for r := range refs {
		w := o.watched[r]
		if w == nil {
			w = o.watch(r)
			o.watched[r] = w
		}
		w.users[f] = struct{}{}
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for r := range refs {
			w := o.watched[r]
			if delete(w.users, f); len(w.users) == 0 {
				w.cancel()
				delete(o.watched, r)
			}
		}
	}
}

func (o *Objects) watch(r ref) *watched {
	ctx, cancel := context.WithCancel(o.ctx)
	w := &watched{users: map[*follower]struct{}{}, cancel: cancel}
	if r.kind == configMap {
		follow[*corev1.ConfigMap](ctx, o, w, r)
	} else {
		follow[*corev1.Secret](ctx, o, w, r)
	}
	return w
}

func follow[T client.Object](ctx context.Context, o *Objects, w *watched, r ref) {
	i := informer.New(o.conn, informer.Options[T]{Namespace: r.namespace, FieldSelector: "metadata.name=" + r.name, Trim: true})
	i.OnEvent(func(informer.Event[T]) {
		o.mu.Lock()
		users := make([]*follower, 0, len(w.users))
		for f := range w.users {
			users = append(users, f)
		}
		o.mu.Unlock()
		for _, f := range users {
			f.changed()
		}
	})
	w.sync = i.WaitForSync
	w.get = func() (client.Object, bool) {
		obj, ok := i.Get(r.namespace, r.name)
		return obj, ok
	}
	o.work.Go(func() {
		if err := i.Run(ctx); err != nil && ctx.Err() == nil {
			o.log.Error("a watch has ended", zap.String("kind", r.kind), zap.String("object", r.namespace+"/"+r.name), zap.Error(err))
		}
	})
}

// Wait implements pods.Objects.
func (o *Objects) Wait(ctx context.Context, pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	if err := o.services.WaitForSync(ctx); err != nil {
		return errors.New("services have not yet been read at least once, cannot construct envvars")
	}
	for r := range references(pod) {
		o.mu.Lock()
		w := o.watched[r]
		o.mu.Unlock()
		if w == nil {
			continue
		}
		if err := w.sync(ctx); err != nil {
			return fmt.Errorf("failed to sync %s cache: timed out waiting for %s/%s", r.kind, r.namespace, r.name)
		}
	}
	return nil
}

// get returns an object that is watched; one that came into the pod later (an ephemeral container's) is read.
func get[T client.Object](o *Objects, r ref) (T, error) {
	var zero T
	o.mu.Lock()
	w := o.watched[r]
	o.mu.Unlock()
	if w == nil {
		ctx, cancel := context.WithTimeout(o.ctx, syncTime)
		defer cancel()
		return client.For[T](o.conn).Get(ctx, r.namespace, r.name)
	}
	obj, ok := w.get()
	if !ok {
		return zero, apierrors.NewNotFound("", r.kind, r.name)
	}
	return obj.(T), nil
}

// ConfigMap implements podspec.Objects.
func (o *Objects) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return get[*corev1.ConfigMap](o, ref{configMap, namespace, name})
}

// Secret implements podspec.Objects.
func (o *Objects) Secret(namespace, name string) (*corev1.Secret, error) {
	return get[*corev1.Secret](o, ref{secret, namespace, name})
}

// Services implements podspec.Objects.
func (o *Objects) Services(namespace string) []*corev1.Service {
	return o.services.ByIndex("namespace", namespace)
}

// IsNotFound implements podspec.Objects.
func (o *Objects) IsNotFound(err error) bool { return apierrors.IsNotFound(err) }
