package containerd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Create implements runtime.Runtime.
func (d *Driver) Create(ctx context.Context, c *runtime.ContainerConfig) (string, error) {
	ctx = scope(ctx)
	image, err := d.find(ctx, c.Image)
	if err != nil {
		return "", err
	}
	info, err := d.inspect(ctx, image)
	if err != nil {
		return "", err
	}
	id := newID()
	record := containers.Container{
		ID: id, Image: image.Name, Runtime: containers.RuntimeInfo{Name: shim},
		Snapshotter: snapshotter, SnapshotKey: id, Labels: d.labels(c, image),
	}
	// The record comes first, without the spec: it keeps the snapshot from being collected as garbage.
	if record.Spec, err = typeurl.MarshalAny(&specs.Spec{}); err != nil {
		return "", err
	}
	store := d.client.ContainerService()
	if _, err := store.Create(ctx, record); err != nil {
		return "", fmt.Errorf("failed to create containerd container: %w", translate(err))
	}
	if err := d.fill(ctx, &record, c, info, image); err != nil {
		// Not bound to ctx: it may be what failed.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		_ = d.forget(clean, id)
		return "", err
	}
	return id, nil
}

// cleanupTime bounds what is undone after a failure.
const cleanupTime = 30 * time.Second

// fill prepares the root file system of a container and completes its record.
func (d *Driver) fill(ctx context.Context, record *containers.Container, c *runtime.ContainerConfig, info imageInfo, image images.Image) error {
	snapshots := d.client.SnapshotService(snapshotter)
	rootfs, err := snapshots.Prepare(ctx, record.ID, info.chain)
	if isNotFound(err) {
		// Loaded, but never unpacked (or its snapshots were lost).
		if err := d.unpack(ctx, image); err != nil {
			return fmt.Errorf("failed to unpack image %q: %w", image.Name, err)
		}
		rootfs, err = snapshots.Prepare(ctx, record.ID, info.chain)
	}
	if err != nil {
		return fmt.Errorf("failed to prepare the root file system: %w", translate(err))
	}
	accounts, err := d.users.accounts(ctx, info.chain, rootfs)
	if err != nil {
		return fmt.Errorf("failed to read the image's users: %w", err)
	}
	user, err := accounts.resolve(info.config.User, &c.Security)
	if err != nil {
		return err
	}
	paths := d.boxes.Paths(c.Pod)
	if pid, err := d.pidNamespace(ctx, c.PIDOf); err != nil {
		return err
	} else if pid != "" && !c.Pod.HostPID && paths.PID == "" {
		paths.PID = pid
	}
	spec, err := buildSpec(record.ID, c, &info.config, user, paths)
	if err != nil {
		return fmt.Errorf("failed to generate the container's spec: %w", err)
	}
	if len(spec.Process.Args) == 0 {
		return fmt.Errorf("no command specified")
	}
	if record.Spec, err = typeurl.MarshalAny(spec); err != nil {
		return err
	}
	if _, err := d.client.ContainerService().Update(ctx, *record, "spec"); err != nil {
		return fmt.Errorf("failed to update containerd container: %w", translate(err))
	}
	return nil
}

func (d *Driver) labels(c *runtime.ContainerConfig, image images.Image) map[string]string {
	labels := map[string]string{
		runtime.LabelNode:          d.cfg.Node,
		runtime.LabelPodUID:        c.Pod.UID,
		runtime.LabelPodNamespace:  c.Pod.Namespace,
		runtime.LabelPodName:       c.Pod.Name,
		runtime.LabelContainerName: c.Name,
		runtime.LabelAttempt:       strconv.Itoa(int(c.Attempt)),
		runtime.LabelSpecHash:      c.SpecHash,
		runtime.LabelImage:         c.Image,
		runtime.LabelImageID:       imageID(image),
		runtime.LabelLogPath:       c.LogPath,
		runtime.LabelGraceSeconds:  strconv.FormatInt(c.GraceSeconds, 10),
	}
	if stdio := stdioLabel(c.Stdin, c.TTY); stdio != "" {
		labels[runtime.LabelStdin] = stdio
	}
	if c.StdinOnce {
		labels[labelStdinOnce] = "true"
	}
	return labels
}

// stdioLabel and parseStdio keep what a container's streams are like.
func stdioLabel(stdin, tty bool) string {
	switch {
	case stdin && tty:
		return "stdin,tty"
	case stdin:
		return "stdin"
	case tty:
		return "tty"
	}
	return ""
}

func parseStdio(label string) (stdin, tty bool) {
	return label == "stdin" || label == "stdin,tty", label == "tty" || label == "stdin,tty"
}

func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Start implements runtime.Runtime.
func (d *Driver) Start(ctx context.Context, id string) error {
	ctx = scope(ctx)
	record, err := d.client.ContainerService().Get(ctx, id)
	if err != nil {
		return translate(err)
	}
	if err := d.start(ctx, record); err != nil {
		err = fmt.Errorf("failed to create containerd task: %w", err)
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		_ = d.conclude(clean, id, exit{code: startErrorCode, at: time.Now(), reason: runtime.ReasonStartError, message: err.Error()})
		return err
	}
	return nil
}

// startErrorCode is the exit code of a container that could not be started.
const startErrorCode = 128

func (d *Driver) start(ctx context.Context, record containers.Container) error {
	id := record.ID
	stdin, tty := parseStdio(record.Labels[runtime.LabelStdin])
	s, err := d.openStreams(id, record.Labels[runtime.LabelLogPath], stdin, tty)
	if err != nil {
		return fmt.Errorf("failed to open the container's streams: %w", err)
	}
	rootfs, err := d.client.SnapshotService(snapshotter).Mounts(ctx, id)
	if err != nil {
		return err
	}
	request := &tasks.CreateTaskRequest{
		ContainerID: id, Terminal: tty, Stdout: fifoPath(s.dir, "stdout"), Rootfs: protoMounts(rootfs),
	}
	if !tty {
		request.Stderr = fifoPath(s.dir, "stderr")
	}
	if stdin {
		request.Stdin = fifoPath(s.dir, "stdin")
	}
	if _, err := d.client.TaskService().Create(ctx, request); err != nil {
		return native(err)
	}
	if _, err := d.client.TaskService().Start(ctx, &tasks.StartRequest{ContainerID: id}); err != nil {
		return native(err)
	}
	return nil
}

func protoMounts(list []mount.Mount) []*types.Mount {
	out := make([]*types.Mount, 0, len(list))
	for _, m := range list {
		out = append(out, &types.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
	}
	return out
}

// Signal implements runtime.Runtime.
func (d *Driver) Signal(ctx context.Context, id string, signal syscall.Signal) error {
	_, err := d.client.TaskService().Kill(scope(ctx), &tasks.KillRequest{
		ContainerID: id, Signal: uint32(signal), All: signal == syscall.SIGKILL,
	})
	err = native(err)
	if errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) {
		return fmt.Errorf("%w: %w", runtime.ErrNotRunning, err)
	}
	return err
}

// Update implements runtime.Runtime.
func (d *Driver) Update(ctx context.Context, id string, r runtime.Resources) error {
	any, err := typeurl.MarshalAnyToProto(resources(&r))
	if err != nil {
		return err
	}
	_, err = d.client.TaskService().Update(scope(ctx), &tasks.UpdateTaskRequest{ContainerID: id, Resources: any})
	err = native(err)
	if errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) {
		return fmt.Errorf("%w: %w", runtime.ErrNotRunning, err)
	}
	return err
}

// pidNamespace is the file of the PID namespace that a container shares with another one; "" is its pod's or its own.
func (d *Driver) pidNamespace(ctx context.Context, of string) (string, error) {
	if of == "" {
		return "", nil
	}
	response, err := d.client.TaskService().Get(ctx, &tasks.GetRequest{ContainerID: of})
	if err != nil {
		return "", fmt.Errorf("the container whose processes to see: %w", native(err))
	}
	if response.Process.GetPid() == 0 {
		return "", fmt.Errorf("the container whose processes to see: %w", runtime.ErrNotRunning)
	}
	return fmt.Sprintf("/proc/%d/ns/pid", response.Process.Pid), nil
}

// Remove implements runtime.Runtime.
func (d *Driver) Remove(ctx context.Context, id string) error {
	ctx = scope(ctx)
	if err := d.deleteTask(ctx, id); err != nil {
		return err
	}
	return d.forget(ctx, id)
}

// deleteTask kills and removes whatever runs of a container.
func (d *Driver) deleteTask(ctx context.Context, id string) error {
	service := d.client.TaskService()
	_, err := service.Kill(ctx, &tasks.KillRequest{ContainerID: id, Signal: uint32(syscall.SIGKILL), All: true})
	switch err = native(err); {
	case err == nil:
		if _, err := service.Wait(ctx, &tasks.WaitRequest{ContainerID: id}); err != nil && !isNotFound(err) {
			return native(err)
		}
	case errdefs.IsNotFound(err), errdefs.IsFailedPrecondition(err):
		// It has exited, or there is no task.
	default:
		return err
	}
	if _, err := service.Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: id}); err != nil && !isNotFound(err) {
		return native(err)
	}
	return nil
}

// forget removes a container's record, file system and FIFOs.
func (d *Driver) forget(ctx context.Context, id string) error {
	drain, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	if err := d.closeStreams(drain, id); err != nil {
		return err
	}
	if err := d.client.ContainerService().Delete(ctx, id); err != nil && !isNotFound(err) {
		return translate(err)
	}
	if err := d.client.SnapshotService(snapshotter).Remove(ctx, id); err != nil && !isNotFound(err) {
		return translate(err)
	}
	return nil
}
