package apply

import (
	"slices"

	"github.com/keelson/keelson/proto/codec"
)

// partFields are the fields of spec that subresources change which show the whole object but change a part of it.
var partFields = map[string][]string{
	"ephemeralcontainers": {"ephemeralContainers"},
	"resize":              {"containers", "initContainers"},
}

// ignored tells whether the write does not change a field, and so does not own it: the status, or of a write of the status
// all else. second is empty for a root field itself.
func (a *applier) ignored(root, second string) bool {
	switch kept := partFields[a.Writer.Subresource]; {
	case !a.Kind.HasStatus():
		return false
	case a.Writer.Subresource == "status":
		return root != "metadata" && root != "status" && root != "apiVersion" && root != "kind"
	case root == "spec" && second != "" && kept != nil && !a.Kind.IsCustom():
		return !slices.Contains(kept, second)
	}
	return root == "status"
}

// hollow tells whether lists without items are in a value that are not owned as a whole. No set has those: an object with
// nothing else is as good as not there.
func hollow(n *codec.Node, t *kindType) bool {
	if t.leaf(n) {
		return false
	}
	if n.Kind == codec.ListNode && len(n.Items) == 0 {
		return true
	}
	for i := range n.Items {
		below := (*kindType)(nil)
		if n.Kind == codec.ListNode {
			below = t.list.elem
		} else {
			below, _ = t.dict.member(n.Items[i].Name)
		}
		if hollow(&n.Items[i], below) {
			return true
		}
	}
	return false
}
