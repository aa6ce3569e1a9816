// Package admissiontest runs the real pipeline over the memory store for tests of admission plugins, which speak YAML to
// it.
package admissiontest

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
)

// patience bounds every test; only a failing server makes it pass.
const patience = time.Minute

// User is who asks.
var User = &identity.User{Name: "jane", UID: "u1", Groups: []string{"devs", identity.GroupAuthenticated}, Extra: map[string][]string{"team": {"a", "b"}}}

// Server is a pipeline with plugins.
type Server struct {
	*pipeline.Server
	T   testing.TB
	Ctx context.Context
}

// Start starts a pipeline with plugins beside the default ones.
func Start(t testing.TB, plugins ...pipeline.Admission) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	st := memory.New()
	t.Cleanup(func() { st.Close() })
	p, err := pipeline.New(pipeline.Config{Registry: schema.Builtin(), Store: st, Admission: plugins, WithoutAdmission: []string{"ServiceAccount"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Server{p, t, identity.NewContext(ctx, User)}
}

// Tree is an object as JSON.
type Tree = map[string]any

func (s *Server) parse(text string) (*schema.Kind, *resourcev1.ObjectRef, *resourcev1.Object) {
	s.T.Helper()
	json, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		s.T.Fatal(err)
	}
	v, err := codec.ParseTree(json)
	if err != nil {
		s.T.Fatal(err)
	}
	tree, _ := v.(Tree)
	apiVersion, _ := tree["apiVersion"].(string)
	kind, _ := tree["kind"].(string)
	group, version := schema.SplitAPIVersion(apiVersion)
	k, ok := s.Registry().ByKind(group, version, kind)
	if !ok {
		s.T.Fatalf("no kind %s %s", apiVersion, kind)
	}
	meta, _ := tree["metadata"].(Tree)
	namespace, _ := meta["namespace"].(string)
	name, _ := meta["name"].(string)
	if k.Namespaced && namespace == "" {
		namespace = "default"
	}
	return k, Ref(k, namespace, name), &resourcev1.Object{Raw: json, Encoding: resourcev1.Encoding_ENCODING_JSON}
}

// Ref names an object.
func Ref(k *schema.Kind, namespace, name string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: k.Group, Version: k.Version, Plural: k.Plural}, Namespace: namespace, Name: name}
}

func (s *Server) show(k *schema.Kind, r *pipeline.Result, err error) (Tree, []string, error) {
	s.T.Helper()
	if err != nil {
		return nil, nil, err
	}
	msg, err := r.Item.Decode()
	if err != nil {
		s.T.Fatal(err)
	}
	tree, err := k.ToTree(msg)
	if err != nil {
		s.T.Fatal(err)
	}
	return tree, r.Warnings, nil
}

// Create creates an object.
func (s *Server) Create(text string, options ...*resourcev1.WriteOptions) (Tree, []string, error) {
	s.T.Helper()
	k, ref, obj := s.parse(text)
	req := &resourcev1.CreateRequest{Ref: ref, Object: obj}
	for _, o := range options {
		req.Options = o
	}
	r, err := s.Server.Create(s.Ctx, req)
	return s.show(k, r, err)
}

// Must creates objects and waits until every cache has them.
func (s *Server) Must(texts ...string) {
	s.T.Helper()
	for _, text := range texts {
		k, ref, obj := s.parse(text)
		if _, err := s.Server.Create(s.Ctx, &resourcev1.CreateRequest{Ref: ref, Object: obj}); err != nil {
			s.T.Fatalf("%s %s: %v", k.Kind, ref.Name, err)
		}
		if _, err := s.Get(s.Ctx, &resourcev1.GetRequest{Ref: ref}); err != nil {
			s.T.Fatal(err)
		}
	}
}

// Update replaces an object.
func (s *Server) Update(text string) (Tree, []string, error) {
	s.T.Helper()
	k, ref, obj := s.parse(text)
	r, err := s.Server.Update(s.Ctx, &resourcev1.UpdateRequest{Ref: ref, Object: obj})
	return s.show(k, r, err)
}

// Delete deletes an object.
func (s *Server) Delete(group, plural, namespace, name string) error {
	_, err := s.Server.Delete(s.Ctx, &resourcev1.DeleteRequest{Ref: &resourcev1.ObjectRef{
		Resource: &resourcev1.Resource{Group: group, Plural: plural}, Namespace: namespace, Name: name}, Options: &metav1.DeleteOptions{}})
	return err
}

// Post sends an object to a subresource.
func (s *Server) Post(group, plural, namespace, name, sub, json string) error {
	_, err := s.Server.Create(s.Ctx, &resourcev1.CreateRequest{Ref: &resourcev1.ObjectRef{
		Resource: &resourcev1.Resource{Group: group, Plural: plural}, Namespace: namespace, Name: name, Subresource: sub},
		Object: &resourcev1.Object{Raw: []byte(json), Encoding: resourcev1.Encoding_ENCODING_JSON}})
	return err
}

// At follows keys into a tree.
func At(t Tree, keys ...string) any {
	var v any = t
	for _, k := range keys {
		m, _ := v.(Tree)
		v = m[k]
	}
	return v
}
