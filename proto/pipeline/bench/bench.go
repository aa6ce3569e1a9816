// Package bench measures the pipeline over any store: what one operation costs without network and TLS. The stores'
// own packages call it, so that memory and etcd are measured alike.
package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/schema"
)

const (
	writers  = 16
	pods     = 10000
	watchers = 200
)

// Run runs all benchmarks, each on a new store.
func Run(b *testing.B, open func(b *testing.B) store.Store) {
	for name, f := range map[string]func(*testing.B, *pipeline.Server){
		"create": create, "get": get, "update status": updateStatus, "list": list, "list 1%": listLabel, "bind": bind, "fan-out": fanOut,
	} {
		b.Run(name, func(b *testing.B) {
			s, err := pipeline.New(pipeline.Config{Registry: schema.Builtin(), Store: open(b), WithoutAdmission: []string{"ServiceAccount"}})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Start(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(s.Close)
			b.ReportAllocs()
			f(b, s)
		})
	}
}

// Pod is a pod as a ReplicaSet's template makes them: about 1.9 KB of JSON.
func Pod(name string, n int) *corev1.Pod {
	env := func(k, v string) *corev1.EnvVar { return &corev1.EnvVar{Name: k, Value: v} }
	quantity := func(s string) *metav1.Quantity { return &metav1.Quantity{String_: s} }
	return &corev1.Pod{
		Metadata: &metav1.ObjectMeta{
			Name: name, Namespace: "default",
			Labels:      map[string]string{"app": "web", "pod-template-hash": "5d4f8c7b9", "shard": fmt.Sprint(n % 100), "tier": "frontend"},
			Annotations: map[string]string{"example.com/checksum": "0d6f3d3b9c0f4c1b8f9c7c2d1a7f5e4b", "example.com/owner": "team-web"},
			OwnerReferences: []*metav1.OwnerReference{{
				ApiVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4f8c7b9", Uid: "8f3a6f0e-5c0a-4d62-9f1d-6f6d3c2b1a00",
				Controller: proto.Bool(true), BlockOwnerDeletion: proto.Bool(true),
			}},
		},
		Spec: &corev1.PodSpec{
			Containers: []*corev1.Container{{
				Name: "web", Image: "registry.example.com/team/web:1.2.3", Command: []string{"/bin/web"}, Args: []string{"--listen=:8080", "--log-level=info"},
				Env:   []*corev1.EnvVar{env("A", "one"), env("B", "two"), env("DATABASE_URL", "postgres://db.default.svc:5432/web"), env("CACHE", "redis:6379")},
				Ports: []*corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: "TCP"}},
				Resources: &corev1.ResourceRequirements{
					Requests: map[string]*metav1.Quantity{"cpu": quantity("100m"), "memory": quantity("128Mi")},
					Limits:   map[string]*metav1.Quantity{"cpu": quantity("500m"), "memory": quantity("256Mi")},
				},
				VolumeMounts: []*corev1.VolumeMount{{Name: "config", MountPath: "/etc/web", ReadOnly: true}},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 5, Handler: &corev1.ProbeHandler{HttpGet: &corev1.HTTPGetAction{
					Path: "/healthz", Port: &metav1.IntOrString{IntVal: 8080},
				}}},
			}},
			Volumes: []*corev1.Volume{{Name: "config", VolumeSource: &corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: &corev1.LocalObjectReference{Name: "web"},
			}}}},
		},
	}
}

var podsResource = &resourcev1.Resource{Plural: "pods"}

func at(name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: podsResource, Namespace: "default", Name: name}
}

func post(b *testing.B, s *pipeline.Server, raw []byte) *pipeline.Item {
	res, err := s.Create(context.Background(), &resourcev1.CreateRequest{
		Ref: at(""), Object: &resourcev1.Object{Raw: raw}, Options: &resourcev1.WriteOptions{FieldManager: "bench"},
	})
	if err != nil {
		b.Fatal(err)
	}
	return res.Item
}

func encode(b *testing.B, m proto.Message) []byte {
	raw, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return raw
}

// fill creates n pods.
func fill(b *testing.B, s *pipeline.Server, n int) []*pipeline.Item {
	items := make([]*pipeline.Item, n)
	var next atomic.Int64
	done := make(chan struct{})
	for range writers {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				items[i] = post(b, s, encode(b, Pod(fmt.Sprintf("p%06d", i), i)))
			}
		}()
	}
	for range writers {
		<-done
	}
	if _, err := s.Get(context.Background(), &resourcev1.GetRequest{Ref: at(items[n-1].Name)}); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	return items
}

func parallel(b *testing.B, f func(i int)) {
	var next atomic.Int64
	b.SetParallelism(writers / 2)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			f(int(next.Add(1)))
		}
	})
}

func create(b *testing.B, s *pipeline.Server) {
	parallel(b, func(i int) { post(b, s, encode(b, Pod(fmt.Sprintf("p%09d", i), i))) })
}

func get(b *testing.B, s *pipeline.Server) {
	items := fill(b, s, 1000)
	parallel(b, func(i int) {
		if _, err := s.Get(context.Background(), &resourcev1.GetRequest{Ref: at(items[i%len(items)].Name)}); err != nil {
			b.Error(err)
		}
	})
}

func updateStatus(b *testing.B, s *pipeline.Server) {
	items := fill(b, s, 1000)
	parallel(b, func(i int) {
		name := items[i%len(items)].Name
		p := Pod(name, i)
		p.Status = &corev1.PodStatus{Phase: "Running", PodIP: fmt.Sprintf("10.0.%d.%d", i%256, i/256%256)}
		ref := at(name)
		ref.Subresource = "status"
		if _, err := s.Update(context.Background(), &resourcev1.UpdateRequest{
			Ref: ref, Object: &resourcev1.Object{Raw: encode(b, p)}, Options: &resourcev1.WriteOptions{FieldManager: "kubelet"},
		}); err != nil {
			b.Error(err)
		}
	})
}

func bind(b *testing.B, s *pipeline.Server) {
	items := fill(b, s, b.N)
	parallel(b, func(i int) {
		name := items[i-1].Name
		ref := at(name)
		ref.Subresource = "binding"
		raw := encode(b, &corev1.Binding{Metadata: &metav1.ObjectMeta{Name: name}, Target: &corev1.ObjectReference{Kind: "Node", Name: "n"}})
		if _, err := s.Create(context.Background(), &resourcev1.CreateRequest{Ref: ref, Object: &resourcev1.Object{Raw: raw}}); err != nil {
			b.Error(err)
		}
	})
}

func listOf(b *testing.B, s *pipeline.Server, labels string, want int) {
	fill(b, s, pods)
	for b.Loop() {
		l, err := s.List(context.Background(), &resourcev1.ListRequest{Selection: &resourcev1.Selection{Resource: podsResource, LabelSelector: labels}})
		if err != nil || len(l.Items) != want {
			b.Fatalf("%v, %v", l, err)
		}
	}
}

func list(b *testing.B, s *pipeline.Server) { listOf(b, s, "", pods) }

func listLabel(b *testing.B, s *pipeline.Server) { listOf(b, s, "shard=7", pods/100) }

// fanOut changes one pod while many watch; one operation is one event at one watcher.
func fanOut(b *testing.B, s *pipeline.Server) {
	items := fill(b, s, 1)
	got := make(chan int, watchers)
	for range watchers {
		w, err := s.Watch(context.Background(), &resourcev1.WatchOpen{Selection: &resourcev1.Selection{Resource: podsResource}, SendInitialEvents: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.Close)
		go func() {
			for {
				events, err := w.Next(context.Background())
				if err != nil {
					return
				}
				for _, e := range events {
					if e.Type == resourcev1.EventType_EVENT_TYPE_MODIFIED {
						got <- 1
					}
				}
			}
		}()
	}
	ref := at(items[0].Name)
	ref.Subresource = "status"
	b.ResetTimer()
	for i := 0; i < b.N; i += watchers {
		p := Pod(items[0].Name, i)
		p.Status = &corev1.PodStatus{Phase: "Running", PodIP: fmt.Sprintf("10.0.%d.%d", i/watchers%256, i/watchers/256%256)}
		if _, err := s.Update(context.Background(), &resourcev1.UpdateRequest{Ref: ref, Object: &resourcev1.Object{Raw: encode(b, p)}}); err != nil {
			b.Fatal(err)
		}
		for range watchers {
			<-got
		}
	}
}
