// Package node tells the API server about the machine: it registers the Node, keeps its status and its Lease, and
// brings other nodes' pod networks within reach.
package node

import (
	"bufio"
	"fmt"
	"net"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/quantity"
)

// Machine is what the kernel tells of the machine.
type Machine struct {
	CPUs int
	// Memory and Storage in bytes; Storage is of the file system of the kubelet's directory.
	Memory, Storage int64
	Info            *corev1.NodeSystemInfo
}

// Inspect reads the machine. dir is the kubelet's directory.
func Inspect(dir string) (Machine, error) {
	m := Machine{CPUs: goruntime.NumCPU()}
	memory, err := memInfo()
	if err != nil {
		return m, err
	}
	m.Memory = memory["MemTotal"]
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return m, err
	}
	m.Storage = int64(fs.Blocks) * fs.Bsize
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return m, err
	}
	m.Info = &corev1.NodeSystemInfo{
		MachineID: line("/etc/machine-id"), SystemUUID: line("/sys/class/dmi/id/product_uuid"),
		BootID: line("/proc/sys/kernel/random/boot_id"), KernelVersion: unix.ByteSliceToString(uts.Release[:]),
		OsImage: osImage(), OperatingSystem: goruntime.GOOS, Architecture: goruntime.GOARCH,
	}
	return m, nil
}

func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func osImage() string {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return "Linux"
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			if s, err := strconv.Unquote(v); err == nil {
				return s
			}
			return v
		}
	}
	return "Linux"
}

// memInfo is /proc/meminfo in bytes.
func memInfo() (map[string]int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]int64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			out[name] = n * 1024
		}
	}
	return out, lines.Err()
}

// Capacity of the machine for pods.
func (m Machine) Capacity(maxPods int) map[string]*metav1.Quantity {
	return map[string]*metav1.Quantity{
		"cpu": quantity.Of(int64(m.CPUs)), "memory": quantity.OfBytes(m.Memory),
		"ephemeral-storage": quantity.OfBytes(m.Storage), "pods": quantity.Of(int64(maxPods)),
	}
}

// pressure tells whether memory, disk or process numbers run short.
func pressure(dir string) (memory, disk, pids bool) {
	if m, err := memInfo(); err == nil {
		memory = m["MemAvailable"] < 100<<20
	}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && fs.Blocks > 0 {
		disk = fs.Bavail*20 < fs.Blocks || fs.Files > 0 && fs.Ffree*20 < fs.Files
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		if limit, err := strconv.ParseInt(line("/proc/sys/kernel/pid_max"), 10, 64); err == nil && limit > 0 {
			pids = int64(info.Procs)*10 > limit*9
		}
	}
	return memory, disk, pids
}

// DefaultAddress is the address that the node reaches others from: that of its default route, else of its first link.
func DefaultAddress() (string, error) {
	// Nothing is sent: connecting a datagram socket only looks the route up.
	if c, err := net.Dial("udp4", "192.0.2.1:9"); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok && !a.IP.IsUnspecified() {
			return a.IP.String(), nil
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String(), nil
		}
	}
	return "", fmt.Errorf("the machine has no IPv4 address besides loopback: give --node-ip")
}
