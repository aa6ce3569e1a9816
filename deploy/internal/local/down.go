package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Down stops every process of the cluster and removes every container, mount, network namespace, link, rule and cgroup
// of it. Data stays: the next Up finds all objects again.
//
// The components clean up after themselves first. What they left, because they were killed or cannot be run any more,
// is then found on the machine and removed.
func (c *Config) Down(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("a local cluster needs root: it removes containers, links and rules")
	}
	c.say("stopping the components")
	scopes := c.scopes()
	var failed []error
	for _, scope := range scopes {
		failed = append(failed, c.stop(ctx, scope, "kubelet", 10*time.Second), c.stop(ctx, scope, "proxy", 10*time.Second))
	}
	for _, component := range []string{"controller-manager", "scheduler", "apiserver"} {
		failed = append(failed, c.stop(ctx, "", component, 15*time.Second))
	}
	for i := 1; i <= 5; i++ {
		failed = append(failed, c.stop(ctx, "", fmt.Sprintf("etcd-%d", i), 10*time.Second))
	}
	c.say("removing containers, rules and links")
	var group errgroup.Group
	for _, n := range c.nodesOnDisk() {
		group.Go(func() error { return c.cleanNode(ctx, n) })
	}
	failed = append(failed, group.Wait())
	for _, scope := range scopes {
		failed = append(failed, c.stop(ctx, scope, "containerd", 10*time.Second))
	}
	failed = append(failed, endShims(ctx), removeCgroups(ctx), removeMounts(c.Dir, runDir), removeNamespaces(), removeLinks())
	failed = append(failed, os.RemoveAll(runDir), os.RemoveAll(filepath.Join(c.Dir, "run")))
	if err := errors.Join(failed...); err != nil {
		return err
	}
	c.say("the cluster is down; its data is in %s (`make clean` removes it)", c.Dir)
	return nil
}

// scopes are the node names below run/.
func (c *Config) scopes() []string {
	var out []string
	entries, _ := os.ReadDir(filepath.Join(c.Dir, "run"))
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// nodesOnDisk are the nodes that have ever run, each with the network namespace it runs in now.
func (c *Config) nodesOnDisk() []node {
	var out []node
	entries, _ := os.ReadDir(filepath.Join(c.Dir, "nodes"))
	for _, e := range entries {
		index, err := strconv.Atoi(strings.TrimPrefix(e.Name(), "node-"))
		if err != nil {
			continue
		}
		all := *c
		all.Nodes = 1
		if exists("/run/netns/keelson-" + e.Name()) {
			all.Nodes = maxNodes
		}
		out = append(out, all.node(index))
	}
	return out
}

// cleanNode lets the kubelet and the proxy remove what they made on a node.
func (c *Config) cleanNode(ctx context.Context, n node) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	run := func(argv []string) error {
		if n.Namespace != "" {
			argv = append([]string{"nsenter", "--net=/run/netns/" + n.Namespace, "--"}, argv...)
		}
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("clean up %s: %s: %w\n%s", n.Name, filepath.Base(argv[0]), err, out)
		}
		return nil
	}
	var failed []error
	if _, ok := runningPID(c.pidFile(n.Name, "containerd")); ok && exists(c.binary("kubelet")) {
		failed = append(failed, run(append([]string{c.binary("kubelet"), "--cleanup", "--server", "unused:1", "--metrics-bind-address", "0"}, c.kubeletFlags(n)...)))
	}
	if exists(c.binary("proxy")) {
		failed = append(failed, run([]string{c.binary("proxy"), "cleanup"}))
	}
	return errors.Join(failed...)
}

// endShims ends the shims of the cluster's containerds that are left, and with each the processes of its container: the
// cgroups are emptied next.
func endShims(ctx context.Context) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || !bytes.Contains(cmdline, []byte("containerd-shim")) || !bytes.Contains(cmdline, []byte(runDir+"/")) {
			continue
		}
		failed = append(failed, endProcess(ctx, pid, 0))
	}
	return errors.Join(failed...)
}

// removeCgroups kills what is left in the cluster's cgroups, in every hierarchy, and removes them.
func removeCgroups(ctx context.Context) error {
	tops, _ := filepath.Glob("/sys/fs/cgroup/*/keelson")
	if exists("/sys/fs/cgroup/keelson") {
		tops = append(tops, "/sys/fs/cgroup/keelson")
	}
	var failed []error
	for _, top := range tops {
		var dirs []string
		_ = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			failed = append(failed, removeCgroup(ctx, dirs[i]))
		}
	}
	return errors.Join(failed...)
}

func removeCgroup(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var last error
	err := until(ctx, 10*time.Millisecond, func() bool {
		procs, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, line := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		last = unix.Rmdir(dir)
		return last == nil || errors.Is(last, unix.ENOENT)
	})
	if err != nil {
		return fmt.Errorf("remove cgroup %s: %w", dir, last)
	}
	return nil
}

// removeMounts detaches every mount below the folders, innermost first.
func removeMounts(below ...string) error {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var points []string
	for _, line := range strings.Split(string(b), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(fields[4])
		for _, dir := range below {
			if strings.HasPrefix(point, dir+"/") {
				points = append(points, point)
			}
		}
	}
	var failed []error
	for i := len(points) - 1; i >= 0; i-- {
		if err := unix.Unmount(points[i], unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			failed = append(failed, fmt.Errorf("unmount %s: %w", points[i], err))
		}
	}
	return errors.Join(failed...)
}
