package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"

	"github.com/keelson/keelson/kubelet/internal/testnode"
)

// Volumes mount: the tests run in a mount namespace of their own.
func TestMain(m *testing.M) { testnode.Main(m) }

var errMissing = errors.New("not found")

type objects struct{ data map[string]string }

func (o *objects) ConfigMap(_, name string) (*corev1.ConfigMap, error) {
	if name != "cm" {
		return nil, errMissing
	}
	return &corev1.ConfigMap{Data: o.data}, nil
}

func (o *objects) Secret(_, name string) (*corev1.Secret, error) {
	if name != "s" {
		return nil, errMissing
	}
	return &corev1.Secret{Data: map[string][]byte{"k": []byte("secret")}}, nil
}
func (o *objects) Services(string) []*corev1.Service { return nil }
func (o *objects) IsNotFound(err error) bool         { return errors.Is(err, errMissing) }

func (o *objects) Token(context.Context, *corev1.Pod, string, time.Duration) (string, time.Time, error) {
	return "token", time.Unix(4e9, 0), nil
}

func volume(name string, s *corev1.VolumeSource) *corev1.Volume {
	return &corev1.Volume{Name: name, VolumeSource: s}
}

func read(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Errorf("%s: %q, %v, want %q", filepath.Base(path), b, err, want)
	}
}

func TestVolumes(t *testing.T) {
	o := &objects{data: map[string]string{"a": "1", "b": "2"}}
	root := t.TempDir()
	m := NewManager(root, o, o, func() map[string]*metav1.Quantity { return nil })
	host := filepath.Join(t.TempDir(), "made")
	create, group := "DirectoryOrCreate", int64(2000)
	ref := &corev1.LocalObjectReference{Name: "cm"}
	pod := &corev1.Pod{
		Metadata: &metav1.ObjectMeta{Uid: "u", Name: "p", Namespace: "ns", Labels: map[string]string{"l": "v"}},
		Spec: &corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{FsGroup: &group},
			Volumes: []*corev1.Volume{
				volume("empty", &corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}),
				volume("memory", &corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: "Memory", SizeLimit: &metav1.Quantity{String_: "1Mi"}}}),
				volume("host", &corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: host, Type: &create}}),
				volume("cm", &corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref}}),
				volume("items", &corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref, Items: []*corev1.KeyToPath{{Key: "a", Path: "x/y"}}}}),
				volume("secret", &corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}),
				volume("all", &corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []*corev1.VolumeProjection{
					{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
					{DownwardAPI: &corev1.DownwardAPIProjection{Items: []*corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}}}}},
				}}}),
			},
		},
	}
	t.Cleanup(func() { _ = m.Teardown("u") })
	renew, err := m.Setup(t.Context(), pod)
	if err != nil || renew.Unix() != 4e9 {
		t.Fatalf("Setup: %v, renew %v", err, renew)
	}
	dir := m.volumeDir("u", "cm")
	read(t, dir+"/a", "1")
	read(t, m.volumeDir("u", "items")+"/x/y", "1")
	read(t, m.volumeDir("u", "secret")+"/k", "secret")
	read(t, m.volumeDir("u", "all")+"/token", "token")
	read(t, m.volumeDir("u", "all")+"/labels", `l="v"`)
	if info, err := os.Stat(m.volumeDir("u", "empty")); err != nil || info.Mode().Perm() != 0o777 || info.Mode()&os.ModeSetgid == 0 {
		t.Errorf("emptyDir: %v, %v", info.Mode(), err)
	}

	// A change shows, what is gone vanishes, and without a change nothing is written.
	before, _ := os.Readlink(dir + "/..data")
	if _, err := m.Setup(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if now, _ := os.Readlink(dir + "/..data"); now != before {
		t.Error("written again without a change")
	}
	o.data = map[string]string{"a": "new", "c": "3"}
	if _, err := m.Setup(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	read(t, dir+"/a", "new")
	read(t, dir+"/c", "3")
	if _, err := os.Lstat(dir + "/b"); !os.IsNotExist(err) {
		t.Errorf("b is still there: %v", err)
	}

	// A subPath can't lead out of its volume, whatever a container has put there.
	empty := m.volumeDir("u", "empty")
	if err := os.Symlink("/etc", empty+"/evil"); err != nil {
		t.Fatal(err)
	}
	mount := func(volume, sub string) (string, error) {
		c := &corev1.Container{Name: "c", VolumeMounts: []*corev1.VolumeMount{{Name: volume, MountPath: "/m", SubPath: sub}}}
		mounts, err := m.Mounts(pod, c, nil)
		if err != nil {
			return "", err
		}
		return mounts[0].Source, nil
	}
	for _, sub := range []string{"evil", "evil/passwd", "../x", "/abs"} {
		if _, err := mount("empty", sub); err == nil {
			t.Errorf("subPath %q was let through", sub)
		}
	}
	source, err := mount("empty", "new/dir")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source+"/f", []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	read(t, empty+"/new/dir/f", "kept")
	if source, err = mount("cm", "a"); err != nil {
		t.Fatal(err)
	}
	read(t, source, "new")

	if err := os.WriteFile(host+"/data", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mount("host", "."); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Teardown("u"); err != nil {
			t.Fatal(err)
		}
	}
	read(t, host+"/data", "precious")
	if left, _ := m.Pods(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestMissing(t *testing.T) {
	o, yes := &objects{}, true
	m := NewManager(t.TempDir(), o, o, nil)
	pod := &corev1.Pod{Metadata: &metav1.ObjectMeta{Uid: "u", Namespace: "ns"}, Spec: &corev1.PodSpec{}}
	cases := map[string]struct {
		source *corev1.VolumeSource
		want   string
	}{
		"missing":     {&corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "no"}}, `MountVolume.SetUp failed for volume "v" : not found`},
		"optional":    {&corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "no", Optional: &yes}}, ""},
		"unsupported": {&corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}, "persistentVolumeClaim is not supported"},
		"escape":      {&corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []*corev1.DownwardAPIVolumeFile{{Path: "../x", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}}, "invalid path"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			pod.Spec.Volumes = []*corev1.Volume{volume("v", c.source)}
			_, err := m.Setup(t.Context(), pod)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if err := m.Teardown("u"); err != nil {
		t.Error(err)
	}
}
