package pipeline_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/encrypt"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
)

// damaged are values that nobody can read.
var damaged = map[string]string{
	"rubbish":          "rubbish",
	"cut short":        "k8s\x00\x0a\xff\xff",
	"another provider": "k8s:enc:aescbc:v1:key1:\x01\x02\x03",
	"another key":      "k8s:enc:aesgcm:v1:gone:0123456789abcdefghij",
	"another kind":     "k8s\x00\x0a\x0d\x0a\x02v1\x12\x07Unknown\x12\x00",
}

// An object that cannot be read is an error for those who ask for it, in words that name it, and for nobody else.
func TestUnreadableObjects(t *testing.T) {
	for name, value := range damaged {
		for _, when := range []string{"before the start", "while it runs"} {
			t.Run(name+" "+when, func(t *testing.T) {
				inner := memory.New()
				t.Cleanup(func() { inner.Close() })
				const key = "/registry/secrets/default/bad"
				damage := func() {
					if kv, err := inner.Get(t.Context(), key); err == nil {
						if _, _, err := inner.Update(t.Context(), key, []byte(value), kv.Revision, 0); err != nil {
							t.Fatal(err)
						}
					} else if _, err := inner.Create(t.Context(), key, []byte(value), 0); err != nil {
						t.Fatal(err)
					}
				}
				if when == "before the start" {
					damage()
				}
				s, err := encrypt.Wrap(inner, []string{"/registry/secrets/"}, encrypt.Key{Name: "k", Bytes: make([]byte, encrypt.KeyBytes)})
				if err != nil {
					t.Fatal(err)
				}
				h := start(t, func(c *pipeline.Config) { c.Store = s })
				good := ref("", "secrets", "default", "good")
				h.mustCreate(good, secret("good"))
				if when != "before the start" {
					h.mustCreate(ref("", "secrets", "default", "bad"), secret("bad"))
					w := h.watch(&resourcev1.WatchOpen{Selection: selection("", "secrets", "")})
					h.events(w, 2)
					damage()
					// The watcher is not told of a deletion, for there was none.
					if events, err := w.Next(h.ctx); !apierrors.IsResourceExpired(err) {
						t.Errorf("the watcher gets %v, %v", events, err)
					}
				}
				unreadable(h, key)
				if _, err := h.get(good); err != nil {
					t.Error(err)
				}
				for _, other := range []*resourcev1.Selection{selection("", "secrets", "kube-system"), selection("", "configmaps", ""),
					{Resource: good.Resource, Namespace: "default", FieldSelector: "metadata.name=good"}} {
					if _, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: other}); err != nil {
						t.Errorf("list of %v: %v", other, err)
					}
				}
				// The server itself goes on.
				self := identity.NewContext(h.ctx, pipeline.Self)
				if l, err := h.s.List(self, &resourcev1.ListRequest{Selection: selection("", "secrets", "")}); err != nil || len(l.Items) != 1 {
					t.Errorf("the server's own list: %v, %v", l, err)
				}
				remove(h, ref("", "secrets", "default", "bad"), good)
			})
		}
	}
}

// unreadable asks for the damaged object in every way.
func unreadable(h *harness, key string) {
	h.Helper()
	bad := ref("", "secrets", "default", "bad")
	_, err := h.get(bad)
	wantErr(h.T, err, "StorageError: corrupt object, Code: 7, Key: "+key)
	_, err = h.update(bad, secret("bad"))
	wantErr(h.T, err, key)
	_, err = h.create(bad, secret("bad"))
	wantErr(h.T, err, "already exists")
	_, err = h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: bad})
	wantErr(h.T, err, key)
	for _, sel := range []*resourcev1.Selection{selection("", "secrets", ""), selection("", "secrets", "default"),
		{Resource: bad.Resource, Namespace: "default", LabelSelector: "a=b"}, {Resource: bad.Resource, FieldSelector: "metadata.name=bad"}} {
		_, err = h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sel})
		wantErr(h.T, err, "failed to read one or more secrets from the storage: StorageError: corrupt object, Code: 7, Key: "+key)
		_, err = h.s.Watch(h.ctx, &resourcev1.WatchOpen{Selection: sel, SendInitialEvents: true})
		wantErr(h.T, err, key)
	}
}

// remove deletes the damaged object.
func remove(h *harness, bad, good *resourcev1.ObjectRef) {
	h.Helper()
	unsafe := &metav1.DeleteOptions{IgnoreStoreReadErrorWithClusterBreakingPotential: proto.Bool(true)}
	_, err := h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: bad, Options: &metav1.DeleteOptions{
		IgnoreStoreReadErrorWithClusterBreakingPotential: proto.Bool(true), GracePeriodSeconds: proto.Int64(0)}})
	wantErr(h.T, err, "cannot be set together with .gracePeriodSeconds")
	_, err = h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: good, Options: unsafe})
	wantErr(h.T, err, "can be read")
	list, err := h.s.List(identity.NewContext(context.WithoutCancel(h.ctx), pipeline.Self), &resourcev1.ListRequest{Selection: selection("", "secrets", "default")})
	if err != nil {
		h.Fatal(err)
	}
	w, err := h.s.Watch(identity.NewContext(h.ctx, pipeline.Self), &resourcev1.WatchOpen{Selection: selection("", "secrets", ""), SendInitialEvents: true})
	if err != nil {
		h.Fatal(err)
	}
	defer w.Close()
	h.delete(bad, unsafe)
	_, err = h.get(bad)
	wantErr(h.T, err, "not found")
	after, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "secrets", "default")})
	if err != nil || len(after.Items) != 1 || after.Revision <= list.Revision {
		h.Errorf("after the deletion: %v, %v", after, err)
	}
	h.mustCreate(bad, secret("bad"))
	if got := h.events(w, 3); got[2] != "ADDED bad" {
		h.Errorf("events %v", got)
	}
}

func secret(name string) *corev1.Secret {
	return &corev1.Secret{Metadata: &metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"a": {1}}}
}
