// Package machine describes the machine as far as the figures depend on it.
package machine

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Load is the load average of the last minute: above the number of CPUs, others compete with the benchmark.
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// names of filesystems by statfs' magic numbers. On tmpfs fsync is free.
var names = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs (where fsync is free)", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
}

// Filesystem names the filesystem of a directory.
func Filesystem(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "an unknown filesystem"
	}
	if n, ok := names[int64(s.Type)]; ok {
		return n
	}
	return fmt.Sprintf("filesystem %#x", s.Type)
}
