// Command keelson-kubelet runs the pods of one node.
package main

import (
	"context"
	"os"
	goruntime "runtime"
	"slices"

	"github.com/keelson/keelson/kubelet/embed"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
	"github.com/keelson/keelson/proto/sdk/process"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// version that the kubelet tells: that of the API it speaks, and its own.
const version = "v1.37.0+keelson"

// init keeps main on the process's first thread: threads that enter namespaces end with their goroutine, and the first
// one can't end.
func init() { goruntime.LockOSThread() }

func main() {
	cfg := embed.Default()
	cfg.Version, cfg.Holder = version, []string{"/proc/self/exe", "hold"}
	cleanup := false
	if slices.Contains(os.Args, "--cleanup") {
		// Cleaning up asks no API server, so none has to be named.
		os.Args = append(os.Args, "--server=none:0")
	}
	process.Main(process.Command{
		Name: "keelson-kubelet", Short: "runs the pods of one node", MetricsAddress: "127.0.0.1:10248", Client: true,
		Flags: func(fs *pflag.FlagSet) { flags(fs, &cfg, &cleanup) },
		Run: func(ctx context.Context, p *process.Process) error {
			cfg.API, cfg.Logger, cfg.Health = p.Client, p.Logger, p.Health
			if cleanup {
				return embed.Cleanup(ctx, cfg)
			}
			return embed.Start(ctx, cfg)
		},
		Commands: []*cobra.Command{{
			Use: "hold", Short: "is process 1 of a shared PID namespace", Hidden: true, Args: cobra.NoArgs,
			Run: func(*cobra.Command, []string) { sandbox.Hold() },
		}},
	})
}

func flags(fs *pflag.FlagSet, c *embed.Config, cleanup *bool) {
	fs.StringVar(&c.NodeName, "node-name", c.NodeName, "name of this node")
	fs.StringVar(&c.NodeIP, "node-ip", c.NodeIP, "address of this node (default that of the default route)")
	fs.StringVar(&c.Runtime, "container-runtime", c.Runtime, "containerd; or fake, whose pods only pretend to run")
	fs.StringVar(&c.Containerd, "containerd", c.Containerd, "containerd's socket")
	fs.StringVar(&c.RegistryConfigDir, "registry-config-dir", c.RegistryConfigDir, "directory of containerd's hosts.toml files by registry")
	fs.StringVar(&c.RootDir, "root-dir", c.RootDir, "directory of volumes and of the state of pods")
	fs.StringVar(&c.PodLogDir, "pod-log-dir", c.PodLogDir, "directory of containers' logs")
	fs.StringSliceVar(&c.ClusterDNS, "cluster-dns", c.ClusterDNS, "address of the cluster's name service")
	fs.StringVar(&c.ClusterDomain, "cluster-domain", c.ClusterDomain, "domain of the cluster's names")
	fs.StringVar(&c.ResolvConf, "resolv-conf", c.ResolvConf, "the node's resolver configuration, for pods that use it")
	fs.StringVar(&c.CgroupRoot, "cgroup-root", c.CgroupRoot, "cgroup below which pods live")
	fs.StringVar(&c.Bridge, "bridge", c.Bridge, "name of the pod network's bridge")
	fs.StringVar(&c.ClusterCIDR, "cluster-cidr", c.ClusterCIDR, "addresses of all pods; what goes elsewhere is masqueraded")
	fs.IntVar(&c.MaxPods, "max-pods", c.MaxPods, "most pods on this node")
	fs.StringToStringVar(&c.Labels, "node-labels", nil, "labels of the node: key=value,...")
	fs.StringSliceVar(&c.Taints, "register-with-taints", nil, "taints of the node when it is created: key=value:Effect,...")
	fs.DurationVar(&c.DrainHold, "drain-hold", c.DrainHold, "how long SIGTERM is held back from pods behind Services, so that no request is lost; at most a quarter of their grace period")
	fs.BoolVar(cleanup, "cleanup", false, "remove every container, mount, link, cgroup and rule of this node, and exit")
}
