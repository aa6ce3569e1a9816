package revisions

import (
	"fmt"

	"github.com/keelson/keelson/proto/codec"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// patchOf is the strategic merge patch that sets the template.
func patchOf(template *corev1.PodTemplateSpec) ([]byte, error) {
	tree, err := codec.ToTree(template)
	if err != nil {
		return nil, fmt.Errorf("encoding a template: %w", err)
	}
	// A template is no object: the server would warn whoever applies the patch of these.
	delete(tree, "apiVersion")
	delete(tree, "kind")
	tree["$patch"] = "replace"
	return codec.AppendTree(nil, map[string]any{"spec": map[string]any{"template": tree}})
}

// templateOf reads the template of a revision.
func templateOf(r *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, error) {
	root, err := codec.ParseTree(r.GetData().GetRaw())
	if err != nil {
		return nil, fmt.Errorf("decoding revision %s: %w", r.GetMetadata().GetName(), err)
	}
	top, _ := root.(map[string]any)
	spec, _ := top["spec"].(map[string]any)
	tree, ok := spec["template"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("revision %s has no template", r.GetMetadata().GetName())
	}
	delete(tree, "$patch")
	out := &corev1.PodTemplateSpec{}
	if _, err := codec.FromTree(tree, out, codec.DecodeOptions{}); err != nil {
		return nil, fmt.Errorf("decoding revision %s: %w", r.GetMetadata().GetName(), err)
	}
	return out, nil
}
