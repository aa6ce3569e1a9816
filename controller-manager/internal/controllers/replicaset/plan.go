package replicaset

import (
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/owner"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
	"github.com/keelson/keelson/controller-manager/internal/selector"
)

// burst is the most pods that one pass creates or deletes, so that one huge ReplicaSet does not hold a worker and the
// server's queue for long.
const burst = 500

// state is what a decision about one ReplicaSet depends on.
type state struct {
	set *appsv1.ReplicaSet
	// pods are the pods that the set controls and the orphans of its namespace.
	pods []*corev1.Pod
	// related counts, for each node, the active pods of all sets of the same owner.
	related map[string]int
	now     time.Time
}

// decision is what to write.
type decision struct {
	adopt, release, remove []*corev1.Pod
	create                 int
	// owned are the pods that count for the status, terminating ones included.
	owned []*corev1.Pod
}

// plan decides about pods. Claims come first: while there is something to adopt or to release the number of pods is not
// touched, because the count is about to change.
func plan(s state, sel selector.Selector) decision {
	var d decision
	var active []*corev1.Pod
	for _, pod := range s.pods {
		// Finished pods are nobody's replicas; leaving them alone keeps their logs.
		if podstate.Terminal(pod) {
			continue
		}
		switch owner.Decide(s.set.GetMetadata(), pod.GetMetadata(), sel.Matches(pod.GetMetadata().GetLabels())) {
		case owner.Keep:
			d.owned = append(d.owned, pod)
			if podstate.Active(pod) {
				active = append(active, pod)
			}
		case owner.Adopt:
			d.adopt = append(d.adopt, pod)
		case owner.Release:
			d.release = append(d.release, pod)
		}
	}
	if len(d.adopt)+len(d.release) > 0 || s.set.GetMetadata().GetDeletionTimestamp() != nil {
		return d
	}
	switch surplus := len(active) - int(replicas(s.set)); {
	case surplus < 0:
		d.create = min(-surplus, burst)
	case surplus > 0:
		d.remove = rank(active, s.related, s.now)[:min(surplus, burst)]
	}
	return d
}

// replicas is the desired number; the API defaults it to 1.
func replicas(set *appsv1.ReplicaSet) int32 {
	if set.GetSpec().Replicas == nil {
		return 1
	}
	return set.GetSpec().GetReplicas()
}

// newPod makes a pod of the set's template. The server completes its name.
func newPod(set *appsv1.ReplicaSet) *corev1.Pod {
	template := proto.CloneOf(set.GetSpec().GetTemplate())
	spec := template.GetSpec()
	if spec == nil {
		spec = &corev1.PodSpec{}
	}
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{
			Namespace:       set.GetMetadata().GetNamespace(),
			GenerateName:    set.GetMetadata().GetName() + "-",
			Labels:          template.GetMetadata().GetLabels(),
			Annotations:     template.GetMetadata().GetAnnotations(),
			Finalizers:      template.GetMetadata().GetFinalizers(),
			OwnerReferences: []*metav1.OwnerReference{owner.NewControllerRef("apps/v1", "ReplicaSet", set.GetMetadata())},
		},
		Spec: spec,
	}
}
