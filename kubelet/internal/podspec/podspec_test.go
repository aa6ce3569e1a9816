package podspec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func TestExpand(t *testing.T) {
	lookup := func(n string) (string, bool) { v, ok := map[string]string{"A": "1", "B": "$(A)"}[n]; return v, ok }
	for in, want := range map[string]string{
		"": "", "plain": "plain", "$(A)": "1", "x$(A)y$(A)": "x1y1", "$$(A)": "$(A)", "$(NO)": "$(NO)", "$A": "$A",
		"$(A": "$(A", "$": "$", "$$": "$", "$(B)": "$(A)", "a$$$(A)": "a$1",
	} {
		if got := Expand(in, lookup); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

var errMissing = errors.New("not found")

type objects struct{ services []*corev1.Service }

func (objects) ConfigMap(_, name string) (*corev1.ConfigMap, error) {
	if name != "cm" {
		return nil, errMissing
	}
	return &corev1.ConfigMap{Data: map[string]string{"k": "config", "x": "y"}}, nil
}

func (objects) Secret(_, name string) (*corev1.Secret, error) {
	if name != "s" {
		return nil, errMissing
	}
	return &corev1.Secret{Data: map[string][]byte{"k": []byte("secret")}}, nil
}
func (o objects) Services(string) []*corev1.Service { return o.services }
func (objects) IsNotFound(err error) bool           { return errors.Is(err, errMissing) }

func local(name string) *corev1.LocalObjectReference { return &corev1.LocalObjectReference{Name: name} }

func TestEnvironment(t *testing.T) {
	yes := true
	pod := &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Name: "p", Namespace: "ns", Labels: map[string]string{"a": "b"}},
		Spec:     &corev1.PodSpec{NodeName: "n1"}, Status: &corev1.PodStatus{PodIP: "10.0.0.9"},
	}
	c := &corev1.Container{
		EnvFrom: []*corev1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: local("cm")}}, {SecretRef: &corev1.SecretEnvSource{LocalObjectReference: local("no"), Optional: &yes}}},
		Env: []*corev1.EnvVar{
			{Name: "A", Value: "$(P_k)-$(DB_SERVICE_HOST)"},
			{Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}},
			{Name: "L", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['a']"}}},
			{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: local("s"), Key: "k"}}},
			{Name: "O", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: local("s"), Key: "no", Optional: &yes}}},
			{Name: "M", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory", Divisor: &metav1.Quantity{String_: "1Mi"}}}},
		},
		Resources: &corev1.ResourceRequirements{Limits: map[string]*metav1.Quantity{"memory": {String_: "64Mi"}}},
	}
	o := objects{services: []*corev1.Service{{Metadata: &metav1.ObjectMeta{Name: "db"}, Spec: &corev1.ServiceSpec{ClusterIP: "10.96.0.7", Ports: []*corev1.ServicePort{{Name: "sql", Port: 5432}}}}}}
	env, err := Environment(pod, c, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"DB_SERVICE_HOST=10.96.0.7", "DB_SERVICE_PORT=5432", "DB_SERVICE_PORT_SQL=5432", "DB_PORT=tcp://10.96.0.7:5432",
		"DB_PORT_5432_TCP=tcp://10.96.0.7:5432", "DB_PORT_5432_TCP_PROTO=tcp", "DB_PORT_5432_TCP_PORT=5432", "DB_PORT_5432_TCP_ADDR=10.96.0.7",
		"P_k=config", "P_x=y", "A=config-10.96.0.7", "IP=10.0.0.9", "L=b", "S=secret", "M=64",
	}
	if diff := cmp.Diff(want, env.List()); diff != "" {
		t.Error(diff)
	}
	c.Env = []*corev1.EnvVar{{Name: "X", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: local("cm"), Key: "no"}}}}
	if _, err := Environment(pod, c, o, nil); err == nil || err.Error() != "couldn't find key no in ConfigMap ns/cm" {
		t.Errorf("a missing key: %v", err)
	}
}

func TestResolvConf(t *testing.T) {
	host := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(host, []byte("# x\nnameserver 1.1.1.1\nsearch corp.example\noptions edns0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := DNS{Servers: []string{"10.96.0.10"}, Domain: "cluster.local", HostFile: host}
	value := "2"
	cases := map[string]struct {
		spec *corev1.PodSpec
		want string
	}{
		"default":      {&corev1.PodSpec{}, "search ns.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:5\n"},
		"Default":      {&corev1.PodSpec{DnsPolicy: "Default"}, "search corp.example\nnameserver 1.1.1.1\noptions edns0\n"},
		"host network": {&corev1.PodSpec{DnsPolicy: "ClusterFirst", HostNetwork: true}, "search corp.example\nnameserver 1.1.1.1\noptions edns0\n"},
		"None": {&corev1.PodSpec{DnsPolicy: "None", DnsConfig: &corev1.PodDNSConfig{Nameservers: []string{"9.9.9.9"}, Searches: []string{"x"}, Options: []*corev1.PodDNSConfigOption{{Name: "ndots", Value: &value}}}},
			"search x\nnameserver 9.9.9.9\noptions ndots:2\n"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := d.ResolvConf(&corev1.Pod{Metadata: &metav1.ObjectMeta{Namespace: "ns"}, Spec: c.spec})
			if err != nil || got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestQOSAndLimits(t *testing.T) {
	q := func(cpu, memory string) map[string]*metav1.Quantity {
		return map[string]*metav1.Quantity{"cpu": {String_: cpu}, "memory": {String_: memory}}
	}
	pod := func(r *corev1.ResourceRequirements) *corev1.Pod {
		return &corev1.Pod{Spec: &corev1.PodSpec{Containers: []*corev1.Container{{Resources: r}}}}
	}
	for want, r := range map[string]*corev1.ResourceRequirements{
		BestEffort: nil, Burstable: {Requests: q("100m", "1Mi")}, Guaranteed: {Limits: q("500m", "64Mi"), Requests: q("0.5", "64Mi")},
	} {
		if got := QOSClass(pod(r)); got != want {
			t.Errorf("%v: %s, want %s", r, got, want)
		}
	}
	p := pod(&corev1.ResourceRequirements{Limits: q("500m", "64Mi")})
	l := Limits(p, p.Spec.Containers[0], 1<<30)
	if l.CPUShares != 512 || l.CPUQuota != 50_000 || l.MemoryLimit != 64<<20 || l.OOMScoreAdj != -997 {
		t.Errorf("limits %+v", l)
	}
}

func TestHosts(t *testing.T) {
	pod := &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: "p", Namespace: "ns"}, Spec: &corev1.PodSpec{Hostname: "h", Subdomain: "s", HostAliases: []*corev1.HostAlias{{Ip: "1.2.3.4", Hostnames: []string{"a", "b"}}}}}
	got, err := DNS{Domain: "cluster.local"}.Hosts(pod, []string{"10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"127.0.0.1\tlocalhost\n", "10.0.0.1\th.s.ns.svc.cluster.local\th\n", "1.2.3.4\ta\tb\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in %q", line, got)
		}
	}
}
