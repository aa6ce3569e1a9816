package containerd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	apievents "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/opencontainers/runtime-spec/specs-go"
	"go.uber.org/zap"
)

const (
	// lostCode is the exit code of a container of whose end nothing is known.
	lostCode = 137
	// drainTime is how long the last output of a container that has exited is waited for.
	drainTime = 2 * time.Second
	// maxMessage bounds what is kept of an error: a label can't be longer than 4096 bytes.
	maxMessage = 3500
)

// exit is how a container ended.
type exit struct {
	code            uint32
	at              time.Time
	reason, message string
}

// Run implements runtime.Runtime.
func (d *Driver) Run(ctx context.Context, handler func(runtime.Container)) error {
	var work sync.WaitGroup
	defer work.Wait()
	delay := time.Duration(0)
	for {
		// Subscribed before the scan, so that no exit falls between them.
		streamCtx, cancel := context.WithCancel(scope(ctx))
		exits, errs := d.client.EventService().Subscribe(streamCtx, `topic=="/tasks/exit"`)
		err := d.scan(ctx, &work, handler)
		if err == nil {
			delay = 0
			err = d.consume(ctx, exits, errs, &work, handler)
		}
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		d.log.Warn("containerd's event stream was cut", zap.Error(err))
		delay = min(max(2*delay, 100*time.Millisecond), 5*time.Second)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// consume handles exits until the stream is cut.
func (d *Driver) consume(ctx context.Context, exits <-chan *events.Envelope, errs <-chan error, work *sync.WaitGroup, handler func(runtime.Container)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-errs:
			if err == nil {
				err = fmt.Errorf("closed by containerd")
			}
			return err
		case envelope := <-exits:
			if envelope == nil || envelope.Namespace != Namespace {
				continue
			}
			event, err := typeurl.UnmarshalAny(envelope.Event)
			if err != nil {
				d.log.Warn("an event of containerd can't be read", zap.Error(err))
				continue
			}
			e, ok := event.(*apievents.TaskExit)
			if !ok || e.ID != e.ContainerID {
				// The exit of an exec'd process.
				continue
			}
			work.Go(func() {
				d.handleExit(ctx, e.ContainerID, exit{code: e.ExitStatus, at: e.ExitedAt.AsTime()}, handler)
			})
		}
	}
}

// scan takes up the containers that run, and concludes those that exited while nobody listened.
func (d *Driver) scan(ctx context.Context, work *sync.WaitGroup, handler func(runtime.Container)) error {
	list, err := d.List(ctx)
	if err != nil {
		return err
	}
	records, err := d.client.ContainerService().List(scope(ctx), d.filter())
	if err != nil {
		return translate(err)
	}
	byID := make(map[string]containers.Container, len(records))
	for _, r := range records {
		byID[r.ID] = r
	}
	for _, c := range list {
		record, ok := byID[c.ID]
		if !ok {
			continue
		}
		_, concluded := record.Labels[runtime.LabelExitCode]
		switch {
		case c.State == runtime.Running:
			stdin, tty := parseStdio(record.Labels[runtime.LabelStdin])
			if _, err := d.openStreams(c.ID, c.LogPath, stdin, tty); err != nil {
				d.log.Error("the streams of a running container can't be opened", zap.String("container", c.ID), zap.Error(err))
			}
		case c.State == runtime.Exited && !concluded:
			work.Go(func() {
				end := exit{code: uint32(c.ExitCode), at: time.Now(), reason: c.Reason}
				if c.Reason == runtime.ReasonUnknown {
					end.message = "The container could not be located when the pod was terminated"
				}
				d.handleExit(ctx, c.ID, end, handler)
			})
		}
	}
	return nil
}

// handleExit concludes a container and reports it, until that works: an exit must not be lost to a containerd that is
// just being restarted.
func (d *Driver) handleExit(ctx context.Context, id string, e exit, handler func(runtime.Container)) {
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		c, err := d.concluded(scope(ctx), id, e)
		if err == nil {
			handler(c)
			return
		}
		if isNotFound(err) || ctx.Err() != nil {
			return
		}
		d.log.Warn("the end of a container can't be recorded yet", zap.String("container", id), zap.Error(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(delay):
		}
	}
}

// concluded records a container's end and returns the container as it is then.
func (d *Driver) concluded(ctx context.Context, id string, e exit) (runtime.Container, error) {
	if err := d.conclude(ctx, id, e); err != nil {
		return runtime.Container{}, err
	}
	record, err := d.client.ContainerService().Get(ctx, id)
	if err != nil {
		return runtime.Container{}, err
	}
	if record.Labels[runtime.LabelNode] != d.cfg.Node {
		return runtime.Container{}, errNotOurs
	}
	return describe(record), nil
}

// conclude writes down how a container ended, then lets go of its task, its mounts and its streams. The first
// conclusion of a container stays.
func (d *Driver) conclude(ctx context.Context, id string, e exit) error {
	defer d.pulls.lock("exit " + id)()
	record, err := d.client.ContainerService().Get(ctx, id)
	if err != nil {
		return err
	}
	if record.Labels[runtime.LabelNode] != d.cfg.Node {
		return errNotOurs
	}
	if _, done := record.Labels[runtime.LabelExitCode]; !done {
		if e.reason == "" {
			e.reason = d.exitReason(record, e.code)
		}
		record.Labels[runtime.LabelExitCode] = strconv.Itoa(int(e.code))
		record.Labels[runtime.LabelExitReason] = e.reason
		record.Labels[runtime.LabelExitMessage] = e.message[:min(len(e.message), maxMessage)]
		record.Labels[runtime.LabelFinishedAt] = e.at.UTC().Format(time.RFC3339Nano)
		if _, err := d.client.ContainerService().Update(ctx, record, "labels"); err != nil {
			return err
		}
	}
	if _, err := d.client.TaskService().Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: id}); err != nil && !isNotFound(err) {
		return native(err)
	}
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	return d.closeStreams(drain, id)
}

// exitReason tells why a container ended: the kernel's counter knows whether memory ran out.
func (d *Driver) exitReason(record containers.Container, code uint32) string {
	if code == 0 {
		return runtime.ReasonCompleted
	}
	var spec specs.Spec
	if err := typeurl.UnmarshalTo(record.Spec, &spec); err == nil && spec.Linux != nil && oomKilled(spec.Linux.CgroupsPath) {
		return runtime.ReasonOOMKilled
	}
	return runtime.ReasonError
}

// oomKilled reads the kernel's count of processes that it killed in a cgroup for want of memory.
func oomKilled(cgroup string) bool {
	path := filepath.Join("/sys/fs/cgroup/memory", cgroup, "memory.oom_control")
	if unifiedCgroups() {
		path = filepath.Join("/sys/fs/cgroup", cgroup, "memory.events")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if count, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok {
			return count != "0"
		}
	}
	return false
}
