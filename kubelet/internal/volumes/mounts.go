package volumes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Mounts are a container's volume mounts. env resolves subPathExpr.
func (m *Manager) Mounts(pod *corev1.Pod, c *corev1.Container, env func(string) (string, bool)) ([]runtime.Mount, error) {
	out := make([]runtime.Mount, 0, len(c.VolumeMounts))
	for i, vm := range c.VolumeMounts {
		source, readOnly, err := m.source(pod, vm.Name)
		if err != nil {
			return nil, err
		}
		if vm.GetRecursiveReadOnly() == "Enabled" {
			return nil, fmt.Errorf("volumeMounts[%d].recursiveReadOnly: Enabled is not supported", i)
		}
		if len(vm.BindMountOptions) > 0 {
			return nil, fmt.Errorf("volumeMounts[%d].bindMountOptions is not supported", i)
		}
		sub := vm.SubPath
		if vm.SubPathExpr != "" {
			sub = podspec.Expand(vm.SubPathExpr, env)
		}
		if sub != "" {
			target := filepath.Join(m.root, pod.Metadata.Uid, "subpaths", c.Name, strconv.Itoa(i))
			if source, err = bindSubPath(source, sub, target); err != nil {
				return nil, fmt.Errorf("failed to prepare subPath for volumeMount %q of container %q: %w", vm.Name, c.Name, err)
			}
		}
		mount := runtime.Mount{Source: source, Destination: filepath.Join("/", vm.MountPath), ReadOnly: vm.ReadOnly || readOnly}
		switch vm.GetMountPropagation() {
		case "", "None":
		case "HostToContainer":
			mount.Propagation = "rslave"
		case "Bidirectional":
			mount.Propagation = "rshared"
		default:
			return nil, fmt.Errorf("invalid mountPropagation %q", vm.GetMountPropagation())
		}
		out = append(out, mount)
	}
	return out, nil
}

// source is where a volume is on the node; rendered ones are read-only in containers.
func (m *Manager) source(pod *corev1.Pod, name string) (string, bool, error) {
	for _, v := range pod.Spec.Volumes {
		if v.Name != name {
			continue
		}
		if h := v.VolumeSource.GetHostPath(); h != nil {
			return h.Path, false, nil
		}
		s := v.VolumeSource
		rendered := s.GetConfigMap() != nil || s.GetSecret() != nil || s.GetDownwardAPI() != nil || s.GetProjected() != nil
		return m.volumeDir(pod.Metadata.Uid, name), rendered, nil
	}
	return "", false, fmt.Errorf("cannot find volume %q to mount into container", name)
}

// bindSubPath binds a path below a volume to target. The path is resolved by the kernel and never leaves the volume,
// whatever symbolic links a container has put there; it is made as a directory where it doesn't exist.
func bindSubPath(volume, sub, target string) (string, error) {
	if !filepath.IsLocal(sub) {
		return "", fmt.Errorf("subPath %q must be a relative path below the volume", sub)
	}
	info, err := os.Stat(volume)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a directory", volume)
	}
	root, err := os.OpenRoot(volume)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if _, err := root.Stat(sub); errors.Is(err, os.ErrNotExist) {
		if err := root.MkdirAll(sub, 0o755); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	dir, err := unix.Open(volume, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(dir) }()
	fd, err := unix.Openat2(dir, sub, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return "", fmt.Errorf("resolving %q: %w", sub, err)
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	if err := prepareTarget(target, st.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return "", err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return "", fmt.Errorf("binding %q: %w", sub, err)
	}
	return target, nil
}

// prepareTarget makes an empty file or directory to bind to, in place of what an earlier attempt of the container had.
func prepareTarget(target string, directory bool) error {
	for {
		err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil {
			break
		}
	}
	// Never recursive: what is bound here is a container's data.
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if directory {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	return f.Close()
}
