// Command keelson-apiserver is the only way into a cluster: it keeps all objects in etcd and serves them through gRPC
// to the other components and through Kubernetes' HTTP API to everybody else.
package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keelson/keelson/apiserver/embed"
	"github.com/keelson/keelson/proto/sdk/process"
)

func main() {
	cfg := embed.Default()
	process.Main(process.Command{
		Name:           "keelson-apiserver",
		Short:          "keeps the cluster's objects and serves them over gRPC and Kubernetes' HTTP API",
		MetricsAddress: "127.0.0.1:6445",
		Flags:          func(fs *pflag.FlagSet) { flags(fs, &cfg) },
		Run: func(ctx context.Context, p *process.Process) error {
			boundMemory()
			cfg.Logger, cfg.Health = p.Logger, p.Health
			return embed.Start(ctx, cfg)
		},
		Commands: []*cobra.Command{newIssueCommand()},
	})
}

// flags names the settings of a server.
func flags(fs *pflag.FlagSet, c *embed.Config) {
	fs.StringVar(&c.DataDir, "data-dir", c.DataDir, "directory of keys, certificates and the embedded database")
	fs.StringVar(&c.RESTAddress, "rest-bind-address", c.RESTAddress, "host:port of Kubernetes' HTTP API")
	fs.StringVar(&c.GRPCAddress, "grpc-bind-address", c.GRPCAddress, "host:port of the components' gRPC API")
	fs.StringVar(&c.AdvertiseAddress, "advertise-address", c.AdvertiseAddress, "IP address under which nodes and pods reach this server; empty: that of the default route")
	fs.StringSliceVar(&c.TLSNames, "tls-san", c.TLSNames, "further DNS name or IP address of the serving certificate; repeatable")
	fs.StringSliceVar(&c.EtcdEndpoints, "etcd-endpoints", c.EtcdEndpoints, "URLs of an external etcd; empty: etcd runs in this process")
	fs.StringVar(&c.EtcdCA, "etcd-ca", c.EtcdCA, "file with the authority of etcd's certificates")
	fs.StringVar(&c.EtcdCert, "etcd-cert", c.EtcdCert, "file with the client certificate for etcd")
	fs.StringVar(&c.EtcdKey, "etcd-key", c.EtcdKey, "file with the key of --etcd-cert")
	fs.StringVar(&c.ServiceRange, "service-cluster-ip-range", c.ServiceRange, "range of the addresses of Services")
	fs.StringVar(&c.NodePortRange, "service-node-port-range", c.NodePortRange, "range of the node ports of Services")
	fs.StringVar(&c.ClusterDomain, "cluster-domain", c.ClusterDomain, "DNS suffix of Services")
	fs.DurationVar(&c.EventTTL, "event-ttl", c.EventTTL, "how long events are kept")
	fs.IntVar(&c.MaxRequests, "max-requests-inflight", c.MaxRequests, "requests served at a time, watches and streams aside; 0 is 600")
	fs.DurationVar(&c.RequestTimeout, "request-timeout", c.RequestTimeout, "longest time of a REST request that is neither a watch nor a stream")
	fs.DurationVar(&c.ShutdownTimeout, "shutdown-timeout", c.ShutdownTimeout, "how long requests being served may hold up the stop")
}
