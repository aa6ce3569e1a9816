package cgroups

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Usage is what a cgroup and those below it have used.
type Usage struct {
	// CPU is the time on all CPUs, in nanoseconds.
	CPU uint64
	// Memory in bytes: all, without the page cache that can be given back at once, anonymous; and the limit, 0 where
	// there is none.
	Memory, WorkingSet, RSS, Limit uint64
	PageFaults, MajorPageFaults    uint64
	// Processes is how many there are.
	Processes uint64
}

// Usage reads what the cgroup at path, as PodPath returns, has used. fs.ErrNotExist where it is gone.
func (m *Manager) Usage(path string) (Usage, error) {
	if m.unified {
		return m.unifiedUsage(filepath.Join(mountPoint, path))
	}
	var u Usage
	var err error
	if u.CPU, err = number(filepath.Join(mountPoint, "cpuacct", path, "cpuacct.usage")); err != nil {
		if u.CPU, err = number(filepath.Join(mountPoint, "cpu", path, "cpuacct.usage")); err != nil {
			return u, err
		}
	}
	memory := filepath.Join(mountPoint, "memory", path)
	if u.Memory, err = number(filepath.Join(memory, "memory.usage_in_bytes")); err != nil {
		return u, err
	}
	stat, err := table(filepath.Join(memory, "memory.stat"))
	if err != nil {
		return u, err
	}
	u.RSS, u.PageFaults, u.MajorPageFaults = stat["total_rss"], stat["total_pgfault"], stat["total_pgmajfault"]
	u.WorkingSet = u.Memory - min(u.Memory, stat["total_inactive_file"])
	if limit, err := number(filepath.Join(memory, "memory.limit_in_bytes")); err == nil && limit < 1<<62 {
		u.Limit = limit
	}
	u.Processes, err = number(filepath.Join(mountPoint, "pids", path, "pids.current"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return u, err
}

func (m *Manager) unifiedUsage(dir string) (Usage, error) {
	var u Usage
	cpu, err := table(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return u, err
	}
	u.CPU = cpu["usage_usec"] * 1000
	if u.Memory, err = number(filepath.Join(dir, "memory.current")); err != nil {
		return u, err
	}
	stat, err := table(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return u, err
	}
	u.RSS, u.PageFaults, u.MajorPageFaults = stat["anon"], stat["pgfault"], stat["pgmajfault"]
	u.WorkingSet = u.Memory - min(u.Memory, stat["inactive_file"])
	if limit, err := number(filepath.Join(dir, "memory.max")); err == nil {
		u.Limit = limit
	}
	u.Processes, err = number(filepath.Join(dir, "pids.current"))
	return u, err
}

func number(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}

// table reads lines of a name and a number.
func table(path string) (map[string]uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]uint64{}
	s := bufio.NewScanner(f)
	for s.Scan() {
		name, value, _ := strings.Cut(s.Text(), " ")
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64); err == nil {
			out[name] = n
		}
	}
	return out, s.Err()
}
