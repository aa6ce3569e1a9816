package iptables

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/keelson/keelson/proxy/internal/table"
)

var clusterCIDR = netip.MustParsePrefix("10.244.0.0/16")

// inNamespace runs a test in a network namespace of its own, with loopback up. It needs root, as the proxy does.
func inNamespace(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The thread ends with the goroutine, and the namespace with the thread.
		runtime.LockOSThread()
		ns, err := netns.New()
		if err != nil {
			t.Errorf("new network namespace (this test needs root): %v", err)
			return
		}
		defer ns.Close()
		if err := makeNode(); err != nil {
			t.Error(err)
			return
		}
		f(t)
	}()
	<-done
}

// makeNode gives the namespace loopback, a link with the addresses of a node and two pods, and a route for everything.
func makeNode() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "node"
	link := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	for _, a := range []string{"172.30.0.1/24", podA + "/32", podB + "/32"} {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Src: net.ParseIP("172.30.0.1"),
		Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}})
}

// Addresses of the two pods.
const podA, podB = "10.244.0.2", "10.244.0.3"

func service(name, clusterIP string, nodePort uint16, endpoints ...table.Endpoint) *table.Service {
	return &table.Service{Key: table.Key{Namespace: "default", Name: name}, Ports: []table.Port{{
		Name: "http", Protocol: "tcp", ClusterIP: netip.MustParseAddr(clusterIP), Port: 80, NodePort: nodePort,
		Internal: endpoints, FromOutside: endpoints, HasAny: len(endpoints) > 0,
	}}}
}

// backend answers every connection with its name, on a pod's address.
func backend(t *testing.T, name, addr string) table.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", addr+":8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, name)
			c.Close()
		}
	}()
	return table.Endpoint{Addr: netip.MustParseAddr(addr), Port: 8080}
}

// ask connects and returns what the backend says, or the error. The socket is made on this thread, in its namespace.
func ask(addr string) string {
	c, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return "error: " + err.Error()
	}
	defer c.Close()
	b, err := io.ReadAll(c)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}

func save(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("iptables-save").CombinedOutput()
	if err != nil {
		t.Fatalf("iptables-save: %v: %s", err, out)
	}
	return string(out)
}

// rulesOf leaves out counters and comments' timestamps, and sorts nothing: order matters.
func rulesOf(saved string) string {
	var out []string
	for _, l := range strings.Split(saved, "\n") {
		if strings.HasPrefix(l, "-A ") && (strings.Contains(l, "KEELSON") || strings.Contains(l, "KLSVC")) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

func TestForwarding(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		a, b := backend(t, "a", podA), backend(t, "b", podB)
		d, err := New(clusterCIDR)
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		if err := d.Reset(ctx, []*table.Service{service("web", "10.96.0.1", 30080, a, b), service("none", "10.96.0.2", 0)}); err != nil {
			t.Fatal(err)
		}
		heard := map[string]int{}
		for range 40 {
			heard[ask("10.96.0.1:80")]++
		}
		if heard["a"] == 0 || heard["b"] == 0 || len(heard) != 2 {
			t.Errorf("the cluster IP reaches %v, want both of a and b", heard)
		}
		if got := ask("172.30.0.1:30080"); got != "a" && got != "b" {
			t.Errorf("the node port answers %q", got)
		}
		if got := ask("10.96.0.2:80"); !strings.Contains(got, "refused") {
			t.Errorf("a Service without endpoints: %q, want a refusal", got)
		}
		// One endpoint leaves, a Service gets its first.
		err = d.Apply(ctx, map[table.Key]*table.Service{
			{Namespace: "default", Name: "web"}:  service("web", "10.96.0.1", 30080, b),
			{Namespace: "default", Name: "none"}: service("none", "10.96.0.2", 0, a),
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if got := ask("10.96.0.1:80"); got != "b" {
				t.Fatalf("after a left: %q", got)
			}
		}
		if got := ask("10.96.0.2:80"); got != "a" {
			t.Errorf("the first endpoint of a Service: %q", got)
		}
	})
}

// TestApplyEqualsReset changes a table step by step and checks after each step that the rules are those of a proxy that
// starts anew.
func TestApplyEqualsReset(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		e := func(i int) table.Endpoint {
			return table.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 244, 0, byte(i)}), Port: 80}
		}
		sticky := service("sticky", "10.96.0.9", 0, e(1), e(2))
		sticky.Ports[0].AffinitySeconds = 60
		local := service("local", "10.96.0.8", 30008, e(1))
		local.Ports[0].KeepSource, local.Ports[0].FromOutside = true, nil
		steps := []map[string]*table.Service{
			{"a": service("a", "10.96.0.1", 30001, e(1), e(2), e(3)), "b": service("b", "10.96.0.2", 0)},
			{"a": service("a", "10.96.0.1", 30001, e(2), e(3))},
			{"a": service("a", "10.96.0.1", 0, e(2), e(3)), "b": service("b", "10.96.0.2", 30002, e(4))},
			{"sticky": sticky, "local": local},
			{"a": nil, "b": service("b", "10.96.0.2", 0)},
			{"b": nil, "sticky": service("sticky", "10.96.0.9", 0, e(1)), "local": nil},
		}
		d, err := New(clusterCIDR)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Reset(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		current := map[string]*table.Service{}
		for i, step := range steps {
			change := map[table.Key]*table.Service{}
			for name, s := range step {
				change[table.Key{Namespace: "default", Name: name}] = s
				if delete(current, name); s != nil {
					current[name] = s
				}
			}
			if err := d.Apply(t.Context(), change); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			stepwise := sortedLines(rulesOf(save(t)))
			var all []*table.Service
			for _, s := range current {
				all = append(all, s)
			}
			fresh, err := New(clusterCIDR)
			if err != nil {
				t.Fatal(err)
			}
			if err := fresh.Reset(t.Context(), all); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if anew := sortedLines(rulesOf(save(t))); stepwise != anew {
				t.Fatalf("step %d: changed step by step\n%s\n\nwritten anew\n%s", i, stepwise, anew)
			}
		}
	})
}

func sortedLines(s string) string {
	lines := strings.Split(s, "\n")
	// Lines of different Services in a shared chain have no order.
	for i := range lines {
		for j := i + 1; j < len(lines); j++ {
			if lines[j] < lines[i] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}

func TestIntactAndCleanup(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		d, err := New(clusterCIDR)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Reset(t.Context(), []*table.Service{service("web", "10.96.0.1", 30080, table.Endpoint{Addr: netip.MustParseAddr("10.244.0.2"), Port: 80})}); err != nil {
			t.Fatal(err)
		}
		if ok, err := d.Intact(); err != nil || !ok {
			t.Fatalf("intact after Reset: %v, %v", ok, err)
		}
		if out, err := exec.Command("iptables", "-t", "nat", "-F", "PREROUTING").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if ok, err := d.Intact(); err != nil || ok {
			t.Fatalf("intact after a flush: %v, %v", ok, err)
		}
		if err := Cleanup(); err != nil {
			t.Fatal(err)
		}
		if saved := save(t); strings.Contains(saved, "KEELSON") || strings.Contains(saved, "KLSVC") {
			t.Errorf("left behind:\n%s", saved)
		}
		if err := Cleanup(); err != nil {
			t.Errorf("a second cleanup: %v", err)
		}
	})
}

// BenchmarkOneEndpoint changes one endpoint among many Services: the cost should not depend on their number.
func BenchmarkOneEndpoint(b *testing.B) {
	for _, services := range []int{10, 1000} {
		b.Run(fmt.Sprint(services), func(b *testing.B) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread()
				ns, err := netns.New()
				if err != nil {
					b.Error(err)
					return
				}
				defer ns.Close()
				d, err := New(clusterCIDR)
				if err != nil {
					b.Error(err)
					return
				}
				var all []*table.Service
				for i := range services {
					all = append(all, service(fmt.Sprint("s", i), fmt.Sprintf("10.96.%d.%d", i/250, i%250+1), 0,
						table.Endpoint{Addr: netip.MustParseAddr("10.244.0.2"), Port: 80}, table.Endpoint{Addr: netip.MustParseAddr("10.244.0.3"), Port: 80}))
				}
				if err := d.Reset(context.Background(), all); err != nil {
					b.Error(err)
					return
				}
				i := 0
				for b.Loop() {
					i++
					s := service("s0", "10.96.0.1", 0, table.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 244, 1, byte(i%250 + 1)}), Port: 80})
					if err := d.Apply(context.Background(), map[table.Key]*table.Service{s.Key: s}); err != nil {
						b.Error(err)
						return
					}
				}
			}()
			<-done
		})
	}
}
