// Keelson-proxy makes Services reachable on one node, by address and by name.
package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keelson/keelson/proto/sdk/process"
	"github.com/keelson/keelson/proxy/embed"
)

func main() {
	var config embed.Config
	process.Main(process.Command{
		Name: "keelson-proxy", Short: "makes Services reachable on one node, by address and by name",
		MetricsAddress: "127.0.0.1:10249", Client: true,
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&config.NodeName, "node-name", "", "name of the node")
			fs.StringVar(&config.Mode, "mode", embed.DefaultMode, "dataplane: iptables")
			fs.StringVar(&config.ClusterCIDR, "cluster-cidr", embed.DefaultClusterCIDR, "prefix of all pods' addresses")
			fs.StringVar(&config.DNSAddress, "dns-address", embed.DefaultDNSAddress, "answer names on this address, on a link of the node's own; empty: no DNS")
			fs.StringVar(&config.Domain, "cluster-domain", embed.DefaultDomain, "domain of the cluster")
			fs.StringVar(&config.ResolvConf, "resolv-conf", embed.DefaultResolvConf, "file with the servers for other names")
		},
		Commands: []*cobra.Command{{
			Use: "cleanup", Short: "Remove every rule and link that a proxy made here", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return embed.Cleanup() },
		}},
		Run: func(ctx context.Context, p *process.Process) error {
			config.Client, config.Logger, config.Health = p.Client, p.Logger, p.Health
			return embed.Start(ctx, config)
		},
	})
}
