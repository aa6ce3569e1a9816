package embed

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSelected(t *testing.T) {
	all := ControllerNames()
	for _, tc := range []struct {
		in   []string
		want []string
	}{
		{[]string{"*"}, all},
		{[]string{"deployment", "replicaset"}, []string{"deployment", "replicaset"}},
		{[]string{"*", "-podgc"}, slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == "podgc" })},
		{[]string{"-podgc", "*"}, slices.DeleteFunc(slices.Clone(all), func(n string) bool { return n == "podgc" })},
	} {
		got, err := selected(tc.in)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("selected(%v) = %v, %v", tc.in, got, err)
		}
	}
	if _, err := selected([]string{"cronjobs"}); err == nil || !strings.Contains(err.Error(), `"cronjobs" is not one of deployment`) {
		t.Errorf("error: %v", err)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	cfg := Default()
	cfg.ClusterCIDR, cfg.NodeMonitorGracePeriod, cfg.TerminatedPodGCThreshold = "10.0.0.0/25", -time.Second, -1
	cfg.Controllers, cfg.RootCAFile = []string{"x"}, "/does/not/exist"
	_, err := cfg.complete()
	for _, flag := range []string{"--cluster-cidr", "--node-monitor-grace-period", "--terminated-pod-gc-threshold", "--controllers", "--root-ca-file"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s is not named in: %v", flag, err)
		}
	}
	if _, err := Default().complete(); err != nil {
		t.Errorf("the default configuration is refused: %v", err)
	}
}
