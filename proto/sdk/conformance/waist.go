package conformance

import (
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	autoscalingv1 "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

var waist = group{"waist", []behaviour{
	{"kinds that are not there", func(e *env) {
		for _, r := range []*resourcev1.Resource{{Plural: "widgets", Version: "v1"}, {Group: "apps", Version: "v0", Plural: "deployments"}, {Group: "example.org", Version: "v1", Plural: "pods"}, {}} {
			_, err := e.Conn.Waist().Get(e.ctx, &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{Resource: r, Namespace: e.ns, Name: "a"}})
			e.wants(err, apierrors.IsNotFound, "the server could not find the requested resource")
		}
	}},
	{"preferred version", func(e *env) {
		must(client.For[*appsv1.Deployment](e.Conn).Create(e.ctx, e.deployment("a")))(e)
		resp, err := e.Conn.Waist().Get(e.ctx, &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{
			Resource: &resourcev1.Resource{Group: "apps", Plural: "deployments"}, Namespace: e.ns, Name: "a"}})
		if err != nil || resp.Object.Revision == 0 {
			e.Errorf("%v, %v", resp, err)
		}
	}},
	{"json both ways", func(e *env) {
		ref := &resourcev1.ObjectRef{Resource: e.maps.Kind().Resource(), Namespace: e.ns, Name: "a"}
		created, err := e.Conn.Waist().Create(e.ctx, &resourcev1.CreateRequest{Ref: ref, Object: &resourcev1.Object{
			Encoding: resourcev1.Encoding_ENCODING_JSON, Raw: []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1"}}`)},
			Options: &resourcev1.WriteOptions{Encoding: resourcev1.Encoding_ENCODING_JSON}})
		if err != nil {
			e.Fatal(err)
		}
		read, err := e.Conn.Waist().Get(e.ctx, &resourcev1.GetRequest{Ref: ref, Encoding: resourcev1.Encoding_ENCODING_JSON})
		if err != nil {
			e.Fatal(err)
		}
		for _, o := range []*resourcev1.Object{created.Object, read.Object} {
			if s := string(o.Raw); !strings.Contains(s, `"kind":"ConfigMap"`) || !strings.Contains(s, `"data":{"k":"1"}`) || o.Encoding != resourcev1.Encoding_ENCODING_JSON {
				e.Errorf("object %s", s)
			}
		}
		if m := must(e.maps.Get(e.ctx, e.ns, "a"))(e); m.Data["k"] != "1" {
			e.Errorf("read %v", m)
		}
	}},
	{"unknown fields of json", func(e *env) {
		for mode, refused := range map[string]bool{"Ignore": false, "Warn": false, "Strict": true} {
			resp, err := e.Conn.Waist().Create(e.ctx, &resourcev1.CreateRequest{
				Ref: &resourcev1.ObjectRef{Resource: e.maps.Kind().Resource(), Namespace: e.ns, Name: strings.ToLower(mode)},
				Object: &resourcev1.Object{Encoding: resourcev1.Encoding_ENCODING_JSON,
					Raw: []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + strings.ToLower(mode) + `"},"colour":"red"}`)},
				Options: &resourcev1.WriteOptions{FieldValidation: mode}})
			if refused {
				e.wants(err, apierrors.IsBadRequest, `unknown field "colour"`)
			} else if err != nil || (len(resp.Warnings) > 0) != (mode == "Warn") {
				e.Errorf("%s: %v, %v", mode, resp, err)
			}
		}
	}},
	{"malformed objects", func(e *env) {
		for encoding, raw := range map[resourcev1.Encoding]string{
			resourcev1.Encoding_ENCODING_JSON: `{"metadata":`, resourcev1.Encoding_ENCODING_PROTOBUF: "\x0a\xff\xff", resourcev1.Encoding(99): "{}",
		} {
			_, err := e.Conn.Waist().Create(e.ctx, &resourcev1.CreateRequest{
				Ref:    &resourcev1.ObjectRef{Resource: e.maps.Kind().Resource(), Namespace: e.ns, Name: "a"},
				Object: &resourcev1.Object{Encoding: encoding, Raw: []byte(raw)}})
			if err = apierrors.FromGRPC(err); !apierrors.IsBadRequest(err) && !apierrors.IsUnsupportedMediaType(err) {
				e.Errorf("%v: %v", encoding, err)
			}
		}
	}},
	{"an object at another's address", func(e *env) {
		raw, err := proto.Marshal(e.configMap("b"))
		if err != nil {
			e.Fatal(err)
		}
		e.put(e.configMap("a"))
		_, err = e.Conn.Waist().Update(e.ctx, &resourcev1.UpdateRequest{Ref: e.maps.Ref(e.ns, "a", ""), Object: &resourcev1.Object{Raw: raw}})
		e.wants(err, apierrors.IsBadRequest, "does not match the name on the URL")
		_, err = e.Conn.Waist().Create(e.ctx, &resourcev1.CreateRequest{Ref: e.maps.Ref("default", "b", ""), Object: &resourcev1.Object{Raw: raw}})
		e.wants(err, apierrors.IsBadRequest, "the namespace of the provided object does not match the namespace sent on the request")
	}},
	{"metadata only", func(e *env) {
		e.put(e.configMap("a", "k", "1"))
		resp, err := e.Conn.Waist().Get(e.ctx, &resourcev1.GetRequest{Ref: e.maps.Ref(e.ns, "a", ""), Trim: &resourcev1.Trim{MetadataOnly: true}})
		if err != nil {
			e.Fatal(err)
		}
		m := &corev1.ConfigMap{}
		if err := proto.Unmarshal(resp.Object.Raw, m); err != nil || m.Metadata.GetName() != "a" || m.Metadata.ResourceVersion == "" || len(m.Data) != 0 {
			e.Errorf("%v, %v", m, err)
		}
	}},
	{"writes without their object", func(e *env) {
		raw, err := proto.Marshal(e.configMap("a"))
		if err != nil {
			e.Fatal(err)
		}
		resp, err := e.Conn.Waist().Create(e.ctx, &resourcev1.CreateRequest{
			Ref: e.maps.Ref(e.ns, "a", ""), Object: &resourcev1.Object{Raw: raw}, Options: &resourcev1.WriteOptions{OmitObject: true}})
		if err != nil || len(resp.Object.GetRaw()) != 0 || resp.Object.GetRevision() == 0 {
			e.Errorf("%v, %v", resp, err)
		}
	}},
}}

var subresources = group{"subresources", []behaviour{
	{"binding", func(e *env) {
		must(e.pods.Create(e.ctx, e.pod("a")))(e)
		bind := func(node string) error {
			_, err := client.Sub[*corev1.Binding, *metav1.Status](e.ctx, e.Conn, e.pods.Ref(e.ns, "a", "binding"),
				&corev1.Binding{Metadata: e.meta("a"), Target: &corev1.ObjectReference{Kind: "Node", Name: node}})
			return err
		}
		must(0, bind("node-1"))(e)
		p := must(e.pods.Get(e.ctx, e.ns, "a"))(e)
		if p.Spec.NodeName != "node-1" {
			e.Errorf("bound to %q", p.Spec.NodeName)
		}
		scheduled := false
		for _, c := range p.Status.GetConditions() {
			scheduled = scheduled || c.Type == "PodScheduled" && c.Status == "True"
		}
		if !scheduled {
			e.Errorf("conditions %v", p.Status.GetConditions())
		}
		e.wants(bind("node-2"), apierrors.IsConflict, `pod a is already assigned to node "node-1"`)
	}},
	{"bindings in a batch", func(e *env) {
		b := e.pods.Batch(e.ctx)
		defer b.Close()
		for _, n := range []string{"a", "b"} {
			must(e.pods.Create(e.ctx, e.pod(n)))(e)
		}
		for _, n := range []string{"a", "b", "missing"} {
			must(0, b.Sub(e.ns, n, "binding", &corev1.Binding{Metadata: e.meta(n), Target: &corev1.ObjectReference{Kind: "Node", Name: "n"}}, func(err error) {
				if n == "missing" {
					e.wants(err, apierrors.IsNotFound, `pods "missing" not found`)
				} else if err != nil {
					e.Errorf("%s: %v", n, err)
				}
			}))(e)
		}
		b.Wait()
		bound, _, err := e.pods.List(e.ctx, client.ListOptions{Namespace: e.ns, FieldSelector: "spec.nodeName=n"})
		if err != nil || names(bound) != "a b" {
			e.Errorf("bound %q, %v", names(bound), err)
		}
	}},
	{"scale", func(e *env) {
		c := client.For[*appsv1.Deployment](e.Conn)
		must(c.Create(e.ctx, e.deployment("a")))(e)
		s := must(client.GetSub[*autoscalingv1.Scale](e.ctx, e.Conn, c.Ref(e.ns, "a", "scale")))(e)
		if s.Spec.Replicas != 2 || s.Status.Selector != "app=a" || s.Metadata.Name != "a" {
			e.Errorf("scale %v", s)
		}
		s = proto.CloneOf(s)
		s.Spec.Replicas = 5
		must(client.UpdateSub[*autoscalingv1.Scale, *autoscalingv1.Scale](e.ctx, e.Conn, c.Ref(e.ns, "a", "scale"), s))(e)
		d := must(c.Get(e.ctx, e.ns, "a"))(e)
		if d.Spec.GetReplicas() != 5 || d.Metadata.Generation != 2 {
			e.Errorf("replicas %d, generation %d", d.Spec.GetReplicas(), d.Metadata.Generation)
		}
	}},
	{"that are not there", func(e *env) {
		m := e.put(e.configMap("a"))
		_, err := client.Sub[*corev1.ConfigMap, *corev1.ConfigMap](e.ctx, e.Conn, e.maps.Ref(e.ns, "a", "binding"), m)
		e.wants(err, apierrors.IsNotFound, "the server could not find the requested resource")
	}},
}}
