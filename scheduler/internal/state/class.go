package state

import (
	"crypto/sha256"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Class is everything about a pod that decides where it can run. The replicas of one template share a class, and with
// it every evaluation that was made for it.
type Class struct {
	// Requests and Ranked are what the pod asks for and what it is taken to use.
	Requests, Ranked Resources
	Ports            []HostPort
	Tolerations      []*corev1.Toleration
	NodeSelector     map[string]string
	Affinity         *corev1.Affinity
	Spread           []*corev1.TopologySpreadConstraint
	// Namespace and Labels are those of the pods.
	Namespace string
	Labels    map[string]string
}

// Classes interns classes by content.
type Classes struct {
	byKey map[[sha256.Size]byte]*Class
}

// maxClasses bounds the memory of classes that no pod uses any more; past it the table starts anew, at the price of
// evaluating again.
const maxClasses = 10_000

// Of returns the class of a pod.
func (c *Classes) Of(pod *corev1.Pod) *Class {
	key := classKey(pod)
	if class, ok := c.byKey[key]; ok {
		return class
	}
	if c.byKey == nil || len(c.byKey) >= maxClasses {
		c.byKey = map[[sha256.Size]byte]*Class{}
	}
	spec := pod.GetSpec()
	class := &Class{
		Ports: hostPorts(spec), Tolerations: spec.GetTolerations(), NodeSelector: spec.GetNodeSelector(),
		Affinity: spec.GetAffinity(), Spread: spec.GetTopologySpreadConstraints(),
		Namespace: pod.GetMetadata().GetNamespace(), Labels: pod.GetMetadata().GetLabels(),
	}
	class.Requests, class.Ranked = PodRequests(spec)
	c.byKey[key] = class
	return class
}

// classKey hashes what a class consists of. Names, images and commands are left out.
func classKey(pod *corev1.Pod) [sha256.Size]byte {
	spec := pod.GetSpec()
	slim := &corev1.PodSpec{
		NodeSelector: spec.GetNodeSelector(), Affinity: spec.GetAffinity(), Tolerations: spec.GetTolerations(),
		TopologySpreadConstraints: spec.GetTopologySpreadConstraints(), Overhead: spec.GetOverhead(), Resources: spec.GetResources(),
	}
	for _, c := range spec.GetContainers() {
		slim.Containers = append(slim.Containers, slimContainer(c))
	}
	for _, c := range spec.GetInitContainers() {
		slim.InitContainers = append(slim.InitContainers, slimContainer(c))
	}
	// Namespace and labels always count: rules of other pods (anti-affinity, spreading) look at them.
	key := &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Namespace: pod.GetMetadata().GetNamespace(), Labels: pod.GetMetadata().GetLabels()},
		Spec:     slim,
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(key)
	if err != nil {
		// Only invalid UTF-8 fails, which no pod that came by protobuf has.
		b = []byte(pod.GetMetadata().GetUid())
	}
	return sha256.Sum256(b)
}

func slimContainer(c *corev1.Container) *corev1.Container {
	slim := &corev1.Container{RestartPolicy: c.RestartPolicy}
	if requests := c.GetResources().GetRequests(); requests != nil {
		slim.Resources = &corev1.ResourceRequirements{Requests: requests}
	}
	for _, port := range c.GetPorts() {
		if port.GetHostPort() != 0 {
			slim.Ports = append(slim.Ports, port)
		}
	}
	return slim
}
