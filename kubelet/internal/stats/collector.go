package stats

import (
	"bufio"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/cgroups"
	"github.com/keelson/keelson/kubelet/internal/podspec"
)

// Config is what a collector reads.
type Config struct {
	Node string
	// Dir is on the file system that pods write to.
	Dir     string
	Cgroups interface {
		PodPath(uid, qos string) string
		Usage(path string) (cgroups.Usage, error)
	}
	// Proc is where the kernel's files are; "" is /proc.
	Proc string
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Collector reads the usage of a node and its pods.
type Collector struct {
	cfg Config

	mu sync.Mutex
	// last is the CPU time of each cgroup when it was last read; the rates are over the time since.
	last map[string]sample
}

// sample is a CPU time and the rate that was told with it.
type sample struct {
	at   time.Time
	cpu  uint64
	rate uint64
}

// New returns a collector.
func New(cfg Config) *Collector {
	if cfg.Proc == "" {
		cfg.Proc = "/proc"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Collector{cfg: cfg, last: map[string]sample{}}
}

// minInterval is the shortest time over which a rate says something; who asks more often is told the same again.
const minInterval = time.Second

// Summary reads the usage of the node and of these pods. Pods that have no cgroup any more are left out.
func (c *Collector) Summary(pods []*corev1.Pod) (*Summary, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	node, err := c.node(now)
	if err != nil {
		return nil, err
	}
	out := &Summary{Node: *node, Pods: []PodStats{}}
	seen := map[string]sample{nodeKey: c.last[nodeKey]}
	for _, p := range pods {
		if s := c.pod(p, now, seen); s != nil {
			out.Pods = append(out.Pods, *s)
		}
	}
	c.last = seen // what is gone is forgotten
	return out, nil
}

// nodeKey stands for the machine among the cgroups.
const nodeKey = "/"

func (c *Collector) pod(p *corev1.Pod, now time.Time, seen map[string]sample) *PodStats {
	m := p.GetMetadata()
	dir := c.cfg.Cgroups.PodPath(m.GetUid(), podspec.QOSClass(p))
	u, err := c.cfg.Cgroups.Usage(dir)
	if err != nil {
		return nil
	}
	start := apitime.Go(p.GetStatus().GetStartTime())
	out := &PodStats{PodRef: PodReference{Name: m.GetName(), Namespace: m.GetNamespace(), UID: m.GetUid()}, StartTime: start,
		Containers: []ContainerStats{}, ProcessStats: &ProcessStats{ProcessCount: &u.Processes}}
	out.CPU, out.Memory = c.cpu(dir, u.CPU, start, now, seen), memory(u, now)
	for _, list := range [][]*corev1.ContainerStatus{p.GetStatus().GetInitContainerStatuses(), p.GetStatus().GetContainerStatuses(),
		p.GetStatus().GetEphemeralContainerStatuses()} {
		for _, s := range list {
			running := s.GetState().GetRunning()
			_, id, ok := strings.Cut(s.GetContainerID(), "://")
			if running == nil || !ok {
				continue
			}
			at := path.Join(dir, id)
			u, err := c.cfg.Cgroups.Usage(at)
			if err != nil {
				continue // it has just ended
			}
			start := apitime.Go(running.GetStartedAt())
			out.Containers = append(out.Containers, ContainerStats{Name: s.GetName(), StartTime: start,
				CPU: c.cpu(at, u.CPU, start, now, seen), Memory: memory(u, now)})
		}
	}
	return out
}

// cpu tells a CPU time and its rate: since it was last asked for, else since the start.
func (c *Collector) cpu(key string, used uint64, start, now time.Time, seen map[string]sample) *CPUStats {
	last, ok := c.last[key]
	s := sample{at: now, cpu: used}
	switch {
	case ok && now.Sub(last.at) < minInterval:
		s = last
	case ok && used >= last.cpu:
		s.rate = uint64(float64(used-last.cpu) / now.Sub(last.at).Seconds())
	case now.After(start):
		s.rate = uint64(float64(used) / now.Sub(start).Seconds())
	}
	seen[key] = s
	return &CPUStats{Time: now, UsageNanoCores: &s.rate, UsageCoreNanoSeconds: &used}
}

func memory(u cgroups.Usage, now time.Time) *MemoryStats {
	m := &MemoryStats{Time: now, UsageBytes: &u.Memory, WorkingSetBytes: &u.WorkingSet, RSSBytes: &u.RSS,
		PageFaults: &u.PageFaults, MajorPageFaults: &u.MajorPageFaults}
	if u.Limit > 0 {
		available := u.Limit - min(u.Limit, u.WorkingSet)
		m.AvailableBytes = &available
	}
	return m
}

// node reads the machine's usage.
func (c *Collector) node(now time.Time) (*NodeStats, error) {
	used, boot, err := c.machineCPU()
	if err != nil {
		return nil, err
	}
	info, err := c.memInfo()
	if err != nil {
		return nil, err
	}
	out := &NodeStats{NodeName: c.cfg.Node, StartTime: boot, CPU: c.cpu(nodeKey, used, boot, now, c.last)}
	total, available, free := info["MemTotal"], info["MemAvailable"], info["MemFree"]
	usage, working, rss := total-min(total, free), total-min(total, available), info["AnonPages"]
	out.Memory = &MemoryStats{Time: now, AvailableBytes: &available, UsageBytes: &usage, WorkingSetBytes: &working, RSSBytes: &rss}
	var f unix.Statfs_t
	if err := unix.Statfs(c.cfg.Dir, &f); err == nil {
		size := uint64(f.Bsize)
		capacity, left, used := f.Blocks*size, f.Bavail*size, (f.Blocks-f.Bfree)*size
		inodes, inodesFree, inodesUsed := f.Files, f.Ffree, f.Files-f.Ffree
		out.Fs = &FsStats{Time: now, AvailableBytes: &left, CapacityBytes: &capacity, UsedBytes: &used, Inodes: &inodes, InodesFree: &inodesFree,
			InodesUsed: &inodesUsed}
	}
	return out, nil
}

// ticks is how many units of /proc/stat a second has.
const ticks = 100

// machineCPU reads the time that CPUs were busy, in nanoseconds, and when the machine was started.
func (c *Collector) machineCPU() (busy uint64, boot time.Time, err error) {
	f, err := os.Open(path.Join(c.cfg.Proc, "stat"))
	if err != nil {
		return 0, boot, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		fields := strings.Fields(s.Text())
		switch {
		case len(fields) > 8 && fields[0] == "cpu":
			for i, v := range fields[1:9] {
				n, err := strconv.ParseUint(v, 10, 64)
				if err != nil {
					return 0, boot, err
				}
				if i != 3 && i != 4 { // idle, waiting for disks
					busy += n * uint64(time.Second/ticks)
				}
			}
		case len(fields) == 2 && fields[0] == "btime":
			if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				boot = time.Unix(n, 0)
			}
		}
	}
	return busy, boot, s.Err()
}

// memInfo reads /proc/meminfo, in bytes.
func (c *Collector) memInfo() (map[string]uint64, error) {
	f, err := os.Open(path.Join(c.cfg.Proc, "meminfo"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]uint64{}
	s := bufio.NewScanner(f)
	for s.Scan() {
		name, value, _ := strings.Cut(s.Text(), ":")
		if n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64); err == nil {
			out[name] = n << 10
		}
	}
	return out, s.Err()
}
