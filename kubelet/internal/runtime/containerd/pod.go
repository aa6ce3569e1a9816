package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
)

// EnsurePod implements runtime.Runtime.
func (d *Driver) EnsurePod(ctx context.Context, pod *runtime.PodConfig) (runtime.Pod, error) {
	paths, err := d.boxes.Ensure(pod)
	if err != nil {
		return runtime.Pod{}, err
	}
	out := runtime.Pod{PodRef: pod.PodRef}
	if paths.Net == "" {
		return out, nil
	}
	address, err := d.cfg.Network.Attach(ctx, paths.Net, pod)
	if err != nil {
		return runtime.Pod{}, fmt.Errorf("setting up the pod's network: %w", err)
	}
	out.Addresses = []netip.Addr{address}
	return out, nil
}

// RemovePod implements runtime.Runtime.
func (d *Driver) RemovePod(ctx context.Context, uid string) error {
	ids, err := d.containersOf(scope(ctx), uid)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, d.Remove(ctx, id))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := d.cfg.Network.Detach(ctx, uid); err != nil {
		return err
	}
	return d.boxes.Remove(uid)
}

// Pods implements runtime.Runtime.
func (d *Driver) Pods(context.Context) ([]runtime.Pod, error) {
	refs, err := d.boxes.List()
	if err != nil {
		return nil, err
	}
	addresses, err := d.cfg.Network.Addresses()
	if err != nil {
		return nil, err
	}
	pods := make([]runtime.Pod, 0, len(refs))
	for _, ref := range refs {
		pod := runtime.Pod{PodRef: ref}
		if a, ok := addresses[ref.UID]; ok {
			pod.Addresses = []netip.Addr{a}
		}
		pods = append(pods, pod)
	}
	return pods, nil
}

// Dial implements runtime.Runtime: over the pod's own loopback, as `kubectl port-forward` promises.
func (d *Driver) Dial(ctx context.Context, uid string, port int) (io.ReadWriteCloser, error) {
	dial := func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			if conn6, err6 := dialer.DialContext(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port))); err6 == nil {
				return conn6, nil
			}
		}
		return conn, err
	}
	path := d.boxes.Path(uid, "net")
	if !d.boxes.Has(uid, "net") {
		return dial(ctx)
	}
	var conn net.Conn
	err := sandbox.Inside(path, func() (err error) {
		conn, err = dial(ctx)
		return err
	})
	return conn, err
}
