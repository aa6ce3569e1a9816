package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/health"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
)

// Command describes a binary.
type Command struct {
	// Name of the binary: "keelson-scheduler".
	Name string
	// Short says in half a sentence what it does; Long, where set, says more in --help.
	Short, Long string
	// MetricsAddress is the default of --metrics-bind-address.
	MetricsAddress string
	// Client says that the binary is a client of the API server: it has --server and the --tls flags.
	Client bool
	// Flags adds the component's own flags.
	Flags func(*pflag.FlagSet)
	// Run is the component. It returns once it has stopped: after the context ended, or with the error that made it
	// give up.
	Run func(ctx context.Context, p *Process) error
	// Commands are sub-commands, which bring their own flags and have neither signals nor endpoints.
	Commands []*cobra.Command
}

// Process is what a component gets from its process.
type Process struct {
	// Logger is named after the binary.
	Logger *zap.Logger
	// Client says how to reach the API server; for a Command with Client.
	Client client.Config
	// Health takes the component's checks.
	Health *health.Checks
}

// flags are those that all binaries have.
type flags struct {
	logLevel, logFormat    string
	metricsAddress         string
	profiling              bool
	server                 []string
	tlsCA, tlsCert, tlsKey string
}

// Main runs the command with the arguments of the process and exits: 0 after a regular stop, 1 after an error.
func Main(c Command) {
	if err := Execute(context.Background(), c, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", c.Name, err)
		os.Exit(1)
	}
}

// Execute runs the command with the arguments until it stops by itself, by a signal or by the context's end.
func Execute(ctx context.Context, c Command, args []string) error {
	var f flags
	cmd := &cobra.Command{
		Use: c.Name, Short: c.Short, Long: c.Long, Version: Version(),
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), c, f) },
	}
	if cmd.Long == "" {
		cmd.Long = c.Name + " " + c.Short + "."
	}
	cmd.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(c.Commands...)
	fs := cmd.Flags()
	fs.SortFlags = true
	f.add(fs, c)
	if c.Flags != nil {
		c.Flags(fs)
	}
	cmd.SetArgs(args)
	return cmd.ExecuteContext(ctx)
}

func (f *flags) add(fs *pflag.FlagSet, c Command) {
	fs.StringVar(&f.logLevel, "log-level", "info", "lowest level that is logged: debug, info, warn or error")
	fs.StringVar(&f.logFormat, "log-format", "console", "form of log lines: console or json")
	fs.StringVar(&f.metricsAddress, "metrics-bind-address", c.MetricsAddress, `address of /metrics, /healthz, /livez and /readyz over HTTP; "0" for none`)
	fs.BoolVar(&f.profiling, "profiling", false, "serve /debug/pprof at --metrics-bind-address")
	if c.Client {
		fs.StringSliceVar(&f.server, "server", nil, "host:port of an API server's gRPC; repeat it, or separate by commas, for several")
		fs.StringVar(&f.tlsCA, "tls-ca", "", "file with the authorities of the API servers' certificates")
		fs.StringVar(&f.tlsCert, "tls-cert", "", "file with the client certificate; read again when it changes")
		fs.StringVar(&f.tlsKey, "tls-key", "", "file with the client certificate's key")
	}
}

func run(ctx context.Context, c Command, f flags) (err error) {
	if c.Client && len(f.server) == 0 {
		return errors.New("--server is required: host:port of an API server")
	}
	log, err := newLogger(f.logLevel, f.logFormat, os.Stderr)
	if err != nil {
		return err
	}
	log = log.Named(c.Name)
	defer func() { _ = log.Sync() }()

	ctx, stop := untilSignal(ctx, log)
	defer stop()

	p := &Process{Logger: log, Health: &health.Checks{}}
	if c.Client {
		p.Client = client.Config{
			Endpoints: f.server, CAFile: f.tlsCA, CertFile: f.tlsCert, KeyFile: f.tlsKey,
			UserAgent: c.Name + "/" + Version(), Logger: log.Named("client"), DialOptions: clientMetrics(),
		}
	}
	endpoint, err := serve(f.metricsAddress, handler(p.Health, f.profiling), log)
	if err != nil {
		return err
	}
	defer endpoint.close()

	log.Info("starting", zap.String("version", Version()), zap.Int("pid", os.Getpid()))
	if err := c.Run(ctx, p); err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		log.Error("failed", zap.Error(err))
		return err
	}
	log.Info("stopped")
	return nil
}

// untilSignal returns a context that SIGTERM or SIGINT ends. A second signal ends the process on the spot: somebody
// does not want to wait.
func untilSignal(ctx context.Context, log *zap.Logger) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-signals:
			log.Info("stopping", zap.Stringer("signal", s))
			cancel()
		case <-done:
			return
		}
		select {
		case <-signals:
			os.Exit(1)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		<-ended
		cancel()
	}
}
