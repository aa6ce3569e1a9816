// Package local runs a whole Keelson cluster on one machine: every component as a process of its own, every node but
// a single one in a network namespace of its own, with its own containerd. It is what `make up` and `make down` call.
//
// Everything that the cluster holds is either below Config.Dir (data, logs, pid files), below /run/keelson (sockets,
// which must have short paths) or carries the prefix "keelson" (links, network namespaces, cgroups, chains), so that
// Down finds it by looking at the machine and not at a list of what Up did.
package local

import (
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
)

// Config says what cluster to run. The zero value of a field takes the default named with it.
type Config struct {
	// Dir holds data, logs and pid files. Required.
	Dir string
	// Bin holds the keelson-* binaries. Required.
	Bin string
	// Examples holds the example applications; empty: none is run.
	Examples string
	// Nodes is the number of nodes, 1 to 9. One node lives in the machine's own network namespace; more get one each.
	Nodes int
	// EtcdMembers is the number of external etcd members to run; 0: etcd embedded in the API server.
	EtcdMembers int
	// EtcdBinary is the etcd program for EtcdMembers.
	EtcdBinary string
	// Etcd points to an etcd cluster that someone else runs; empty Endpoints: none.
	Etcd EtcdClient
	// ComponentFlags are added to the command line of a component, by its name.
	ComponentFlags map[string][]string
	// Out is told what is going on.
	Out io.Writer
}

// EtcdClient says how to reach an external etcd.
type EtcdClient struct {
	Endpoints     string
	CA, Cert, Key string
}

const (
	// runDir holds sockets. A socket's path is bounded to 108 bytes, a checkout's is not.
	runDir = "/run/keelson"
	// bridgeName is the link that joins the nodes and the machine.
	bridgeName = "keelson0"
	// clusterCIDR, serviceCIDR and dnsAddress are the components' defaults.
	clusterCIDR = "10.244.0.0/16"
	serviceCIDR = "10.96.0.0/16"
	dnsAddress  = "10.96.0.10"
	// restPort and grpcPort are where the API server listens.
	restPort, grpcPort = 6443, 6444
)

// hostAddress is the machine's own address on the bridge; nodes follow from .11 on.
var hostAddress = netip.MustParsePrefix("172.30.0.1/24")

// node is one node of the cluster.
type node struct {
	// Name is the Node object's name, and the folder below run/ and logs/.
	Name string
	// Address is the node's InternalIP.
	Address netip.Addr
	// Namespace is the name of the network namespace; empty: the machine's.
	Namespace string
}

func (c *Config) node(i int) node {
	n := node{Name: fmt.Sprintf("node-%d", i), Address: hostAddress.Addr()}
	if c.Nodes > 1 {
		a := hostAddress.Addr().As4()
		a[3] = byte(10 + i)
		n.Address = netip.AddrFrom4(a)
		n.Namespace = "keelson-" + n.Name
	}
	return n
}

func (c *Config) nodes() []node {
	out := make([]node, 0, c.Nodes)
	for i := 1; i <= c.Nodes; i++ {
		out = append(out, c.node(i))
	}
	return out
}

// Kubeconfig is the administrator's kubeconfig.
func (c *Config) Kubeconfig() string { return filepath.Join(c.Dir, "admin.kubeconfig") }

func (c *Config) dataDir() string                { return filepath.Join(c.Dir, "apiserver") }
func (c *Config) binary(component string) string { return filepath.Join(c.Bin, "keelson-"+component) }

// pidFile of a component; scope is a node's name or empty.
func (c *Config) pidFile(scope, component string) string {
	return filepath.Join(c.Dir, "run", scope, component+".pid")
}

func (c *Config) logFile(scope, component string) string {
	return filepath.Join(c.Dir, "logs", scope, component+".log")
}

// nodeDir is what a node keeps between two starts.
func (c *Config) nodeDir(n node) string { return filepath.Join(c.Dir, "nodes", n.Name) }

// containerdSocket of a node.
func containerdSocket(n node) string { return filepath.Join(runDir, n.Name, "containerd.sock") }

func (c *Config) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }
