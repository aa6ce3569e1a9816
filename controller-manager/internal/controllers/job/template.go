package job

import (
	"slices"
	"strconv"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/podset"
)

// longestPrefix is how long a name may be to which the server adds five letters.
const longestPrefix = 63 - 5

// newPod makes a pod of the Job.
func newPod(job *batchv1.Job) *corev1.Pod {
	pod := podset.NewPod(job, job.GetSpec().GetTemplate())
	if !slices.Contains(pod.Metadata.Finalizers, finalizer) {
		pod.Metadata.Finalizers = append(pod.Metadata.Finalizers, finalizer)
	}
	if isIndexed(job) {
		for _, c := range slices.Concat(pod.Spec.GetInitContainers(), pod.Spec.GetContainers()) {
			addIndexVariable(c)
		}
	}
	return pod
}

func addIndexVariable(c *corev1.Container) {
	for _, v := range c.GetEnv() {
		if v.GetName() == envIndex {
			return
		}
	}
	c.Env = append(c.Env, &corev1.EnvVar{Name: envIndex, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{ApiVersion: "v1", FieldPath: "metadata.labels['" + annotationIndex + "']"},
	}})
}

// withIndex makes the pod of an index from a Job's pod. The failures of the pod that it replaces, nil for none, go on
// with it.
func (t *tally) withIndex(pod *corev1.Pod, i int) *corev1.Pod {
	pod = proto.CloneOf(pod)
	m, number := pod.Metadata, strconv.Itoa(i)
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	if m.Annotations == nil {
		m.Annotations = map[string]string{}
	}
	m.Labels[annotationIndex], m.Annotations[annotationIndex] = number, number
	name, suffix := t.job.GetMetadata().GetName(), "-"+number+"-"
	m.GenerateName = name[:min(len(name), longestPrefix-len(suffix))] + suffix
	pod.Spec.Hostname = name + "-" + number
	if !perIndex(t.job) {
		return pod
	}
	counted, ignored := 0, 0
	if before := t.replaceable[i]; before != nil {
		counted, ignored = annotated(before, annotationFailures), annotated(before, annotationIgnoredFailures)
		if counts(t.job, before) {
			counted++
		} else {
			ignored++
		}
	}
	m.Annotations[annotationFailures] = strconv.Itoa(counted)
	if ignored > 0 {
		m.Annotations[annotationIgnoredFailures] = strconv.Itoa(ignored)
	}
	return pod
}
