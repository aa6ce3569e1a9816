package containerd

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/network"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
	"github.com/keelson/keelson/kubelet/internal/testnode"
	"go.uber.org/zap/zaptest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hold" {
		sandbox.Hold()
		return
	}
	testnode.Main(m)
}

// node is a driver with everything below it, and the exits that it told.
type node struct {
	*Driver
	dir   string
	exits chan runtime.Container
	keep  bool // the test removes its pods itself
	stop  func()
}

func newNode(t *testing.T, dir string) *node {
	t.Helper()
	n := testnode.Start(t)
	net, err := network.New(network.Config{Bridge: "klbr0"}, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := net.SetPodCIDR(netip.MustParsePrefix("10.244.1.0/24")); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Config{
		Address: n.Socket, Node: "n1", StateDir: filepath.Join(dir, "run"), Holder: []string{self, "hold"},
		LogLimits: logs.DefaultLimits, Network: net, Logger: zaptest.NewLogger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out := &node{Driver: d, dir: dir, exits: make(chan runtime.Container, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.Run(ctx, func(c runtime.Container) { out.exits <- c }); err != nil {
			t.Error(err)
		}
	}()
	out.stop = func() {
		cancel()
		<-done
		_ = d.Close()
	}
	return out
}

func podConfig(uid string) *runtime.PodConfig {
	return &runtime.PodConfig{
		PodRef:   runtime.PodRef{UID: uid, Namespace: "default", Name: "pod-" + uid},
		Hostname: "pod-" + uid, CgroupParent: testnode.CgroupRoot + "/pod" + uid,
	}
}

func (n *node) create(t *testing.T, pod *runtime.PodConfig, c runtime.ContainerConfig) string {
	t.Helper()
	if _, err := n.EnsurePod(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	c.Pod = pod
	if c.Name == "" {
		c.Name = "c"
	}
	if c.Image == "" {
		c.Image = testnode.Image
	}
	c.LogPath = filepath.Join(n.dir, "logs", pod.UID, c.Name+".log")
	id, err := n.Create(t.Context(), &c)
	if err != nil {
		t.Fatal(err)
	}
	if n.keep {
		return id
	}
	t.Cleanup(func() {
		if err := n.RemovePod(context.Background(), pod.UID); err != nil {
			t.Error(err)
		}
	})
	return id
}

func (n *node) run(t *testing.T, pod *runtime.PodConfig, c runtime.ContainerConfig) (runtime.Container, string) {
	t.Helper()
	id := n.create(t, pod, c)
	if err := n.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	e := n.wait(t, id)
	return e, n.log(t, e.LogPath)
}

func (n *node) wait(t *testing.T, id string) runtime.Container {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case c := <-n.exits:
			if c.ID == id {
				return c
			}
		case <-timeout:
			t.Fatalf("container %s did not exit", id)
		}
	}
}

func (n *node) log(t *testing.T, path string) string {
	t.Helper()
	var out bytes.Buffer
	if err := logs.Read(t.Context(), path, logs.Options{}, &out, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func sh(script string) []string { return []string{"sh", "-c", script} }

func TestRunAndExit(t *testing.T) {
	n := newNode(t, t.TempDir())
	t.Cleanup(n.stop)
	one := int64(1001)
	cases := map[string]struct {
		c            runtime.ContainerConfig
		code         int32
		reason, logs string
	}{
		"image command": {runtime.ContainerConfig{}, 0, "Completed", "default command\n"},
		"args":          {runtime.ContainerConfig{Args: []string{"-c", "echo $FROM_IMAGE $MINE $HOSTNAME; pwd"}, Env: []string{"MINE=m"}}, 0, "Completed", "yes m pod-args\n/tmp\n"},
		"exit code":     {runtime.ContainerConfig{Command: sh("echo out; echo err >&2; exit 3")}, 3, "Error", ""},
		"user":          {runtime.ContainerConfig{Command: []string{"id"}, Security: runtime.Security{RunAsUser: &one, SupplementalGroups: []int64{5000}}}, 0, "Completed", "uid=1001(web) gid=1002(web) groups=1002(web),1003(extra),5000\n"},
		"read-only":     {runtime.ContainerConfig{Command: sh("touch /x || exit 9"), Security: runtime.Security{ReadOnlyRootfs: true}}, 9, "Error", ""},
		"seccomp":       {runtime.ContainerConfig{Command: sh("grep Seccomp: /proc/self/status"), Security: runtime.Security{Seccomp: "RuntimeDefault"}}, 0, "Completed", "Seccomp:\t2\n"},
		"privileged":    {runtime.ContainerConfig{Command: sh("mount -t tmpfs x /tmp && echo mounted"), Security: runtime.Security{Privileged: true}}, 0, "Completed", "mounted\n"},
		"unprivileged":  {runtime.ContainerConfig{Command: sh("mount -t tmpfs x /tmp || exit 4")}, 4, "Error", ""},
		"oom":           {runtime.ContainerConfig{Command: sh("head -c 200000000 /dev/zero | tail"), Resources: runtime.Resources{MemoryLimit: 20 << 20}}, 137, "OOMKilled", ""},
		"sysctl":        {runtime.ContainerConfig{Command: sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start"), Security: runtime.Security{Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "7"}}}, 0, "Completed", "7\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, log := n.run(t, podConfig(strings.ReplaceAll(name, " ", "-")), c.c)
			if c.logs == "" {
				log = ""
			}
			if e.ExitCode != c.code && c.reason != "OOMKilled" || e.Reason != c.reason || log != c.logs {
				t.Errorf("code %d reason %q log %q, want %d %q %q", e.ExitCode, e.Reason, log, c.code, c.reason, c.logs)
			}
			if e.State != runtime.Exited || e.FinishedAt.IsZero() {
				t.Errorf("state %s, finished %v", e.State, e.FinishedAt)
			}
		})
	}
}

func TestStartError(t *testing.T) {
	n := newNode(t, t.TempDir())
	t.Cleanup(n.stop)
	id := n.create(t, podConfig("nocmd"), runtime.ContainerConfig{Command: []string{"/no/such"}})
	err := n.Start(t.Context(), id)
	if err == nil || !strings.Contains(err.Error(), "no such file or directory") {
		t.Errorf("Start: %v", err)
	}
	list, err := n.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != runtime.Exited || list[0].ExitCode != 128 || list[0].Reason != "StartError" {
		t.Errorf("List: %+v, %v", list, err)
	}
	_, err = n.Image(t.Context(), "nothere:v9")
	if !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("unknown image: %v", err)
	}
	_, err = n.Image(t.Context(), "Not A Name")
	if !errors.Is(err, runtime.ErrInvalidImageName) {
		t.Errorf("invalid image: %v", err)
	}
}

func TestExecAttachAndRestart(t *testing.T) {
	dir := t.TempDir()
	n := newNode(t, dir)
	n.keep = true
	pod := podConfig("long")
	id := n.create(t, pod, runtime.ContainerConfig{
		Command: sh("trap 'echo bye; exit 7' TERM; echo started; while read line; do echo got $line; done; while :; do sleep 1; done"),
		Stdin:   true,
	})
	if err := n.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	exec := func(n *node, stdin string, command ...string) (int, string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		e := runtime.ExecConfig{Command: command, Streams: runtime.Streams{Stdout: &out, Stderr: &errs}}
		if stdin != "" {
			e.Stdin = strings.NewReader(stdin)
		}
		code, err := n.Exec(t.Context(), id, e)
		if err != nil {
			t.Fatal(err)
		}
		return code, out.String(), errs.String()
	}
	if code, out, errs := exec(n, "hello", "sh", "-c", "cat; echo oops >&2; exit 5"); code != 5 || out != "hello" || errs != "oops\n" {
		t.Errorf("exec: %d %q %q", code, out, errs)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	began := time.Now()
	if _, err := n.Exec(ctx, id, runtime.ExecConfig{Command: []string{"sleep", "60"}}); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("an exec that was cancelled: %v after %v", err, time.Since(began))
	}
	cancel()

	// The kubelet is restarted: the container goes on, and what it writes meanwhile is not lost.
	n.stop()
	n = newNode(t, dir)
	list, err := n.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != runtime.Running || list[0].ID != id || list[0].Name != "c" {
		t.Fatalf("List: %+v, %v", list, err)
	}
	attached := make(chan string, 100)
	in := strings.NewReader("one\n")
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- n.Attach(ctx, id, runtime.Streams{Stdin: in, Stdout: writerFunc(func(p []byte) { attached <- string(p) })})
	}()
	select {
	case got := <-attached:
		if got != "got one\n" {
			t.Errorf("attached: %q", got)
		}
	case err := <-ended:
		t.Fatalf("Attach ended: %v", err)
	}
	if code, out, _ := exec(n, "", "hostname"); code != 0 || out != "pod-long\n" {
		t.Errorf("exec after the restart: %d %q", code, out)
	}
	// containerd crashes and comes back; the exit in between is not missed.
	tn := testnode.Start(t)
	tn.Kill()
	if err := tn.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := n.Signal(t.Context(), id, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = n.Signal(t.Context(), id, syscall.SIGKILL)
	e := n.wait(t, id)
	if e.ExitCode != 137 && e.ExitCode != 7 {
		t.Errorf("exit code %d", e.ExitCode)
	}
	if err := <-ended; err != nil {
		t.Errorf("Attach: %v", err)
	}
	if log := n.log(t, e.LogPath); !strings.HasPrefix(log, "started\ngot one\n") {
		t.Errorf("log: %q", log)
	}
	if err := n.Signal(t.Context(), id, syscall.SIGTERM); !errors.Is(err, runtime.ErrNotRunning) {
		t.Errorf("signal after the end: %v", err)
	}
	if err := n.RemovePod(t.Context(), pod.UID); err != nil {
		t.Fatal(err)
	}
	pods, err := n.Pods(t.Context())
	if err != nil || len(pods) != 0 {
		t.Errorf("Pods: %v, %v", pods, err)
	}
	t.Cleanup(n.stop)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(bytes.Clone(p))
	return len(p), nil
}
