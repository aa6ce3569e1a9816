package core

import (
	"maps"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// NamespaceLabel is the label that every namespace has, with its own name as value.
const NamespaceLabel = "kubernetes.io/metadata.name"

func defaultNamespace(n *corev1.Namespace) {
	m := n.GetMetadata()
	if m.GetName() == "" {
		return
	}
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	m.Labels[NamespaceLabel] = m.Name
}

func defaultNode(n *corev1.Node) {
	// One range of addresses, or the first of several, stands in both fields.
	if s := n.GetSpec(); s != nil {
		if len(s.PodCIDRs) == 0 && s.PodCIDR != "" {
			s.PodCIDRs = []string{s.PodCIDR}
		} else if len(s.PodCIDRs) > 0 && s.PodCIDR == "" {
			s.PodCIDR = s.PodCIDRs[0]
		}
	}
	if s := n.GetStatus(); s != nil && s.Allocatable == nil && len(s.Capacity) > 0 {
		s.Allocatable = map[string]*metav1.Quantity{}
		for k, v := range s.Capacity {
			s.Allocatable[k] = proto.CloneOf(v)
		}
	}
}

// mergeStringData moves stringData, which is only written and never read, to data.
func mergeStringData(s *corev1.Secret) {
	if len(s.StringData) == 0 {
		return
	}
	data := maps.Clone(s.Data)
	if data == nil {
		data = map[string][]byte{}
	}
	for k, v := range s.StringData {
		data[k] = []byte(v)
	}
	s.Data, s.StringData = data, nil
}

func defaultService(svc *corev1.Service) {
	s := svc.GetSpec()
	if s == nil {
		return
	}
	if s.SessionAffinity == "None" {
		s.SessionAffinityConfig = nil
	}
	if c := s.SessionAffinityConfig.GetClientIP(); s.SessionAffinity == "ClientIP" && (c == nil || c.TimeoutSeconds == nil) {
		s.SessionAffinityConfig = &corev1.SessionAffinityConfig{
			ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: proto.Int32(DefaultAffinitySeconds)},
		}
	}
	for _, p := range s.Ports {
		if t := p.TargetPort; t == nil || t.GetType() == 0 && t.GetIntVal() == 0 || t.GetType() == 1 && t.GetStrVal() == "" {
			p.TargetPort = &metav1.IntOrString{IntVal: p.Port}
		}
	}
	if s.ExternalTrafficPolicy == "" && externallyAccessible(s) {
		s.ExternalTrafficPolicy = "Cluster"
	}
	if s.InternalTrafficPolicy == nil && s.Type != "ExternalName" {
		s.InternalTrafficPolicy = proto.String("Cluster")
	}
	if s.Type == "LoadBalancer" && s.AllocateLoadBalancerNodePorts == nil {
		s.AllocateLoadBalancerNodePorts = proto.Bool(true)
	}
	if s.Type == "LoadBalancer" {
		for _, i := range svc.GetStatus().GetLoadBalancer().GetIngress() {
			if i.Ip != "" && i.IpMode == nil {
				i.IpMode = proto.String("VIP")
			}
		}
	}
}

// DefaultAffinitySeconds is how long a client keeps its backend: three hours.
const DefaultAffinitySeconds = 10800

func externallyAccessible(s *corev1.ServiceSpec) bool {
	return s.Type == "LoadBalancer" || s.Type == "NodePort" || s.Type == "ClusterIP" && len(s.ExternalIPs) > 0
}

func eventFields(e *corev1.Event, set func(path, value string)) {
	source := e.GetSource().GetComponent()
	if source == "" {
		source = e.ReportingComponent
	}
	set("source", source)
}
