package controllermanager_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports states what this module may not depend on, and why.
func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/...", "./embed/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	forbidden := map[string]string{
		"github.com/keelson/keelson/apiserver":         "components reach each other through the API only",
		"github.com/keelson/keelson/scheduler":         "components reach each other through the API only",
		"github.com/keelson/keelson/kubelet":           "components reach each other through the API only",
		"github.com/keelson/keelson/proxy":             "components reach each other through the API only",
		"go.etcd.io":                                   "etcd has one customer, the API server",
		"github.com/keelson/keelson/proto/sdk/apitest": "a server for tests has no place in the binary",
		"github.com/keelson/keelson/proto/pipeline":    "the server's side of the API",
	}
	for _, dep := range strings.Fields(string(out)) {
		for prefix, why := range forbidden {
			if dep == prefix || strings.HasPrefix(dep, prefix+"/") {
				t.Errorf("%s is imported: %s", dep, why)
			}
		}
	}
}
