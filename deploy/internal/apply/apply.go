// Package apply sends manifests to the API server by server-side apply, as `kubectl apply --server-side` does.
package apply

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Object is one document of a manifest.
type Object struct {
	Kind            *schema.Kind
	Namespace, Name string
	// JSON is the document.
	JSON []byte
}

// Parse splits a manifest into its objects. Errors name the document by its position.
func Parse(manifest []byte) ([]Object, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	var out []Object
	for i := 1; ; i++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name, Namespace string
			} `json:"metadata"`
		}
		json, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i, err)
		}
		if bytes.Equal(bytes.TrimSpace(json), []byte("null")) {
			continue
		}
		if err := yaml.Unmarshal(json, &head); err != nil {
			return nil, fmt.Errorf("document %d: %w", i, err)
		}
		group, version, found := strings.Cut(head.APIVersion, "/")
		if !found {
			group, version = "", head.APIVersion
		}
		kind, ok := schema.Builtin().ByKind(group, version, head.Kind)
		if !ok {
			return nil, fmt.Errorf("document %d: no kind %q in version %q", i, head.Kind, head.APIVersion)
		}
		o := Object{Kind: kind, Name: head.Metadata.Name, JSON: json}
		if kind.Namespaced {
			o.Namespace = head.Metadata.Namespace
			if o.Namespace == "" {
				o.Namespace = "default"
			}
		}
		out = append(out, o)
	}
}

// Apply creates or changes the objects in order, in the name of the field manager.
func Apply(ctx context.Context, api resourcev1.ResourceServiceClient, manager string, objects []Object) error {
	for _, o := range objects {
		_, err := api.Patch(ctx, &resourcev1.PatchRequest{
			Ref: &resourcev1.ObjectRef{
				Resource:  &resourcev1.Resource{Group: o.Kind.Group, Version: o.Kind.Version, Plural: o.Kind.Plural},
				Namespace: o.Namespace, Name: o.Name,
			},
			Type: resourcev1.PatchType_PATCH_TYPE_APPLY, Patch: o.JSON, Force: true,
			Options: &resourcev1.WriteOptions{FieldManager: manager, FieldValidation: "Strict", OmitObject: true},
		})
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", o.Kind.Kind, o.Name, err)
		}
	}
	return nil
}
