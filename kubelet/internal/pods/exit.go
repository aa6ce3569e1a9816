package pods

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// exit takes up the end of a container.
func (a *actor) exit(r *runtime.Container) {
	c := a.container(r.Name)
	if c == nil || c.current == nil || c.current.ID != r.ID || c.ended() {
		return
	}
	started := c.current.StartedAt
	ended := *r
	ended.StartedAt = started
	if ended.Message == "" {
		ended.Message = a.terminationMessage(c, &ended)
	}
	c.current = &ended
	c.ready, c.startup, c.hooked = false, false, false
	close(c.exited)
	c.stop = nil
	if c.probes != nil {
		c.probes()
		c.probes = nil
	}
	a.backOff(c)
}

// backOff decides when a container that has ended may be started again: at once after a long run or the first time,
// later and later where it keeps failing.
func (a *actor) backOff(c *container) {
	ran := c.current.FinishedAt.Sub(c.current.StartedAt)
	now := time.Now()
	switch {
	case ran >= a.RestartReset:
		c.delay, c.notUntil = 0, now
	case c.restarts == 0 && c.current.Reason != runtime.ReasonStartError:
		c.delay, c.notUntil = 0, now
	case c.resized:
		c.delay, c.notUntil = 0, now
	case c.current.Reason == runtime.ReasonStartError:
		// startFailed sets the delay.
	default:
		c.delay = min(max(2*c.delay, a.RestartDelay), a.RestartDelayMax)
		c.notUntil = now.Add(c.delay)
	}
	willRestart := c.kind == sidecarContainer || c.kind == initContainer && c.current.ExitCode != 0 && a.pod.Spec.RestartPolicy != "Never" ||
		c.kind == regularContainer && a.shouldRestart(c)
	if !willRestart || a.stopping != nil || c.delay == 0 {
		c.waiting, c.waitingMessage = "", ""
		return
	}
	m := a.pod.Metadata
	c.waiting = crashLoopBackOff
	c.waitingMessage = fmt.Sprintf("back-off %v restarting failed container=%s pod=%s_%s(%s)", c.delay, c.spec.Name, m.Name, m.Namespace, m.Uid)
	a.Events.Record(a.pod, c.spec, "Warning", "BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", c.spec.Name, m.Name, m.Namespace, m.Uid)
}

// terminationMessage is what the container left in its message file, or, where it asks for that and failed, the end of
// its log.
func (a *actor) terminationMessage(c *container, r *runtime.Container) string {
	path := filepath.Join(a.Volumes.PodDir(a.uid), a.messageFile(r.Name, r.Attempt))
	if f, err := os.Open(path); err == nil {
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxTermination))
		if err == nil && len(b) > 0 {
			return string(bytes.ToValidUTF8(b, []byte("?")))
		}
	}
	if c.spec.TerminationMessagePolicy != fallbackToLogs || r.ExitCode == 0 {
		return ""
	}
	var out bytes.Buffer
	lines := int64(maxTerminationLines)
	if err := logs.Read(context.Background(), r.LogPath, logs.Options{TailLines: &lines}, &out, &out); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Sprintf("Error reading termination message from logs: %v", err)
	}
	b := out.Bytes()
	return string(bytes.ToValidUTF8(b[max(0, len(b)-maxTerminationLog):], []byte("?")))
}
