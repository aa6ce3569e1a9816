// Package sandbox keeps the kernel objects that the containers of a pod share: network, IPC, UTS and, where asked for,
// PID namespaces, and /dev/shm. Namespaces are pinned by bind mounts of their /proc files, so no process has to stay
// alive for them (a PID namespace alone needs a first process: the holder).
//
// On disk, below the state directory:
//
//	<uid>/pod.json   who the pod is, for a kubelet that starts after the API object is gone
//	<uid>/ns/net     pinned namespaces; also ipc, uts, pid
//	<uid>/shm        the pod's /dev/shm
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"golang.org/x/sys/unix"
)

// shmSize is what Kubernetes' pods get as /dev/shm.
const shmSize = "size=67108864"

// Manager makes and removes sandboxes below one directory.
type Manager struct {
	dir string
	// holder is the command that becomes process 1 of a shared PID namespace.
	holder []string
}

// NewManager keeps sandboxes below dir. holder starts a process that does nothing but reap: see Hold.
func NewManager(dir string, holder []string) (*Manager, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	return &Manager{dir: dir, holder: holder}, nil
}

// Paths are where a sandbox's parts are; "" is a part that the pod shares with the node.
type Paths struct {
	Net, IPC, UTS, PID string
	Shm                string
}

// Path of the named namespace ("net", "ipc", "uts", "pid") of a pod.
func (m *Manager) Path(uid, namespace string) string {
	return filepath.Join(m.dir, uid, "ns", namespace)
}

// Paths of a pod's sandbox.
func (m *Manager) Paths(pod *runtime.PodConfig) Paths {
	p := Paths{Shm: "/dev/shm"}
	if !pod.HostNetwork {
		p.Net, p.UTS = m.Path(pod.UID, "net"), m.Path(pod.UID, "uts")
	}
	if !pod.HostIPC {
		p.IPC, p.Shm = m.Path(pod.UID, "ipc"), filepath.Join(m.dir, pod.UID, "shm")
	}
	if pod.SharePID && !pod.HostPID {
		p.PID = m.Path(pod.UID, "pid")
	}
	return p
}

// Ensure makes a pod's namespaces and /dev/shm exist. It is safe after a crash at any point of an earlier Ensure.
func (m *Manager) Ensure(pod *runtime.PodConfig) (Paths, error) {
	dir := filepath.Join(m.dir, pod.UID)
	if err := os.MkdirAll(filepath.Join(dir, "ns"), 0o711); err != nil {
		return Paths{}, err
	}
	if err := writeRecord(dir, pod.PodRef); err != nil {
		return Paths{}, err
	}
	p := m.Paths(pod)
	want := wanted{net: missing(p.Net), ipc: missing(p.IPC), uts: missing(p.UTS), hostname: pod.Hostname}
	if want.net || want.ipc || want.uts {
		if err := create(want, p); err != nil {
			return Paths{}, fmt.Errorf("creating namespaces: %w", err)
		}
	}
	if p.PID != "" && missing(p.PID) {
		if err := m.startHolder(p); err != nil {
			return Paths{}, fmt.Errorf("starting the holder of the shared PID namespace: %w", err)
		}
	}
	if !pod.HostIPC {
		if err := mountShm(p.Shm); err != nil {
			return Paths{}, fmt.Errorf("mounting /dev/shm: %w", err)
		}
	}
	return p, nil
}

// Remove takes a pod's sandbox away. Succeeds where there is none.
func (m *Manager) Remove(uid string) error {
	dir := filepath.Join(m.dir, uid)
	var errs []error
	errs = append(errs, m.stopHolder(uid))
	for _, name := range []string{"net", "ipc", "uts", "pid"} {
		errs = append(errs, unmount(m.Path(uid, name)))
	}
	errs = append(errs, unmount(filepath.Join(dir, "shm")))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// List names the pods that have a sandbox, complete or not.
func (m *Manager) List() ([]runtime.PodRef, error) {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return nil, err
	}
	var pods []runtime.PodRef
	for _, e := range entries {
		ref := runtime.PodRef{UID: e.Name()}
		if b, err := os.ReadFile(filepath.Join(m.dir, e.Name(), "pod.json")); err == nil {
			_ = json.Unmarshal(b, &ref)
			ref.UID = e.Name()
		}
		pods = append(pods, ref)
	}
	return pods, nil
}

func writeRecord(dir string, ref runtime.PodRef) error {
	path := filepath.Join(dir, "pod.json")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	b, err := json.Marshal(ref)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// missing tells whether a namespace is wanted at path but not pinned there: after a reboot the file is still there, but
// nothing is mounted on it.
func missing(path string) bool {
	if path == "" {
		return false
	}
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) != nil || fs.Type != unix.NSFS_MAGIC
}

func mountShm(path string) error {
	if err := os.MkdirAll(path, 0o1777); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return err
	}
	var parent unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &parent); err != nil {
		return err
	}
	if fs.Type == unix.TMPFS_MAGIC && fs.Fsid != parent.Fsid {
		return nil
	}
	return unix.Mount("shm", path, "tmpfs", unix.MS_NOEXEC|unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,"+shmSize)
}

// unmount removes every mount on a path; it succeeds where there is none.
func unmount(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch {
		case err == nil:
			continue
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
			return nil
		default:
			return fmt.Errorf("unmounting %s: %w", path, err)
		}
	}
}

// Has tells whether a pod has a namespace of its own of that name.
func (m *Manager) Has(uid, namespace string) bool {
	return !missing(m.Path(uid, namespace))
}
