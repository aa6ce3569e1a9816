package deployment

import (
	"fmt"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"
)

var start = time.Unix(1_700_000_000, 0)

func number(n int32) *metav1.IntOrString { return &metav1.IntOrString{IntVal: n} }

func percent(s string) *metav1.IntOrString {
	return &metav1.IntOrString{Type: intOrStringString, StrVal: s}
}

func template(image string) *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{
		Metadata: &metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
		Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "c", Image: image}}},
	}
}

func deployment(n int32, surge, unavailable *metav1.IntOrString) *appsv1.Deployment {
	return &appsv1.Deployment{
		Metadata: &metav1.ObjectMeta{Name: "web", Namespace: "default", Uid: "d1", Generation: 1},
		Spec: &appsv1.DeploymentSpec{
			Replicas:                proto.Int32(n),
			Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			Template:                template("v1"),
			ProgressDeadlineSeconds: proto.Int32(600),
			RevisionHistoryLimit:    proto.Int32(10),
			Strategy: &appsv1.DeploymentStrategy{
				Type:          "RollingUpdate",
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: surge, MaxUnavailable: unavailable},
			},
		},
		Status: &appsv1.DeploymentStatus{},
	}
}

// world applies decisions, as the server and the ReplicaSet controller would.
type world struct {
	d    *appsv1.Deployment
	sets map[string]*appsv1.ReplicaSet
	now  time.Time
	// running counts, by ReplicaSet, pods that exist whatever the status says.
	running map[string]bool
	events  []string
}

func newWorld(d *appsv1.Deployment) *world {
	return &world{d: d, sets: map[string]*appsv1.ReplicaSet{}, now: start, running: map[string]bool{}}
}

func (w *world) list() []*appsv1.ReplicaSet {
	var out []*appsv1.ReplicaSet
	for _, rs := range w.sets {
		out = append(out, rs)
	}
	return out
}

// step runs one pass and returns whether it wrote anything.
func (w *world) step() (decision, bool) {
	out := plan(state{d: w.d, sets: w.list(), now: w.now, podsRun: func(rs *appsv1.ReplicaSet) bool {
		return rs.GetStatus().GetReplicas() > 0 || w.running[rs.GetMetadata().GetName()]
	}})
	wrote := out.create != nil || len(out.update)+len(out.remove) > 0 || out.revision != "" || !proto.Equal(out.status, w.d.GetStatus())
	if rs := out.create; rs != nil {
		if _, taken := w.sets[rs.Metadata.Name]; taken {
			panic(fmt.Sprintf("%s exists", rs.Metadata.Name))
		}
		rs.Metadata.Uid = "uid-" + rs.Metadata.Name
		rs.Metadata.Generation = 1
		rs.Metadata.CreationTimestamp = apitime.Of(w.now)
		rs.Status = &appsv1.ReplicaSetStatus{}
		w.sets[rs.Metadata.Name] = rs
	}
	for _, rs := range out.update {
		w.sets[rs.Metadata.Name] = rs
	}
	for _, rs := range out.remove {
		delete(w.sets, rs.Metadata.Name)
	}
	for _, r := range out.scaled {
		w.events = append(w.events, r.String())
	}
	if out.revision != "" {
		if w.d.Metadata.Annotations == nil {
			w.d.Metadata.Annotations = map[string]string{}
		}
		w.d.Metadata.Annotations[annotationRevision] = out.revision
	}
	w.d.Status = out.status
	return out, wrote
}

// settle makes every ReplicaSet have what it wants, with all pods available where ready allows.
func (w *world) settle(ready func(*appsv1.ReplicaSet) bool) {
	for name, old := range w.sets {
		rs := proto.CloneOf(old)
		n := rs.GetSpec().GetReplicas()
		rs.Status.Replicas, rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = n, 0, 0
		if ready == nil || ready(rs) {
			rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = n, n
		}
		rs.Status.ObservedGeneration = rs.GetMetadata().GetGeneration()
		w.sets[name] = rs
	}
}

// run steps and settles until nothing changes.
func (w *world) run() {
	for range 200 {
		w.now = w.now.Add(time.Second)
		_, wrote := w.step()
		w.settle(nil)
		if !wrote {
			return
		}
	}
	panic("the rollout does not end")
}

func (w *world) setImage(image string) {
	w.d = proto.CloneOf(w.d)
	w.d.Spec.Template = template(image)
	w.d.Metadata.Generation++
}

// of returns the ReplicaSet of an image.
func (w *world) of(image string) *appsv1.ReplicaSet {
	for _, rs := range w.sets {
		if rs.GetSpec().GetTemplate().GetSpec().GetContainers()[0].GetImage() == image {
			return rs
		}
	}
	return nil
}
