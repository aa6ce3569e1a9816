package core

import (
	"context"
	"fmt"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/kinds/core/allocate"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema/kinds/core"
)

// holdings are the addresses and node ports that a Service has.
type holdings struct {
	ips   map[string]bool
	ports map[int32]bool
}

func held(s *corev1.ServiceSpec) holdings {
	h := holdings{map[string]bool{}, map[int32]bool{}}
	if needsIP(s) && s.GetClusterIP() != "" {
		h.ips[s.ClusterIP] = true
	}
	for _, p := range s.GetPorts() {
		if p.GetNodePort() != 0 {
			h.ports[p.NodePort] = true
		}
	}
	if n := s.GetHealthCheckNodePort(); n != 0 {
		h.ports[n] = true
	}
	return h
}

// reservation is what one write takes and gives up.
type reservation struct {
	ctx    context.Context
	s      *Services
	owner  allocate.Owner
	dryRun bool
	// taken is released where the write fails, freed where it succeeds.
	taken, freed holdings
}

func ownerOf(svc *corev1.Service) allocate.Owner {
	m := svc.GetMetadata()
	return allocate.Owner{Namespace: m.GetNamespace(), Name: m.GetName(), UID: m.GetUid()}
}

func (s *Services) reserve(ctx context.Context, obj, old strategy.Object, dryRun bool) (func(bool), error) {
	svc := obj.(*corev1.Service)
	had := held(nil)
	if old != nil {
		had = held(old.(*corev1.Service).GetSpec())
	}
	r := &reservation{ctx: ctx, s: s, owner: ownerOf(svc), dryRun: dryRun, taken: held(nil), freed: held(nil)}
	if cause := r.take(svc.Spec, had); cause != nil {
		r.done(false)
		return nil, apierrors.NewInvalid("", "Service", svc.GetMetadata().GetName(), []*metav1.StatusCause{cause})
	}
	now := held(svc.Spec)
	for ip := range had.ips {
		r.freed.ips[ip] = !now.ips[ip]
	}
	for port := range had.ports {
		r.freed.ports[port] = !now.ports[port]
	}
	return r.done, nil
}

// take completes a spec by addresses and ports.
func (r *reservation) take(spec *corev1.ServiceSpec, had holdings) *metav1.StatusCause {
	if needsIP(spec) {
		if cause := r.takeIP(spec, had); cause != nil {
			return cause
		}
	}
	if needsNodePorts(spec) || len(held(spec).ports) > 0 {
		if cause := r.takePorts(spec, had); cause != nil {
			return cause
		}
	}
	if core.NeedsHealthPort(spec) && !had.ports[spec.HealthCheckNodePort] {
		return r.takeHealthPort(spec)
	}
	return nil
}

func (r *reservation) takeIP(spec *corev1.ServiceSpec, had holdings) *metav1.StatusCause {
	claims := r.s.claims
	if p := spec.GetIpFamilyPolicy(); p == "RequireDualStack" {
		return invalid("spec.ipFamilyPolicy", fmt.Sprintf("Invalid value: %q: this cluster is not configured for dual-stack services", p))
	}
	for i, f := range spec.IpFamilies {
		if f != claims.Family() {
			return invalid(fmt.Sprintf("spec.ipFamilies[%d]", i), fmt.Sprintf("Invalid value: %q: not configured on this cluster", f))
		}
	}
	switch {
	case spec.ClusterIP == "":
		ip, err := claims.AnyIP(r.ctx, r.owner, r.dryRun)
		if err != nil {
			return failed("spec.clusterIPs", err)
		}
		spec.ClusterIP = ip
		r.taken.ips[ip] = true
	case !had.ips[spec.ClusterIP]:
		if err := claims.IP(r.ctx, r.owner, spec.ClusterIP, r.dryRun); err != nil {
			return invalid("spec.clusterIPs", fmt.Sprintf("Invalid value: [%q]: %v", spec.ClusterIP, err))
		}
		r.taken.ips[spec.ClusterIP] = true
	}
	spec.ClusterIPs = []string{spec.ClusterIP}
	return nil
}

func (r *reservation) takePorts(spec *corev1.ServiceSpec, had holdings) *metav1.StatusCause {
	mine := func(n int32) bool { return had.ports[n] || r.taken.ports[n] }
	for i, p := range spec.Ports {
		if p.NodePort == 0 || mine(p.NodePort) {
			continue
		}
		if err := r.s.claims.Port(r.ctx, r.owner, p.NodePort, r.dryRun); err != nil {
			return invalid(fmt.Sprintf("spec.ports[%d].nodePort", i), fmt.Sprintf("Invalid value: %d: %v", p.NodePort, err))
		}
		r.taken.ports[p.NodePort] = true
	}
	if !needsNodePorts(spec) {
		return nil
	}
	for i, p := range spec.Ports {
		if p.NodePort != 0 {
			continue
		}
		// The same port in another protocol gets the same node port.
		if p.NodePort = sibling(spec, p); p.NodePort != 0 {
			continue
		}
		n, err := r.s.claims.AnyPort(r.ctx, r.owner, r.dryRun)
		if err != nil {
			return failed(fmt.Sprintf("spec.ports[%d].nodePort", i), err)
		}
		p.NodePort = n
		r.taken.ports[n] = true
	}
	return nil
}

func sibling(spec *corev1.ServiceSpec, p *corev1.ServicePort) int32 {
	for _, o := range spec.Ports {
		if o != p && o.Port == p.Port && o.Protocol != p.Protocol && o.NodePort != 0 {
			return o.NodePort
		}
	}
	return 0
}

func (r *reservation) takeHealthPort(spec *corev1.ServiceSpec) *metav1.StatusCause {
	const path = "spec.healthCheckNodePort"
	if n := spec.HealthCheckNodePort; n != 0 {
		if err := r.s.claims.Port(r.ctx, r.owner, n, r.dryRun); err != nil {
			return invalid(path, fmt.Sprintf("Invalid value: %d: %v", n, err))
		}
	} else {
		n, err := r.s.claims.AnyPort(r.ctx, r.owner, r.dryRun)
		if err != nil {
			return failed(path, err)
		}
		spec.HealthCheckNodePort = n
	}
	r.taken.ports[spec.HealthCheckNodePort] = true
	return nil
}

func invalid(field, message string) *metav1.StatusCause {
	return &metav1.StatusCause{Reason: "FieldValueInvalid", Field: field, Message: message}
}

func failed(field string, err error) *metav1.StatusCause {
	return &metav1.StatusCause{Reason: "InternalError", Field: field, Message: "Internal error: " + err.Error()}
}

// done gives up what the outcome of the write makes superfluous.
func (r *reservation) done(stored bool) {
	drop := r.taken
	if stored {
		drop = r.freed
	}
	if r.dryRun {
		return
	}
	for ip, yes := range drop.ips {
		if yes {
			r.s.claims.ReleaseIP(r.ctx, r.owner, ip)
		}
	}
	for port, yes := range drop.ports {
		if yes {
			r.s.claims.ReleasePort(r.ctx, r.owner, port)
		}
	}
}
