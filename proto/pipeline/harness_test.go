package pipeline_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// patience bounds every wait of these tests; only a failing server makes it pass.
const patience = 20 * time.Second

type harness struct {
	*testing.T
	ctx context.Context
	s   *pipeline.Server
	// store is what the server keeps objects in.
	store store.Store
}

func start(t *testing.T, options ...func(*pipeline.Config)) *harness {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cfg := pipeline.Config{Registry: schema.Builtin(), WithoutAdmission: []string{"ServiceAccount"}}
	for _, o := range options {
		o(&cfg)
	}
	if cfg.Store == nil {
		st := memory.New()
		t.Cleanup(func() { st.Close() })
		cfg.Store = st
	}
	s, err := pipeline.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &harness{t, ctx, s, cfg.Store}
}

func ref(group, plural, namespace, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Plural: plural}, Namespace: namespace, Name: name}
}

func sub(r *resourcev1.ObjectRef, name string) *resourcev1.ObjectRef {
	r.Subresource = name
	return r
}

func pb(t testing.TB, m proto.Message) *resourcev1.Object {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return &resourcev1.Object{Raw: b}
}

func text(s string) *resourcev1.Object {
	return &resourcev1.Object{Raw: []byte(s), Encoding: resourcev1.Encoding_ENCODING_JSON}
}

func (h *harness) create(r *resourcev1.ObjectRef, m proto.Message) (*pipeline.Result, error) {
	h.Helper()
	return h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: r, Object: pb(h.T, m)})
}

func (h *harness) mustCreate(r *resourcev1.ObjectRef, m proto.Message) *pipeline.Item {
	h.Helper()
	res, err := h.create(r, m)
	if err != nil {
		h.Fatal(err)
	}
	return res.Item
}

func into[T proto.Message](t testing.TB, it *pipeline.Item, m T) T {
	t.Helper()
	if err := it.Unmarshal(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Name: name}, Data: data}
}

func (h *harness) get(r *resourcev1.ObjectRef) (*pipeline.Item, error) {
	h.Helper()
	return h.s.Get(h.ctx, &resourcev1.GetRequest{Ref: r})
}

func (h *harness) update(r *resourcev1.ObjectRef, m proto.Message) (*pipeline.Result, error) {
	h.Helper()
	return h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: r, Object: pb(h.T, m)})
}

func (h *harness) delete(r *resourcev1.ObjectRef, o *metav1.DeleteOptions) *pipeline.Result {
	h.Helper()
	res, err := h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: r, Options: o})
	if err != nil {
		h.Fatal(err)
	}
	return res
}

func (h *harness) watch(o *resourcev1.WatchOpen) *pipeline.Watch {
	h.Helper()
	w, err := h.s.Watch(h.ctx, o)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(w.Close)
	return w
}

// events receives n events and describes each by its type and name; a bookmark is "BOOKMARK", the one that ends the
// initial state "BOOKMARK!".
func (h *harness) events(w *pipeline.Watch, n int) (out []string) {
	h.Helper()
	for len(out) < n {
		events, err := w.Next(h.ctx)
		if err != nil {
			h.Fatalf("after %v: %v", out, err)
		}
		for _, e := range events {
			s := strings.TrimPrefix(e.Type.String(), "EVENT_TYPE_")
			if e.Item != nil {
				s += " " + e.Item.Name
			}
			if e.InitialEventsEnd {
				s += "!"
			}
			out = append(out, s)
		}
	}
	return out
}

func selection(group, plural, namespace string) *resourcev1.Selection {
	return &resourcev1.Selection{Resource: &resourcev1.Resource{Group: group, Plural: plural}, Namespace: namespace}
}

func pod(name string) *corev1.Pod {
	return &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: &corev1.PodSpec{
		Containers: []*corev1.Container{{Name: "c", Image: "busybox"}},
	}}
}

func wantErr(t *testing.T, err error, message string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("got error %v, want %q", err, message)
	}
}
