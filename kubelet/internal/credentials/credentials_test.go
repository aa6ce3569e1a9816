package credentials

import (
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

func TestFor(t *testing.T) {
	secrets := []*corev1.Secret{
		{Type: "kubernetes.io/dockerconfigjson", Data: map[string][]byte{".dockerconfigjson": []byte(
			`{"auths":{"reg.example:5000":{"auth":"dTpw"},"reg.example:5000/team":{"username":"t","password":"q"},"*.cloud":{"username":"w"},"https://index.docker.io/v1/":{"username":"d"}}}`)}},
		{Type: "Opaque", Data: map[string][]byte{".dockerconfigjson": []byte(`{"auths":{"reg.example:5000":{"username":"no"}}}`)}},
		{Type: "kubernetes.io/dockercfg", Data: map[string][]byte{".dockercfg": []byte("broken")}},
	}
	for image, want := range map[string][]string{
		"reg.example:5000/team/app:v1": {"t", "u"}, "reg.example:5000/other": {"u"}, "reg.example:5000/teamwork/x": {"u"},
		"reg.example/team/app": nil, "a.cloud/x": {"w"}, "a.b.cloud/x": nil, "busybox": {"d"}, "Bad Name": nil,
	} {
		got := For(image, secrets)
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", image, got, want)
			continue
		}
		for i := range got {
			if got[i].Username != want[i] {
				t.Errorf("%s: %v, want %v", image, got, want)
			}
		}
	}
}
