// Keelson-scheduler assigns pods to nodes.
package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/keelson/keelson/proto/sdk/process"
	"github.com/keelson/keelson/scheduler/embed"
)

func main() {
	var config embed.Config
	process.Main(process.Command{
		Name: "keelson-scheduler", Short: "assigns pods to nodes",
		MetricsAddress: "127.0.0.1:10259", Client: true,
		Flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&config.SchedulerName, "scheduler-name", "default-scheduler", "schedule the pods whose spec.schedulerName this is")
			fs.BoolVar(&config.LeaderElect, "leader-elect", true, "work only while holding the Lease kube-system/kube-scheduler")
		},
		Run: func(ctx context.Context, p *process.Process) error {
			config.Client, config.Logger, config.Health = p.Client, p.Logger, p.Health
			return embed.Start(ctx, config)
		},
	})
}
