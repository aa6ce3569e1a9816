// Package e2e tests the product as its users run it: real binaries, real containers, the real kubectl and client-go, on a
// cluster of three nodes. It needs root and the programs of `make build kubectl bin/etcd`.
//
// KEELSON_DIR=dir runs the tests on the cluster that is up in dir and leaves it there, for someone who works on a test.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keelson/keelson/deploy/internal/image"
)

// cluster is the one that all tests of a run share.
type cluster struct {
	dir, bin string
	flags    []string // of up
}

var shared *cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	bin := os.Getenv("KEELSON_BIN")
	if bin == "" {
		bin = "../../bin"
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if dir := os.Getenv("KEELSON_DIR"); dir != "" {
		shared = &cluster{dir: dir, bin: bin}
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "keelson-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = &cluster{dir: dir, bin: bin, flags: []string{"--nodes", "3", "--examples", "../examples"}}
	if err := buildImages(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 1
	if err := shared.up(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else if err := shared.load("probe.tar"); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	if code != 0 {
		shared.printLogs()
	}
	if err := shared.down(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if left := leftovers(dir); left != "" {
		fmt.Fprintf(os.Stderr, "make down left behind:\n%s\n", left)
		return 1
	}
	if code == 0 {
		_ = os.RemoveAll(dir)
	}
	return code
}

// buildImages makes the archive with the tests' images: "probe:v1" with busybox and the probe program.
func buildImages(dir string) error {
	program := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-o", program, "./images/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	spec, err := image.Busybox("probe:v1", map[string]string{"/bin/probe": program})
	if err != nil {
		return err
	}
	return image.Write(filepath.Join(dir, "probe.tar"), spec)
}

func (c *cluster) local(args ...string) error {
	args = append(args, "--dir", c.dir, "--bin", c.bin)
	cmd := exec.Command(filepath.Join(c.bin, "keelson-local"), args...)
	out, err := cmd.CombinedOutput()
	fmt.Printf("%s", out)
	if err != nil {
		return fmt.Errorf("keelson-local %s: %w", args[0], err)
	}
	return nil
}

func (c *cluster) up() error                 { return c.local(append([]string{"up"}, c.flags...)...) }
func (c *cluster) down() error               { return c.local("down") }
func (c *cluster) load(archive string) error { return c.local("load", filepath.Join(c.dir, archive)) }

// printLogs shows the end of every component's log.
func (c *cluster) printLogs() {
	_ = filepath.WalkDir(filepath.Join(c.dir, "logs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/pods/") {
			return nil
		}
		out, _ := exec.Command("tail", "-n", "25", path).Output()
		fmt.Printf("---- %s\n%s", strings.TrimPrefix(path, c.dir), out)
		return nil
	})
}

// pid of a component; scope is a node's name or empty.
func (c *cluster) pid(t *testing.T, scope, component string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "run", scope, component+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// kill ends a component with SIGKILL.
func (c *cluster) kill(t *testing.T, scope, component string) {
	t.Helper()
	if err := syscall.Kill(c.pid(t, scope, component), syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s %s: %v", scope, component, err)
	}
}

// kubectl runs the kubectl that was built with the tests and fails the test where it fails.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := try(args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// try runs kubectl and returns what it printed, on both outputs.
func try(args ...string) (string, error) {
	return tryWith(filepath.Join(shared.bin, "kubectl"), "", args...)
}

func tryWith(program, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(shared.dir, "admin.kubeconfig"), "KUBECACHEDIR="+filepath.Join(shared.dir, "cache"))
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// apply applies a manifest.
func apply(t *testing.T, manifest string) {
	t.Helper()
	if out, err := tryWith(filepath.Join(shared.bin, "kubectl"), manifest, "apply", "-f", "-"); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
}

// namespace makes a namespace for a test and removes it afterwards.
func namespace(t *testing.T) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", ".", "-").Replace(t.Name()))
	kubectl(t, "create", "namespace", name)
	// Pods are refused until their service account is there.
	kubectl(t, "-n", name, "wait", "--for=create", "serviceaccount/default", "--timeout=60s")
	t.Cleanup(func() { _, _ = try("delete", "namespace", name, "--wait=false") })
	return name
}

// eventually waits for a condition that is looked at from outside, where no event can be had.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in %v: %s", limit, what)
		case <-tick.C:
		}
	}
}

// leftovers lists what of the cluster in dir is on the machine. Other people's containers have shims too: only processes
// that name the cluster's folders count.
func leftovers(dir string) string {
	var out bytes.Buffer
	for _, probe := range []string{
		"ip -o link | grep -E ': (keelson|kl)'",
		"ls /run/netns 2>/dev/null | grep keelson",
		"iptables-save 2>/dev/null | grep -E 'KEELSON|KLSVC'",
		"grep -E 'keelson' /proc/mounts",
		"find /sys/fs/cgroup -maxdepth 3 -type d -name 'keelson*'",
		"ls -d /run/keelson 2>/dev/null",
		// The brackets keep the pattern from matching the shell that looks for it.
		fmt.Sprintf("pgrep -af '/run/[k]eelson/|[%c]%s/'", dir[1], dir[2:]),
	} {
		b, _ := exec.Command("sh", "-c", probe).Output()
		if len(bytes.TrimSpace(b)) > 0 {
			fmt.Fprintf(&out, "$ %s\n%s", probe, b)
		}
	}
	return out.String()
}
