package schema_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/apply"
	"github.com/keelson/keelson/proto/schema/table"
)

// FuzzObject takes JSON through everything that a create does: nothing may panic, and what is valid must stay so.
func FuzzObject(f *testing.F) {
	for _, s := range []string{deploy(goodTemplate), `{` + podHead + `,"spec":{` + one + `}}`, deploy(`"strategy":{"type":"Recreate"},` + goodTemplate),
		`{"metadata":{"name":"s","namespace":"d"},"spec":{"type":"NodePort","ports":[{"port":80,"targetPort":"x"}]}}`,
		`{"metadata":{"name":"a","namespace":"d"},"type":"kubernetes.io/tls","data":{"tls.crt":"eA=="}}`, `{"metadata":{"name":"n"},"spec":{"taints":[{"key":"a"}]}}`,
		`{"spec":{"containers":[{"resources":{"requests":{"a":"1e999"}},"ports":[{}],"env":[{"valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['a']"}}}]}]}}`,
		`{"rules":[{"verbs":["*"]}],"roleRef":{}}`} {
		f.Add([]byte(s), uint8(0))
	}
	var kinds []*schema.Kind
	for _, k := range schema.Builtin().Kinds() {
		if k.Served {
			kinds = append(kinds, k)
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte, which uint8) {
		k := kinds[int(which)%len(kinds)]
		obj := k.New()
		if _, err := codec.Unmarshal(doc, obj, codec.DecodeOptions{MaxBytes: 1 << 16}); err != nil {
			return
		}
		k.Default(obj)
		errs := k.Validate(obj, nil)
		schema.Causes(errs)
		k.Fields(obj)
		table.Cells(k, obj, time.Unix(0, 0))
		if len(errs) == 0 {
			if again := k.Validate(obj, proto.Clone(obj)); len(again) > 0 {
				t.Errorf("%s: what may be created may not be written again: %v", k.Kind, again)
			}
		}
		if err := apply.Track(k, nil, obj, apply.Writer{Manager: "m"}); err != nil {
			t.Errorf("track: %v", err)
		}
		if err := apply.Track(k, obj, proto.Clone(obj), apply.Writer{Manager: "n"}); err != nil {
			t.Errorf("track again: %v", err)
		}
	})
}

// FuzzApply merges hostile configurations into an object.
func FuzzApply(f *testing.F) {
	for _, s := range []string{goodTemplate, `"replicas":1`, `"template":{"spec":{"containers":[{"name":"a","ports":[{"containerPort":1},{"containerPort":1}]}]}}`, `"strategy":null`, `"foo":[[]]`} {
		f.Add([]byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"w"},"spec":{` + s + `}}`))
	}
	k, _ := schema.Builtin().ByResource("apps", "v1", "deployments")
	live := k.New()
	if _, err := codec.Unmarshal([]byte(deploy(goodTemplate)), live, codec.DecodeOptions{}); err != nil {
		f.Fatal(err)
	}
	k.Default(live)
	if err := apply.Track(k, nil, live, apply.Writer{Manager: "m"}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		config, err := codec.ParseNode(doc)
		if err != nil || config.Kind != codec.ObjectNode {
			return
		}
		res, err := apply.Apply(apply.Request{Kind: k, Live: live, Config: &config, Writer: apply.Writer{Manager: "f"}, Force: true})
		if err != nil {
			return
		}
		obj := res.Object
		k.Default(obj)
		k.Validate(obj, live)
	})
}
