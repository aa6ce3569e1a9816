package containerd

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// filter selects the records of this node's pods.
func (d *Driver) filter() string { return fmt.Sprintf("labels.%q==%q", runtime.LabelNode, d.cfg.Node) }

// containersOf lists the IDs of a pod's containers.
func (d *Driver) containersOf(ctx context.Context, uid string) ([]string, error) {
	records, err := d.client.ContainerService().List(ctx, fmt.Sprintf("%s,labels.%q==%q", d.filter(), runtime.LabelPodUID, uid))
	if err != nil {
		return nil, translate(err)
	}
	ids := make([]string, 0, len(records))
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// started tells whether Start was tried: it makes the directory of the container's streams.
func (d *Driver) started(id string) bool {
	_, err := os.Stat(d.ioDir(id))
	return err == nil
}

// List implements runtime.Runtime.
func (d *Driver) List(ctx context.Context) ([]runtime.Container, error) {
	ctx = scope(ctx)
	records, err := d.client.ContainerService().List(ctx, d.filter())
	if err != nil {
		return nil, translate(err)
	}
	response, err := d.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return nil, translate(err)
	}
	processes := make(map[string]*task.Process, len(response.Tasks))
	for _, t := range response.Tasks {
		processes[t.ID] = t
	}
	out := make([]runtime.Container, 0, len(records))
	for _, record := range records {
		c := describe(record)
		if c.State != runtime.Exited {
			switch p := processes[record.ID]; {
			case p == nil && d.started(record.ID):
				c.State, c.Reason, c.ExitCode = runtime.Exited, runtime.ReasonUnknown, lostCode
			case p == nil:
			case p.Status == task.Status_STOPPED:
				c.State, c.ExitCode = runtime.Exited, int32(p.ExitStatus)
			case p.Status != task.Status_CREATED:
				c.State = runtime.Running
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// describe reads a container's record; whether it runs is known by its task only.
func describe(r containers.Container) runtime.Container {
	l := r.Labels
	c := runtime.Container{
		ID:       r.ID,
		Pod:      runtime.PodRef{UID: l[runtime.LabelPodUID], Namespace: l[runtime.LabelPodNamespace], Name: l[runtime.LabelPodName]},
		Name:     l[runtime.LabelContainerName],
		SpecHash: l[runtime.LabelSpecHash],
		Image:    l[runtime.LabelImage], ImageName: r.Image, ImageID: l[runtime.LabelImageID],
		LogPath:   l[runtime.LabelLogPath],
		State:     runtime.Created,
		CreatedAt: r.CreatedAt, StartedAt: r.CreatedAt,
	}
	attempt, _ := strconv.ParseInt(l[runtime.LabelAttempt], 10, 32)
	c.Attempt = int32(attempt)
	c.GraceSeconds, _ = strconv.ParseInt(l[runtime.LabelGraceSeconds], 10, 64)
	if code, ok := l[runtime.LabelExitCode]; ok {
		n, _ := strconv.ParseInt(code, 10, 32)
		c.State, c.ExitCode = runtime.Exited, int32(n)
		c.Reason, c.Message = l[runtime.LabelExitReason], l[runtime.LabelExitMessage]
		c.FinishedAt, _ = time.Parse(time.RFC3339Nano, l[runtime.LabelFinishedAt])
	}
	return c
}
