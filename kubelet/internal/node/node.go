package node

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/kubelet/internal/network"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

const (
	// healthPeriod is how often the runtime and the machine's pressure are looked at.
	healthPeriod = 10 * time.Second
	// reportPeriod is how often an unchanged status is written, so that its heartbeats show life.
	reportPeriod = 5 * time.Minute
	// maxImages bounds the images in the status; the largest are told.
	maxImages = 50
)

// Network is what a node's pod network is told.
type Network interface {
	SetPodCIDR(netip.Prefix) error
	SyncRoutes([]network.Route) error
	Ready() bool
}

// Config of a node's registration.
type Config struct {
	Name, Address string
	// Version is the kubelet's own.
	Version string
	// Dir is the kubelet's directory, whose file system is watched for pressure.
	Dir     string
	MaxPods int
	Labels  map[string]string
	Taints  []*corev1.Taint
	Machine Machine
	Runtime runtime.Runtime
	Network Network
	Conn    *client.Conn
	Logger  *zap.Logger
}

// Node keeps one Node object.
type Node struct {
	Config
	client *client.Client[*corev1.Node]
	nodes  *informer.Informer[*corev1.Node]
	wake   chan struct{}
	// last is the last status that was written, and when.
	last     *corev1.NodeStatus
	lastTime time.Time
}

// New prepares a node; Run it.
func New(c Config) *Node {
	n := &Node{Config: c, client: client.For[*corev1.Node](c.Conn).Trim(), wake: make(chan struct{}, 1)}
	n.nodes = informer.New(c.Conn, informer.Options[*corev1.Node]{Trim: true})
	n.nodes.OnEvent(func(e informer.Event[*corev1.Node]) {
		// Heartbeats of other nodes change nothing here.
		if e.Type == informer.Updated && e.Key().Name != n.Name && sameNetwork(e.Old, e.New) {
			return
		}
		select {
		case n.wake <- struct{}{}:
		default:
		}
	})
	return n
}

// Watch keeps the copy of all nodes until ctx ends.
func (n *Node) Watch(ctx context.Context) error { return n.nodes.Run(ctx) }

// Run registers the node and keeps its status until ctx ends.
func (n *Node) Run(ctx context.Context) error {
	for backoff := new(client.Backoff); ; {
		err := n.register(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		n.Logger.Warn("the node can't be registered yet", zap.Error(err))
		if !client.Sleep(ctx, backoff.Next()) {
			return nil
		}
	}
	n.Logger.Info("registered", zap.String("node", n.Name))
	health := time.NewTicker(healthPeriod)
	defer health.Stop()
	for {
		n.connect()
		if err := n.report(ctx); err != nil && ctx.Err() == nil {
			n.Logger.Warn("the node's status can't be written yet", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-n.wake:
		case <-health.C:
		}
	}
}

func (n *Node) labels() map[string]string {
	system, processor := n.Machine.Info.OperatingSystem, n.Machine.Info.Architecture
	labels := map[string]string{
		"kubernetes.io/hostname": n.Name, "kubernetes.io/os": system, "kubernetes.io/arch": processor,
		// Old names, which selectors in old manifests still have.
		"beta.kubernetes.io/os": system, "beta.kubernetes.io/arch": processor,
	}
	maps.Copy(labels, n.Labels)
	return labels
}

// register creates the Node, or brings the labels of the one that is there up to date.
func (n *Node) register(ctx context.Context) error {
	node := &corev1.Node{
		Metadata: &metav1.ObjectMeta{Name: n.Name, Labels: n.labels()},
		Spec:     &corev1.NodeSpec{Taints: n.Taints},
		Status:   n.status(ctx, nil),
	}
	_, err := n.client.Create(ctx, node)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	have, err := n.client.Get(ctx, "", n.Name)
	if err != nil {
		return err
	}
	updated := proto.Clone(have).(*corev1.Node)
	if updated.Metadata.Labels == nil {
		updated.Metadata.Labels = map[string]string{}
	}
	maps.Copy(updated.Metadata.Labels, n.labels())
	if proto.Equal(have, updated) {
		return nil
	}
	_, err = n.client.Update(ctx, updated)
	return err
}

// connect gives the pod network what the API tells: this node's range, and the ways to the others'.
func (n *Node) connect() {
	own, ok := n.nodes.Get("", n.Name)
	if !ok {
		return
	}
	if cidr := podCIDR(own); cidr.IsValid() {
		if err := n.Network.SetPodCIDR(cidr); err != nil {
			n.Logger.Error("the pod network can't be set up", zap.Error(err))
			return
		}
	}
	var routes []network.Route
	for _, other := range n.nodes.List() {
		if other.Metadata.Name == n.Name {
			continue
		}
		via, ok := internalIP(other)
		if cidr := podCIDR(other); ok && cidr.IsValid() {
			routes = append(routes, network.Route{CIDR: cidr, Via: via})
		}
	}
	if err := n.Network.SyncRoutes(routes); err != nil {
		n.Logger.Error("some nodes' pods can't be reached", zap.Error(err))
	}
}

func podCIDR(node *corev1.Node) netip.Prefix {
	for _, s := range append(slices.Clone(node.Spec.GetPodCIDRs()), node.Spec.GetPodCIDR()) {
		if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is4() {
			return p
		}
	}
	return netip.Prefix{}
}

func internalIP(node *corev1.Node) (netip.Addr, bool) {
	for _, a := range node.Status.GetAddresses() {
		if a.Type == "InternalIP" {
			if ip, err := netip.ParseAddr(a.Address); err == nil && ip.Is4() {
				return ip, true
			}
		}
	}
	return netip.Addr{}, false
}

func sameNetwork(a, b *corev1.Node) bool {
	x, okX := internalIP(a)
	y, okY := internalIP(b)
	return podCIDR(a) == podCIDR(b) && x == y && okX == okY
}

// report writes the status where it has changed or is due.
func (n *Node) report(ctx context.Context) error {
	own, ok := n.nodes.Get("", n.Name)
	if !ok {
		return nil
	}
	status := n.status(ctx, own.Status)
	due := time.Since(n.lastTime) >= reportPeriod
	if !due && n.last != nil && sameStatus(n.last, status) && sameStatus(own.Status, status) {
		return nil
	}
	base := own
	for range 5 {
		updated := proto.Clone(base).(*corev1.Node)
		updated.Status = merge(base.Status, status)
		_, err := n.client.UpdateStatus(ctx, updated)
		if err == nil {
			n.last, n.lastTime = status, time.Now()
			return nil
		}
		if apierrors.IsNotFound(err) {
			return n.register(ctx)
		}
		if !apierrors.IsConflict(err) {
			return err
		}
		if base, err = n.client.Get(ctx, "", n.Name); err != nil {
			return err
		}
	}
	return fmt.Errorf("the node changes faster than its status can be written")
}

// merge puts the kubelet's status over what others have written.
func merge(old, own *corev1.NodeStatus) *corev1.NodeStatus {
	out := proto.Clone(own).(*corev1.NodeStatus)
	mine := map[string]bool{}
	for _, c := range out.Conditions {
		mine[c.Type] = true
	}
	for _, c := range old.GetConditions() {
		if !mine[c.Type] {
			out.Conditions = append(out.Conditions, c)
		}
	}
	for name, q := range old.GetCapacity() {
		if out.Capacity[name] == nil {
			out.Capacity[name] = q
			if a := old.Allocatable[name]; a != nil {
				out.Allocatable[name] = a
			}
		}
	}
	out.VolumesInUse, out.VolumesAttached = old.GetVolumesInUse(), old.GetVolumesAttached()
	return out
}

// sameStatus compares without heartbeats.
func sameStatus(a, b *corev1.NodeStatus) bool {
	strip := func(s *corev1.NodeStatus) *corev1.NodeStatus {
		c := &corev1.NodeStatus{Addresses: s.GetAddresses(), NodeInfo: s.GetNodeInfo(), Images: s.GetImages(), Capacity: s.GetCapacity(), Allocatable: s.GetAllocatable()}
		for _, cond := range s.GetConditions() {
			if cond.Type == "Ready" || strings.HasSuffix(cond.Type, "Pressure") {
				c.Conditions = append(c.Conditions, &corev1.NodeCondition{Type: cond.Type, Status: cond.Status, Reason: cond.Reason, Message: cond.Message})
			}
		}
		return c
	}
	return proto.Equal(strip(a), strip(b))
}

// status of the node now; old gives the times of conditions that don't change.
func (n *Node) status(ctx context.Context, old *corev1.NodeStatus) *corev1.NodeStatus {
	capacity := n.Machine.Capacity(n.MaxPods)
	s := &corev1.NodeStatus{
		Capacity: capacity, Allocatable: n.Machine.Capacity(n.MaxPods),
		Addresses: []*corev1.NodeAddress{{Type: "InternalIP", Address: n.Address}, {Type: "Hostname", Address: n.Name}},
		NodeInfo:  proto.Clone(n.Machine.Info).(*corev1.NodeSystemInfo),
	}
	s.NodeInfo.KubeletVersion, s.NodeInfo.KubeProxyVersion = n.Version, n.Version
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ready, reason, message := true, "KubeletReady", "kubelet is posting ready status"
	if info, err := n.Runtime.Info(ctx); err != nil {
		ready, reason, message = false, "KubeletNotReady", fmt.Sprintf("container runtime is down: %v", err)
		s.NodeInfo.ContainerRuntimeVersion = old.GetNodeInfo().GetContainerRuntimeVersion()
		s.Images = old.GetImages()
	} else {
		s.NodeInfo.ContainerRuntimeVersion = info.Name + "://" + info.Version
		s.Images = n.images(ctx, old)
	}
	if ready && !n.Network.Ready() {
		ready, reason, message = false, "KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:"+network.ErrNotReady.Error()
	}
	memory, disk, pids := pressure(n.Dir)
	now := apitime.Now()
	add := func(kind string, is bool, reason, message string) {
		c := &corev1.NodeCondition{Type: kind, Status: "False", Reason: reason, Message: message, LastHeartbeatTime: now, LastTransitionTime: now}
		if is {
			c.Status = "True"
		}
		for _, o := range old.GetConditions() {
			if o.Type == kind && o.Status == c.Status {
				c.LastTransitionTime = o.LastTransitionTime
			}
		}
		s.Conditions = append(s.Conditions, c)
	}
	choose := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	add("MemoryPressure", memory, choose(memory, "KubeletHasInsufficientMemory", "KubeletHasSufficientMemory"), choose(memory, "kubelet has insufficient memory available", "kubelet has sufficient memory available"))
	add("DiskPressure", disk, choose(disk, "KubeletHasDiskPressure", "KubeletHasNoDiskPressure"), choose(disk, "kubelet has disk pressure", "kubelet has no disk pressure"))
	add("PIDPressure", pids, choose(pids, "KubeletHasInsufficientPID", "KubeletHasSufficientPID"), choose(pids, "kubelet has insufficient PID available", "kubelet has sufficient PID available"))
	add("Ready", ready, reason, message)
	return s
}

// images of the node, the largest first. Names that nobody gave (digests alone) are kept too, as Kubernetes does.
func (n *Node) images(ctx context.Context, old *corev1.NodeStatus) []*corev1.ContainerImage {
	list, err := n.Runtime.Images(ctx)
	if err != nil {
		return old.GetImages()
	}
	slices.SortFunc(list, func(a, b runtime.Image) int {
		if a.Size != b.Size {
			return int(min(max(b.Size-a.Size, -1), 1))
		}
		return strings.Compare(a.Name, b.Name)
	})
	var out []*corev1.ContainerImage
	for _, image := range list[:min(len(list), maxImages)] {
		out = append(out, &corev1.ContainerImage{Names: image.Names, SizeBytes: image.Size})
	}
	return out
}
