package apply

import (
	"encoding/json"
	"maps"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/keelson/keelson/proto/codec"
)

// notLastApplied drops the conflicts over fields that kubectl itself set by client-side apply and that are still as it
// set them: switching to server-side apply is no conflict.
func (a *applier) notLastApplied(found conflicts) conflicts {
	owned := a.lastAppliedSet()
	if owned == nil {
		return found
	}
	return slices.DeleteFunc(slices.Clone(found), func(c conflict) bool { return owned.Has(c.path) })
}

func (a *applier) lastAppliedSet() *fieldpath.Set {
	text := lastApplied(&a.live)
	if text == "" {
		return nil
	}
	last, err := codec.ParseNode([]byte(text))
	if err != nil || last.Member("apiVersion").String() != a.Kind.APIVersion() || !a.t.check(&last, false) {
		return nil
	}
	all := func(string, string) bool { return false }
	set, err := parseSet(nodeSet{whole: true, ignored: all}.append(nil, &last, a.t))
	if err != nil {
		return nil
	}
	diff, err := compareNodes(&last, &a.live, a.t, all)
	if err != nil {
		return nil
	}
	return set.Difference(diff.Set).Difference(diff.Removed)
}

func lastApplied(n *codec.Node) string {
	return n.Member("metadata").Member("annotations").Member(lastAppliedConfig).String()
}

// syncLastApplied keeps the annotation of client-side apply, where there is one, in step with what was applied: the
// user may go back.
func (a *applier) syncLastApplied(object *codec.Node) (changed bool) {
	was := lastApplied(object)
	if was == "" {
		return false
	}
	applied, _ := a.Config.Tree().(map[string]any)
	if m, ok := applied["metadata"].(map[string]any); ok {
		if annotations, ok := m["annotations"].(map[string]any); ok && annotations[lastAppliedConfig] != nil {
			m, annotations = maps.Clone(m), maps.Clone(annotations)
			delete(annotations, lastAppliedConfig)
			m["annotations"], applied["metadata"] = annotations, m
		}
	}
	text, err := json.Marshal(applied)
	if err != nil {
		return false
	}
	now := string(append(text, '\n'))
	if was == now {
		return false
	}
	*object = with(*object, now, "metadata", "annotations", lastAppliedConfig)
	return true
}

// with returns a node with another text at a path of names, which is there.
func with(n codec.Node, text string, path ...string) codec.Node {
	if len(path) == 0 {
		n.Text = text
		return n
	}
	n.Items = slices.Clone(n.Items)
	for i := range n.Items {
		if n.Items[i].Name == path[0] {
			n.Items[i] = with(n.Items[i], text, path[1:]...)
		}
	}
	return n
}
