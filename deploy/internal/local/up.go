package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxNodes bounds what one machine is asked to carry; node addresses and the bridge's prefix have room for more.
const maxNodes = 9

// Up starts what of the cluster does not run yet, waits until every node is Ready and, with Config.Examples, until
// the example answers. It may be called again at any time.
func (c *Config) Up(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	begin := time.Now()
	if err := c.installMissing(ctx); err != nil {
		return err
	}
	bridge, err := ensureBridge()
	if err != nil {
		return err
	}
	if c.Nodes == 1 {
		if err := ensureServiceRoute(bridge); err != nil {
			return err
		}
	}
	etcd := c.Etcd
	if c.EtcdMembers > 0 {
		c.say("starting etcd (%d members)", c.EtcdMembers)
		if etcd, err = c.startEtcd(ctx); err != nil {
			return err
		}
	}
	c.say("starting the API server")
	if err := c.startAPIServer(etcd); err != nil {
		return err
	}
	// containerd needs nothing of the API server: both start side by side.
	nodes := c.nodes()
	for _, n := range nodes {
		if err := ensureNamespace(n, bridge); err != nil {
			return err
		}
		if err := c.startContainerd(n); err != nil {
			return err
		}
	}
	if err := c.waitReady(ctx); err != nil {
		return err
	}
	c.say("starting the scheduler and the controller manager")
	if err := c.startControlPlane(); err != nil {
		return err
	}
	c.say("starting %d node(s)", len(nodes))
	var group errgroup.Group
	for _, n := range nodes {
		group.Go(func() error { return c.startNode(ctx, n) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	conn, err := c.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.forgetOtherNodes(ctx, conn); err != nil {
		return err
	}
	if err := c.waitNodes(ctx, conn, begin); err != nil {
		return err
	}
	c.say("every node is Ready after %.1f s", time.Since(begin).Seconds())
	if c.Examples != "" {
		if err := c.runExample(ctx, conn); err != nil {
			return err
		}
	}
	c.say("the cluster is up after %.1f s; go on with\n\nexport KUBECONFIG=%s", time.Since(begin).Seconds(), c.Kubeconfig())
	return nil
}

// startNode starts a node's containerd, kubelet and proxy.
func (c *Config) startNode(ctx context.Context, n node) error {
	pki, err := c.issue(ctx, n)
	if err != nil {
		return err
	}
	client, err := c.dialContainerd(ctx, n)
	if err != nil {
		return err
	}
	client.Close()
	return c.startNodeComponents(n, pki)
}

// check refuses what cannot work before anything is touched.
func (c *Config) check() error {
	if os.Geteuid() != 0 {
		return errors.New("a local cluster needs root: it makes containers, links and rules")
	}
	if c.Nodes < 1 || c.Nodes > maxNodes {
		return fmt.Errorf("nodes: %d: must be between 1 and %d", c.Nodes, maxNodes)
	}
	if c.EtcdMembers > 0 && c.Etcd.Endpoints != "" {
		return errors.New("etcd members and etcd endpoints exclude each other: one runs etcd here, the other names one that runs elsewhere")
	}
	if c.EtcdMembers < 0 || c.EtcdMembers > 5 {
		return fmt.Errorf("etcd members: %d: must be between 0 and 5", c.EtcdMembers)
	}
	for _, component := range []string{"apiserver", "scheduler", "controller-manager", "kubelet", "proxy"} {
		if !exists(c.binary(component)) {
			return fmt.Errorf("%s is not there: build it with `make build`", c.binary(component))
		}
	}
	running := c.runningNodes()
	if len(running) > 0 && (c.Nodes > 1) != (running[0].Namespace != "") {
		return errors.New("the cluster that runs has its only node in the machine's own network, one of several nodes has each in a namespace of its own: run `make down` first")
	}
	for _, n := range running {
		if !c.has(n.Name) {
			return fmt.Errorf("%s runs, but %d node(s) are asked for: run `make down` first", n.Name, c.Nodes)
		}
	}
	return nil
}

func (c *Config) has(name string) bool {
	for _, n := range c.nodes() {
		if n.Name == name {
			return true
		}
	}
	return false
}
