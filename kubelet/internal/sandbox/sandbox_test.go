package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the holder too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hold" {
		Hold()
		return
	}
	os.Exit(m.Run())
}

func TestSandbox(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewManager(t.TempDir(), []string{self, "hold"})
	if err != nil {
		t.Fatal(err)
	}
	pod := &runtime.PodConfig{PodRef: runtime.PodRef{UID: "u1", Namespace: "default", Name: "web"}, Hostname: "web", SharePID: true}
	t.Cleanup(func() { _ = m.Remove("u1") })
	p, err := m.Ensure(pod)
	if err != nil {
		t.Fatal(err)
	}
	var first unix.Stat_t
	if err := unix.Stat(p.Net, &first); err != nil {
		t.Fatal(err)
	}
	// A second Ensure changes nothing.
	if _, err := m.Ensure(pod); err != nil {
		t.Fatal(err)
	}
	var second unix.Stat_t
	if err := unix.Stat(p.Net, &second); err != nil {
		t.Fatal(err)
	}
	if first.Ino != second.Ino {
		t.Error("Ensure made a second network namespace")
	}
	out, err := exec.Command("nsenter", "--uts="+p.UTS, "--net="+p.Net, "--ipc="+p.IPC, "--pid="+p.PID, "hostname").CombinedOutput()
	if err != nil || string(out) != "web\n" {
		t.Errorf("hostname: %q, %v", out, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(p.Shm, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		t.Errorf("shm is %x, %v", fs.Type, err)
	}
	pods, err := m.List()
	if err != nil || len(pods) != 1 || pods[0] != pod.PodRef {
		t.Errorf("List: %v, %v", pods, err)
	}
	for range 2 {
		if err := m.Remove("u1"); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(m.dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
