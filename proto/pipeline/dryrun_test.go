package pipeline_test

import (
	"context"
	"sync"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
)

// late is a store whose watches tell nothing while it is locked: what is served from memory falls behind.
type late struct {
	store.Store
	sync.Mutex
}

func (l *late) Watch(ctx context.Context, prefix string, from int64) (store.Watcher, error) {
	w, err := l.Store.Watch(ctx, prefix, from)
	return &lateWatcher{w, l}, err
}

type lateWatcher struct {
	store.Watcher
	l *late
}

func (w *lateWatcher) Next(ctx context.Context) (store.Batch, error) {
	b, err := w.Watcher.Next(ctx)
	w.l.Lock()
	defer w.l.Unlock()
	return b, err
}

// A dry run ends without asking the store to write, which is what would notice that the memory is behind.
func TestDryRunKnowsTheNewest(t *testing.T) {
	memoryStore := memory.New()
	t.Cleanup(func() { memoryStore.Close() })
	l := &late{Store: memoryStore}
	h := start(t, func(c *pipeline.Config) { c.Store = l })
	at := func(name string) *resourcev1.ObjectRef { return ref("", "configmaps", "default", name) }
	h.mustCreate(at(""), configMap("old", map[string]string{"k": "1"}))
	if _, err := h.get(at("old")); err != nil { // so it is in memory
		t.Fatal(err)
	}
	l.Lock()
	defer l.Unlock()
	h.mustCreate(at(""), configMap("new", nil))
	if _, err := h.update(at("old"), configMap("old", map[string]string{"k": "2"})); err != nil {
		t.Fatal(err)
	}
	write := &resourcev1.WriteOptions{DryRun: true}
	if _, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: at(""), Object: pb(t, configMap("new", nil)), Options: write}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("create of what exists: %v", err)
	}
	res, err := h.s.Patch(h.ctx, &resourcev1.PatchRequest{
		Ref: at("old"), Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: []byte(`{"data":{"other":"3"}}`), Options: write,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := into(t, res.Item, &corev1.ConfigMap{}); got.Data["k"] != "2" || got.Data["other"] != "3" {
		t.Errorf("patch gives %v", got.Data)
	}
	h.delete(at("old"), nil)
	if _, err := h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at("old"), Options: &metav1.DeleteOptions{DryRun: []string{"All"}}}); !apierrors.IsNotFound(err) {
		t.Errorf("deletion of what is gone: %v", err)
	}
}
