package local

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	coordinationv1 "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
)

// connect dials the API server as the administrator.
func (c *Config) connect() (*client.Conn, error) {
	pki := filepath.Join(c.dataDir(), "pki")
	return client.Dial(client.Config{
		Endpoints: []string{fmt.Sprintf("127.0.0.1:%d", grpcPort)},
		CAFile:    filepath.Join(pki, "ca.crt"),
		CertFile:  filepath.Join(pki, "admin.crt"),
		KeyFile:   filepath.Join(pki, "admin.key"),
		UserAgent: "keelson-local",
	})
}

// forgetOtherNodes removes the Node objects of an earlier, larger cluster and what was bound to them: their machines are
// gone for good, which the cluster could only find out by waiting.
func (c *Config) forgetOtherNodes(ctx context.Context, conn *client.Conn) error {
	nodes := client.For[*corev1.Node](conn)
	items, _, err := nodes.List(ctx, client.ListOptions{})
	if err != nil {
		return err
	}
	for _, item := range items {
		name := item.GetMetadata().GetName()
		if strings.HasPrefix(name, "node-") && !c.has(name) {
			if err := nodes.Delete(ctx, "", name, client.DeleteOptions{}); err != nil {
				return err
			}
			if err := forgetPods(ctx, conn, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func forgetPods(ctx context.Context, conn *client.Conn, node string) error {
	pods := client.For[*corev1.Pod](conn)
	items, _, err := pods.List(ctx, client.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return err
	}
	now := int64(0)
	for _, item := range items {
		m := item.GetMetadata()
		err := pods.Delete(ctx, m.GetNamespace(), m.GetName(), client.DeleteOptions{GracePeriodSeconds: &now, Preconditions: client.UID(m.GetUid())})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// waitNodes waits until each node is Ready and its kubelet, where this run started it, has renewed its lease since begin:
// a condition outlives the kubelet that wrote it.
func (c *Config) waitNodes(ctx context.Context, conn *client.Conn, begin time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	nodes := client.For[*corev1.Node](conn)
	var waiting []string
	var last error
	err := until(ctx, 100*time.Millisecond, func() bool {
		if last = c.firstDead(); last != nil {
			cancel()
			return false
		}
		items, _, err := nodes.List(ctx, client.ListOptions{})
		if err != nil {
			last = err
			return false
		}
		ready := map[string]bool{}
		for _, item := range items {
			name := item.GetMetadata().GetName()
			ready[name] = isReady(item) && (!c.startedNow(name, "kubelet") || c.renewed(ctx, conn, name, begin))
		}
		waiting = waiting[:0]
		for _, n := range c.nodes() {
			if !ready[n.Name] {
				waiting = append(waiting, n.Name)
			}
		}
		return len(waiting) == 0
	})
	if err == nil {
		return nil
	}
	if last != nil {
		return last
	}
	return fmt.Errorf("not Ready in time: %s (logs: %s)", strings.Join(waiting, ", "), filepath.Join(c.Dir, "logs"))
}

// renewed tells whether a node's lease was renewed since the given time.
func (c *Config) renewed(ctx context.Context, conn *client.Conn, node string, since time.Time) bool {
	lease, err := client.For[*coordinationv1.Lease](conn).Get(ctx, "kube-node-lease", node)
	if err != nil {
		return false
	}
	return !apitime.GoMicro(lease.GetSpec().GetRenewTime()).Before(since.Truncate(time.Microsecond))
}

func isReady(n *corev1.Node) bool {
	for _, cond := range n.GetStatus().GetConditions() {
		if cond.GetType() == "Ready" {
			return cond.GetStatus() == "True"
		}
	}
	return false
}
