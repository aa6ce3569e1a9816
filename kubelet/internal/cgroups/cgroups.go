// Package cgroups makes the cgroups that a pod's containers live in: one a pod, grouped by quality of service, on
// cgroup v1 (also beside an empty v2 hierarchy) and on v2. Containers' own cgroups are made by the runtime below them.
//
//	<root>/kubepods/pod<uid>               Guaranteed
//	<root>/kubepods/burstable/pod<uid>
//	<root>/kubepods/besteffort/pod<uid>
package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

const mountPoint = "/sys/fs/cgroup"

// controllers that limits are set in; on v1 each is a hierarchy of its own.
var controllers = []string{"cpu", "memory", "pids"}

// Manager makes cgroups below one root.
type Manager struct {
	root    string
	unified bool
}

// New manages cgroups below root, an absolute path within each hierarchy.
func New(root string) (*Manager, error) {
	if !path.IsAbs(root) || path.Clean(root) == "/" {
		return nil, fmt.Errorf("cgroup root %q must be an absolute path below the root", root)
	}
	var f unix.Statfs_t
	if err := unix.Statfs(mountPoint, &f); err != nil {
		return nil, fmt.Errorf("cgroups are not mounted: %w", err)
	}
	return &Manager{root: path.Clean(root), unified: f.Type == unix.CGROUP2_SUPER_MAGIC}, nil
}

// PodPath is the cgroup of a pod.
func (m *Manager) PodPath(uid, qos string) string {
	base := path.Join(m.root, "kubepods")
	if qos != podspec.Guaranteed {
		base = path.Join(base, strings.ToLower(qos))
	}
	return path.Join(base, "pod"+uid)
}

// EnsurePod makes a pod's cgroup and sets its limits.
func (m *Manager) EnsurePod(uid, qos string, limits runtime.Resources) error {
	p := m.PodPath(uid, qos)
	if m.unified {
		return m.ensureUnified(p, limits)
	}
	for _, c := range controllers {
		dir := filepath.Join(mountPoint, c, p)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if qos == podspec.BestEffort {
		// All of them together weigh as little as possible against those that have asked for something.
		if err := write(filepath.Join(mountPoint, "cpu", path.Dir(p)), "cpu.shares", "2"); err != nil {
			return err
		}
	}
	cpu, memory := filepath.Join(mountPoint, "cpu", p), filepath.Join(mountPoint, "memory", p)
	if err := write(cpu, "cpu.shares", strconv.FormatUint(limits.CPUShares, 10)); err != nil {
		return err
	}
	if limits.CPUQuota > 0 {
		if err := write(cpu, "cpu.cfs_period_us", strconv.FormatUint(limits.CPUPeriod, 10)); err != nil {
			return err
		}
		if err := write(cpu, "cpu.cfs_quota_us", strconv.FormatInt(limits.CPUQuota, 10)); err != nil {
			return err
		}
	}
	if limits.MemoryLimit > 0 {
		return write(memory, "memory.limit_in_bytes", strconv.FormatInt(limits.MemoryLimit, 10))
	}
	return nil
}

func (m *Manager) ensureUnified(p string, limits runtime.Resources) error {
	dir := mountPoint
	for _, part := range strings.Split(strings.Trim(p, "/"), "/") {
		for _, c := range controllers {
			if err := write(dir, "cgroup.subtree_control", "+"+c); err != nil {
				return fmt.Errorf("the %s controller can't be used: %w", c, err)
			}
		}
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if strings.HasSuffix(path.Dir(p), "/besteffort") {
		if err := write(filepath.Dir(dir), "cpu.weight", "1"); err != nil {
			return err
		}
	}
	// The kernel's own mapping between the old shares and the new weights.
	weight := 1 + (limits.CPUShares-2)*9999/262142
	if err := write(dir, "cpu.weight", strconv.FormatUint(weight, 10)); err != nil {
		return err
	}
	if limits.CPUQuota > 0 {
		if err := write(dir, "cpu.max", fmt.Sprintf("%d %d", limits.CPUQuota, limits.CPUPeriod)); err != nil {
			return err
		}
	}
	if limits.MemoryLimit > 0 {
		return write(dir, "memory.max", strconv.FormatInt(limits.MemoryLimit, 10))
	}
	return nil
}

func write(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644)
}

// RemovePod removes a pod's cgroups, whatever its class was. Succeeds where there are none.
func (m *Manager) RemovePod(uid string) error {
	var errs []error
	for _, qos := range []string{podspec.Guaranteed, podspec.Burstable, podspec.BestEffort} {
		errs = append(errs, m.remove(m.PodPath(uid, qos)))
	}
	return errors.Join(errs...)
}

// RemoveAll removes the root and everything below it.
func (m *Manager) RemoveAll() error { return m.remove(m.root) }

// remove deletes a cgroup and those below it from every hierarchy: runtimes use more of them than limits are set in.
func (m *Manager) remove(p string) error {
	if m.unified {
		return removeTree(filepath.Join(mountPoint, p))
	}
	entries, err := os.ReadDir(mountPoint)
	if err != nil {
		return err
	}
	var errs []error
	seen := map[string]bool{}
	for _, e := range entries {
		dir, err := filepath.EvalSymlinks(filepath.Join(mountPoint, e.Name()))
		if err != nil || seen[dir] {
			continue
		}
		seen[dir] = true
		errs = append(errs, removeTree(filepath.Join(dir, p)))
	}
	return errors.Join(errs...)
}

// removeTree removes directories bottom up; the kernel's files in them go with them.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}
