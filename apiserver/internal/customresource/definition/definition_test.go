package definition

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/schema"
)

// TestAsKubernetes compares what is wrong with definitions to what Kubernetes 1.37 says of them, as it was recorded.
func TestAsKubernetes(t *testing.T) {
	documents, err := os.ReadFile("testdata/definitions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := recorded(t)
	kind, _ := schema.Builtin().ByKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
	for _, doc := range bytes.Split(documents, []byte("\n---\n")) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		json, err := yaml.YAMLToJSON(doc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := codec.Unmarshal(json, crd, codec.DecodeOptions{}); err != nil {
			t.Fatal(err)
		}
		kind.Default(crd)
		crd.Status = &apiextensionsv1.CustomResourceDefinitionStatus{}
		for _, v := range crd.GetSpec().GetVersions() {
			if v.GetStorage() {
				crd.Status.StoredVersions = []string{v.GetName()}
				break
			}
		}
		name := crd.GetMetadata().GetAnnotations()["test"]
		var got []string
		for _, e := range Check(crd, nil) {
			got = append(got, fmt.Sprintf("%s: %s", e.Field, e.ErrorBody()))
		}
		for _, list := range [][]string{got, want[name]} {
			for i, s := range list {
				// Kubernetes shows versions as they are within its server.
				if rest, ok := strings.CutPrefix(s, "spec.versions: Invalid value: ["); ok {
					list[i] = "spec.versions: " + rest[strings.LastIndex(rest, "]: "):]
				}
			}
			slices.Sort(list)
		}
		// What is said twice is shown once.
		if diff := cmp.Diff(slices.Compact(want[name]), slices.Compact(got)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func recorded(t *testing.T) map[string][]string {
	text, err := os.ReadFile("testdata/errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	out, name := map[string][]string{}, ""
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if n, ok := strings.CutPrefix(line, "# "); ok {
			name = n
			continue
		}
		s, err := strconv.Unquote(line)
		if err != nil {
			t.Fatal(line, err)
		}
		out[name] = append(out[name], s)
	}
	return out
}
