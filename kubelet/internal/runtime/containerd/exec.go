package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Exec implements runtime.Runtime. The command runs as the container's first process does: same user, environment,
// capabilities and cgroup.
func (d *Driver) Exec(ctx context.Context, id string, e runtime.ExecConfig) (int, error) {
	ctx = scope(ctx)
	record, err := d.client.ContainerService().Get(ctx, id)
	if err != nil {
		return 0, translate(err)
	}
	var spec specs.Spec
	if err := typeurl.UnmarshalTo(record.Spec, &spec); err != nil {
		return 0, err
	}
	process := spec.Process
	process.Args, process.Terminal = e.Command, e.TTY
	if e.TTY {
		process.Env = append([]string{"TERM=xterm"}, process.Env...)
		e.Stderr = nil
	}
	encoded, err := typeurl.MarshalAny(process)
	if err != nil {
		return 0, err
	}
	execID := newID()
	service := d.client.TaskService()
	if e.Stdin != nil {
		e.Stdin = &stdinCloser{Reader: e.Stdin, done: func() {
			// The shim holds the FIFO open until it is told that no more comes.
			_, _ = service.CloseIO(context.WithoutCancel(ctx), &tasks.CloseIORequest{ContainerID: id, ExecID: execID, Stdin: true})
		}}
	}
	if e.Stdout == nil {
		e.Stdout = io.Discard
	}
	if e.Stderr == nil && !e.TTY {
		e.Stderr = io.Discard
	}
	opts := []cio.Opt{cio.WithFIFODir(filepath.Join(d.cfg.StateDir, "io", "exec")), cio.WithStreams(e.Stdin, e.Stdout, e.Stderr)}
	if e.TTY {
		opts = append(opts, cio.WithTerminal)
	}
	streams, err := cio.NewCreator(opts...)("exec")
	if err != nil {
		return 0, fmt.Errorf("opening streams: %w", err)
	}
	defer streams.Close()
	cfg := streams.Config()
	_, err = service.Exec(ctx, &tasks.ExecProcessRequest{
		ContainerID: id, ExecID: execID, Terminal: cfg.Terminal, Stdin: cfg.Stdin, Stdout: cfg.Stdout, Stderr: cfg.Stderr,
		Spec: typeurl.MarshalProto(encoded),
	})
	if err != nil {
		streams.Cancel()
		return 0, execError(err)
	}
	return d.runExec(ctx, id, execID, streams, e.Resize)
}

func (d *Driver) runExec(ctx context.Context, id, execID string, streams cio.IO, resize <-chan runtime.Size) (int, error) {
	service := d.client.TaskService()
	// Not bound to ctx: a command whose client is gone is killed and removed all the same.
	clean := context.WithoutCancel(ctx)
	defer func() {
		bounded, cancel := context.WithTimeout(clean, cleanupTime)
		defer cancel()
		_, _ = service.DeleteProcess(bounded, &tasks.DeleteProcessRequest{ContainerID: id, ExecID: execID})
	}()
	if _, err := service.Start(ctx, &tasks.StartRequest{ContainerID: id, ExecID: execID}); err != nil {
		streams.Cancel()
		return 0, execError(err)
	}
	watch, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() {
		for {
			select {
			case <-watch.Done():
				if ctx.Err() != nil {
					_, _ = service.Kill(clean, &tasks.KillRequest{ContainerID: id, ExecID: execID, Signal: uint32(syscall.SIGKILL)})
				}
				return
			case size, ok := <-resize:
				if !ok {
					resize = nil
					continue
				}
				_, _ = service.ResizePty(ctx, &tasks.ResizePtyRequest{ContainerID: id, ExecID: execID, Width: size.Width, Height: size.Height})
			}
		}
	})
	result, err := service.Wait(clean, &tasks.WaitRequest{ContainerID: id, ExecID: execID})
	stop()
	watchers.Wait()
	if err := ctx.Err(); err != nil {
		streams.Cancel()
		return 0, context.Cause(ctx)
	}
	if err != nil {
		streams.Cancel()
		return 0, native(err)
	}
	drained := make(chan struct{})
	go func() {
		streams.Wait()
		close(drained)
	}()
	select {
	case <-drained:
	case <-ctx.Done():
		// A background process of the command holds its output open.
		streams.Cancel()
	}
	return int(result.ExitStatus), nil
}

// execError tells a container that isn't running from a command that can't be run.
func execError(err error) error {
	err = native(err)
	if errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) {
		return fmt.Errorf("%w: %w", runtime.ErrNotRunning, err)
	}
	return fmt.Errorf("failed to exec in container: %w", err)
}

// stdinCloser says once when its reader has ended.
type stdinCloser struct {
	io.Reader
	once sync.Once
	done func()
}

func (s *stdinCloser) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil {
		s.once.Do(s.done)
	}
	return n, err
}

// Attach implements runtime.Runtime.
func (d *Driver) Attach(ctx context.Context, id string, c runtime.Streams) error {
	ctx = scope(ctx)
	record, err := d.client.ContainerService().Get(ctx, id)
	if err != nil {
		return translate(err)
	}
	s, err := d.streamsOf(ctx, record)
	if err != nil {
		return err
	}
	a := &attachment{stdout: c.Stdout, stderr: c.Stderr, gone: make(chan struct{})}
	if !s.attach(a) {
		return runtime.ErrNotRunning
	}
	defer s.detach(a)
	if c.Stdin != nil {
		if s.stdin == nil {
			return errors.New("the container does not keep its standard input open (stdin is false)")
		}
		go func() {
			// Ends with the client's stream, which the caller closes when Attach returns.
			_, err := io.Copy(s.stdin, c.Stdin)
			if err == nil && record.Labels[labelStdinOnce] == "true" {
				_ = s.stdin.Close()
				_, _ = d.client.TaskService().CloseIO(context.WithoutCancel(ctx), &tasks.CloseIORequest{ContainerID: id, Stdin: true})
			}
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.gone:
			return nil
		case size, ok := <-c.Resize:
			if !ok {
				c.Resize = nil
				continue
			}
			_, _ = d.client.TaskService().ResizePty(ctx, &tasks.ResizePtyRequest{ContainerID: id, Width: size.Width, Height: size.Height})
		}
	}
}

// streamsOf returns the streams of a running container, which a kubelet that has just started may not have taken up
// yet.
func (d *Driver) streamsOf(ctx context.Context, record containers.Container) (*streams, error) {
	d.mu.Lock()
	s := d.streams[record.ID]
	d.mu.Unlock()
	if s != nil {
		return s, nil
	}
	state, err := d.client.TaskService().Get(ctx, &tasks.GetRequest{ContainerID: record.ID})
	if isNotFound(err) || err == nil && state.Process.Status != task.Status_RUNNING {
		return nil, runtime.ErrNotRunning
	}
	if err != nil {
		return nil, native(err)
	}
	stdin, tty := parseStdio(record.Labels[runtime.LabelStdin])
	return d.openStreams(record.ID, record.Labels[runtime.LabelLogPath], stdin, tty)
}

// labelStdinOnce keeps stdinOnce.
const labelStdinOnce = "keelson.dev/stdin-once"
