package pods

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"go.uber.org/zap"

	"github.com/keelson/keelson/kubelet/internal/credentials"
	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/probe"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Reasons of containers that wait.
const (
	containerCreating   = "ContainerCreating"
	podInitializing     = "PodInitializing"
	crashLoopBackOff    = "CrashLoopBackOff"
	errImagePull        = "ErrImagePull"
	imagePullBackOff    = "ImagePullBackOff"
	errImageNeverPull   = "ErrImageNeverPull"
	invalidImageName    = "InvalidImageName"
	imageInspectError   = "ImageInspectError"
	createConfigError   = "CreateContainerConfigError"
	createError         = "CreateContainerError"
	runError            = "RunContainerError"
	defaultMessagePath  = "/dev/termination-log"
	fallbackToLogs      = "FallbackToLogsOnError"
	maxTermination      = 4096
	maxTerminationLog   = 2048
	maxTerminationLines = 80
)

// startFailure says why a container could not be started.
type startFailure struct{ reason, message string }

func (f *startFailure) Error() string { return f.message }

func fail(reason string, err error) *startFailure { return &startFailure{reason, err.Error()} }

// startContainer begins the next attempt of a container.
func (a *actor) startContainer(c *container) {
	ctx, cancel := context.WithCancel(a.ctx)
	c.busy, c.cancelStart = true, cancel
	attempt, pod := c.attempts, a.withStatus(a.pod)
	spec := c.spec
	target, targetErr := a.targetID(c)
	a.ops.Go(func() {
		defer cancel()
		failure := targetErr
		if failure == nil {
			failure = a.doStart(ctx, c, pod, spec, attempt, target)
		}
		if a.ctx.Err() != nil {
			return
		}
		// Looked at here: by the time the actor reads it, this goroutine's own end has cancelled ctx.
		cancelled := ctx.Err() != nil
		a.post(func() {
			c.busy = false
			if failure != nil && !cancelled {
				a.startFailed(c, failure)
			}
		})
	})
}

// targetID is the ID of the container whose processes an ephemeral container sees; "" is none.
func (a *actor) targetID(c *container) (string, *startFailure) {
	if c.target == "" {
		return "", nil
	}
	t := a.container(c.target)
	if t == nil || !t.running() {
		return "", fail(createConfigError, fmt.Errorf("%w %q", errTarget, c.target))
	}
	return t.current.ID, nil
}

// startFailed backs off after an attempt that came to nothing.
func (a *actor) startFailed(c *container, f *startFailure) {
	c.failures++
	c.delay = min(max(2*c.delay, a.RestartDelay), a.RestartDelayMax)
	c.notUntil = time.Now().Add(c.delay)
	c.waiting, c.waitingMessage = f.reason, f.Error()
	a.Events.Record(a.pod, c.spec, "Warning", "Failed", "Error: %s", eventText(f))
	switch f.reason {
	case errImagePull:
		if c.failures > 1 {
			c.waiting = imagePullBackOff
			c.waitingMessage = fmt.Sprintf("Back-off pulling image %q: %s: %s", c.spec.Image, errImagePull, f.Error())
			a.Events.Record(a.pod, c.spec, "Normal", "BackOff", "Back-off pulling image %q", c.spec.Image)
			a.Events.Record(a.pod, c.spec, "Warning", "Failed", "Error: %s", imagePullBackOff)
		}
	case createConfigError:
		c.needs = true
	case runError:
		if c.kind == regularContainer && !a.shouldRestart(c) || c.kind == initContainer && a.pod.Spec.RestartPolicy == "Never" {
			c.waiting, c.waitingMessage = "", ""
		} else if c.failures > 1 {
			c.waiting = crashLoopBackOff
		}
	}
}

func eventText(f *startFailure) string {
	switch f.reason {
	case errImagePull, errImageNeverPull, invalidImageName:
		return f.reason
	}
	return f.Error()
}

// doStart pulls, creates and starts; it runs beside the actor.
func (a *actor) doStart(ctx context.Context, c *container, pod *corev1.Pod, spec *corev1.Container, attempt int32, target string) *startFailure {
	image, failure := a.ensureImage(ctx, pod, spec)
	if failure != nil {
		return failure
	}
	if err := a.Objects.Wait(ctx, pod); err != nil {
		return fail(createConfigError, err)
	}
	config, err := a.containerConfig(pod, spec, attempt, image)
	if err != nil {
		return fail(createConfigError, err)
	}
	config.PIDOf = target
	// Bounded over the node: containers that are created all at once finish all late.
	select {
	case a.starts <- struct{}{}:
	case <-ctx.Done():
		return fail(createError, ctx.Err())
	}
	id, failure := a.createAndStart(ctx, c, pod, spec, config, image)
	<-a.starts
	if failure != nil || id == "" {
		return failure
	}
	hook := spec.Lifecycle.GetPostStart()
	if hook == nil {
		return nil
	}
	at := a.targetOf(spec, id, pod.Status.PodIP)
	if _, err := probe.Hook(ctx, hook, at); err != nil && ctx.Err() == nil {
		a.Events.Record(pod, spec, "Warning", "FailedPostStartHook", "PostStartHook failed: %v", err)
		a.post(func() {
			if c.current != nil && c.current.ID == id && c.running() && c.stop == nil {
				a.stopContainer(c, a.graceOf(c), nil, "FailedPostStartHook")
			}
		})
		return nil
	}
	a.post(func() {
		if c.current != nil && c.current.ID == id {
			c.hooked = true
		}
	})
	return nil
}

// createAndStart returns the container's ID, "" where it was not started because the pod ends.
func (a *actor) createAndStart(ctx context.Context, c *container, pod *corev1.Pod, spec *corev1.Container, config *runtime.ContainerConfig, image runtime.Image) (string, *startFailure) {
	id, err := a.Runtime.Create(ctx, config)
	if err != nil {
		return "", fail(createError, err)
	}
	a.Events.Record(pod, spec, "Normal", "Created", "Container created")
	now := time.Now()
	record := &runtime.Container{
		ID: id, Pod: config.Pod.PodRef, Name: spec.Name, Attempt: config.Attempt, SpecHash: config.SpecHash,
		Image: spec.Image, ImageName: image.Name, ImageID: image.ID, LogPath: config.LogPath, State: runtime.Created,
		CreatedAt: now, StartedAt: now,
	}
	known := make(chan struct{})
	var superseded *runtime.Container
	a.post(func() {
		// Before it runs, so that its exit finds it.
		superseded = c.begin(record)
		c.applied, c.resized = spec.Resources, false
		close(known)
	})
	select {
	case <-known:
	case <-ctx.Done():
		a.discard(id)
		return "", nil
	}
	if superseded != nil && superseded.ID != "" {
		if err := a.Runtime.Remove(ctx, superseded.ID); err != nil {
			a.log.Warn("an old container can't be removed", zap.String("id", superseded.ID), zap.Error(err))
		}
	}
	if ctx.Err() != nil {
		a.discard(id)
		return "", nil
	}
	// Not interrupted any more: a container that may have started is told as started.
	err = a.Runtime.Start(context.WithoutCancel(ctx), id)
	if err != nil {
		ended := *record
		ended.State, ended.ExitCode, ended.Reason, ended.Message = runtime.Exited, 128, runtime.ReasonStartError, err.Error()
		ended.FinishedAt = time.Now()
		containerStarts.WithLabelValues("error").Inc()
		a.post(func() { a.exit(&ended) })
		return "", fail(runError, err)
	}
	containerStarts.WithLabelValues("success").Inc()
	a.Events.Record(pod, spec, "Normal", "Started", "Container started")
	a.post(func() { a.begun(c, id) })
	return id, nil
}

// discard removes a container that will not be started.
func (a *actor) discard(id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), removeTime)
	defer cancel()
	if err := a.Runtime.Remove(ctx, id); err != nil {
		a.log.Warn("a container can't be removed", zap.String("id", id), zap.Error(err))
	}
}

// begin makes a created container the current attempt. It returns the attempt that nobody asks for any more.
func (c *container) begin(r *runtime.Container) *runtime.Container {
	old := c.last
	if c.current != nil {
		c.last = c.current
		c.restarts++
	} else {
		old = nil
	}
	c.current = r
	c.attempts++
	c.exited = make(chan struct{})
	c.hooked, c.startup, c.ready = false, false, false
	return old
}

// begun makes a started container a running one, unless its exit came first.
func (a *actor) begun(c *container, id string) {
	if c.current == nil || c.current.ID != id || c.current.State != runtime.Created {
		return
	}
	c.current.State = runtime.Running
	c.waiting, c.waitingMessage, c.failures = "", "", 0
	c.needs = false
	c.hooked = c.spec.Lifecycle.GetPostStart() == nil
	c.startup = c.spec.StartupProbe == nil
	c.ready = c.spec.ReadinessProbe == nil
	a.startProbes(c)
}

// ensureImage follows the pull policy.
func (a *actor) ensureImage(ctx context.Context, pod *corev1.Pod, spec *corev1.Container) (runtime.Image, *startFailure) {
	ref := spec.Image
	image, err := a.Runtime.Image(ctx, ref)
	switch {
	case errors.Is(err, runtime.ErrInvalidImageName):
		return image, a.uninspected(pod, spec, &startFailure{invalidImageName, fmt.Sprintf("Failed to apply default image tag %q: %v", ref, err)})
	case err != nil && !errors.Is(err, runtime.ErrNotFound):
		return image, a.uninspected(pod, spec, &startFailure{imageInspectError, fmt.Sprintf("Failed to inspect image %q: %v", ref, err)})
	}
	present := err == nil
	switch spec.ImagePullPolicy {
	case "Never":
		if !present {
			a.Events.Record(pod, spec, "Warning", errImageNeverPull, "Container image %q is not present with pull policy of Never", ref)
			return image, &startFailure{errImageNeverPull, fmt.Sprintf("Container image %q is not present with pull policy of Never", ref)}
		}
	case "Always":
		present = false
	}
	if present {
		a.Events.Record(pod, spec, "Normal", "Pulled", "Container image %q already present on machine and can be accessed by the pod", ref)
		return image, nil
	}
	a.Events.Record(pod, spec, "Normal", "Pulling", "Pulling image %q", ref)
	var secrets []*corev1.Secret
	for _, s := range pod.Spec.ImagePullSecrets {
		if secret, err := a.Objects.Secret(pod.Metadata.Namespace, s.Name); err == nil {
			secrets = append(secrets, secret)
		} else {
			a.Events.Record(pod, nil, "Warning", "FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (%s); attempting to pull the image may not succeed.", s.Name)
		}
	}
	began := time.Now()
	image, err = a.Runtime.PullImage(ctx, ref, credentials.For(ref, secrets))
	if err != nil {
		if ctx.Err() == nil {
			a.Events.Record(pod, spec, "Warning", "Failed", "Failed to pull image %q: %v", ref, err)
		}
		return image, fail(errImagePull, err)
	}
	imagePull.Observe(time.Since(began).Seconds())
	took := time.Since(began).Truncate(time.Millisecond)
	a.Events.Record(pod, spec, "Normal", "Pulled", "Successfully pulled image %q in %v (%v including waiting). Image size: %d bytes.", ref, took, took, image.Size)
	return image, nil
}

// uninspected reports that an image could not be looked at; why stands in no other event.
func (a *actor) uninspected(pod *corev1.Pod, spec *corev1.Container, f *startFailure) *startFailure {
	a.Events.Record(pod, spec, "Warning", "InspectFailed", "%s", f.message)
	return f
}

// containerConfig resolves everything that the runtime must know.
func (a *actor) containerConfig(pod *corev1.Pod, spec *corev1.Container, attempt int32, image runtime.Image) (*runtime.ContainerConfig, error) {
	env, err := podspec.Environment(pod, spec, a.Objects, a.Node.Allocatable)
	if err != nil {
		return nil, err
	}
	security, err := podspec.Security(pod, spec, a.SeccompDir)
	if err != nil {
		return nil, err
	}
	if err := podspec.VerifyNonRoot(pod, spec, &security, image.User); err != nil {
		return nil, err
	}
	if pod.Spec.HostNetwork || pod.Spec.HostIPC {
		if len(security.Sysctls) > 0 && pod.Spec.HostNetwork {
			return nil, errors.New("sysctls can't be set for a pod on the node's network")
		}
	}
	mounts, err := a.Volumes.Mounts(pod, spec, env.Lookup)
	if err != nil {
		return nil, err
	}
	files, err := a.podFiles(pod, spec, attempt, mounts)
	if err != nil {
		return nil, err
	}
	expand := func(list []string) []string {
		out := make([]string, len(list))
		for i, s := range list {
			out[i] = podspec.Expand(s, env.Lookup)
		}
		return out
	}
	return &runtime.ContainerConfig{
		Pod: a.podConfig(pod), Name: spec.Name, Attempt: attempt, SpecHash: hash(spec),
		GraceSeconds: pod.Spec.GetTerminationGracePeriodSeconds(),
		LogPath:      a.logPath(spec.Name, attempt),
		Image:        spec.Image, Command: expand(spec.Command), Args: expand(spec.Args), Env: env.List(), WorkingDir: spec.WorkingDir,
		Mounts: slices.Concat(files, mounts), Resources: podspec.Limits(pod, spec, a.Node.Memory), Security: security,
		Stdin: spec.Stdin, StdinOnce: spec.StdinOnce, TTY: spec.Tty,
	}, nil
}

// podFiles writes the files that every container gets, where it doesn't mount something else there.
func (a *actor) podFiles(pod *corev1.Pod, spec *corev1.Container, attempt int32, taken []runtime.Mount) ([]runtime.Mount, error) {
	var addresses []string
	for _, ip := range pod.Status.PodIPs {
		addresses = append(addresses, ip.Ip)
	}
	hosts, err := a.DNS.Hosts(pod, addresses)
	if err != nil {
		return nil, err
	}
	resolv, err := a.DNS.ResolvConf(pod)
	if err != nil {
		return nil, err
	}
	host, _ := a.DNS.Hostname(pod)
	if pod.Spec.HostNetwork {
		host = a.Node.Name
	}
	messagePath := spec.TerminationMessagePath
	if messagePath == "" {
		messagePath = defaultMessagePath
	}
	dir := a.Volumes.PodDir(a.uid)
	files := []struct {
		path, target, content string
		mode                  os.FileMode
	}{
		{"etc-hosts", "/etc/hosts", hosts, 0o644},
		{"resolv.conf", "/etc/resolv.conf", resolv, 0o644},
		{"hostname", "/etc/hostname", host + "\n", 0o644},
		{a.messageFile(spec.Name, attempt), messagePath, "", 0o666},
	}
	var out []runtime.Mount
	for _, f := range files {
		if slices.ContainsFunc(taken, func(m runtime.Mount) bool { return m.Destination == f.target }) {
			continue
		}
		path := filepath.Join(dir, f.path)
		if err := ensureFile(path, f.content, f.mode); err != nil {
			return nil, err
		}
		out = append(out, runtime.Mount{Source: path, Destination: f.target})
	}
	return out, nil
}

// ensureFile writes a file in place: containers that have it mounted must see the same file.
func ensureFile(path, content string, mode os.FileMode) error {
	if now, err := os.ReadFile(path); err == nil && string(now) == content {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// messageFile is where a container writes its termination message, below the pod's directory.
func (a *actor) messageFile(name string, attempt int32) string {
	return filepath.Join("containers", name, strconv.Itoa(int(attempt)))
}

func (a *actor) podLogDir() string { return a.logDir }

func (a *actor) logPath(name string, attempt int32) string {
	return filepath.Join(a.podLogDir(), name, strconv.Itoa(int(attempt))+".log")
}

func trimID(id string) string {
	_, rest, ok := strings.Cut(id, "://")
	if !ok {
		return id
	}
	return rest
}
