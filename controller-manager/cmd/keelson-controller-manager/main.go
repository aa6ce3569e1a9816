// Command keelson-controller-manager runs Keelson's controllers against an API server.
package main

import (
	"context"
	"strings"

	"github.com/keelson/keelson/proto/sdk/process"
	"github.com/spf13/pflag"

	"github.com/keelson/keelson/controller-manager/embed"
)

func main() {
	cfg := embed.Default()
	process.Main(process.Command{
		Name:           "keelson-controller-manager",
		Short:          "reconciles the cluster's actual state with its declared state",
		MetricsAddress: "127.0.0.1:10257",
		Client:         true,
		Flags:          func(fs *pflag.FlagSet) { flags(fs, &cfg) },
		Run: func(ctx context.Context, p *process.Process) error {
			cfg.Client, cfg.Logger, cfg.Health = p.Client, p.Logger, p.Health
			return embed.Start(ctx, cfg)
		},
	})
}

func flags(fs *pflag.FlagSet, cfg *embed.Config) {
	fs.StringVar(&cfg.ClusterCIDR, "cluster-cidr", cfg.ClusterCIDR, "range of all pods' addresses")
	fs.IntVar(&cfg.NodeCIDRMaskSize, "node-cidr-mask-size", cfg.NodeCIDRMaskSize, "prefix length of one node's part of --cluster-cidr")
	fs.DurationVar(&cfg.NodeMonitorGracePeriod, "node-monitor-grace-period", cfg.NodeMonitorGracePeriod, "how long a kubelet may be silent before its node is marked as not ready")
	fs.Float64Var(&cfg.NodeEvictionRate, "node-eviction-rate", cfg.NodeEvictionRate, "how many nodes of a zone may be emptied each second when they are not ready")
	fs.Float64Var(&cfg.SecondaryNodeEvictionRate, "secondary-node-eviction-rate", cfg.SecondaryNodeEvictionRate, "the same for a zone that is unhealthy as a whole, in large clusters; none are emptied there in small ones")
	fs.Float64Var(&cfg.UnhealthyZoneThreshold, "unhealthy-zone-threshold", cfg.UnhealthyZoneThreshold, "share of a zone's nodes that has to be not ready (three at least) for the zone to be unhealthy")
	fs.IntVar(&cfg.LargeClusterSizeThreshold, "large-cluster-size-threshold", cfg.LargeClusterSizeThreshold, "number of nodes above which a cluster is large")
	fs.BoolVar(&cfg.LeaderElect, "leader-elect", cfg.LeaderElect, "let only one of several controller managers work")
	fs.StringSliceVar(&cfg.Controllers, "controllers", cfg.Controllers, `controllers to run: "*" is all, "-name" all but; of `+strings.Join(embed.ControllerNames(), ", "))
	fs.IntVar(&cfg.TerminatedPodGCThreshold, "terminated-pod-gc-threshold", cfg.TerminatedPodGCThreshold, "how many finished pods are kept before the oldest are removed; 0 is all")
	fs.StringVar(&cfg.RootCAFile, "root-ca-file", "", "authority that is published to pods as ConfigMap kube-root-ca.crt (default: that of --tls-ca)")
}
