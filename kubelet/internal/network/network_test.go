package network

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
	"go.uber.org/zap/zaptest"
	"golang.org/x/sys/unix"
)

// inNode runs a test in a network namespace of its own, as a kubelet that was entered with nsenter --net.
func inNode(t *testing.T, f func(t *testing.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		goruntime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f(t)
	}()
	<-done
}

// serve listens inside a namespace until the test ends.
func serve(t *testing.T, ns, address string) {
	t.Helper()
	err := sandbox.Inside(ns, func() error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		return nil
	})
	if err != nil {
		t.Errorf("listening on %s: %v", address, err)
	}
}

// dial connects from inside a namespace.
func dial(ns, address string) error {
	file, err := os.Open(ns)
	if err != nil {
		return err
	}
	defer file.Close()
	return sandbox.Inside(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), func() error {
		c, err := net.DialTimeout("tcp", address, 3*time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

func TestNetwork(t *testing.T) {
	boxes, err := sandbox.NewManager(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := func(i int) (*runtime.PodConfig, string) {
		p := &runtime.PodConfig{PodRef: runtime.PodRef{UID: fmt.Sprintf("uid-%d", i), Name: "p", Namespace: "d"}, Hostname: "p"}
		paths, err := boxes.Ensure(p)
		if err != nil {
			t.Error(err)
		}
		t.Cleanup(func() { _ = boxes.Remove(p.UID) })
		return p, paths.Net
	}
	inNode(t, func(t *testing.T) {
		cidr := netip.MustParsePrefix("10.244.7.0/29")
		cfg := Config{Bridge: "klbr0", ClusterCIDR: netip.MustParsePrefix("10.244.0.0/16")}
		n, err := New(cfg, zaptest.NewLogger(t))
		if err != nil {
			t.Error(err)
			return
		}
		for range 2 {
			if err := n.SetPodCIDR(cidr); err != nil {
				t.Error(err)
				return
			}
		}
		ctx := t.Context()
		before := run(t, "iptables-save")
		p1, net1 := pod(1)
		p1.Ports = []runtime.PortMapping{{Protocol: "TCP", HostPort: 8080, ContainerPort: 80}}
		a1, err := n.Attach(ctx, net1, p1)
		if err != nil {
			t.Error(err)
			return
		}
		again, err := n.Attach(ctx, net1, p1)
		if err != nil || again != a1 {
			t.Errorf("second Attach: %v, %v, want %v", again, err, a1)
		}
		p2, net2 := pod(2)
		a2, err := n.Attach(ctx, net2, p2)
		if err != nil || a1 == a2 {
			t.Errorf("two pods have %v and %v, %v", a1, a2, err)
		}
		serve(t, net2, "10.244.7.3:80")
		for _, from := range []string{net1, net2, "/proc/thread-self/ns/net"} {
			if err := dial(from, "10.244.7.3:80"); err != nil {
				t.Errorf("from %s: %v", from, err)
			}
		}
		serve(t, net1, "10.244.7.2:80")
		for _, from := range []string{net2, net1} {
			if err := dial(from, "10.244.7.1:8080"); err != nil {
				t.Errorf("host port from %s: %v", from, err)
			}
		}
		if err := dial("/proc/thread-self/ns/net", "127.0.0.1:8080"); err == nil {
			t.Error("loopback is down, yet a connection was made")
		}
		if rules := run(t, "iptables-save"); strings.Count(rules, "keelson pod uid-1") != 3 {
			t.Errorf("rules of the host port:\n%s", rules)
		}

		// A second life of the kubelet finds the addresses of the first.
		n, err = New(cfg, zaptest.NewLogger(t))
		if err != nil {
			t.Error(err)
			return
		}
		if err := n.SetPodCIDR(cidr); err != nil {
			t.Error(err)
			return
		}
		if all, err := n.Addresses(); err != nil || all["uid-1"] != a1 || all["uid-2"] != a2 {
			t.Errorf("Addresses: %v, %v", all, err)
		}
		// 10.244.7.0/29 has five addresses for pods.
		for i := 3; i <= 5; i++ {
			p, ns := pod(i)
			if _, err := n.Attach(ctx, ns, p); err != nil {
				t.Error(err)
			}
		}
		p6, net6 := pod(6)
		if _, err := n.Attach(ctx, net6, p6); err == nil {
			t.Error("a sixth address was given out")
		}
		if err := n.Detach(ctx, "uid-1"); err != nil {
			t.Error(err)
		}
		if a6, err := n.Attach(ctx, net6, p6); err != nil || a6 != a1 {
			t.Errorf("after Detach: %v, %v, want %v", a6, err, a1)
		}
		for i := 1; i <= 6; i++ {
			if err := n.Detach(ctx, fmt.Sprintf("uid-%d", i)); err != nil {
				t.Error(err)
			}
		}
		if after := run(t, "iptables-save"); stripComments(after) != stripComments(before) {
			t.Errorf("rules left: %s", after)
		}

		other := Route{CIDR: netip.MustParsePrefix("10.244.9.0/24"), Via: netip.MustParseAddr("10.244.7.6")}
		for range 2 {
			if err := n.SyncRoutes([]Route{other}); err != nil {
				t.Error(err)
			}
		}
		if routes := run(t, "ip", "route"); !strings.Contains(routes, "10.244.9.0/24 via 10.244.7.6") {
			t.Errorf("routes:\n%s", routes)
		}
		if err := Cleanup("klbr0"); err != nil {
			t.Error(err)
		}
		if left := run(t, "ip", "link") + run(t, "ip", "route") + run(t, "iptables-save"); strings.Contains(left, "kl") || strings.Contains(left, "KL-") || strings.Contains(left, "10.244") {
			t.Errorf("left behind:\n%s", left)
		}
	})
}

func stripComments(rules string) string {
	var b strings.Builder
	for line := range strings.Lines(rules) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ":") {
			b.WriteString(line)
		}
	}
	return b.String()
}
