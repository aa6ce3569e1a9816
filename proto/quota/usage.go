package quota

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/resource"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// classSuffix joins the name of a storage class and what is counted of the claims of that class.
const classSuffix = ".storageclass.storage.k8s.io/"

// Names under which objects were counted before there was "count/".
var aliases = map[string]string{"configmaps": "configmaps", "resourcequotas": "resourcequotas",
	"replicationcontrollers": "replicationcontrollers", "secrets": "secrets"}

var (
	podResources = []string{"count/pods", "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
		"limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods"}
	serviceResources = []string{"count/services", "services", "services.nodeports", "services.loadbalancers"}
	claimResources   = []string{"persistentvolumeclaims", "requests.storage"}
)

// CountName is the resource that counts the objects of a kind: "count/pods", "count/deployments.apps".
func CountName(group, plural string) string {
	if group == "" {
		return "count/" + plural
	}
	return "count/" + plural + "." + group
}

// Relevant returns those of a quota's resources that objects of a kind use.
func Relevant(group, plural string, names []string) []string {
	var out []string
	for _, name := range names {
		if relevant(group, plural, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func relevant(group, plural, name string) bool {
	if name == CountName(group, plural) {
		return true
	}
	if group != "" {
		return false
	}
	switch plural {
	case "pods":
		return slices.Contains(podResources, name) || strings.HasPrefix(name, "hugepages-") || strings.HasPrefix(name, "requests.hugepages-") ||
			strings.HasPrefix(name, "requests.") && strings.Contains(name, "/") && !strings.Contains(name, "kubernetes.io/")
	case "services":
		return slices.Contains(serviceResources, name)
	case "persistentvolumeclaims":
		_, counted, byClass := strings.Cut(name, classSuffix)
		return slices.Contains(claimResources, name) || byClass && slices.Contains(claimResources, counted)
	}
	return aliases[plural] != "" && aliases[plural] == name
}

// Usage returns what an object of a kind uses of a namespace's quotas. Pods that have ended, or should have by now, only
// count as objects.
func Usage(group, plural string, obj proto.Message, now time.Time) Amounts {
	out := Amounts{CountName(group, plural): one()}
	if group != "" {
		return out
	}
	switch o := obj.(type) {
	case *corev1.Pod:
		if !over(o, now) {
			out.Add(podUsage(o))
		}
	case *corev1.Service:
		serviceUsage(out, o.GetSpec())
	case *corev1.PersistentVolumeClaim:
		claimUsage(out, o)
	default:
		if alias := aliases[plural]; alias != "" {
			out[alias] = one()
		}
	}
	return out
}

func number(n int) resource.Quantity { return *resource.NewQuantity(int64(n), resource.DecimalSI) }

func one() resource.Quantity { return number(1) }

// over tells whether a pod has ended, or its time to end has passed.
func over(p *corev1.Pod, now time.Time) bool {
	if phase := p.GetStatus().GetPhase(); phase == "Succeeded" || phase == "Failed" {
		return true
	}
	m := p.GetMetadata()
	if m.GetDeletionTimestamp() == nil || m.DeletionGracePeriodSeconds == nil {
		return false
	}
	end := time.Unix(m.DeletionTimestamp.GetSeconds(), 0).Add(time.Duration(*m.DeletionGracePeriodSeconds) * time.Second)
	return now.After(end)
}

func podUsage(p *corev1.Pod) Amounts {
	out := computed(Requests(p), Limits(p))
	return out
}

// computed names requests and limits as quotas do.
func computed(requests, limits Amounts) Amounts {
	out := Amounts{"pods": one()}
	for name, q := range requests {
		switch {
		case name == "cpu" || name == "memory" || name == "ephemeral-storage" || strings.HasPrefix(name, "hugepages-"):
			out[name], out["requests."+name] = q, q
		case strings.Contains(name, "/") && !strings.Contains(name, "kubernetes.io/"):
			out["requests."+name] = q
		}
	}
	for _, name := range []string{"cpu", "memory", "ephemeral-storage"} {
		if q, ok := limits[name]; ok {
			out["limits."+name] = q
		}
	}
	return out
}

func serviceUsage(out Amounts, s *corev1.ServiceSpec) {
	out["services"], out["services.loadbalancers"], out["services.nodeports"] = one(), number(0), number(0)
	switch s.GetType() {
	case "NodePort":
		out["services.nodeports"] = number(len(s.Ports))
	case "LoadBalancer":
		out["services.loadbalancers"] = one()
		n := len(s.Ports)
		if s.AllocateLoadBalancerNodePorts != nil && !*s.AllocateLoadBalancerNodePorts {
			n = 0
			for _, p := range s.Ports {
				if p.NodePort != 0 {
					n++
				}
			}
		}
		out["services.nodeports"] = number(n)
	}
}

func claimUsage(out Amounts, c *corev1.PersistentVolumeClaim) {
	class, ok := c.GetMetadata().GetAnnotations()["volume.beta.kubernetes.io/storage-class"]
	if !ok {
		class = c.GetSpec().GetStorageClassName()
	}
	used := Amounts{"persistentvolumeclaims": one()}
	if size, ok := Parse(c.GetSpec().GetResources().GetRequests())["storage"]; ok {
		// A claim that shrinks again still has what it got.
		if got, ok := Parse(c.GetStatus().GetAllocatedResources())["storage"]; ok && got.Cmp(size) > 0 {
			size = got
		}
		size.RoundUp(0)
		used["requests.storage"] = size
	}
	for name, q := range used {
		out[name] = q
		if class != "" {
			out[class+classSuffix+name] = q
		}
	}
}
