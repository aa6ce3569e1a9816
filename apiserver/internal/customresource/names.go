package customresource

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/schema"
)

// taken are the names of a group that are in use, and by what: a definition's own names are no conflict.
type taken struct{ resources, kinds map[string]string }

// names tells which definition holds which names.
type names struct{ groups map[string]*taken }

func (n *names) group(g string) *taken {
	if n.groups == nil {
		n.groups = map[string]*taken{}
	}
	if n.groups[g] == nil {
		n.groups[g] = &taken{map[string]string{}, map[string]string{}}
	}
	return n.groups[g]
}

// builtin takes the names of the kinds that no definition can have.
func (n *names) builtin(kinds []*schema.Kind) {
	for _, k := range kinds {
		if !k.IsCustom() && k.Plural != "" {
			n.claim(k.Group, "", &apiextensionsv1.CustomResourceDefinitionNames{Plural: k.Plural, Singular: k.Singular,
				ShortNames: k.ShortNames, Kind: k.Kind, ListKind: k.ListKind})
		}
	}
}

func (n *names) claim(group, owner string, a *apiextensionsv1.CustomResourceDefinitionNames) {
	t := n.group(group)
	for _, r := range append([]string{a.GetPlural(), a.GetSingular()}, a.GetShortNames()...) {
		if r != "" {
			t.resources[r] = owner
		}
	}
	for _, k := range []string{a.GetKind(), a.GetListKind()} {
		if k != "" {
			t.kinds[k] = owner
		}
	}
}

// verdict is what became of the names that a definition asks for.
type verdict struct {
	accepted *apiextensionsv1.CustomResourceDefinitionNames
	// reason and message are of the condition NamesAccepted; ok is its status.
	ok              bool
	reason, message string
}

// judge accepts those names that nobody else holds. What was accepted before stays where the new name is taken.
func (n *names) judge(group, owner string, asked, before *apiextensionsv1.CustomResourceDefinitionNames) verdict {
	t := n.group(group)
	v := verdict{accepted: &apiextensionsv1.CustomResourceDefinitionNames{}, ok: true, reason: "NoConflicts", message: "no conflicts found"}
	if before != nil {
		v.accepted = proto.Clone(before).(*apiextensionsv1.CustomResourceDefinitionNames)
	}
	refuse := func(reason, message string) {
		v.ok, v.reason, v.message = false, reason, message
	}
	free := func(in map[string]string, name string) bool {
		holder, used := in[name]
		return !used || holder == owner
	}
	for _, f := range []struct {
		in            map[string]string
		asked, reason string
		accepted      *string
	}{
		{t.resources, asked.GetPlural(), "PluralConflict", &v.accepted.Plural},
		{t.resources, asked.GetSingular(), "SingularConflict", &v.accepted.Singular},
		{t.kinds, asked.GetKind(), "KindConflict", &v.accepted.Kind},
		{t.kinds, asked.GetListKind(), "ListKindConflict", &v.accepted.ListKind},
	} {
		if free(f.in, f.asked) {
			*f.accepted = f.asked
		} else {
			refuse(f.reason, fmt.Sprintf("%q is already in use", f.asked))
		}
	}
	var used []string
	for _, s := range asked.GetShortNames() {
		if !free(t.resources, s) {
			used = append(used, fmt.Sprintf("%q is already in use", s))
		}
	}
	if len(used) == 0 {
		v.accepted.ShortNames = slices.Clone(asked.GetShortNames())
	} else {
		message := used[0]
		if len(used) > 1 {
			message = "[" + strings.Join(used, ", ") + "]"
		}
		refuse("ShortNamesConflict", message)
	}
	v.accepted.Categories = slices.Clone(asked.GetCategories())
	return v
}
