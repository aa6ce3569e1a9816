package nodeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/kubelet/internal/cgroups"
	"github.com/keelson/keelson/kubelet/internal/pods"
	"github.com/keelson/keelson/kubelet/internal/stats"
)

// node has one pod, whose log is a file.
type node struct{ log string }

func (n node) Pods() []*corev1.Pod {
	return []*corev1.Pod{{Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "p", Uid: "u"}, Spec: &corev1.PodSpec{}, Status: &corev1.PodStatus{
		ContainerStatuses: []*corev1.ContainerStatus{{Name: "c", ContainerID: "containerd://id", State: &corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}}}
}

func (n node) Find(namespace, name, _ string) (*pods.View, error) {
	if namespace != "default" || name != "p" {
		return nil, pods.ErrNoPod
	}
	return &pods.View{Namespace: namespace, Name: name, Containers: []pods.ContainerView{{Name: "c", ID: "id", LogPath: n.log}}}, nil
}

func (node) PodPath(uid, _ string) string { return "/pods/" + uid }

func (node) Usage(path string) (cgroups.Usage, error) {
	switch path {
	case "/pods/u":
		return cgroups.Usage{CPU: 3e9, WorkingSet: 2000, Processes: 2}, nil
	case "/pods/u/id":
		return cgroups.Usage{CPU: 2e9, WorkingSet: 1000}, nil
	}
	return cgroups.Usage{}, os.ErrNotExist
}

func serve(t *testing.T) *http.Client {
	t.Helper()
	log := filepath.Join(t.TempDir(), "0.log")
	if err := os.WriteFile(log, []byte("2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:01Z stderr F two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := node{log}
	h := New(Config{Node: "n1", Pods: n, Stats: stats.New(stats.Config{Node: "n1", Dir: t.TempDir(), Cgroups: n}),
		Health: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 100)
	served := 0
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		served++
		go func() { done <- h.ServeConn(ctx, far) }()
		return near, nil
	}}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		cancel()
		for range served {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return client
}

func TestHandlers(t *testing.T) {
	client := serve(t)
	tests := []struct {
		path string
		code int
		want string
	}{
		{"/healthz", 200, "ok"},
		{"/pods", 200, `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"p"`},
		{"/runningpods/", 200, `"name":"p"`},
		{"/containerLogs/default/p/c", 200, "one\ntwo\n"},
		{"/containerLogs/default/p/c?tailLines=1", 200, "two\n"},
		{"/containerLogs/default/p/c?tailLines=x", 400, "invalid tailLines"},
		{"/containerLogs/default/p/c?previous=true", 400, "has no log"},
		{"/containerLogs/default/p/d", 404, `container "d" not found in pod "p"`},
		{"/containerLogs/default/q/c", 404, `pod "q" does not exist`},
		{"/metrics/resource", 200, `container_cpu_usage_seconds_total{container="c",namespace="default",pod="p"} 2` + "\n"},
		{"/exec/default/p/c", 404, "use the subresources"},
		{"/nothing", 404, "not found"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			resp, err := client.Get("http://node" + tt.path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.code || !strings.Contains(string(body), tt.want) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	resp, err := serve(t).Get("http://node/stats/summary")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s stats.Summary
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Node.NodeName != "n1" || *s.Node.Memory.AvailableBytes == 0 || *s.Node.Fs.CapacityBytes == 0 || len(s.Pods) != 1 {
		t.Fatalf("%+v", s)
	}
	p := s.Pods[0]
	got := fmt.Sprint(p.PodRef.Name, *p.CPU.UsageCoreNanoSeconds, *p.Memory.WorkingSetBytes, *p.ProcessStats.ProcessCount, len(p.Containers),
		p.Containers[0].Name, *p.Containers[0].CPU.UsageCoreNanoSeconds)
	if got != "p3000000000 2000 2 1c2000000000" {
		t.Error(got)
	}
}
