// Package kubelet holds what is checked about the module as a whole.
package kubelet

import (
	"os/exec"
	"strings"
	"testing"
)

// forbidden imports of the kubelet, and why.
var forbidden = map[string]string{
	"github.com/keelson/keelson/apiserver":          "components share nothing but proto",
	"github.com/keelson/keelson/scheduler":          "components share nothing but proto",
	"github.com/keelson/keelson/controller-manager": "components share nothing but proto",
	"github.com/keelson/keelson/proxy":              "components share nothing but proto",
	"github.com/keelson/keelson/proto/pipeline":     "the server's side; only tests may use it",
	"go.etcd.io/etcd":                               "only the API server knows etcd",
	"k8s.io/api/":                                   "Kubernetes is an oracle of tests, not a dependency",
	"k8s.io/apiserver/":                             "Kubernetes is an oracle of tests, not a dependency",
	"k8s.io/client-go/":                             "Kubernetes is an oracle of tests, not a dependency",
	"k8s.io/kubernetes/":                            "Kubernetes is an oracle of tests, not a dependency",
	"github.com/google/go-containerregistry":        "builds images for tests only",
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		for prefix, why := range forbidden {
			if strings.HasPrefix(pkg, prefix) {
				t.Errorf("%s is imported: %s", pkg, why)
			}
		}
	}
}
