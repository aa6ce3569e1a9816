package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// kubeletPort is the port by which clients know a kubelet's own handlers.
const kubeletPort = "10250"

// target is where a request goes.
type target struct {
	scheme, host string
	dial         func(ctx context.Context) (net.Conn, error)
}

// reference takes "name", "name:port" and "scheme:name:port" apart; the scheme may be empty.
func reference(id string) (scheme, name, port string, ok bool) {
	parts := strings.Split(id, ":")
	switch len(parts) {
	case 1:
		name = parts[0]
	case 2:
		name, port = parts[0], parts[1]
	case 3:
		scheme, name, port = parts[0], parts[1], parts[2]
	default:
		return "", "", "", false
	}
	ok = name != "" && (scheme == "" || scheme == "http" || scheme == "https") && validPort(port)
	return scheme, name, port, ok
}

// validPort tells whether it is a number, a port's name, or nothing.
func validPort(port string) bool {
	if port == "" {
		return true
	}
	if n, err := strconv.Atoi(port); err == nil {
		return n > 0 && n < 1<<16
	}
	return len(validation.IsValidPortName(port)) == 0
}

func (h *Handler) resolve(ctx context.Context, plural, namespace, id string) (*target, error) {
	scheme, name, port, ok := reference(id)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid %s request %q", strings.TrimSuffix(plural, "s"), id))
	}
	if scheme == "" {
		scheme = "http"
	}
	switch plural {
	case "pods":
		return h.pod(ctx, scheme, namespace, name, port)
	case "services":
		return h.service(ctx, scheme, namespace, name, port, id)
	}
	return h.node(ctx, scheme, name, port)
}

func (h *Handler) pod(ctx context.Context, scheme, namespace, name, port string) (*target, error) {
	pod, err := h.cfg.Objects.Pod(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if port == "" {
		port = firstPort(pod)
	}
	if !proxyable(pod.GetStatus().GetPodIP()) {
		return nil, apierrors.NewBadRequest("address not allowed")
	}
	n, err := number(scheme, port, pod.GetSpec().GetContainers())
	if err != nil {
		return nil, err
	}
	m := pod.GetMetadata()
	t := &target{scheme: scheme, host: hostOf(pod.GetStatus().GetPodIP(), port)}
	t.dial = h.tunnel(pod.GetSpec().GetNodeName(), &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Dial{Dial: &tunnelv1.DialOptions{
		Container: &tunnelv1.Container{PodNamespace: m.GetNamespace(), PodName: m.GetName(), PodUid: m.GetUid()}, Port: n}}})
	return t, nil
}

// firstPort is the first port that a pod names; "" where it names none.
func firstPort(pod *corev1.Pod) string {
	for _, c := range pod.GetSpec().GetContainers() {
		if len(c.Ports) > 0 {
			return strconv.Itoa(int(c.Ports[0].ContainerPort))
		}
	}
	return ""
}

// proxyable tells whether an address may be reached through the proxy.
func proxyable(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && a.IsGlobalUnicast()
}

func hostOf(ip, port string) string {
	if port != "" {
		return net.JoinHostPort(ip, port)
	}
	if strings.Contains(ip, ":") {
		return "[" + ip + "]"
	}
	return ip
}

// number is a port's number: a container's where it is a name, the scheme's own where it is empty.
func number(scheme, port string, containers []*corev1.Container) (int32, error) {
	switch {
	case port == "" && scheme == "https":
		return 443, nil
	case port == "":
		return 80, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
		return int32(n), nil
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name == port {
				return p.ContainerPort, nil
			}
		}
	}
	return 0, apierrors.NewServiceUnavailable(fmt.Sprintf("error trying to reach service: unknown port %q", port))
}

// endpoint is one address of a service.
type endpoint struct {
	slice *discoveryv1.EndpointSlice
	e     *discoveryv1.Endpoint
	port  int32
}

func (h *Handler) service(ctx context.Context, scheme, namespace, name, port, id string) (*target, error) {
	s, err := h.cfg.Objects.Service(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	portName, err := portOf(s, port)
	if err != nil {
		return nil, err
	}
	slices, err := h.cfg.Objects.Slices(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	list := ready(slices, portName)
	if len(list) == 0 {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", id))
	}
	to := list[rand.IntN(len(list))]
	ip := to.e.GetAddresses()[0]
	t := &target{scheme: scheme, host: net.JoinHostPort(ip, strconv.Itoa(int(to.port)))}
	if ref := to.e.GetTargetRef(); ref.GetKind() == "Pod" && to.e.GetNodeName() != "" {
		t.dial = h.tunnel(to.e.GetNodeName(), &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Dial{Dial: &tunnelv1.DialOptions{
			Container: &tunnelv1.Container{PodNamespace: namespace, PodName: ref.GetName(), PodUid: ref.GetUid()}, Port: to.port}}})
		return t, nil
	}
	// Somebody's own endpoint, outside of the pod network.
	if !proxyable(ip) {
		return nil, apierrors.NewBadRequest("address not allowed")
	}
	t.dial = func(ctx context.Context) (net.Conn, error) { return h.cfg.Dial(ctx, "tcp", t.host) }
	return t, nil
}

// portOf is the name of the service's port that a request names by name or number.
func portOf(s *corev1.Service, port string) (string, error) {
	n, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		return port, nil //nolint:nilerr // a name
	}
	for _, p := range s.GetSpec().GetPorts() {
		if int64(p.Port) == n {
			return p.Name, nil
		}
	}
	return "", apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", n, s.GetMetadata().GetName()))
}

// ready lists the endpoints that serve a port.
func ready(list []*discoveryv1.EndpointSlice, port string) []endpoint {
	var out []endpoint
	for _, s := range list {
		i := slices.IndexFunc(s.GetPorts(), func(p *discoveryv1.EndpointPort) bool { return p.GetName() == port && p.Port != nil })
		if i < 0 || s.GetAddressType() == "FQDN" {
			continue
		}
		for _, e := range s.GetEndpoints() {
			if c := e.GetConditions(); (c == nil || c.Ready == nil || *c.Ready) && len(e.GetAddresses()) > 0 {
				out = append(out, endpoint{s, e, s.Ports[i].GetPort()})
			}
		}
	}
	return out
}

func (h *Handler) node(ctx context.Context, scheme, name, port string) (*target, error) {
	node, err := h.cfg.Objects.Node(ctx, name)
	if err != nil {
		return nil, err
	}
	ip := name
	for _, a := range node.GetStatus().GetAddresses() {
		if a.GetType() == "InternalIP" {
			ip = a.GetAddress()
			break
		}
	}
	if port == "" || port == kubeletPort {
		// The tunnel is encrypted; the kubelet's handlers behind it speak plain HTTP.
		return &target{scheme: "http", host: net.JoinHostPort(ip, kubeletPort), dial: h.tunnel(name,
			&tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Node{Node: &tunnelv1.NodeOptions{}}})}, nil
	}
	n, err := number(scheme, port, nil)
	if err != nil {
		return nil, err
	}
	return &target{scheme: scheme, host: hostOf(ip, port), dial: h.tunnel(name,
		&tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Dial{Dial: &tunnelv1.DialOptions{Port: n}}})}, nil
}

// tunnel connects through the tunnel to a node.
func (h *Handler) tunnel(node string, op *tunnelv1.ConnectResponse) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		s, err := h.cfg.Open(ctx, node, op)
		if err != nil {
			return nil, unreachable(node, err)
		}
		c, err := newConn(s)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}
