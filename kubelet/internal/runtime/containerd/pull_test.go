package containerd

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/keelson/keelson/kubelet/internal/testnode"
)

// TestPull fetches from a registry on loopback, over plain HTTP, which asks for a login.
func TestPull(t *testing.T) {
	n := newNode(t, t.TempDir())
	t.Cleanup(n.stop)
	inner := registry.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "p" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "login", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	image := strings.TrimPrefix(server.URL, "http://") + "/some/app:v1"
	built, err := testnode.BuildImage()
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(image, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, built, remote.WithAuth(&authn.Basic{Username: "u", Password: "p"})); err != nil {
		t.Fatal(err)
	}
	if _, err := n.PullImage(t.Context(), image, nil); err == nil || !strings.Contains(err.Error(), "failed to pull and unpack image") {
		t.Errorf("without a login: %v", err)
	}
	if _, err := n.Image(t.Context(), image); !errors.Is(err, runtime.ErrNotFound) {
		t.Errorf("before the pull: %v", err)
	}
	pulled, err := n.PullImage(t.Context(), image, []runtime.Credential{{Username: "x"}, {Username: "u", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	if pulled.Name != image || !strings.HasPrefix(pulled.ID, strings.TrimSuffix(image, ":v1")+"@sha256:") || pulled.Size == 0 {
		t.Errorf("pulled %+v", pulled)
	}
	if e, log := n.run(t, podConfig("pulled"), runtime.ContainerConfig{Image: image}); e.ExitCode != 0 || log != "default command\n" {
		t.Errorf("it ended with %d: %q", e.ExitCode, log)
	}
	list, err := n.Images(t.Context())
	if err != nil || len(list) == 0 {
		t.Errorf("Images: %v, %v", list, err)
	}
}
