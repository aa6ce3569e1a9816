package pipeline_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
)

func labelled(name, value string) *corev1.ConfigMap {
	cm := configMap(name, nil)
	cm.Metadata.Labels = map[string]string{"l": value}
	return cm
}

func names(items []*pipeline.Item) (out []string) {
	for _, it := range items {
		out = append(out, it.Namespace+"/"+it.Name)
	}
	return out
}

func TestListIsConsistentAndOrdered(t *testing.T) {
	h := start(t)
	for i := range 50 {
		it := h.mustCreate(ref("", "configmaps", "default", ""), configMap(fmt.Sprintf("c%02d", i), nil))
		list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "configmaps", "")})
		if err != nil || len(list.Items) != i+1 || list.Items[i].Name != it.Name || list.Revision < it.Revision {
			t.Fatalf("after %d writes: %v, %v", i+1, list, err)
		}
	}
}

func TestPages(t *testing.T) {
	h := start(t)
	for i := range 7 {
		h.mustCreate(ref("", "configmaps", "default", ""), configMap(fmt.Sprint("c", i), nil))
	}
	for _, ns := range []string{"", "default"} {
		var all []string
		req := &resourcev1.ListRequest{Selection: selection("", "configmaps", ns), Limit: 3}
		var revision int64
		for {
			page, err := h.s.List(h.ctx, req)
			if err != nil {
				t.Fatal(err)
			}
			if revision == 0 {
				revision = page.Revision
				if page.Remaining == nil || *page.Remaining != 4 {
					t.Fatalf("remaining %v", page.Remaining)
				}
				h.mustCreate(ref("", "configmaps", "default", ""), configMap("later"+ns, nil))
				h.delete(ref("", "configmaps", "default", "later"+ns), nil)
			}
			if page.Revision != revision {
				t.Fatalf("page at %d, list at %d", page.Revision, revision)
			}
			all = append(all, names(page.Items)...)
			if req.ContinueToken = page.Continue; page.Continue == "" {
				break
			}
		}
		want := []string{"default/c0", "default/c1", "default/c2", "default/c3", "default/c4", "default/c5", "default/c6"}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Fatal(diff)
		}
	}
	_, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "configmaps", ""), ContinueToken: "nonsense"})
	if !apierrors.IsBadRequest(err) {
		t.Fatal(err)
	}
}

func TestListOfThePast(t *testing.T) {
	h := start(t)
	first := h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil))
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("b", nil))
	list, err := h.s.List(h.ctx, &resourcev1.ListRequest{
		Selection: selection("", "configmaps", ""), ResourceVersion: strconv.FormatInt(first.Revision, 10), ResourceVersionMatch: "Exact",
	})
	if err != nil || len(list.Items) != 1 || list.Revision != first.Revision {
		t.Fatalf("%v, %v", list, err)
	}
	_, err = h.get(&resourcev1.ObjectRef{Resource: &resourcev1.Resource{Plural: "configmaps"}, Namespace: "default", Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.s.Get(h.ctx, &resourcev1.GetRequest{Ref: ref("", "configmaps", "default", "a"), ResourceVersion: "999999"})
	wantErr(t, err, "Too large resource version: 999999")
}

func TestFieldSelectors(t *testing.T) {
	h := start(t)
	for i, node := range []string{"", "n1", "n2", "n1"} {
		p := pod(fmt.Sprint("p", i))
		p.Spec.NodeName = node
		h.mustCreate(ref("", "pods", "default", ""), p)
	}
	for s, want := range map[string][]string{
		"spec.nodeName=n1":                          {"default/p1", "default/p3"},
		"spec.nodeName=":                            {"default/p0"},
		"spec.nodeName!=,metadata.name!=p3":         {"default/p1", "default/p2"},
		"metadata.name=p2":                          {"default/p2"},
		"metadata.name=p2,status.phase=Pending":     {"default/p2"},
		"metadata.name=p2,spec.nodeName=n1":         nil,
		"metadata.namespace=default,spec.nodeName=": {"default/p0"},
	} {
		sel := selection("", "pods", "")
		sel.FieldSelector = s
		list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sel})
		if err != nil {
			t.Errorf("%s: %v", s, err)
		} else if diff := cmp.Diff(want, names(list.Items)); diff != "" {
			t.Errorf("%s: %s", s, diff)
		}
	}
	sel := selection("", "pods", "")
	sel.FieldSelector = "spec.image=x"
	_, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: sel})
	wantErr(t, err, "field label not supported: spec.image")
}

func TestWatchFromARevision(t *testing.T) {
	h := start(t)
	a := h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil))
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("b", nil))
	w := h.watch(&resourcev1.WatchOpen{Selection: selection("", "configmaps", "default"), ResourceVersion: strconv.FormatInt(a.Revision, 10)})
	if _, err := h.update(ref("", "configmaps", "default", "a"), configMap("a", map[string]string{"k": "v"})); err != nil {
		t.Fatal(err)
	}
	h.delete(ref("", "configmaps", "default", "b"), nil)
	if diff := cmp.Diff([]string{"ADDED b", "MODIFIED a", "DELETED b"}, h.events(w, 3)); diff != "" {
		t.Fatal(diff)
	}
}

func TestWatchListThenProgress(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil))
	w := h.watch(&resourcev1.WatchOpen{
		Selection: selection("", "configmaps", ""), SendInitialEvents: true, AllowBookmarks: true, ResourceVersionMatch: "NotOlderThan",
	})
	if diff := cmp.Diff([]string{"ADDED a", "BOOKMARK!"}, h.events(w, 2)); diff != "" {
		t.Fatal(diff)
	}
	other := h.mustCreate(ref("", "secrets", "default", ""), &corev1.Secret{Metadata: configMap("s", nil).Metadata})
	w.Progress()
	for {
		events, err := w.Next(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e := events[len(events)-1]; e.Revision >= other.Revision {
			break
		}
	}
}

func TestWatchThroughSelectors(t *testing.T) {
	h := start(t)
	for name, sel := range map[string]*resourcev1.Selection{
		"labels":            {Resource: &resourcev1.Resource{Plural: "configmaps"}, Namespace: "default", LabelSelector: "l=x"},
		"labels everywhere": {Resource: &resourcev1.Resource{Plural: "configmaps"}, LabelSelector: "l=x,l!=y"},
	} {
		w := h.watch(&resourcev1.WatchOpen{Selection: sel})
		h.mustCreate(ref("", "configmaps", "default", ""), labelled("a", "y"))
		for _, v := range []string{"x", "x2", "x"} {
			if _, err := h.update(ref("", "configmaps", "default", "a"), labelled("a", v)); err != nil {
				t.Fatal(err)
			}
		}
		h.delete(ref("", "configmaps", "default", "a"), nil)
		if diff := cmp.Diff([]string{"ADDED a", "DELETED a", "ADDED a", "DELETED a"}, h.events(w, 4)); diff != "" {
			t.Fatal(name, diff)
		}
	}
}

func TestWatchOfANode(t *testing.T) {
	h := start(t)
	sel := selection("", "pods", "")
	sel.FieldSelector = "spec.nodeName=n1"
	w := h.watch(&resourcev1.WatchOpen{Selection: sel, SendInitialEvents: true})
	for i := range 3 {
		name := fmt.Sprint("p", i)
		h.mustCreate(ref("", "pods", "default", ""), pod(name))
		b := &corev1.Binding{Metadata: configMap(name, nil).Metadata, Target: &corev1.ObjectReference{Kind: "Node", Name: fmt.Sprint("n", i)}}
		if _, err := h.create(sub(ref("", "pods", "default", name), "binding"), b); err != nil {
			t.Fatal(err)
		}
	}
	h.delete(ref("", "pods", "default", "p1"), nil)
	if diff := cmp.Diff([]string{"BOOKMARK!", "ADDED p1", "MODIFIED p1"}, h.events(w, 3)); diff != "" {
		t.Fatal(diff)
	}
}

func TestSlowWatcherIsCutOff(t *testing.T) {
	h := start(t, func(c *pipeline.Config) { c.WatchBuffer = 10 })
	slow := h.watch(&resourcev1.WatchOpen{Selection: selection("", "configmaps", "")})
	quick := h.watch(&resourcev1.WatchOpen{Selection: selection("", "configmaps", "")})
	for i := range 30 {
		h.mustCreate(ref("", "configmaps", "default", ""), configMap(fmt.Sprint("c", i), nil))
		h.events(quick, 1)
	}
	_, err := slow.Next(h.ctx)
	if !apierrors.IsResourceExpired(err) {
		t.Fatal(err)
	}
}

func TestWatchTooOld(t *testing.T) {
	h := start(t, func(c *pipeline.Config) { c.WatchHistory = 5 })
	first := h.mustCreate(ref("", "configmaps", "default", ""), configMap("first", nil))
	for i := range 10 {
		h.mustCreate(ref("", "configmaps", "default", ""), configMap(fmt.Sprint("c", i), nil))
	}
	if _, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: selection("", "configmaps", "")}); err != nil {
		t.Fatal(err)
	}
	_, err := h.s.Watch(h.ctx, &resourcev1.WatchOpen{Selection: selection("", "configmaps", ""), ResourceVersion: strconv.FormatInt(first.Revision, 10)})
	if !apierrors.IsResourceExpired(err) {
		t.Fatal(err)
	}
	wantErr(t, err, fmt.Sprintf("too old resource version: %d", first.Revision))
}

func TestWatchEndsInTime(t *testing.T) {
	h := start(t)
	w := h.watch(&resourcev1.WatchOpen{Selection: selection("", "configmaps", ""), SendInitialEvents: true, TimeoutSeconds: 1})
	for {
		if _, err := w.Next(h.ctx); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A watch goes on after the server has been started again, without listing.
func TestWatchResumesOnANewServer(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { st.Close() })
	shared := func(c *pipeline.Config) { c.Store = st }
	h := start(t, shared)
	first := h.mustCreate(ref("", "configmaps", "default", ""), labelled("a", "x"))
	h.mustCreate(ref("", "configmaps", "default", ""), labelled("b", "x"))
	h.delete(ref("", "configmaps", "default", "a"), nil)
	h.s.Close()
	again := start(t, shared)
	sel := selection("", "configmaps", "")
	sel.LabelSelector = "l=x"
	w := again.watch(&resourcev1.WatchOpen{Selection: sel, ResourceVersion: strconv.FormatInt(first.Revision, 10)})
	if diff := cmp.Diff([]string{"ADDED b", "DELETED a"}, again.events(w, 2)); diff != "" {
		t.Fatal(diff)
	}
}
