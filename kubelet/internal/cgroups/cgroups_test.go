package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

func TestPodCgroups(t *testing.T) {
	m, err := New(fmt.Sprintf("/keelson-cgroup-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.RemoveAll(); err != nil {
			t.Error(err)
		}
	})
	limits := runtime.Resources{CPUShares: 512, CPUQuota: 50_000, CPUPeriod: 100_000, MemoryLimit: 64 << 20}
	for range 2 {
		if err := m.EnsurePod("u", podspec.Burstable, limits); err != nil {
			t.Fatal(err)
		}
	}
	p := m.PodPath("u", podspec.Burstable)
	files := map[string]string{
		filepath.Join("cpu", p, "cpu.shares"): "512", filepath.Join("cpu", p, "cpu.cfs_quota_us"): "50000",
		filepath.Join("memory", p, "memory.limit_in_bytes"): "67108864",
	}
	if m.unified {
		files = map[string]string{filepath.Join(p, "cpu.max"): "50000 100000", filepath.Join(p, "memory.max"): "67108864"}
	}
	for file, want := range files {
		b, err := os.ReadFile(filepath.Join(mountPoint, file))
		if err != nil || strings.TrimSpace(string(b)) != want {
			t.Errorf("%s: %q, %v, want %q", filepath.Base(file), b, err, want)
		}
	}
	if err := m.EnsurePod("b", podspec.BestEffort, runtime.Resources{CPUShares: 2}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.RemovePod("u"); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(mountPoint, "*", p)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for _, bad := range []string{"", "/", "relative"} {
		if _, err := New(bad); err == nil {
			t.Errorf("root %q was taken", bad)
		}
	}
}
