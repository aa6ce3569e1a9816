package conformance

import (
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

var dryRun = group{"dry run", []behaviour{
	{"create", func(e *env) {
		m := must(e.maps.Create(e.ctx, e.configMap("a", "k", "1"), client.WriteOptions{DryRun: true}))(e)
		if m.Metadata.Uid == "" || m.Data["k"] != "1" {
			e.Errorf("answer %v", m)
		}
		e.gone("a")
		e.put(e.configMap("a"))
		_, err := e.maps.Create(e.ctx, e.configMap("a"), client.WriteOptions{DryRun: true})
		e.wants(err, apierrors.IsAlreadyExists, "already exists")
		_, err = e.maps.Create(e.ctx, e.configMap("Not_A_Name"), client.WriteOptions{DryRun: true})
		e.wants(err, apierrors.IsInvalid, "metadata.name")
	}},
	{"update and patch", func(e *env) {
		m := e.put(e.configMap("a", "k", "1"))
		in := proto.CloneOf(m)
		in.Data["k"] = "2"
		if got := must(e.maps.Update(e.ctx, in, client.WriteOptions{DryRun: true}))(e); got.Data["k"] != "2" {
			e.Errorf("update answers %v", got)
		}
		if got := must(e.maps.Patch(e.ctx, e.ns, "a", client.MergePatch, []byte(`{"data":{"k":"3"}}`), client.PatchOptions{DryRun: true}))(e); got.Data["k"] != "3" {
			e.Errorf("patch answers %v", got)
		}
		must(e.maps.Apply(e.ctx, e.ns, "b", []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}`), client.PatchOptions{FieldManager: "m", DryRun: true}))(e)
		e.gone("b")
		if got := must(e.maps.Get(e.ctx, e.ns, "a"))(e); !proto.Equal(got, m) {
			e.Errorf("stored %v, was %v", got, m)
		}
	}},
	{"delete", func(e *env) {
		m := e.put(e.configMap("a"))
		must(0, e.maps.Delete(e.ctx, e.ns, "a", client.DeleteOptions{DryRun: true}))(e)
		must(e.maps.DeleteCollection(e.ctx, e.here(), client.DeleteOptions{DryRun: true}))(e)
		if got := must(e.maps.Get(e.ctx, e.ns, "a"))(e); !proto.Equal(got, m) {
			e.Errorf("stored %v, was %v", got, m)
		}
	}},
}}
