package cel

import (
	"context"
	"strings"
	"testing"
)

func number(n int64) *int64 { return &n }

// sample is a schema with everything that rules distinguish.
var sample = (&Schema{Type: "object", Required: []string{"spec"}, Properties: map[string]*Schema{
	"spec": {Type: "object", Properties: map[string]*Schema{
		"replicas":  {Type: "integer"},
		"ratio":     {Type: "number"},
		"name":      {Type: "string", MaxLength: number(10)},
		"namespace": {Type: "string"},
		"port":      {IntOrString: true},
		"when":      {Type: "string", Format: "date-time"},
		"every":     {Type: "string", Format: "duration"},
		"data":      {Type: "string", Format: "byte"},
		"opaque":    {PreserveUnknown: true},
		"nullable":  {Type: "string", Nullable: true},
		"labels":    {Type: "object", Additional: text},
		"set":       {Type: "array", ListType: "set", Items: text, MaxItems: number(5)},
		"list":      {Type: "array", Items: &Schema{Type: "integer"}},
		"map": {Type: "array", ListType: "map", ListMapKeys: []string{"k"}, MaxItems: number(10), Items: &Schema{Type: "object",
			Properties: map[string]*Schema{"k": {Type: "string"}, "v": {Type: "integer"}}}},
		"template": {Type: "object", Embedded: true, Properties: map[string]*Schema{"x": {Type: "integer"}}},
	}},
}}).WithMeta()

func tree() map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "K", "metadata": map[string]any{"name": "n", "uid": "u"}, "spec": map[string]any{
		"replicas": int64(3), "ratio": int64(2), "name": "x", "namespace": "ns", "port": "80%", "when": "2020-01-01T00:00:00Z",
		"every": "90s", "data": "aGk=", "opaque": map[string]any{"a": int64(1)}, "nullable": nil,
		"labels": map[string]any{"a-b": "c"}, "set": []any{"a", "b"}, "list": []any{int64(2), int64(1)},
		"map":      []any{map[string]any{"k": "a", "v": int64(1)}, map[string]any{"k": "b", "v": int64(2)}},
		"template": map[string]any{"kind": "T", "x": int64(1), "metadata": map[string]any{"name": "inner"}},
	}}
}

func TestTyped(t *testing.T) {
	typed, err := NewTyped(sample)
	if err != nil {
		t.Fatal(err)
	}
	env, err := typed.Rule(sample, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, expression := range []string{
		"self.metadata.name == 'n'", "self.kind == 'K'", "self.spec.replicas > 2", "self.spec.ratio == 2.0",
		"self.spec.__namespace__ == 'ns'", "type(self.spec.port) == string && self.spec.port.endsWith('%')",
		"self.spec.when < timestamp('2021-01-01T00:00:00Z')", "self.spec.every == duration('1m30s')", "self.spec.data == b'hi'",
		"!has(self.spec.nullable)", "self.spec.labels['a-b'] == 'c'", "self.spec.labels.all(k, k.size() == 3)",
		"self.spec.set == ['b', 'a']", "self.spec.set + ['a', 'c'] == ['c', 'b', 'a']", "(self.spec.set + ['a', 'c']).size() == 3",
		"self.spec.list != [1, 2]", "self.spec.list == [2, 1]", "self.spec.list.sum() == 3", "2 in self.spec.list",
		"self.spec.map.exists(m, m.k == 'b' && m.v == 2)", "self.spec.map == oldSelf.spec.map", "(self.spec.map + oldSelf.spec.map).size() == 2",
		"self.spec.template.metadata.name == 'inner' && self.spec.template.x == 1", "self == oldSelf", "self.spec.?name.orValue('') == 'x'",
		"self.spec.map.map(m, m.v).max() == 2", "self.spec.set.exists_one(x, x == 'a')",
	} {
		p, err := env.Compile(expression, BoolType)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		old := tree()
		m := old["spec"].(map[string]any)["map"].([]any)
		m[0], m[1] = m[1], m[0]
		v, err := p.Eval(context.Background(), map[string]any{"self": Value(tree(), sample), "oldSelf": Value(old, sample)}, NewBudget(PerObject))
		if err != nil || v != nil && v.Value() != true {
			t.Errorf("%s: got %v, %v", expression, v, err)
		}
	}
}

func TestTypedErrors(t *testing.T) {
	typed, err := NewTyped(sample)
	if err != nil {
		t.Fatal(err)
	}
	env, err := typed.Rule(sample, false)
	if err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]string{
		"self.nope":                  "undefined field 'nope'",
		"self.spec.opaque.a == 1":    "undefined field 'opaque'",
		"self.metadata.uid == 'u'":   "undefined field 'uid'",
		"self.spec.replicas == 'x'":  "found no matching overload for '_==_' applied to '(int, string)'",
		"self.spec.replicas":         "must evaluate to bool but got int",
		"selfType{spec: self.spec}":  "undeclared reference",
		"self.spec.map[0].zz == 'z'": "undefined field 'zz'",
	} {
		if _, err := env.Compile(expression, BoolType); err == nil || !strings.Contains(err.Error(), want) {
			if expression == "selfType{spec: self.spec}" && err != nil {
				continue
			}
			t.Errorf("%s: got %v, want %q", expression, err, want)
		}
	}
}

func TestOptionalOld(t *testing.T) {
	node := sample.Properties["spec"].Properties["replicas"]
	typed, err := NewTyped(sample)
	if err != nil {
		t.Fatal(err)
	}
	env, err := typed.Rule(node, true)
	if err != nil {
		t.Fatal(err)
	}
	p, err := env.Compile("oldSelf.orValue(0) < self", BoolType)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Uses("oldSelf") {
		t.Error("a rule with oldSelf is not a transition rule")
	}
	for _, c := range []struct {
		old  any
		want bool
	}{{nil, true}, {int64(5), false}} {
		v, err := p.Eval(context.Background(), map[string]any{"self": Value(int64(3), node), "oldSelf": Optional(c.old, node)}, NewBudget(PerObject))
		if err != nil || v.Value() != c.want {
			t.Errorf("old %v: got %v, %v", c.old, v, err)
		}
	}
}

func TestEstimates(t *testing.T) {
	typed, err := NewTyped(sample)
	if err != nil {
		t.Fatal(err)
	}
	env, err := typed.Rule(sample, false)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(expression string) uint64 {
		p, err := env.Compile(expression, BoolType)
		if err != nil {
			t.Fatal(err)
		}
		return p.Cost
	}
	if c := cost("self.spec.map.all(x, x.v > 0)"); c == 0 || c > 1000 {
		t.Errorf("bounded list: %d", c)
	}
	if c := cost("self.spec.list.all(x, self.spec.list.all(y, x == y))"); c < EstimatedPerRule {
		t.Errorf("unbounded lists in each other: %d", c)
	}
	spec := sample.Properties["spec"]
	if n := typed.Cardinality(spec.Properties["map"], typed.Cardinality(spec.Properties["set"], 1)); n != 50 {
		t.Errorf("cardinality %d", n)
	}
}
