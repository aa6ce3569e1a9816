// Package process is the base of every Keelson binary: flags, logs, metrics, health, signals and the way out.
//
//	flags ─► logger ─► metrics and health endpoint ─► Run(ctx) ─ SIGTERM ─► ctx ends ─► Run returns ─► endpoint closes ─► exit
//
// A main names its flags and hands their values to its component's embed package, which is what tests call:
//
//	func main() {
//		cfg := embed.Config{}
//		process.Main(process.Command{
//			Name: "keelson-scheduler", Short: "assigns pods to nodes", MetricsAddress: "127.0.0.1:10259", Client: true,
//			Flags: func(fs *pflag.FlagSet) { fs.IntVar(&cfg.Workers, "workers", 4, "...") },
//			Run: func(ctx context.Context, p *process.Process) error {
//				cfg.Client, cfg.Logger, cfg.Health = p.Client, p.Logger, p.Health
//				return embed.Start(ctx, cfg)
//			},
//		})
//	}
package process
