// Package runtime states what the kubelet needs of whatever runs containers: a handful of verbs with their promises.
//
// A container's life as the drivers tell it:
//
//	Create ──► Created ──Start──► Running ──exit──► Exited ──Remove──► (gone)
//	              └──Start fails──────────────────────┘
//
// A pod (its namespaces, its address) exists before its containers and outlives them:
//
//	EnsurePod ──► ready ──RemovePod──► (gone)
//
// Everything that a driver tells is read from the node itself (the runtime's records, kernel objects), so a kubelet
// that was killed at any instruction finds its pods again with List and Pods.
package runtime

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"syscall"
	"time"
)

var (
	// ErrNotFound tells that the image, container or pod does not exist.
	ErrNotFound = errors.New("not found")
	// ErrInvalidImageName tells that an image reference can't be parsed.
	ErrInvalidImageName = errors.New("invalid reference format")
	// ErrNotRunning tells that the verb needs a running container.
	ErrNotRunning = errors.New("container not running")
	// ErrUnsupported tells that this driver or machine can't do what the pod asks for.
	ErrUnsupported = errors.New("not supported")
)

// Runtime runs the pods of one node. All methods may be called concurrently; verbs on one container or one pod are
// serialised by the caller.
type Runtime interface {
	// Info names the runtime and its version.
	Info(ctx context.Context) (Info, error)

	// Image returns an image that is on the node. ErrNotFound where it isn't, ErrInvalidImageName where the reference
	// can't be parsed.
	Image(ctx context.Context, ref string) (Image, error)
	// PullImage fetches and unpacks an image; credentials are tried in order, then none.
	PullImage(ctx context.Context, ref string, auth []Credential) (Image, error)
	// Images lists what is on the node.
	Images(ctx context.Context) ([]Image, error)

	// EnsurePod makes the pod's namespaces and its network exist. Idempotent.
	EnsurePod(ctx context.Context, pod *PodConfig) (Pod, error)
	// RemovePod takes them away again, with whatever containers are left. Succeeds where there is nothing.
	RemovePod(ctx context.Context, uid string) error
	// Pods lists what EnsurePod made, also in earlier lives of the kubelet.
	Pods(ctx context.Context) ([]Pod, error)

	// Create makes a container of a pod whose EnsurePod succeeded; nothing of it runs yet.
	Create(ctx context.Context, c *ContainerConfig) (string, error)
	// Start runs a created container. An error means that it did not run: the container is then Exited with reason
	// StartError.
	Start(ctx context.Context, id string) error
	// Signal sends a signal to the container's first process. ErrNotRunning where there is none.
	Signal(ctx context.Context, id string, signal syscall.Signal) error
	// Update changes the limits of a running container. ErrNotRunning where there is none.
	Update(ctx context.Context, id string, r Resources) error
	// Remove kills the container if it runs and forgets it. Succeeds where it doesn't exist.
	Remove(ctx context.Context, id string) error
	// List returns every container of this node's pods, from this or an earlier life of the kubelet.
	List(ctx context.Context) ([]Container, error)

	// Exec runs a command in a running container and returns its exit code. Cancelling ctx kills the command.
	Exec(ctx context.Context, id string, exec ExecConfig) (int, error)
	// Attach connects to a running container's own streams, until it exits or ctx ends.
	Attach(ctx context.Context, id string, streams Streams) error
	// Dial connects to a TCP port inside the pod's network.
	Dial(ctx context.Context, uid string, port int) (io.ReadWriteCloser, error)

	// Run delivers the exits of containers to the handler, each at least once, until ctx ends. A container that exits
	// while nobody listens is delivered when Run starts.
	Run(ctx context.Context, handler func(Container)) error
	// Close lets go of the runtime; containers go on.
	Close() error
}

// Info identifies a runtime.
type Info struct {
	// Name and Version make node.status.nodeInfo.containerRuntimeVersion: "containerd://1.6.20".
	Name, Version string
}

// Image is an image on the node.
type Image struct {
	// Name is the normalised reference: docker.io/library/busybox:latest.
	Name string
	// ID is what pod status shows as imageID: docker.io/library/busybox@sha256:...
	ID string
	// Names are all references that lead to it.
	Names []string
	// Size in bytes of what was downloaded.
	Size int64
	// User is the image's configured user, "" where it names none.
	User string
}

// Credential authenticates at a registry.
type Credential struct {
	Username, Password string
	// IdentityToken is exchanged for an access token; it excludes Username and Password.
	IdentityToken string
}

// PodRef names a pod.
type PodRef struct {
	UID, Namespace, Name string
}

// PodConfig is what namespaces and network of a pod depend on.
type PodConfig struct {
	PodRef
	// Hostname of the pod's own UTS namespace; unused with HostNetwork.
	Hostname string
	// HostNetwork, HostIPC and HostPID keep the node's namespace instead of an own one.
	HostNetwork, HostIPC, HostPID bool
	// SharePID gives all containers one PID namespace.
	SharePID bool
	// CgroupParent is the pod's cgroup, as an absolute path below each controller's root.
	CgroupParent string
	// Ports of the node that lead to the pod.
	Ports []PortMapping
}

// PortMapping leads a port of the node to a port of the pod.
type PortMapping struct {
	// Protocol is "TCP", "UDP" or "SCTP".
	Protocol string
	// HostIP restricts the mapping to one of the node's addresses; the zero value is all of them.
	HostIP                  netip.Addr
	HostPort, ContainerPort int
}

// Pod is what exists of a pod on the node besides its containers.
type Pod struct {
	PodRef
	// Addresses in the pod network; empty with HostNetwork.
	Addresses []netip.Addr
}

// State of a container.
type State string

// States of a container.
const (
	Created State = "Created"
	Running State = "Running"
	Exited  State = "Exited"
)

// Reasons of an exit, as container statuses show them.
const (
	ReasonCompleted  = "Completed"
	ReasonError      = "Error"
	ReasonOOMKilled  = "OOMKilled"
	ReasonStartError = "StartError"
	ReasonUnknown    = "ContainerStatusUnknown"
)

// Container is a container as the runtime knows it.
type Container struct {
	ID  string
	Pod PodRef
	// Name of the container in the pod's spec, Attempt its number among those of that name, from 0.
	Name    string
	Attempt int32
	// SpecHash tells whether it was made from the container's present spec.
	SpecHash string
	// Image as the spec names it, ImageName and ImageID as Image tells them.
	Image, ImageName, ImageID string
	// LogPath is the file of its log.
	LogPath string
	// GraceSeconds is the pod's termination grace period when the container was made.
	GraceSeconds int64

	State      State
	CreatedAt  time.Time
	StartedAt  time.Time
	FinishedAt time.Time
	// ExitCode, Reason and Message tell of an Exited container. ExitCode is 128 + signal for a killed one.
	ExitCode int32
	Reason   string
	Message  string
}

// Size of a terminal in characters.
type Size struct{ Width, Height uint32 }

// Streams are the ends of standard streams that a client holds; nil ones are not connected.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Resize changes the terminal's size; nil without a terminal.
	Resize <-chan Size
}

// ExecConfig is a command to run in a container.
type ExecConfig struct {
	Command []string
	TTY     bool
	Streams
}
