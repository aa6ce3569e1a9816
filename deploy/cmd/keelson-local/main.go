// Keelson-local runs a cluster on this machine; `make up`, `make down` and `make load` are its usual callers.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/keelson/keelson/deploy/internal/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	config := local.Config{Out: os.Stdout}
	var flags []string
	root := &cobra.Command{
		Use: "keelson-local", Short: "Run a Keelson cluster on this machine",
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			for _, path := range []*string{&config.Dir, &config.Bin} {
				abs, err := filepath.Abs(*path)
				if err != nil {
					return err
				}
				*path = abs
			}
			config.ComponentFlags = map[string][]string{}
			for _, f := range flags {
				component, flag, found := strings.Cut(f, "=")
				if !found {
					return fmt.Errorf("--component-flag %q: must be COMPONENT=FLAG", f)
				}
				config.ComponentFlags[component] = append(config.ComponentFlags[component], flag)
			}
			return nil
		},
	}
	root.PersistentFlags().StringVar(&config.Dir, "dir", ".keelson", "folder of data, logs and pid files")
	root.PersistentFlags().StringVar(&config.Bin, "bin", "bin", "folder of the keelson-* programs")
	up := &cobra.Command{
		Use: "up", Short: "Start what does not run yet and wait until it is ready", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return config.Up(cmd.Context()) },
	}
	up.Flags().IntVar(&config.Nodes, "nodes", 1, "number of nodes")
	up.Flags().StringVar(&config.Examples, "examples", "", "folder of the examples; the shop is run from it")
	up.Flags().IntVar(&config.EtcdMembers, "etcd-members", 0, "run so many etcd members with TLS instead of the embedded etcd")
	up.Flags().StringVar(&config.EtcdBinary, "etcd-binary", "", "the etcd program for --etcd-members")
	up.Flags().StringVar(&config.Etcd.Endpoints, "etcd-endpoints", "", "use an etcd that runs elsewhere (comma-separated URLs)")
	up.Flags().StringVar(&config.Etcd.CA, "etcd-ca", "", "its CA certificate")
	up.Flags().StringVar(&config.Etcd.Cert, "etcd-cert", "", "client certificate for it")
	up.Flags().StringVar(&config.Etcd.Key, "etcd-key", "", "client key for it")
	up.Flags().StringArrayVar(&flags, "component-flag", nil, "COMPONENT=FLAG: add a flag to a component's command line (repeatable)")
	down := &cobra.Command{
		Use: "down", Short: "Stop everything and leave nothing behind but the data", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return config.Down(cmd.Context()) },
	}
	load := &cobra.Command{
		Use: "load ARCHIVE", Short: "Put the images of an archive on every node", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return config.Load(cmd.Context(), args[0]) },
	}
	get := &cobra.Command{
		Use: "get URL", Short: "Fetch a URL whose host the cluster's DNS knows", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := local.Get(cmd.Context(), args[0])
			fmt.Print(body)
			return err
		},
	}
	root.AddCommand(up, down, load, get)
	return root
}
