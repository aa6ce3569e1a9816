package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/features"
	featurestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	toolswatch "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

// lab is a server and a namespace for one test.
type lab struct {
	*testing.T
	s  *apiserver
	ns string
}

func (l *lab) typed(contentType string) *kubernetes.Clientset {
	config := l.s.config(l.T)
	config.ContentType, config.AcceptContentTypes = contentType, contentType+",application/json"
	return kubernetes.NewForConfigOrDie(config)
}

// Kubernetes' client libraries, unmodified, against one server.
func TestClientLibraries(t *testing.T) {
	s := startServer(t, "libraries", nil)
	admin := kubernetes.NewForConfigOrDie(s.config(t))
	for name, test := range map[string]func(*lab){
		"typed in JSON":              func(l *lab) { typedClient(l, "application/json") },
		"typed in protobuf":          func(l *lab) { typedClient(l, protobufType) },
		"dynamic":                    dynamicClient,
		"metadata":                   metadataClient,
		"discovery and mapping":      mappings,
		"scale":                      scaleClient,
		"apply configurations":       applyConfigurations,
		"conflicts":                  conflicts,
		"pages":                      pages,
		"informers with watch lists": func(l *lab) { informer(l, true) },
		"informers with lists":       func(l *lab) { informer(l, false) },
		"retrying watch over a kill": retryWatcher,
		"events":                     recorder,
		"leaders":                    leaders,
	} {
		t.Run(name, func(t *testing.T) {
			ns := must[*corev1.Namespace](t)(admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "lab-"}}, metav1.CreateOptions{})).Name
			test(&lab{t, s, ns})
		})
	}
}

func newDeployment(name string) *appsv1.Deployment {
	app := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: app}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: app},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}}}
}

func newConfigMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"l": "m"}}, Data: map[string]string{"a": "b"}, BinaryData: map[string][]byte{"c": {0, 255}}}
}

func typedClient(l *lab, contentType string) {
	ctx, c := l.Context(), l.typed(contentType)
	maps, deployments := c.CoreV1().ConfigMaps(l.ns), c.AppsV1().Deployments(l.ns)
	dry := must[*corev1.ConfigMap](l)(maps.Create(ctx, newConfigMap("dry"), metav1.CreateOptions{DryRun: []string{"All"}}))
	if _, err := maps.Get(ctx, "dry", metav1.GetOptions{}); !apierrors.IsNotFound(err) || dry.UID == "" {
		l.Errorf("a dry run: %v, %v", dry, err)
	}
	made := must[*corev1.ConfigMap](l)(maps.Create(ctx, newConfigMap("m"), metav1.CreateOptions{}))
	if made.UID == "" || made.CreationTimestamp.IsZero() || string(made.BinaryData["c"]) != "\x00\xff" || made.Namespace != l.ns {
		l.Errorf("created: %+v", made)
	}
	if _, err := maps.Create(ctx, newConfigMap("m"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		l.Errorf("created twice: %v", err)
	}
	watching := must[watch.Interface](l)(maps.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=m", ResourceVersion: made.ResourceVersion}))
	defer watching.Stop()
	made.Data["a"] = "c"
	updated := must[*corev1.ConfigMap](l)(maps.Update(ctx, made, metav1.UpdateOptions{FieldManager: "me"}))
	if _, err := maps.Update(ctx, made, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		l.Errorf("an old version is taken: %v", err)
	}
	must[*corev1.ConfigMap](l)(maps.Patch(ctx, "m", types.StrategicMergePatchType, []byte(`{"data":{"d":"e"}}`), metav1.PatchOptions{}))
	if err := maps.Delete(ctx, "m", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &updated.ResourceVersion}}); !apierrors.IsConflict(err) {
		l.Errorf("deleted against the precondition: %v", err)
	}
	if err := maps.Delete(ctx, "m", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &updated.UID}}); err != nil {
		l.Error(err)
	}
	for _, want := range []watch.EventType{watch.Modified, watch.Modified, watch.Deleted} {
		if e := <-watching.ResultChan(); e.Type != want || e.Object.(*corev1.ConfigMap).Name != "m" {
			l.Errorf("event %v, want %v", e, want)
		}
	}
	d := must[*appsv1.Deployment](l)(deployments.Create(ctx, newDeployment("d"), metav1.CreateOptions{}))
	d.Status.Replicas = 3
	d.Spec.Paused = true
	d = must[*appsv1.Deployment](l)(deployments.UpdateStatus(ctx, d, metav1.UpdateOptions{}))
	if d.Status.Replicas != 3 || d.Spec.Paused || d.Generation != 1 {
		l.Errorf("after the status: %+v", d)
	}
	scaled := must[*autoscalingv1.Scale](l)(deployments.UpdateScale(ctx, "d", &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "d", Namespace: l.ns}, Spec: autoscalingv1.ScaleSpec{Replicas: 2}}, metav1.UpdateOptions{}))
	if scaled.Spec.Replicas != 2 || scaled.Status.Selector != "app=d" {
		l.Errorf("scale: %+v", scaled)
	}
	if err := deployments.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app in (d)"}); err != nil {
		l.Error(err)
	}
	if list := must[*appsv1.DeploymentList](l)(deployments.List(ctx, metav1.ListOptions{})); len(list.Items) > 0 || list.ResourceVersion == "" {
		l.Errorf("after the deletion: %+v", list)
	}
	_, err := c.CoreV1().Pods(l.ns).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "Bad"}}, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
		l.Errorf("an invalid pod: %v", err)
	}
}

func dynamicClient(l *lab) {
	ctx, c := l.Context(), must[*dynamic.DynamicClient](l)(dynamic.NewForConfig(l.s.config(l.T)))
	crds := c.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	group := l.ns + ".example.com"
	crd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "gadgets." + group}, "spec": map[string]any{"group": group, "scope": "Namespaced",
			"names": map[string]any{"plural": "gadgets", "kind": "Gadget"}, "versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"subresources": map[string]any{"status": map[string]any{}}, "schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object",
					"properties": map[string]any{"spec": map[string]any{"type": "object", "properties": map[string]any{"n": map[string]any{"type": "integer", "default": int64(4)}}}}}}}}}}}
	must[*unstructured.Unstructured](l)(crds.Create(ctx, crd, metav1.CreateOptions{}))
	gadgets := c.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "gadgets"}).Namespace(l.ns)
	if err := eventually(ctx, "the custom kind is served", func() bool {
		_, err := gadgets.List(ctx, metav1.ListOptions{})
		return err == nil
	}); err != nil {
		l.Fatal(err)
	}
	watching := must[watch.Interface](l)(gadgets.Watch(ctx, metav1.ListOptions{}))
	defer watching.Stop()
	gadget := &unstructured.Unstructured{Object: map[string]any{"apiVersion": group + "/v1", "kind": "Gadget", "metadata": map[string]any{"name": "g"}, "spec": map[string]any{}}}
	made := must[*unstructured.Unstructured](l)(gadgets.Create(ctx, gadget, metav1.CreateOptions{}))
	if n, _, _ := unstructured.NestedInt64(made.Object, "spec", "n"); n != 4 {
		l.Errorf("created: %v", made.Object)
	}
	must[*unstructured.Unstructured](l)(gadgets.Patch(ctx, "g", types.MergePatchType, []byte(`{"spec":{"n":5}}`), metav1.PatchOptions{}))
	_, err := gadgets.Patch(ctx, "g", types.MergePatchType, []byte(`{"spec":{"n":"x"}}`), metav1.PatchOptions{})
	if !apierrors.IsInvalid(err) {
		l.Errorf("against the schema: %v", err)
	}
	if err := gadgets.Delete(ctx, "g", metav1.DeleteOptions{}); err != nil {
		l.Error(err)
	}
	for _, want := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted} {
		if e := <-watching.ResultChan(); e.Type != want {
			l.Errorf("event %v, want %v", e, want)
		}
	}
	// An informer over the custom kind.
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(c, 0, l.ns, nil)
	in := factory.ForResource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "gadgets"})
	in.Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	must[*unstructured.Unstructured](l)(gadgets.Create(ctx, gadget, metav1.CreateOptions{}))
	if err := eventually(ctx, "the informer has the gadget", func() bool {
		_, err := in.Lister().ByNamespace(l.ns).Get("g")
		return err == nil
	}); err != nil {
		l.Error(err)
	}
	if err := crds.Delete(ctx, "gadgets."+group, metav1.DeleteOptions{}); err != nil {
		l.Error(err)
	}
}

func metadataClient(l *lab) {
	ctx := l.Context()
	maps := l.typed(protobufType).CoreV1().ConfigMaps(l.ns)
	c := must[metadata.Interface](l)(metadata.NewForConfig(l.s.config(l.T)))
	partial := c.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).Namespace(l.ns)
	must[*corev1.ConfigMap](l)(maps.Create(ctx, newConfigMap("m"), metav1.CreateOptions{}))
	got := must[*metav1.PartialObjectMetadata](l)(partial.Get(ctx, "m", metav1.GetOptions{}))
	if got.Name != "m" || got.Labels["l"] != "m" {
		l.Errorf("%+v", got)
	}
	list := must[*metav1.PartialObjectMetadataList](l)(partial.List(ctx, metav1.ListOptions{LabelSelector: "l=m"}))
	if len(list.Items) != 1 || list.Items[0].Labels["l"] != "m" {
		l.Errorf("%+v", list)
	}
	patched := must[*metav1.PartialObjectMetadata](l)(partial.Patch(ctx, "m", types.MergePatchType, []byte(`{"metadata":{"annotations":{"x":"y"}}}`), metav1.PatchOptions{}))
	if patched.Annotations["x"] != "y" {
		l.Errorf("%+v", patched)
	}
	factory := metadatainformer.NewFilteredSharedInformerFactory(c, 0, l.ns, nil)
	in := factory.ForResource(corev1.SchemeGroupVersion.WithResource("configmaps"))
	in.Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	if all, err := in.Lister().ByNamespace(l.ns).List(labels.Everything()); err != nil || len(all) != 1 {
		l.Errorf("%v, %v", all, err)
	}
	if err := partial.Delete(ctx, "m", metav1.DeleteOptions{}); err != nil {
		l.Error(err)
	}
}

func mappings(l *lab) {
	d := must[*discovery.DiscoveryClient](l)(discovery.NewDiscoveryClientForConfig(l.s.config(l.T)))
	version := must[fmt.Stringer](l)(d.ServerVersion())
	if !strings.HasPrefix(version.String(), "v1.37") {
		l.Errorf("version %s", version)
	}
	groups, all, err := d.ServerGroupsAndResources()
	if err != nil || len(groups) < 15 || len(all) < 15 {
		l.Errorf("%d groups, %d versions, %v", len(groups), len(all), err)
	}
	// The same without aggregated discovery.
	legacy := must[*discovery.DiscoveryClient](l)(discovery.NewDiscoveryClientForConfig(l.s.config(l.T)))
	legacy.UseLegacyDiscovery = true
	// Custom kinds of the other tests come and go between the two.
	var old []*metav1.APIResourceList
	if eventually(l.Context(), "the same by both", func() bool {
		_, all, _ = d.ServerGroupsAndResources()
		_, old, err = legacy.ServerGroupsAndResources()
		return err == nil && len(old) == len(all)
	}) != nil {
		l.Errorf("legacy discovery: %d versions, want %d, %v", len(old), len(all), err)
	}
	mapper := restmapper.NewShortcutExpander(restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d)), memory.NewMemCacheClient(d), nil)
	for short, want := range map[string]schema.GroupVersionKind{
		"po": corev1.SchemeGroupVersion.WithKind("Pod"), "deploy": appsv1.SchemeGroupVersion.WithKind("Deployment"), "crd": {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		"hpa": {Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, "ing": {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "events": corev1.SchemeGroupVersion.WithKind("Event"),
	} {
		if got, err := mapper.KindFor(schema.GroupVersionResource{Resource: short}); err != nil || got != want {
			l.Errorf("%s is %v, %v", short, got, err)
		}
	}
	for _, k := range []string{"Pod", "Node"} {
		m, err := mapper.RESTMapping(schema.GroupKind{Kind: k})
		if err != nil || (m.Scope.Name() == meta.RESTScopeNameNamespace) != (k == "Pod") {
			l.Errorf("%s: %v, %v", k, m, err)
		}
	}
}

func scaleClient(l *lab) {
	ctx, c := l.Context(), l.typed(protobufType)
	d := must[*discovery.DiscoveryClient](l)(discovery.NewDiscoveryClientForConfig(l.s.config(l.T)))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	scales := must[scale.ScalesGetter](l)(scale.NewForConfig(l.s.config(l.T), mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(d))).Scales(l.ns)
	must[*appsv1.Deployment](l)(c.AppsV1().Deployments(l.ns).Create(ctx, newDeployment("d"), metav1.CreateOptions{}))
	gr := schema.GroupResource{Group: "apps", Resource: "deployments"}
	got := must[*autoscalingv1.Scale](l)(scales.Get(ctx, gr, "d", metav1.GetOptions{}))
	got.Spec.Replicas = 4
	must[*autoscalingv1.Scale](l)(scales.Update(ctx, gr, got, metav1.UpdateOptions{}))
	must[*autoscalingv1.Scale](l)(scales.Patch(ctx, gr.WithVersion("v1"), "d", types.MergePatchType, []byte(`{"spec":{"replicas":6}}`), metav1.PatchOptions{}))
	if now := must[*appsv1.Deployment](l)(c.AppsV1().Deployments(l.ns).Get(ctx, "d", metav1.GetOptions{})); *now.Spec.Replicas != 6 || now.Generation != 3 {
		l.Errorf("%d replicas, generation %d", *now.Spec.Replicas, now.Generation)
	}
}

func applyConfigurations(l *lab) {
	ctx, c := l.Context(), l.typed(protobufType).AppsV1().Deployments(l.ns)
	app := map[string]string{"app": "d"}
	config := applyapps.Deployment("d", l.ns).WithLabels(app).WithSpec(applyapps.DeploymentSpec().WithReplicas(1).
		WithSelector(applymeta.LabelSelector().WithMatchLabels(app)).WithTemplate(applycore.PodTemplateSpec().WithLabels(app).
		WithSpec(applycore.PodSpec().WithContainers(applycore.Container().WithName("c").WithImage("i").WithEnv(applycore.EnvVar().WithName("a").WithValue("b"))))))
	must[*appsv1.Deployment](l)(c.Apply(ctx, config, metav1.ApplyOptions{FieldManager: "one"}))
	other := applyapps.Deployment("d", l.ns).WithSpec(applyapps.DeploymentSpec().WithReplicas(5))
	_, err := c.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "one": .spec.replicas`) {
		l.Errorf("conflict: %v", err)
	}
	live := must[*appsv1.Deployment](l)(c.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "two", Force: true}))
	mine, err := applyapps.ExtractDeployment(live, "one")
	if err != nil || mine.Spec.Replicas != nil || len(mine.Spec.Template.Spec.Containers) != 1 || *mine.Spec.Template.Spec.Containers[0].Env[0].Value != "b" {
		l.Errorf("what one owns: %+v, %v", mine, err)
	}
	mine.Spec.Template.Spec.Containers[0].Env = nil
	live = must[*appsv1.Deployment](l)(c.Apply(ctx, mine, metav1.ApplyOptions{FieldManager: "one"}))
	if len(live.Spec.Template.Spec.Containers[0].Env) > 0 || *live.Spec.Replicas != 5 {
		l.Errorf("applied: %+v", live.Spec)
	}
	status := must[*appsv1.Deployment](l)(c.ApplyStatus(ctx, applyapps.Deployment("d", l.ns).WithStatus(applyapps.DeploymentStatus().WithReplicas(2)), metav1.ApplyOptions{FieldManager: "three"}))
	found := false
	for _, m := range status.ManagedFields {
		found = found || m.Manager == "three" && m.Subresource == "status" && m.Operation == metav1.ManagedFieldsOperationApply
	}
	if status.Status.Replicas != 2 || !found {
		l.Errorf("status: %+v, %+v", status.Status, status.ManagedFields)
	}
}

func conflicts(l *lab) {
	ctx, c := l.Context(), l.typed("application/json").CoreV1().ConfigMaps(l.ns)
	must[*corev1.ConfigMap](l)(c.Create(ctx, newConfigMap("counter"), metav1.CreateOptions{}))
	var all sync.WaitGroup
	const writers, each = 5, 10
	for range writers {
		all.Go(func() {
			for range each {
				backoff := retry.DefaultBackoff
				backoff.Steps = 100
				if err := retry.RetryOnConflict(backoff, func() error {
					m, err := c.Get(ctx, "counter", metav1.GetOptions{})
					if err != nil {
						return err
					}
					m.Data["a"] += "x"
					_, err = c.Update(ctx, m, metav1.UpdateOptions{})
					return err
				}); err != nil {
					l.Error(err)
				}
			}
		})
	}
	all.Wait()
	if m := must[*corev1.ConfigMap](l)(c.Get(ctx, "counter", metav1.GetOptions{})); strings.Count(m.Data["a"], "x") != writers*each {
		l.Errorf("counted %d, want %d", strings.Count(m.Data["a"], "x"), writers*each)
	}
}

func pages(l *lab) {
	ctx, c := l.Context(), l.typed(protobufType).CoreV1().ConfigMaps(l.ns)
	for i := range 25 {
		must[*corev1.ConfigMap](l)(c.Create(ctx, newConfigMap(fmt.Sprintf("m%02d", i)), metav1.CreateOptions{}))
	}
	var names []string
	p := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return c.List(ctx, o) })
	p.PageSize = 7
	if err := p.EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		names = append(names, o.(*corev1.ConfigMap).Name)
		return nil
	}); err != nil || len(names) != 25 || names[24] != "m24" {
		l.Errorf("%v, %v", names, err)
	}
	first := must[*corev1.ConfigMapList](l)(c.List(ctx, metav1.ListOptions{Limit: 10}))
	if first.RemainingItemCount == nil || *first.RemainingItemCount != 15 {
		l.Errorf("remaining: %v", first.RemainingItemCount)
	}
}

// informer fills itself by a watch that sends what exists, or by a list, and follows what happens.
func informer(l *lab, watchLists bool) {
	featurestesting.SetFeatureDuringTest(l.T, features.WatchListClient, watchLists)
	ctx, cancel := context.WithCancel(l.Context())
	c := l.typed(protobufType)
	for i := range 10 {
		must[*corev1.ConfigMap](l)(c.CoreV1().ConfigMaps(l.ns).Create(ctx, newConfigMap(fmt.Sprint("m", i)), metav1.CreateOptions{}))
	}
	config := l.s.config(l.T)
	asked := &asks{}
	config.Wrap(asked.wrap)
	factory := informers.NewSharedInformerFactoryWithOptions(kubernetes.NewForConfigOrDie(config), 0, informers.WithNamespace(l.ns))
	maps := factory.Core().V1().ConfigMaps()
	events := make(chan string, 100)
	must[cache.ResourceEventHandlerRegistration](l)(maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { events <- "add " + o.(*corev1.ConfigMap).Name },
		UpdateFunc: func(_, o any) { events <- "update " + o.(*corev1.ConfigMap).Name },
		DeleteFunc: func(o any) {
			key, _ := cache.DeletionHandlingMetaNamespaceKeyFunc(o)
			events <- "delete " + strings.TrimPrefix(key, l.ns+"/")
		},
	}))
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	factory.WaitForCacheSync(ctx.Done())
	if all, err := maps.Lister().List(labels.Everything()); err != nil || len(all) < 10 {
		l.Errorf("%d objects after the sync, %v", len(all), err)
	}
	if got := asked.any("sendInitialEvents=true"); got != watchLists {
		l.Errorf("asked for initial events: %v", got)
	}
	must[*corev1.ConfigMap](l)(c.CoreV1().ConfigMaps(l.ns).Patch(ctx, "m3", types.MergePatchType, []byte(`{"data":{"a":"c"}}`), metav1.PatchOptions{}))
	if err := c.CoreV1().ConfigMaps(l.ns).Delete(ctx, "m3", metav1.DeleteOptions{}); err != nil {
		l.Error(err)
	}
	for _, want := range []string{"add m3", "update m3", "delete m3"} {
		for got := range events {
			if got == want {
				break
			}
			if strings.HasSuffix(got, " m3") {
				l.Fatalf("event %q, want %q", got, want)
			}
		}
	}
}

// A watch that is resumed by client-go sees every change, though the server is killed meanwhile.
func retryWatcher(l *lab) {
	ctx, c := l.Context(), l.typed(protobufType).CoreV1().ConfigMaps(l.ns)
	start := must[*corev1.ConfigMapList](l)(c.List(ctx, metav1.ListOptions{}))
	w := must[*toolswatch.RetryWatcher](l)(toolswatch.NewRetryWatcherWithContext(ctx, start.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return c.Watch(ctx, o) }}))
	defer w.Stop()
	for i := range 6 {
		name := fmt.Sprint("m", i)
		must[*corev1.ConfigMap](l)(c.Create(ctx, newConfigMap(name), metav1.CreateOptions{}))
		if i%2 == 1 {
			l.s.kill()
			if err := l.s.again(ctx); err != nil {
				l.Fatal(err)
			}
		}
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for i := range 6 {
		select {
		case e := <-w.ResultChan():
			if m, ok := e.Object.(*corev1.ConfigMap); !ok || e.Type != watch.Added || m.Name != fmt.Sprint("m", i) {
				l.Fatalf("event %d: %v", i, e)
			}
		case <-limit.C:
			l.Fatalf("no event %d", i)
		}
	}
}

func recorder(l *lab) {
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	c := l.typed(protobufType)
	m := must[*corev1.ConfigMap](l)(c.CoreV1().ConfigMaps(l.ns).Create(ctx, newConfigMap("m"), metav1.CreateOptions{}))
	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: c.EventsV1()})
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		l.Fatal(err)
	}
	defer broadcaster.Shutdown()
	broadcaster.NewRecorder(scheme.Scheme, "e2e").Eventf(m, nil, corev1.EventTypeNormal, "Tested", "Testing", "seen %d times", 3)
	if err := eventually(ctx, "the event is there", func() bool {
		list, err := c.EventsV1().Events(l.ns).List(ctx, metav1.ListOptions{})
		return err == nil && len(list.Items) == 1 && list.Items[0].Note == "seen 3 times" && list.Items[0].Regarding.Name == "m"
	}); err != nil {
		l.Error(err)
	}
	// The same event in the core group.
	list := must[*corev1.EventList](l)(c.CoreV1().Events(l.ns).List(ctx, metav1.ListOptions{FieldSelector: fields.Set{"involvedObject.name": "m", "reason": "Tested"}.String()}))
	if len(list.Items) != 1 || list.Items[0].Message != "seen 3 times" {
		l.Errorf("%+v", list.Items)
	}
}

func leaders(l *lab) {
	c := l.typed(protobufType)
	leads := make(chan string, 2)
	var candidates sync.WaitGroup
	candidate := func(name string) context.CancelFunc {
		ctx, cancel := context.WithCancel(context.WithoutCancel(l.Context()))
		elector := must[*leaderelection.LeaderElector](l)(leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: l.ns, Name: "lead"}, Client: c.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: name}},
			LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: 300 * time.Millisecond, ReleaseOnCancel: true, Name: name,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leads <- name }, OnStoppedLeading: func() {}},
		}))
		candidates.Go(func() { elector.Run(ctx) })
		l.Cleanup(cancel)
		return cancel
	}
	resign := candidate("first")
	if who := <-leads; who != "first" {
		l.Fatalf("%s leads", who)
	}
	end := candidate("second")
	lease := must[metav1.Object](l)(c.CoordinationV1().Leases(l.ns).Get(l.Context(), "lead", metav1.GetOptions{}))
	if lease.GetName() != "lead" {
		l.Error("no lease")
	}
	resign()
	if who := <-leads; who != "second" {
		l.Errorf("%s leads", who)
	}
	end()
	candidates.Wait()
}
