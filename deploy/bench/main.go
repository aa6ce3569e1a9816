// Command bench measures Keelson's JSON codec against apimachinery's serializer, in one run, and an API server of its
// own with embedded etcd over REST and gRPC. `make bench` runs it; docs/benchmarks.md explains it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/keelson/keelson/deploy/bench/internal/document"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f, err := parse(args)
	if err == flag.ErrHelp {
		return nil
	}
	if err != nil {
		return err
	}
	b := &bench{flags: f, progress: os.Stderr}
	// What was measured until an error is shown too.
	err = b.measure(ctx)
	if terr := b.report.Text(os.Stdout); err == nil {
		err = terr
	}
	if err == nil && f.markdown != "" {
		err = document.Write(b.flags.markdown, b.report.Markdown)
	}
	if err != nil {
		return err
	}
	return b.verdict()
}
