package containerd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/pkg/cap"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// defaultCapabilities are what a container gets that asks for nothing, as with every other engine.
var defaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// ownCapabilities are those that this process can give away: a privileged container gets them all. A machine may have
// taken some from its root.
var ownCapabilities = sync.OnceValues(cap.Current)

// maskedPaths and readonlyPaths keep a container from what the kernel shows of the machine.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
		"/sys/firmware",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// capabilities a container ends up with.
func capabilities(s *runtime.Security) ([]string, error) {
	own, err := ownCapabilities()
	if err != nil {
		return nil, err
	}
	if s.Privileged {
		return own, nil
	}
	set := slices.Clone(defaultCapabilities)
	add, drop := capNames(s.AddCapabilities), capNames(s.DropCapabilities)
	if slices.Contains(drop, "CAP_ALL") {
		set = nil
	}
	if slices.Contains(add, "CAP_ALL") {
		set = slices.Clone(own)
	}
	for _, c := range drop {
		set = slices.DeleteFunc(set, func(have string) bool { return have == c })
	}
	for _, c := range add {
		if c == "CAP_ALL" || slices.Contains(set, c) {
			continue
		}
		if !slices.Contains(cap.Known(), c) {
			return nil, fmt.Errorf("unknown capability %q", strings.TrimPrefix(c, "CAP_"))
		}
		set = append(set, c)
	}
	// What the node itself lacks can't be given.
	return slices.DeleteFunc(set, func(c string) bool { return !slices.Contains(own, c) }), nil
}

func capNames(names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		n = strings.ToUpper(n)
		if !strings.HasPrefix(n, "CAP_") {
			n = "CAP_" + n
		}
		out = append(out, n)
	}
	return out
}

// secure fills in everything of a spec that restricts or widens.
func secure(spec *specs.Spec, s *runtime.Security) error {
	caps, err := capabilities(s)
	if err != nil {
		return err
	}
	spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	spec.Process.NoNewPrivileges = s.NoNewPrivileges
	spec.Root.Readonly = s.ReadOnlyRootfs
	if s.Privileged {
		devices, err := oci.HostDevices()
		if err != nil {
			return err
		}
		spec.Linux.Devices = devices
		spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		return nil
	}
	spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	if !s.UnmaskedProc {
		spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = maskedPaths, readonlyPaths
	}
	switch s.Seccomp {
	case "", "Unconfined":
	case "RuntimeDefault":
		spec.Linux.Seccomp = seccomp.DefaultProfile(spec)
	case "Localhost":
		b, err := os.ReadFile(s.SeccompProfile)
		if err != nil {
			return fmt.Errorf("cannot load seccomp profile: %w", err)
		}
		spec.Linux.Seccomp = &specs.LinuxSeccomp{}
		if err := json.Unmarshal(b, spec.Linux.Seccomp); err != nil {
			return fmt.Errorf("cannot load seccomp profile %s: %w", s.SeccompProfile, err)
		}
	default:
		return fmt.Errorf("seccomp profile type %q: %w", s.Seccomp, runtime.ErrUnsupported)
	}
	return nil
}

// oomScoreAdj is the wanted value, or the nearest that this machine lets us set: without CAP_SYS_RESOURCE a process
// can't be protected better than the one that starts it.
func oomScoreAdj(want int) int {
	own, err := ownCapabilities()
	if err == nil && slices.Contains(own, "CAP_SYS_RESOURCE") {
		return want
	}
	return max(want, ownOOMScore())
}

var ownOOMScore = sync.OnceValue(func() int {
	f, err := os.Open("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	defer f.Close()
	line, _, err := bufio.NewReader(f).ReadLine()
	if err != nil {
		return 0
	}
	v, err := strconv.Atoi(string(line))
	if err != nil {
		return 0
	}
	return v
})

// unifiedCgroups tells whether the node has cgroup v2 only.
var unifiedCgroups = sync.OnceValue(func() bool {
	var fs unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC
})
