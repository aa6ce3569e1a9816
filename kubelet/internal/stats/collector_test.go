package stats

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"

	"github.com/keelson/keelson/kubelet/internal/cgroups"
)

type groups map[string]cgroups.Usage

func (groups) PodPath(uid, _ string) string { return uid }

func (g groups) Usage(path string) (cgroups.Usage, error) {
	if u, ok := g[path]; ok {
		return u, nil
	}
	return cgroups.Usage{}, os.ErrNotExist
}

// TestRates looks at the rate of a pod's CPU time: over its life at first, then since it was last asked for.
func TestRates(t *testing.T) {
	proc := t.TempDir()
	for name, text := range map[string]string{
		"stat":    "cpu  100 0 50 1000 10 0 0 0 0 0\ncpu0 100 0 50 1000 10 0 0 0 0 0\nbtime 1000\n",
		"meminfo": "MemTotal:       1000 kB\nMemFree:        200 kB\nMemAvailable:   600 kB\nAnonPages:      100 kB\n",
	} {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Unix(2000, 0)
	now := start
	g := groups{}
	c := New(Config{Node: "n", Dir: proc, Proc: proc, Cgroups: g, Now: func() time.Time { return now }})
	pods := []*corev1.Pod{{Metadata: &metav1.ObjectMeta{Name: "p", Uid: "u"}, Spec: &corev1.PodSpec{}, Status: &corev1.PodStatus{StartTime: apitime.Of(start)}}}
	steps := []struct {
		after time.Duration
		cpu   uint64
		rate  uint64
	}{
		{10 * time.Second, 5e9, 5e8},
		{10 * time.Second, 25e9, 2e9},
		{100 * time.Millisecond, 26e9, 2e9}, // too soon to tell
		{9900 * time.Millisecond, 35e9, 1e9},
	}
	for i, s := range steps {
		now = now.Add(s.after)
		g["u"] = cgroups.Usage{CPU: s.cpu, Memory: 10, WorkingSet: 7, Limit: 20}
		out, err := c.Summary(pods)
		if err != nil {
			t.Fatal(err)
		}
		p := out.Pods[0]
		if *p.CPU.UsageNanoCores != s.rate || *p.CPU.UsageCoreNanoSeconds != s.cpu || *p.Memory.AvailableBytes != 13 {
			t.Errorf("step %d: %d, %d, %d", i, *p.CPU.UsageNanoCores, *p.CPU.UsageCoreNanoSeconds, *p.Memory.AvailableBytes)
		}
		if *out.Node.CPU.UsageCoreNanoSeconds != 1500e6 || *out.Node.Memory.WorkingSetBytes != 400<<10 || !out.Node.StartTime.Equal(time.Unix(1000, 0)) {
			t.Errorf("node %+v", out.Node)
		}
	}
	delete(g, "u")
	out, err := c.Summary(pods)
	if err != nil || len(out.Pods) != 0 || len(c.last) != 1 {
		t.Errorf("%v, %v; kept %v", out.Pods, err, c.last)
	}
}
