package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"

	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/pods"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// serve carries out a session's operation and returns the exit code of an exec.
func serve(ctx context.Context, cfg Config, open *tunnelv1.ConnectResponse, s *stream, in *input) (int, error) {
	stdout := &output{s, tunnelv1.Channel_CHANNEL_STDOUT}
	stderr := &output{s, tunnelv1.Channel_CHANNEL_STDERR}
	switch op := open.Operation.(type) {
	case *tunnelv1.ConnectResponse_Log:
		return 0, readLog(ctx, cfg, op.Log, stdout)
	case *tunnelv1.ConnectResponse_Exec:
		c, err := running(cfg, op.Exec.Container)
		if err != nil {
			return 0, err
		}
		return cfg.Runtime.Exec(ctx, c.ID, runtime.ExecConfig{
			Command: op.Exec.Command, TTY: op.Exec.Tty,
			Streams: streams(in, stdout, stderr, op.Exec.Stdin, op.Exec.Stdout, op.Exec.Stderr, op.Exec.Tty),
		})
	case *tunnelv1.ConnectResponse_Attach:
		c, err := running(cfg, op.Attach.Container)
		if err != nil {
			return 0, err
		}
		return 0, cfg.Runtime.Attach(ctx, c.ID, streams(in, stdout, stderr, op.Attach.Stdin, op.Attach.Stdout, op.Attach.Stderr, op.Attach.Tty))
	case *tunnelv1.ConnectResponse_PortForward:
		return 0, forward(ctx, cfg, op.PortForward, in, stdout)
	case *tunnelv1.ConnectResponse_Dial:
		return 0, dial(ctx, cfg, op.Dial, in, stdout)
	case *tunnelv1.ConnectResponse_Node:
		return 0, nodeAPI(ctx, cfg, in, stdout)
	case *tunnelv1.ConnectResponse_Stats:
		return 0, errors.New("stats are not supported by this kubelet")
	}
	return 0, errors.New("unknown operation")
}

func streams(in *input, stdout, stderr io.Writer, withIn, withOut, withErr, tty bool) runtime.Streams {
	s := runtime.Streams{}
	if withIn {
		s.Stdin = in.reader
	}
	if withOut {
		s.Stdout = stdout
	}
	if withErr && !tty {
		s.Stderr = stderr
	}
	if tty {
		s.Resize = in.resize
	}
	return s
}

// find looks a container up.
func find(cfg Config, c *tunnelv1.Container) (pods.ContainerView, error) {
	view, err := cfg.Pods.Find(c.GetPodNamespace(), c.GetPodName(), c.GetPodUid())
	if err != nil {
		return pods.ContainerView{}, err
	}
	return view.Container(c.GetContainerName())
}

func running(cfg Config, c *tunnelv1.Container) (pods.ContainerView, error) {
	found, err := find(cfg, c)
	if err != nil {
		return found, err
	}
	if !found.Running {
		return found, fmt.Errorf("container %s of pod %s: %w", found.Name, c.GetPodName(), runtime.ErrNotRunning)
	}
	return found, nil
}

func readLog(ctx context.Context, cfg Config, o *tunnelv1.LogOptions, out io.Writer) error {
	c, err := find(cfg, o.Container)
	if err != nil {
		return err
	}
	path := c.LogPath
	if o.Previous {
		if path = c.PreviousLogPath; path == "" {
			return &badRequest{fmt.Sprintf("previous terminated container %q in pod %q not found", c.Name, o.Container.GetPodName())}
		}
	}
	if path == "" {
		return &badRequest{fmt.Sprintf("container %q in pod %q is waiting to start: %s", c.Name, o.Container.GetPodName(), c.Waiting)}
	}
	options := logs.Options{
		Follow: o.Follow && !o.Previous && c.Running, Done: c.Ended, Timestamps: o.Timestamps, TailLines: o.TailLines, LimitBytes: o.LimitBytes,
	}
	if o.Since != nil {
		options.Since = o.Since.AsTime()
	}
	switch o.Stream {
	case "Stdout":
		options.Stream = logs.Stdout
	case "Stderr":
		options.Stream = logs.Stderr
	}
	err = logs.Read(ctx, path, options, out, out)
	if errors.Is(err, os.ErrNotExist) {
		if o.Previous {
			return &badRequest{fmt.Sprintf("previous terminated container %q in pod %q not found", c.Name, o.Container.GetPodName())}
		}
		return nil
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func forward(ctx context.Context, cfg Config, o *tunnelv1.PortForwardOptions, in *input, out io.Writer) error {
	view, err := cfg.Pods.Find(o.Container.GetPodNamespace(), o.Container.GetPodName(), o.Container.GetPodUid())
	if err != nil {
		return err
	}
	conn, err := cfg.Runtime.Dial(ctx, view.UID, int(o.Port))
	if err != nil {
		return fmt.Errorf("failed to connect to localhost:%d inside the pod's network: %w", o.Port, err)
	}
	return join(ctx, conn, in, out)
}

// join carries the bytes of a session to a connection and back, until one of them ends.
func join(ctx context.Context, conn io.ReadWriteCloser, in *input, out io.Writer) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(conn, in.reader)
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
	_, err := io.Copy(out, conn)
	_ = conn.Close()
	_ = in.reader.Close()
	up.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}
