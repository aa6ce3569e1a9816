// Command bench measures Keelson's JSON codec against apimachinery's serializer, in one run, and an API server of its
// own with embedded etcd over REST and gRPC. `make bench` runs it; docs/benchmarks.md explains it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
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
		err = b.writeMarkdown()
	}
	if err != nil {
		return err
	}
	return b.verdict()
}

// writeMarkdown writes the whole file or leaves the old one.
func (b *bench) writeMarkdown() error {
	tmp, err := os.CreateTemp(filepath.Dir(b.flags.markdown), ".bench-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := b.report.Markdown(tmp); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), b.flags.markdown)
}
