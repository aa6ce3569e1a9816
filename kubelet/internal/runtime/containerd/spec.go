package containerd

import (
	"path"
	"slices"
	"strings"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// buildSpec makes the OCI specification of a container.
func buildSpec(id string, c *runtime.ContainerConfig, image *ocispec.ImageConfig, user specs.User, p sandbox.Paths) (*specs.Spec, error) {
	spec := &specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			User: user, Args: arguments(c, image), Env: environment(c, image), Cwd: workingDir(c, image), Terminal: c.TTY,
		},
		Linux: &specs.Linux{
			CgroupsPath: path.Join(c.Pod.CgroupParent, id),
			Resources:   resources(&c.Resources),
			Namespaces:  namespaceList(c.Pod, p),
			Sysctl:      c.Security.Sysctls,
		},
	}
	score := oomScoreAdj(c.Resources.OOMScoreAdj)
	spec.Process.OOMScoreAdj = &score
	spec.Mounts = mounts(c, p)
	spec.Linux.RootfsPropagation = propagation(c.Mounts)
	return spec, secure(spec, &c.Security)
}

// arguments follow Kubernetes' rules: a command of the pod drops the image's entry point and arguments, arguments of
// the pod drop the image's arguments.
func arguments(c *runtime.ContainerConfig, image *ocispec.ImageConfig) []string {
	command, args := c.Command, c.Args
	if len(command) == 0 {
		command = image.Entrypoint
		if len(args) == 0 {
			args = image.Cmd
		}
	}
	return slices.Concat(command, args)
}

func environment(c *runtime.ContainerConfig, image *ocispec.ImageConfig) []string {
	env := []string{defaultPath}
	if c.TTY {
		env = append(env, "TERM=xterm")
	}
	if c.Pod.Hostname != "" {
		env = append(env, "HOSTNAME="+c.Pod.Hostname)
	}
	index := map[string]int{}
	var out []string
	for _, e := range slices.Concat(env, image.Env, c.Env) {
		name, _, _ := strings.Cut(e, "=")
		if i, ok := index[name]; ok {
			out[i] = e
			continue
		}
		index[name] = len(out)
		out = append(out, e)
	}
	return out
}

func workingDir(c *runtime.ContainerConfig, image *ocispec.ImageConfig) string {
	for _, dir := range []string{c.WorkingDir, image.WorkingDir} {
		if dir != "" {
			return path.Join("/", dir)
		}
	}
	return "/"
}

func resources(r *runtime.Resources) *specs.LinuxResources {
	out := &specs.LinuxResources{CPU: &specs.LinuxCPU{}, Memory: &specs.LinuxMemory{}}
	if r.CPUShares > 0 {
		out.CPU.Shares = &r.CPUShares
	}
	if r.CPUQuota > 0 {
		out.CPU.Quota, out.CPU.Period = &r.CPUQuota, &r.CPUPeriod
	}
	if r.MemoryLimit > 0 {
		out.Memory.Limit = &r.MemoryLimit
	}
	if r.PIDs > 0 {
		out.Pids = &specs.LinuxPids{Limit: &r.PIDs}
	}
	return out
}

func namespaceList(pod *runtime.PodConfig, p sandbox.Paths) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for _, ns := range []specs.LinuxNamespace{
		{Type: specs.NetworkNamespace, Path: p.Net}, {Type: specs.IPCNamespace, Path: p.IPC},
		{Type: specs.UTSNamespace, Path: p.UTS},
	} {
		if ns.Path != "" {
			list = append(list, ns)
		}
	}
	if !pod.HostPID {
		list = append(list, specs.LinuxNamespace{Type: specs.PIDNamespace, Path: p.PID})
	}
	if unifiedCgroups() {
		list = append(list, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return list
}

func mounts(c *runtime.ContainerConfig, p sandbox.Paths) []specs.Mount {
	sys := []string{"nosuid", "noexec", "nodev", "ro"}
	if c.Security.Privileged {
		sys[3] = "rw"
	}
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: sys},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: append(slices.Clone(sys), "relatime")},
	}
	if !slices.ContainsFunc(c.Mounts, func(m runtime.Mount) bool { return path.Clean(m.Destination) == "/dev/shm" }) {
		list = append(list, specs.Mount{Destination: "/dev/shm", Type: "bind", Source: p.Shm, Options: []string{"rbind", "rw", "nosuid", "nodev", "noexec"}})
	}
	own := slices.Clone(c.Mounts)
	// A mount below another one comes after it.
	slices.SortStableFunc(own, func(a, b runtime.Mount) int {
		return strings.Count(path.Clean(a.Destination), "/") - strings.Count(path.Clean(b.Destination), "/")
	})
	for _, m := range own {
		if m.Type != "" {
			list = append(list, specs.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Options: m.Options})
			continue
		}
		mode, prop := "rw", m.Propagation
		if m.ReadOnly {
			mode = "ro"
		}
		if prop == "" || prop == "private" {
			prop = "rprivate"
		}
		list = append(list, specs.Mount{Destination: m.Destination, Type: "bind", Source: m.Source, Options: []string{"rbind", mode, prop}})
	}
	return list
}

// propagation of the root file system: a bind mount's own propagation needs at least as much of it.
func propagation(mounts []runtime.Mount) string {
	prop := ""
	for _, m := range mounts {
		switch m.Propagation {
		case "rshared":
			return "rshared"
		case "rslave":
			prop = "rslave"
		}
	}
	return prop
}
