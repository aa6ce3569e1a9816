package containerd

import (
	"fmt"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"google.golang.org/grpc/status"
)

// translate turns containerd's errors into the runtime's few.
func translate(err error) error {
	if err == nil {
		return nil
	}
	err = native(err)
	if errdefs.IsNotFound(err) {
		return fmt.Errorf("%w: %w", runtime.ErrNotFound, err)
	}
	return err
}

// native makes containerd's error classes of gRPC's codes; an error that is no gRPC status has its class already.
func native(err error) error {
	if _, ok := status.FromError(err); !ok {
		return err
	}
	return errgrpc.ToNative(err)
}

func isNotFound(err error) bool { return err != nil && errdefs.IsNotFound(native(err)) }

// keyedLock is one mutex a key, as long as somebody holds or awaits it.
type keyedLock struct {
	mu   sync.Mutex
	held map[string]*heldLock
}

type heldLock struct {
	sync.Mutex
	users int
}

// lock locks a key and returns how to unlock it.
func (k *keyedLock) lock(key string) func() {
	k.mu.Lock()
	if k.held == nil {
		k.held = map[string]*heldLock{}
	}
	h := k.held[key]
	if h == nil {
		h = &heldLock{}
		k.held[key] = h
	}
	h.users++
	k.mu.Unlock()
	h.Lock()
	return func() {
		h.Unlock()
		k.mu.Lock()
		if h.users--; h.users == 0 {
			delete(k.held, key)
		}
		k.mu.Unlock()
	}
}

// errNotOurs tells that a container belongs to another node on the same containerd.
var errNotOurs = fmt.Errorf("container of another node: %w", errdefs.ErrNotFound)
