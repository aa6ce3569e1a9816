package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
)

// imageNamespace is where the kubelet looks for images and runs containers.
const imageNamespace = "k8s.io"

// containerdConfig is a node's containerd configuration: a root and a socket of its own, and nothing that a kubelet which
// speaks containerd's own API does not use.
const containerdConfig = `version = 2
root = %q
state = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = %q
[debug]
  level = "warn"
`

func (c *Config) startContainerd(n node) error {
	dir := c.nodeDir(n)
	state := filepath.Join(runDir, n.Name, "containerd")
	for _, d := range []string{dir, state} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return err
		}
	}
	config := filepath.Join(dir, "containerd.toml")
	text := fmt.Sprintf(containerdConfig, filepath.Join(dir, "containerd"), state, containerdSocket(n))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	_, err := c.ensure(command{
		scope: n.Name, component: "containerd", namespace: n.Namespace,
		argv: []string{"containerd", "--config", config},
	})
	return err
}

// dialContainerd connects to a node's containerd, waiting until it answers.
func (c *Config) dialContainerd(ctx context.Context, n node) (*containerd.Client, error) {
	socket := containerdSocket(n)
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var client *containerd.Client
	var last error
	err := until(wait, 20*time.Millisecond, func() bool {
		if dead := c.firstDead(); dead != nil {
			last = dead
			cancel()
			return false
		}
		if _, last = os.Stat(socket); last != nil {
			return false
		}
		client, last = containerd.New(socket, containerd.WithDefaultNamespace(imageNamespace), containerd.WithTimeout(2*time.Second))
		if last != nil {
			return false
		}
		if _, last = client.Version(wait); last != nil {
			client.Close()
			return false
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("containerd of %s does not answer on %s: %w (log: %s)", n.Name, socket, last, c.logFile(n.Name, "containerd"))
	}
	return client, nil
}
