package customresource

import (
	"testing"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

const benchSchema = `{"type":"object","required":["a"],"properties":{"a":{"type":"string","maxLength":50,"pattern":"^[a-z]+$"},"b":{"type":"integer","default":7,"minimum":0},
	"list":{"type":"array","maxItems":20,"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"type":"object","required":["name"],"properties":{
	"name":{"type":"string","maxLength":20},"value":{"x-kubernetes-int-or-string":true},"mode":{"type":"string","enum":["x","y"],"default":"x"}}}}},
	"x-kubernetes-validations":[{"rule":"self.b < 10","message":"b is too big"},{"rule":"self.list.all(l, l.name.size() < 20)"}]}`

const benchObject = `{"apiVersion":"example.com/v1","kind":"Foo","metadata":{"generateName":"x-","labels":{"app":"a"},"annotations":{"n":"some text"}},
	"spec":{"a":"abc","list":[{"name":"one","value":1},{"name":"two","value":"80%"},{"name":"three","mode":"y"},{"name":"four","value":3}]}}`

func BenchmarkCreate(b *testing.B) {
	h := startBench(b)
	for b.Loop() {
		if err := h.create(foo("v1", ""), benchObject); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	h := startBench(b)
	if err := h.create(foo("v1", ""), benchObject); err != nil {
		b.Fatal(err)
	}
	list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: &resourcev1.Selection{Resource: foo("v1", "").Resource}})
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	for b.Loop() {
		if buf, err = list.Items[0].AppendJSON(buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func startBench(b *testing.B) *harness {
	h := start(b)
	h.define(crd("example.com", "foos", "Foo", version("v1", true, benchSchema)))
	return h
}
