package podspec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/kubelet/internal/quantity"
)

// Field reads a field of a pod by the path that fieldRef names.
func Field(pod *corev1.Pod, path string) (string, error) {
	m := pod.Metadata
	if name, key, ok := subscript(path); ok {
		switch name {
		case "metadata.labels":
			return m.Labels[key], nil
		case "metadata.annotations":
			return m.Annotations[key], nil
		}
		return "", fmt.Errorf("fieldPath %q does not support subscript", name)
	}
	switch path {
	case "metadata.name":
		return m.Name, nil
	case "metadata.namespace":
		return m.Namespace, nil
	case "metadata.uid":
		return m.Uid, nil
	case "metadata.labels":
		return formatMap(m.Labels), nil
	case "metadata.annotations":
		return formatMap(m.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP":
		return pod.Status.GetHostIP(), nil
	case "status.podIP":
		return pod.Status.GetPodIP(), nil
	case "status.hostIPs":
		var ips []string
		for _, ip := range pod.Status.GetHostIPs() {
			ips = append(ips, ip.Ip)
		}
		return strings.Join(ips, ","), nil
	case "status.podIPs":
		var ips []string
		for _, ip := range pod.Status.GetPodIPs() {
			ips = append(ips, ip.Ip)
		}
		return strings.Join(ips, ","), nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %v", path)
}

// subscript splits metadata.labels['key'].
func subscript(path string) (name, key string, ok bool) {
	name, rest, ok := strings.Cut(path, "['")
	if !ok {
		return "", "", false
	}
	key, ok = strings.CutSuffix(rest, "']")
	return name, key, ok
}

// formatMap renders labels or annotations as a downward API file has them.
func formatMap(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, k+"="+strconv.Quote(m[k]))
	}
	return strings.Join(lines, "\n")
}

// ResourceField reads what resourceFieldRef names. A limit that isn't set is the node's allocatable amount.
func ResourceField(pod *corev1.Pod, container *corev1.Container, ref *corev1.ResourceFieldSelector, allocatable map[string]*metav1.Quantity) (string, error) {
	if ref.ContainerName != "" {
		container = nil
		for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
			if c.Name == ref.ContainerName {
				container = c
			}
		}
	}
	if container == nil {
		return "", fmt.Errorf("container %q not found", ref.ContainerName)
	}
	kind, name, ok := strings.Cut(ref.Resource, ".")
	var q *metav1.Quantity
	switch {
	case ok && kind == "limits":
		if q = container.Resources.GetLimits()[name]; q == nil {
			q = allocatable[name]
		}
	case ok && kind == "requests":
		q = container.Resources.GetRequests()[name]
	default:
		return "", fmt.Errorf("unsupported container resource : %v", ref.Resource)
	}
	return quantity.Divide(q, ref.Divisor), nil
}
