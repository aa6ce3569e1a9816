package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

const protobufType = "application/vnd.kubernetes.protobuf"

// restConfig is client-go's configuration of the administrator.
func restConfig(t *testing.T) *rest.Config {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(shared.dir, "admin.kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

// typed is the typed client, speaking protobuf.
func typed(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	config := restConfig(t)
	config.ContentType, config.AcceptContentTypes = protobufType, protobufType
	return kubernetes.NewForConfigOrDie(config)
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	app := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: app}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: app},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "c", Image: "none:v1", ImagePullPolicy: corev1.PullNever}}}},
	}}
}

func TestTypedClient(t *testing.T) {
	ns, ctx, c := namespace(t), t.Context(), typed(t)
	deployments, pods, maps := c.AppsV1().Deployments(ns), c.CoreV1().Pods(ns), c.CoreV1().ConfigMaps(ns)

	d := must[*appsv1.Deployment](t)(deployments.Create(ctx, deployment("d", 1), metav1.CreateOptions{}))
	if d.UID == "" || d.Generation != 1 || d.Spec.Strategy.RollingUpdate == nil || d.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		t.Errorf("created without what the server sets: %+v", d)
	}
	watching := must[watch.Interface](t)(pods.Watch(ctx, metav1.ListOptions{LabelSelector: "app=d"}))
	defer watching.Stop()
	event := <-watching.ResultChan()
	if pod, ok := event.Object.(*corev1.Pod); !ok || event.Type != watch.Added || pod.OwnerReferences[0].Kind != "ReplicaSet" {
		t.Errorf("first event: %+v", event)
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		s, err := deployments.GetScale(ctx, "d", metav1.GetOptions{})
		if err != nil {
			return err
		}
		s.Spec.Replicas = 0
		_, err = deployments.UpdateScale(ctx, "d", s, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := must[*appsv1.Deployment](t)(deployments.Get(ctx, "d", metav1.GetOptions{})); *got.Spec.Replicas != 0 || got.Generation != 2 {
		t.Errorf("after the scale: %d replicas, generation %d", *got.Spec.Replicas, got.Generation)
	}
	_, err = deployments.Update(ctx, d, metav1.UpdateOptions{})
	if !apierrors.IsConflict(err) {
		t.Errorf("an old object is taken: %v", err)
	}
	patched := must[*appsv1.Deployment](t)(deployments.Patch(ctx, "d", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"a","value":"b"}]}]}}}}`), metav1.PatchOptions{}))
	if len(patched.Spec.Template.Spec.Containers) != 1 || patched.Spec.Template.Spec.Containers[0].Image != "none:v1" {
		t.Errorf("a strategic merge patch: %+v", patched.Spec.Template.Spec.Containers)
	}

	for i := range 7 {
		must[*corev1.ConfigMap](t)(maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("m", i), Labels: map[string]string{"l": "m"}},
			BinaryData: map[string][]byte{"b": {0, 1, byte(i)}}}, metav1.CreateOptions{}))
	}
	var names []string
	options := metav1.ListOptions{LabelSelector: "l=m", Limit: 3}
	for {
		page := must[*corev1.ConfigMapList](t)(maps.List(ctx, options))
		for _, m := range page.Items {
			names = append(names, m.Name)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
		if page.RemainingItemCount != nil {
			t.Errorf("a list with a selector cannot know what remains: %d", *page.RemainingItemCount)
		}
	}
	if want := []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6"}; !slices.Equal(names, want) {
		t.Errorf("pages: %v", names)
	}
	applied := must[*corev1.ConfigMap](t)(maps.Apply(ctx, applycore.ConfigMap("applied", ns).WithData(map[string]string{"a": "b"}), metav1.ApplyOptions{FieldManager: "e2e"}))
	if applied.Data["a"] != "b" || applied.ManagedFields[0].Manager != "e2e" || applied.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("applied: %+v", applied)
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "l=m"}); err != nil {
		t.Error(err)
	}
	_, err = maps.Get(ctx, "m3", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("after the deletion: %v", err)
	}
	_, err = pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "Bad"}}, metav1.CreateOptions{})
	var status *apierrors.StatusError
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || len(status.ErrStatus.Details.Causes) < 2 {
		t.Errorf("an invalid pod: %v", err)
	}
	version, err := c.Discovery().ServerVersion()
	if err != nil || !strings.HasPrefix(version.GitVersion, "v1.37") || version.EmulationMinor != "37" {
		t.Errorf("version: %v %v", version, err)
	}
}

func TestDynamicClient(t *testing.T) {
	ns, ctx := namespace(t), t.Context()
	c := dynamic.NewForConfigOrDie(restConfig(t))
	deployments := c.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(ns)
	maps := c.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(ns)
	object := func(text string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return u
	}
	created := must[*unstructured.Unstructured](t)(deployments.Create(ctx, object(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":0,
		"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}`), metav1.CreateOptions{}))
	if surge, _, _ := unstructured.NestedString(created.Object, "spec", "strategy", "rollingUpdate", "maxSurge"); surge != "25%" {
		t.Errorf("created: %v", created.Object)
	}
	watching := must[watch.Interface](t)(maps.Watch(ctx, metav1.ListOptions{}))
	defer watching.Stop()
	apply := object(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"b"}}`)
	must[*unstructured.Unstructured](t)(maps.Apply(ctx, "m", apply, metav1.ApplyOptions{FieldManager: "one"}))
	_ = unstructured.SetNestedField(apply.Object, "c", "data", "a")
	_, err := maps.Apply(ctx, "m", apply, metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "one": .data.a`) {
		t.Errorf("conflict: %v", err)
	}
	must[*unstructured.Unstructured](t)(maps.Patch(ctx, "m", types.JSONPatchType, []byte(`[{"op":"replace","path":"/data/a","value":"d"}]`), metav1.PatchOptions{}))
	if err := maps.Delete(ctx, "m", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted} {
		event := next(t, watching, "m")
		if event.Type != want {
			t.Errorf("event %v, want %v", event.Type, want)
		}
	}
	if list := must[*unstructured.UnstructuredList](t)(deployments.List(ctx, metav1.ListOptions{})); len(list.Items) != 1 || list.GetKind() != "DeploymentList" {
		t.Errorf("list: %v", list)
	}
}

// next is the next event of the object with a name.
func next(t *testing.T, w watch.Interface, name string) watch.Event {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				t.Fatal("the watch ended")
			}
			if o, ok := e.Object.(metav1.Object); ok && o.GetName() == name {
				return e
			}
		case <-limit.C:
			t.Fatal("no event")
		}
	}
}

// requests notes what an informer asks for.
type requests struct {
	next http.RoundTripper
	mu   sync.Mutex
	urls []string
}

func (r *requests) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.urls = append(r.urls, req.URL.String())
	r.mu.Unlock()
	return r.next.RoundTrip(req)
}

// An informer fills itself by a watch that sends what exists, without a list.
func TestInformerWatchList(t *testing.T) {
	ns, ctx := namespace(t), t.Context()
	plain := typed(t)
	for i := range 20 {
		must[*corev1.ConfigMap](t)(plain.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("m", i)}}, metav1.CreateOptions{}))
	}
	must[*appsv1.Deployment](t)(plain.AppsV1().Deployments(ns).Create(ctx, deployment("d", 2), metav1.CreateOptions{}))

	config, seen := restConfig(t), &requests{}
	config.ContentType, config.AcceptContentTypes = protobufType, protobufType
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { seen.next = rt; return seen })
	factory := informers.NewSharedInformerFactoryWithOptions(kubernetes.NewForConfigOrDie(config), 0, informers.WithNamespace(ns))
	maps, pods, deployments := factory.Core().V1().ConfigMaps(), factory.Core().V1().Pods(), factory.Apps().V1().Deployments()
	events := make(chan string, 1000)
	_, err := maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { events <- "add " + o.(*corev1.ConfigMap).Name },
		UpdateFunc: func(_, o any) { events <- "update " + o.(*corev1.ConfigMap).Name },
		DeleteFunc: func(o any) {
			if m, ok := o.(*corev1.ConfigMap); ok {
				events <- "delete " + m.Name
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	pods.Informer()
	deployments.Informer()
	running, stop := context.WithCancel(ctx)
	factory.Start(running.Done())
	t.Cleanup(func() { stop(); factory.Shutdown() })
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			t.Fatalf("%v is not synced", kind)
		}
	}
	seen.mu.Lock()
	for _, u := range seen.urls {
		if !strings.Contains(u, "watch=true") || !strings.Contains(u, "sendInitialEvents=true") {
			t.Errorf("the informer fell back to %s", u)
		}
	}
	seen.mu.Unlock()
	// kube-root-ca.crt is there too.
	if got := must[[]*corev1.ConfigMap](t)(maps.Lister().ConfigMaps(ns).List(labels.Everything())); len(got) < 20 {
		t.Errorf("%d config maps after the sync", len(got))
	}
	must[*corev1.ConfigMap](t)(plain.CoreV1().ConfigMaps(ns).Patch(ctx, "m3", types.MergePatchType, []byte(`{"data":{"a":"b"}}`), metav1.PatchOptions{}))
	if err := plain.CoreV1().ConfigMaps(ns).Delete(ctx, "m3", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"add m3", "update m3", "delete m3"} {
		for got := range events {
			if got == want {
				break
			}
			if strings.HasSuffix(got, " m3") {
				t.Fatalf("event %q, want %q", got, want)
			}
		}
	}
	eventually(t, 30*time.Second, "the informer has the deployment's pods", func() bool {
		list, err := pods.Lister().Pods(ns).List(labels.Everything())
		return err == nil && len(list) == 2
	})
}

// Two candidates: one leads, and the other when the first goes.
func TestLeaderElection(t *testing.T) {
	ns, c := namespace(t), typed(t)
	var candidates sync.WaitGroup
	leads := make(chan string, 2)
	candidate := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(context.Background())
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: ns, Name: "lead"}, Client: c.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: name}},
			LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: 500 * time.Millisecond, ReleaseOnCancel: true, Name: name,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- name }, OnStoppedLeading: func() {}},
		})
		if err != nil {
			t.Fatal(err)
		}
		candidates.Go(func() { elector.Run(ctx) })
		t.Cleanup(cancel)
		return cancel
	}
	wait := func(want string) {
		t.Helper()
		select {
		case got := <-leads:
			if got != want {
				t.Fatalf("%s leads, want %s", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s does not lead", want)
		}
	}
	resign := candidate("first")
	wait("first")
	end := candidate("second")
	select {
	case who := <-leads:
		t.Fatalf("%s leads beside the first", who)
	case <-time.After(2 * time.Second):
	}
	resign()
	wait("second")
	end()
	candidates.Wait()
}
