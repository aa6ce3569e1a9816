package runtime

// ContainerConfig is everything that a driver must know to make a container: the pod's spec with every reference
// resolved.
type ContainerConfig struct {
	Pod *PodConfig
	// Name, Attempt, SpecHash, GraceSeconds and LogPath come back in Container.
	Name         string
	Attempt      int32
	SpecHash     string
	GraceSeconds int64
	LogPath      string

	// Image is the reference as the spec has it; the image must be on the node.
	Image string
	// Command and Args replace the image's entry point and command as Kubernetes defines it: Command alone drops the
	// image's arguments.
	Command, Args []string
	// Env entries are NAME=value; they win over the image's.
	Env []string
	// WorkingDir replaces the image's where it isn't empty.
	WorkingDir string

	Mounts    []Mount
	Resources Resources
	Security  Security

	// PIDOf is the ID of a running container of the pod whose PID namespace this one shares; "" is the pod's choice.
	PIDOf string

	// Stdin keeps the container's standard input open; StdinOnce closes it after the first attached client.
	Stdin, StdinOnce, TTY bool
}

// Mount puts a file or directory of the node into a container.
type Mount struct {
	Source, Destination string
	ReadOnly            bool
	// Propagation is "", "private", "rslave" or "rshared"; empty is private.
	Propagation string
	// Type and Options are for special mounts (tmpfs, ...); Type "" is a bind mount.
	Type    string
	Options []string
}

// Resources limit a container; zero values do not limit.
type Resources struct {
	CPUShares uint64
	// CPUQuota per CPUPeriod, both in microseconds.
	CPUQuota  int64
	CPUPeriod uint64
	// MemoryLimit in bytes.
	MemoryLimit int64
	// PIDs limit.
	PIDs int64
	// OOMScoreAdj steers which process dies first when the node's memory is short.
	OOMScoreAdj int
}

// Security restricts or widens what a container may do.
type Security struct {
	// RunAsUser and RunAsGroup replace the image's user; nil keeps it.
	RunAsUser, RunAsGroup *int64
	// NonRoot refuses to run as user 0.
	NonRoot bool
	// SupplementalGroups are added to the user's own groups; with StrictGroups they are all there is.
	SupplementalGroups []int64
	StrictGroups       bool

	Privileged      bool
	ReadOnlyRootfs  bool
	NoNewPrivileges bool
	// AddCapabilities and DropCapabilities are names without CAP_, or ALL.
	AddCapabilities, DropCapabilities []string
	// Seccomp is "", "Unconfined", "RuntimeDefault" or "Localhost" with SeccompProfile the file's path.
	Seccomp, SeccompProfile string
	// UnmaskedProc leaves /proc as it is (procMount: Unmasked).
	UnmaskedProc bool
	Sysctls      map[string]string
}
