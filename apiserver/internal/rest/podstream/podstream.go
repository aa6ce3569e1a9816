// Package podstream serves what reaches into a running pod: logs, exec, attach and port-forward. The user's end is
// plain HTTP, SPDY or WebSocket; the node's end is a session of the tunnel that the node's kubelet keeps open.
//
//	kubectl ── SPDY or WebSocket ── podstream ── tunnel session (gRPC) ── kubelet ── container
package podstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Session is one operation on a node. Send is called by one goroutine at a time, Recv by one; Close ends both.
type Session interface {
	Recv() (*tunnelv1.SessionRequest, error)
	Send(*tunnelv1.SessionResponse) error
	Close()
}

// Open starts an operation on a node; it fails where the node is not connected. The context ends the session.
type Open func(ctx context.Context, node string, op *tunnelv1.ConnectResponse) (Session, error)

// Config is what the handler needs.
type Config struct {
	// Pod reads a pod on the server's own behalf: who may read its logs need not be allowed to read the pod.
	Pod  func(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	Open Open
}

// Handler serves the streaming subresources. Authorization has happened before.
type Handler struct{ cfg Config }

// New returns a handler.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// Serves tells whether a subresource is one of this package's.
func Serves(k *schema.Kind, subresource string) bool {
	if k.Group != "" || k.Plural != "pods" {
		return false
	}
	switch subresource {
	case "log", "exec", "attach", "portforward":
		return true
	}
	return false
}

// Upgrades tells whether a subresource turns the connection into a stream of its own.
func Upgrades(subresource string) bool { return subresource != "log" }

// Serve answers a request for a pod's subresource. An error is to be answered by the caller; past the first byte, and
// after an upgrade, failures are told inside the stream.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, namespace, name, subresource string) error {
	pod, err := h.cfg.Pod(r.Context(), namespace, name)
	if err != nil {
		return err
	}
	switch subresource {
	case "log":
		return h.log(w, r, pod)
	case "exec":
		return h.exec(w, r, pod)
	case "attach":
		return h.attach(w, r, pod)
	case "portforward":
		return h.portForward(w, r, pod)
	}
	return apierrors.NewUnknownResource("", "pods")
}

// open starts a session on the pod's node.
func (h *Handler) open(ctx context.Context, pod *corev1.Pod, op *tunnelv1.ConnectResponse) (Session, error) {
	node := pod.GetSpec().GetNodeName()
	if node == "" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", pod.GetMetadata().GetName()))
	}
	s, err := h.cfg.Open(ctx, node, op)
	if err == nil {
		return s, nil
	}
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return nil, err
	}
	return nil, apierrors.NewInternal(fmt.Errorf("node %s cannot be reached: %w", node, err))
}

func address(pod *corev1.Pod, container string) *tunnelv1.Container {
	m := pod.GetMetadata()
	return &tunnelv1.Container{PodNamespace: m.GetNamespace(), PodName: m.GetName(), PodUid: m.GetUid(), ContainerName: container}
}

// exitError is the failure that a kubelet reports, as the Status that a kubelet's HTTP answer would have been.
func exitError(e *tunnelv1.Exit) error {
	switch e.GetReason() {
	case apierrors.ReasonNotFound, apierrors.ReasonBadRequest, apierrors.ReasonForbidden, apierrors.ReasonServiceUnavailable,
		apierrors.ReasonConflict, apierrors.ReasonTimeout:
		return apierrors.New(e.GetReason(), e.GetError(), nil)
	}
	return apierrors.New(apierrors.ReasonInternalError, e.GetError(), nil)
}
