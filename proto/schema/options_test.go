package schema_test

import (
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/shape"
)

// What the options name is there: formats, merge keys, paths of columns and of selectable fields, storage kinds.
func TestOptionsNameWhatExists(t *testing.T) {
	seen := map[*shape.Message]bool{}
	var visit func(m *shape.Message)
	visit = func(m *shape.Message) {
		if seen[m] {
			return
		}
		seen[m] = true
		for _, f := range m.Fields {
			name := string(f.Desc.FullName())
			if want := f.Options.GetFormat(); want != "" && !format.Known(want) {
				t.Errorf("%s: format %q is not known", name, want)
			}
			for _, key := range append(f.Options.GetListMapKeys(), strings.Fields(f.Options.GetPatchMergeKey())...) {
				if f.Elem == nil {
					t.Errorf("%s: key %q of items that have no fields", name, key)
				} else if _, ok := f.Elem.Field(key); !ok {
					t.Errorf("%s: items have no field %q", name, key)
				}
			}
			if f.Elem != nil {
				visit(f.Elem)
			}
		}
	}
	r := schema.Builtin()
	for _, k := range r.Kinds() {
		visit(shape.Of(k.Descriptor))
		fields := k.Fields(k.New())
		for _, path := range k.SelectableFields {
			if _, ok := fields[path]; !ok {
				t.Errorf("%s: selectable field %q has no value", k.Kind, path)
			}
		}
		for _, c := range k.Columns {
			if c.Path != "" && !resolves(shape.Of(k.Descriptor), strings.Split(strings.TrimPrefix(c.Path, "."), ".")) {
				t.Errorf("%s: column %s: no field at %s", k.Kind, c.Name, c.Path)
			}
		}
		if r.Storage(k).StorageVersion != k.StorageVersion {
			t.Errorf("%s is stored as %s, which is not there", k.Kind, k.StorageVersion)
		}
		for _, s := range k.Subresources {
			if _, ok := r.ByKind(s.Group, s.Version, s.Kind); !ok {
				t.Errorf("%s/%s: no kind %s in %s", k.Plural, s.Name, s.Kind, schema.APIVersion(s.Group, s.Version))
			}
		}
	}
}

func resolves(m *shape.Message, names []string) bool {
	for i, name := range names {
		f, ok := m.Field(name)
		if !ok {
			return false
		}
		if i == len(names)-1 {
			return true
		}
		if m = f.Elem; m == nil {
			return false
		}
	}
	return false
}
