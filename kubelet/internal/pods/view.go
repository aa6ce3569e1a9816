package pods

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// View is what others may know of a pod: for logs, exec and the like.
type View struct {
	UID, Namespace, Name string
	// Addresses of the pod; the node's where it has no network of its own.
	Addresses  []netip.Addr
	Containers []ContainerView
}

// ContainerView is what others may know of a container.
type ContainerView struct {
	Name string
	// ID is the present attempt's, "" where there was none.
	ID      string
	Running bool
	// LogPath and PreviousLogPath are of the present attempt and the one before; "" where there was none.
	LogPath, PreviousLogPath string
	// Ended is closed when the present attempt has ended and its log is complete.
	Ended <-chan struct{}
	// Waiting is why it was not started, where it was not.
	Waiting string
}

// ErrNoPod and ErrNoContainer tell what was not found.
var (
	ErrNoPod       = errors.New("pod not found")
	ErrNoContainer = errors.New("container not found")
)

// publish lets others see the pod as it is now.
func (a *actor) publish() {
	m := a.pod.Metadata
	v := &View{UID: m.Uid, Namespace: m.Namespace, Name: m.Name, Addresses: a.addresses}
	initialized := a.initialized()
	for _, c := range a.containers {
		cv := ContainerView{Name: c.spec.Name, Ended: c.exited}
		if c.current == nil {
			cv.Waiting = a.waitingReason(c, initialized)
		} else {
			cv.ID, cv.Running = c.current.ID, c.running()
			cv.LogPath = a.logPath(c.spec.Name, c.current.Attempt)
			if c.current.State == runtime.Created && c.last != nil {
				cv.LogPath = a.logPath(c.spec.Name, c.last.Attempt)
			}
			if c.current.Attempt > 0 {
				cv.PreviousLogPath = a.logPath(c.spec.Name, c.current.Attempt-1)
			}
		}
		v.Containers = append(v.Containers, cv)
	}
	a.view.Store(v)
}

// Container finds a container of the view; "" is the only one there is.
func (v *View) Container(name string) (ContainerView, error) {
	for _, c := range v.Containers {
		if c.Name == name || name == "" && len(v.Containers) == 1 {
			return c, nil
		}
	}
	return ContainerView{}, fmt.Errorf("container %s is not valid for pod %s: %w", name, v.Name, ErrNoContainer)
}
