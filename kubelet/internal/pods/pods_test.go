package pods

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/kubelet/internal/api"
	cg "github.com/keelson/keelson/kubelet/internal/cgroups"
	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/runtime/fake"
	"github.com/keelson/keelson/kubelet/internal/volumes"
)

// node is a node without a machine: real API, real volumes without mounts, pretended containers.
type node struct {
	t      *testing.T
	server *apitest.Server
	fake   *fake.Runtime
	events *events
	dir    string
	change func(*Config)
	*Manager
	stop func()
}

type events struct {
	mu   sync.Mutex
	list []string
}

func (e *events) Record(pod *corev1.Pod, c *corev1.Container, _, reason, format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, pod.Metadata.Name+" "+reason+" "+fmt.Sprintf(format, args...))
}

func (e *events) has(t *testing.T, part string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.list {
		if strings.Contains(s, part) {
			return
		}
	}
	t.Errorf("no event %q in %q", part, e.list)
}

type groups struct{}

func (groups) PodPath(uid, _ string) string                      { return "/test/pod" + uid }
func (groups) EnsurePod(string, string, runtime.Resources) error { return nil }
func (groups) RemovePod(string) error                            { return nil }
func (groups) Usage(string) (cg.Usage, error)                    { return cg.Usage{}, nil }

func newNode(t *testing.T, o fake.Options, change func(*Config)) *node {
	n := &node{t: t, server: apitest.New(t), fake: fake.New(o), events: &events{}, dir: t.TempDir(), change: change}
	n.start()
	t.Cleanup(func() { n.stop() })
	return n
}

// start begins a life of the kubelet.
func (n *node) start() {
	n.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn := n.server.Conn
	objects := api.NewObjects(conn, zaptest.NewLogger(n.t))
	cfg := Config{
		Node: Node{Name: "n1", Addresses: []string{"192.0.2.1"}, Memory: 1 << 30}, DNS: podspec.DNS{Domain: "cluster.local"},
		LogDir: n.dir + "/logs", RestartDelay: 10 * time.Millisecond, RestartDelayMax: 40 * time.Millisecond, DrainHold: 300 * time.Millisecond,
		Runtime: n.fake, Cgroups: groups{}, Objects: objects, API: api.NewPods(conn), Events: n.events,
		Volumes: volumes.NewManager(n.dir+"/pods", objects, api.NewTokens(conn), func() map[string]*metav1.Quantity { return nil }),
		Logger:  zaptest.NewLogger(n.t),
	}
	if n.change != nil {
		n.change(&cfg)
	}
	m := NewManager(cfg)
	n.Manager = m
	i := informer.New(conn, informer.Options[*corev1.Pod]{FieldSelector: "spec.nodeName=n1"})
	i.OnEvent(func(e informer.Event[*corev1.Pod]) {
		if e.Type == informer.Deleted {
			m.Remove(e.Old)
		} else {
			m.Set(e.New)
		}
	})
	var work sync.WaitGroup
	work.Go(func() { _ = objects.Run(ctx) })
	work.Go(func() { _ = i.Run(ctx) })
	work.Go(func() { _ = n.fake.Run(ctx, m.Exited) })
	if err := i.WaitForSync(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	if err := m.Start(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	n.stop = func() {
		cancel()
		m.Stop()
		work.Wait()
	}
}

func (n *node) create(name string, spec *corev1.PodSpec, change ...func(*corev1.Pod)) *corev1.Pod {
	n.t.Helper()
	no := false
	spec.NodeName, spec.AutomountServiceAccountToken = "n1", &no
	for _, c := range append(spec.Containers, spec.InitContainers...) {
		if c.Image == "" {
			c.Image = "app:v1"
		}
	}
	pod := &corev1.Pod{Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: spec}
	for _, f := range change {
		f(pod)
	}
	return apitest.Create(n.t, n.server, pod)
}

func (n *node) await(name string, ok func(*corev1.Pod) bool) *corev1.Pod {
	n.t.Helper()
	return apitest.Await(n.t, n.server, "default", name, ok)
}

func condition(pod *corev1.Pod, kind string) string {
	for _, c := range pod.Status.GetConditions() {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

func ready(pod *corev1.Pod) bool { return condition(pod, podReady) == statusTrue }

func phase(want string) func(*corev1.Pod) bool {
	return func(p *corev1.Pod) bool { return p.Status.GetPhase() == want }
}

// id of the first container's present attempt.
func id(pod *corev1.Pod) string { return trimID(pod.Status.ContainerStatuses[0].ContainerID) }

func TestRunAndDelete(t *testing.T) {
	n := newNode(t, fake.Options{}, nil)
	n.create("web", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c"}}})
	pod := n.await("web", ready)
	s := pod.Status
	if s.Phase != running || s.PodIP == "" || s.HostIP != "192.0.2.1" || s.QosClass != "BestEffort" || s.StartTime == nil {
		t.Errorf("status %v", s)
	}
	for _, kind := range []string{readyToStart, podInitialized, podReady, containersReady, podScheduled} {
		if condition(pod, kind) != statusTrue {
			t.Errorf("condition %s is %q", kind, condition(pod, kind))
		}
	}
	c := s.ContainerStatuses[0]
	if c.State.Running == nil || !c.Ready || !c.GetStarted() || !strings.HasPrefix(c.ContainerID, "containerd://") || c.ImageID == "" {
		t.Errorf("container status %v", c)
	}
	for _, e := range []string{"web Pulling", "web Pulled", "web Created", "web Started"} {
		n.events.has(t, e)
	}
	pods := client.For[*corev1.Pod](n.server.Conn)
	if err := pods.Delete(t.Context(), "default", "web"); err != nil {
		t.Fatal(err)
	}
	apitest.AwaitGone[*corev1.Pod](t, n.server, "default", "web")
	n.events.has(t, "web Killing Stopping container c")
	if list, _ := n.fake.List(t.Context()); len(list) != 0 {
		t.Errorf("containers left: %v", list)
	}
}

func TestRestartPolicies(t *testing.T) {
	n := newNode(t, fake.Options{Behave: func(c *runtime.ContainerConfig) fake.Behaviour {
		switch c.Name {
		case "ok":
			return fake.Behaviour{Exits: true}
		case "bad":
			return fake.Behaviour{Exits: true, Code: 3}
		case "unable":
			return fake.Behaviour{StartError: errors.New("no such file")}
		}
		return fake.Behaviour{}
	}}, nil)
	one := func(container, policy string) *corev1.PodSpec {
		return &corev1.PodSpec{RestartPolicy: policy, Containers: []*corev1.Container{{Name: container}}}
	}
	n.create("done", one("ok", "Never"))
	pod := n.await("done", phase(succeeded))
	if c := pod.Status.ContainerStatuses[0]; c.State.Terminated.GetReason() != "Completed" || c.RestartCount != 0 {
		t.Errorf("done: %v", c)
	}
	n.create("failed", one("bad", "Never"))
	pod = n.await("failed", phase(failed))
	if c := pod.Status.ContainerStatuses[0]; c.State.Terminated.GetExitCode() != 3 {
		t.Errorf("failed: %v", c)
	}
	n.create("loop", one("bad", "Always"))
	pod = n.await("loop", func(p *corev1.Pod) bool {
		c := p.Status.GetContainerStatuses()
		return len(c) > 0 && c[0].RestartCount >= 3 && c[0].State.GetWaiting().GetReason() == crashLoopBackOff
	})
	if c := pod.Status.ContainerStatuses[0]; c.LastState.GetTerminated().GetExitCode() != 3 || pod.Status.Phase != running {
		t.Errorf("loop: %v in phase %s", c, pod.Status.Phase)
	}
	n.events.has(t, "loop BackOff Back-off restarting failed container bad in pod loop_default(")
	n.create("unable", one("unable", "Always"))
	n.await("unable", func(p *corev1.Pod) bool {
		c := p.Status.GetContainerStatuses()
		return len(c) > 0 && c[0].RestartCount >= 1 && c[0].LastState.GetTerminated().GetReason() == "StartError"
	})
	n.create("unable-once", one("unable", "Never"))
	n.await("unable-once", phase(failed))
}

func TestInitAndSidecars(t *testing.T) {
	var mu sync.Mutex
	var order []string
	always := "Always"
	fails := 1
	n := newNode(t, fake.Options{Behave: func(c *runtime.ContainerConfig) fake.Behaviour {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, c.Name)
		if c.Name == "first" && fails > 0 {
			fails--
			return fake.Behaviour{Exits: true, Code: 1}
		}
		return fake.Behaviour{Exits: c.Name == "first" || c.Name == "last"}
	}}, nil)
	n.create("p", &corev1.PodSpec{
		RestartPolicy:  "OnFailure",
		InitContainers: []*corev1.Container{{Name: "first"}, {Name: "side", RestartPolicy: &always}, {Name: "last"}},
		Containers:     []*corev1.Container{{Name: "main"}},
	})
	pod := n.await("p", ready)
	if got := strings.Join(order, " "); got != "first first side last main" {
		t.Errorf("started %s", got)
	}
	n.fake.Exit(id(pod), 0)
	pod = n.await("p", phase(succeeded))
	if side := pod.Status.InitContainerStatuses[1]; side.State.Terminated == nil {
		t.Errorf("the sidecar was not stopped: %v", side)
	}
}

func TestMissingThings(t *testing.T) {
	n := newNode(t, fake.Options{Missing: func(image string) bool { return image == "none:v1" }}, nil)
	n.create("env", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Env: []*corev1.EnvVar{{
		Name: "A", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: &corev1.LocalObjectReference{Name: "later"}, Key: "k"}},
	}}}}})
	reason := func(want string) func(*corev1.Pod) bool {
		return func(p *corev1.Pod) bool {
			c := p.Status.GetContainerStatuses()
			return len(c) > 0 && c[0].State.GetWaiting().GetReason() == want
		}
	}
	pod := n.await("env", reason(createConfigError))
	if m := pod.Status.ContainerStatuses[0].State.Waiting.Message; m != `configmap "later" not found` {
		t.Errorf("message %q", m)
	}
	n.create("volume", &corev1.PodSpec{
		Containers: []*corev1.Container{{Name: "c", VolumeMounts: []*corev1.VolumeMount{{Name: "v", MountPath: "/v"}}}},
		Volumes:    []*corev1.Volume{{Name: "v", VolumeSource: &corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: &corev1.LocalObjectReference{Name: "later"}}}}},
	})
	n.await("volume", reason(containerCreating))
	n.create("image", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "none:v1"}}})
	n.await("image", reason(imagePullBackOff))
	n.create("name", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "a name"}}})
	n.await("name", reason(invalidImageName))
	n.create("init", &corev1.PodSpec{InitContainers: []*corev1.Container{{Name: "i", Image: "none:v1"}}, Containers: []*corev1.Container{{Name: "c"}}})
	n.await("init", reason(podInitializing))
	if v, err := n.Find("default", "init", ""); err != nil || v.Containers[1].Waiting != podInitializing {
		t.Errorf("why there is no log: %+v, %v", v, err)
	}
	n.create("never", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: "other:v1", ImagePullPolicy: "Never"}}})
	n.await("never", reason(errImageNeverPull))
	apitest.Create(t, n.server, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "later"}, Data: map[string]string{"k": "v"}})
	n.await("env", ready)
	n.await("volume", ready)
	n.events.has(t, "image BackOff Back-off pulling image")
	n.events.has(t, "image Failed Error: ImagePullBackOff")
	n.events.has(t, "name InspectFailed Failed to apply default image tag")
	n.events.has(t, "env Created Container created")
	n.events.has(t, `volume FailedMount MountVolume.SetUp failed for volume "v" : configmap "later" not found`)
}

func TestProbes(t *testing.T) {
	var mu sync.Mutex
	answers := map[string]int{"startup": 1, "ready": 1, "live": 0}
	set := func(name string, code int) {
		mu.Lock()
		defer mu.Unlock()
		answers[name] = code
	}
	n := newNode(t, fake.Options{Exec: func(_ string, command []string) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return answers[command[0]], nil
	}}, nil)
	probe := func(name string) *corev1.Probe {
		return &corev1.Probe{Handler: &corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{name}}}, PeriodSeconds: 1, FailureThreshold: 30, TimeoutSeconds: 5, SuccessThreshold: 1}
	}
	live, readiness := probe("live"), probe("ready")
	live.FailureThreshold, readiness.FailureThreshold = 1, 1
	n.create("p", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", StartupProbe: probe("startup"), LivenessProbe: live, ReadinessProbe: readiness}}})
	n.await("p", phase(running))
	set("startup", 0)
	pod := n.await("p", func(p *corev1.Pod) bool {
		c := p.Status.GetContainerStatuses()
		return len(c) > 0 && c[0].GetStarted()
	})
	if ready(pod) {
		t.Error("ready before the readiness probe succeeded")
	}
	set("ready", 0)
	n.await("p", ready)
	set("ready", 1)
	n.await("p", func(p *corev1.Pod) bool { return !ready(p) })
	set("ready", 0)
	n.await("p", ready)
	set("live", 1)
	n.await("p", func(p *corev1.Pod) bool { return p.Status.ContainerStatuses[0].RestartCount > 0 })
	set("live", 0)
	n.await("p", ready)
	n.events.has(t, "p Killing Container c failed liveness probe, will be restarted")
	n.events.has(t, "p Unhealthy Readiness probe failed")
}

func TestAdoption(t *testing.T) {
	n := newNode(t, fake.Options{}, nil)
	n.create("kept", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c"}}})
	n.create("moved", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c"}}})
	before := n.await("kept", ready)
	n.await("moved", ready)
	n.stop()
	pods := client.For[*corev1.Pod](n.server.Conn)
	if err := pods.Delete(t.Context(), "default", "moved", client.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	n.start()
	labels := func(p *corev1.Pod) bool { return p.Metadata.Labels["touched"] == "yes" }
	if _, err := pods.Patch(t.Context(), "default", "kept", client.MergePatch, []byte(`{"metadata":{"labels":{"touched":"yes"}}}`)); err != nil {
		t.Fatal(err)
	}
	after := n.await("kept", labels)
	if id(after) != id(before) || after.Status.ContainerStatuses[0].RestartCount != 0 || after.Status.PodIP != before.Status.PodIP {
		t.Errorf("before %v, after %v", before.Status, after.Status)
	}
	// What ended meanwhile is restarted and counted.
	n.fake.Exit(id(after), 1)
	n.await("kept", func(p *corev1.Pod) bool { return p.Status.ContainerStatuses[0].RestartCount == 1 && ready(p) })
	list, err := n.fake.Pods(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("the pod that was moved is still here: %v, %v", list, err)
	}
}

func TestTermination(t *testing.T) {
	n := newNode(t, fake.Options{Behave: func(c *runtime.ContainerConfig) fake.Behaviour {
		return fake.Behaviour{Stubborn: c.Name == "stubborn"}
	}}, nil)
	apitest.Create(t, n.server, &corev1.Service{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:     &corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, ClusterIP: "None", Ports: []*corev1.ServicePort{{Port: 80}}},
	})
	label := func(p *corev1.Pod) { p.Metadata.Labels = map[string]string{"app": "web"} }
	n.create("served", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "held"}}}, label)
	n.create("alone", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "free"}}})
	second := int64(1)
	n.create("stubborn", &corev1.PodSpec{TerminationGracePeriodSeconds: &second, Containers: []*corev1.Container{{Name: "stubborn"}}})
	pods := client.For[*corev1.Pod](n.server.Conn)
	for _, name := range []string{"served", "alone", "stubborn"} {
		n.await(name, ready)
	}
	began := time.Now()
	for _, name := range []string{"served", "alone", "stubborn"} {
		if err := pods.Delete(t.Context(), "default", name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"served", "alone", "stubborn"} {
		apitest.AwaitGone[*corev1.Pod](t, n.server, "default", name)
	}
	got := map[string][]syscall.Signal{}
	at := map[string]time.Duration{}
	for _, s := range n.fake.Signals() {
		if len(got[s.Name]) == 0 {
			at[s.Name] = s.At.Sub(began)
		}
		got[s.Name] = append(got[s.Name], s.Signal)
	}
	if at["held"] < 150*time.Millisecond {
		t.Errorf("a pod behind a Service got SIGTERM after %v", at["held"])
	}
	if len(got["free"]) != 1 || got["free"][0] != syscall.SIGTERM {
		t.Errorf("signals of a simple pod: %v", got["free"])
	}
	if s := got["stubborn"]; len(s) < 2 || s[0] != syscall.SIGTERM || s[len(s)-1] != syscall.SIGKILL {
		t.Errorf("signals of a stubborn pod: %v", s)
	}
}

func TestDeadline(t *testing.T) {
	n := newNode(t, fake.Options{}, nil)
	second := int64(1)
	n.create("p", &corev1.PodSpec{ActiveDeadlineSeconds: &second, TerminationGracePeriodSeconds: &second, Containers: []*corev1.Container{{Name: "c"}}})
	pod := n.await("p", phase(failed))
	if pod.Status.Reason != "DeadlineExceeded" {
		t.Errorf("reason %q", pod.Status.Reason)
	}
}

func TestDrain(t *testing.T) {
	n := newNode(t, fake.Options{}, func(c *Config) { c.DrainHold = 20 * time.Second })
	apitest.Create(t, n.server, &corev1.Service{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:     &corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, ClusterIP: "None", Ports: []*corev1.ServicePort{{Port: 80}}},
	})
	n.create("p", &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c"}}}, func(p *corev1.Pod) { p.Metadata.Labels = map[string]string{"app": "web"} })
	pod := n.await("p", ready)
	yes, no := true, false
	endpoint := &discoveryv1.Endpoint{Addresses: []string{pod.Status.PodIP}, Conditions: &discoveryv1.EndpointConditions{Ready: &yes}}
	slice := apitest.Create(t, n.server, &discoveryv1.EndpointSlice{
		Metadata:    &metav1.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{"kubernetes.io/service-name": "web"}},
		AddressType: "IPv4", Endpoints: []*discoveryv1.Endpoint{endpoint},
	})
	m := n.server.Conn
	objects := api.NewObjects(m, zaptest.NewLogger(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	known, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- objects.Unlisted(ctx, pod, []string{"web"}, known) }()
	<-known
	select {
	case err := <-done:
		t.Fatalf("unlisted while it is listed: %v", err)
	default:
	}
	changed := proto.Clone(slice).(*discoveryv1.EndpointSlice)
	changed.Endpoints[0].Conditions.Ready = &no
	if _, err := client.For[*discoveryv1.EndpointSlice](m).Update(ctx, changed); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
