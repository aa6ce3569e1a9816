package apply

import (
	"encoding/json"
	"maps"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/keelson/keelson/proto/codec"
)

// notLastApplied drops the conflicts over fields that kubectl itself set by client-side apply and that are still as it
// set them: switching to server-side apply is no conflict.
func notLastApplied(t typed.ParseableType, live *typed.TypedValue, r Request, conflicts merge.Conflicts) merge.Conflicts {
	owned := lastAppliedSet(t, live, r)
	if owned == nil {
		return conflicts
	}
	var left merge.Conflicts
	for _, c := range conflicts {
		if !owned.Has(c.Path) {
			left = append(left, c)
		}
	}
	return left
}

func lastAppliedSet(t typed.ParseableType, live *typed.TypedValue, r Request) *fieldpath.Set {
	meta, _ := r.Live["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	text, _ := annotations[lastAppliedConfig].(string)
	if text == "" {
		return nil
	}
	tree, err := codec.ParseTree([]byte(text))
	if err != nil {
		return nil
	}
	m, ok := tree.(map[string]any)
	if !ok || m["apiVersion"] != r.Kind.APIVersion() {
		return nil
	}
	last, err := t.FromUnstructured(m)
	if err != nil {
		return nil
	}
	set, err := last.ToFieldSet()
	if err != nil {
		return nil
	}
	diff, err := last.Compare(live)
	if err != nil {
		return nil
	}
	return set.Difference(diff.Modified).Difference(diff.Added).Difference(diff.Removed)
}

// syncLastApplied keeps the annotation of client-side apply, where there is one, in step with what was applied: the
// user may go back.
func syncLastApplied(tree, config map[string]any) (changed bool) {
	meta, _ := tree["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	if text, _ := annotations[lastAppliedConfig].(string); text == "" {
		return false
	}
	applied := config
	if m, ok := config["metadata"].(map[string]any); ok {
		if a, ok := m["annotations"].(map[string]any); ok && a[lastAppliedConfig] != nil {
			applied, m, a = maps.Clone(config), maps.Clone(m), maps.Clone(a)
			delete(a, lastAppliedConfig)
			m["annotations"], applied["metadata"] = a, m
		}
	}
	text, err := json.Marshal(applied)
	if err != nil {
		return false
	}
	after := string(append(text, '\n'))
	if annotations[lastAppliedConfig] == after {
		return false
	}
	// The tree may share these parts with the live object.
	meta, annotations = maps.Clone(meta), maps.Clone(annotations)
	annotations[lastAppliedConfig] = after
	meta["annotations"] = annotations
	tree["metadata"] = meta
	return true
}
