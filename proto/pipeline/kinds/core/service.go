package core

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/kinds/core/allocate"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema/kinds/core"
)

// repairEvery is how often claims of addresses and ports are compared with the Services.
const repairEvery = 3 * time.Minute

// Services are the logic of Services.
type Services struct {
	access strategy.Access
	claims *allocate.Allocator
}

// NewServices returns the logic of Services over an allocator.
func NewServices(access strategy.Access, claims *allocate.Allocator) *Services {
	return &Services{access: access, claims: claims}
}

// Hooks are the hooks of Services.
func (s *Services) Hooks() strategy.Hooks {
	return strategy.Hooks{PrepareCreate: s.prepareCreate, PrepareUpdate: s.prepareUpdate, Reserve: s.reserve, Deleted: s.deleted}
}

// Repair makes the claims those of the stored Services: before the first request, which could else be given what a
// Service has that another server has stored.
func (s *Services) Repair(ctx context.Context) error { return s.claims.Repair(ctx) }

// Run repairs claims now and then, until the context ends.
func (s *Services) Run(ctx context.Context) {
	tick := time.NewTicker(repairEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.claims.RepairOrLog(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func needsIP(s *corev1.ServiceSpec) bool {
	return s.GetType() != "ExternalName" && s.GetClusterIP() != "None"
}

func needsNodePorts(s *corev1.ServiceSpec) bool {
	switch s.GetType() {
	case "NodePort":
		return true
	case "LoadBalancer":
		return s.AllocateLoadBalancerNodePorts == nil || *s.AllocateLoadBalancerNodePorts
	}
	return false
}

func (s *Services) prepareCreate(_ context.Context, obj strategy.Object) {
	svc := obj.(*corev1.Service)
	svc.Status = &corev1.ServiceStatus{LoadBalancer: &corev1.LoadBalancerStatus{}}
	if svc.Spec == nil {
		svc.Spec = &corev1.ServiceSpec{}
	}
	if svc.Spec.ClusterIP == "" && len(svc.Spec.ClusterIPs) > 0 {
		return // refused: clusterIP leads
	}
	s.families(svc.Spec)
}

// families completes what says the same thing twice: clusterIP and clusterIPs, policy and families.
func (s *Services) families(spec *corev1.ServiceSpec) {
	if spec.Type == "ExternalName" {
		return
	}
	if spec.ClusterIP != "" && len(spec.ClusterIPs) == 0 {
		spec.ClusterIPs = []string{spec.ClusterIP}
	} else if spec.ClusterIP == "" && len(spec.ClusterIPs) > 0 {
		spec.ClusterIP = spec.ClusterIPs[0]
	}
	if spec.IpFamilyPolicy == nil {
		spec.IpFamilyPolicy = proto.String("SingleStack")
	}
	if len(spec.IpFamilies) == 0 {
		spec.IpFamilies = []string{s.claims.Family()}
	}
}

// prepareUpdate keeps what was allocated where the update does not mention it: clients update from what they have
// written themselves.
func (s *Services) prepareUpdate(_ context.Context, obj, old strategy.Object) {
	svc, was := obj.(*corev1.Service), old.(*corev1.Service).GetSpec()
	if svc.Spec == nil {
		svc.Spec = &corev1.ServiceSpec{}
	}
	spec := svc.Spec
	if spec.Type == "ExternalName" {
		if was.GetType() != "ExternalName" && spec.ClusterIP == was.GetClusterIP() {
			spec.ClusterIP, spec.ClusterIPs, spec.IpFamilies, spec.IpFamilyPolicy = "", nil, nil, nil
		}
		return
	}
	if was.GetType() != "ExternalName" {
		if spec.ClusterIP == "" && len(spec.ClusterIPs) == 0 {
			spec.ClusterIP, spec.ClusterIPs = was.GetClusterIP(), was.GetClusterIPs()
		}
		if len(spec.IpFamilies) == 0 {
			spec.IpFamilies = was.GetIpFamilies()
		}
		if spec.IpFamilyPolicy == nil {
			spec.IpFamilyPolicy = was.IpFamilyPolicy
		}
	}
	if needsNodePorts(spec) && needsNodePorts(was) {
		keepNodePorts(spec, was)
	}
	if spec.Type != was.GetType() {
		dropLeftovers(spec, was)
	}
	switch needed := core.NeedsHealthPort(spec); {
	case !core.NeedsHealthPort(was):
	case needed && spec.HealthCheckNodePort == 0:
		spec.HealthCheckNodePort = was.HealthCheckNodePort
	case !needed && spec.HealthCheckNodePort == was.HealthCheckNodePort:
		spec.HealthCheckNodePort = 0
	}
	s.families(spec)
}

func keepNodePorts(spec, was *corev1.ServiceSpec) {
	used := map[int32]bool{}
	for _, p := range spec.Ports {
		used[p.NodePort] = true
	}
	for _, p := range spec.Ports {
		if p.NodePort != 0 {
			continue
		}
		for _, o := range was.Ports {
			if o.Port == p.Port && o.Protocol == p.Protocol && !used[o.NodePort] {
				p.NodePort = o.NodePort
				used[o.NodePort] = true
			}
		}
	}
}

// external tells whether traffic from outside reaches the Service by itself.
func external(s *corev1.ServiceSpec) bool {
	return s.GetType() == "NodePort" || s.GetType() == "LoadBalancer" || len(s.GetExternalIPs()) > 0
}

// dropLeftovers clears what belongs to a type that the Service no longer has, where the client has only sent back
// what it read.
func dropLeftovers(spec, was *corev1.ServiceSpec) {
	if needsNodePorts(was) && !needsNodePorts(spec) {
		dropNodePorts(spec, was)
	}
	if external(was) && !external(spec) && spec.ExternalTrafficPolicy == was.ExternalTrafficPolicy {
		spec.ExternalTrafficPolicy = ""
	}
	if was.GetType() == "LoadBalancer" {
		if spec.GetAllocateLoadBalancerNodePorts() == was.GetAllocateLoadBalancerNodePorts() {
			spec.AllocateLoadBalancerNodePorts = nil
		}
		if spec.GetLoadBalancerClass() == was.GetLoadBalancerClass() {
			spec.LoadBalancerClass = nil
		}
	}
}

// dropNodePorts forgets node ports that were allocated for a type that the Service no longer has.
func dropNodePorts(spec, was *corev1.ServiceSpec) {
	for _, p := range spec.Ports {
		for _, o := range was.Ports {
			if o.NodePort == p.NodePort {
				p.NodePort = 0
			}
		}
	}
}

func (s *Services) deleted(ctx context.Context, obj strategy.Object) {
	svc := obj.(*corev1.Service)
	r := &reservation{ctx: ctx, s: s, owner: ownerOf(svc), freed: held(svc.GetSpec())}
	r.done(true)
}
