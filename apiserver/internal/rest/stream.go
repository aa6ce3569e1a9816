package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// stream serves a subresource that reaches into a pod. Whoever runs something in a pod must be allowed to create the
// subresource, also where the upgrade is a GET, as those of WebSockets are.
func (c *call) stream() {
	verbs := []string{c.info.Verb}
	if podstream.Upgrades(c.info.Subresource) && c.info.Verb != "create" {
		verbs = append(verbs, "create")
	}
	for _, v := range verbs {
		if err := c.authorize(v); err != nil {
			respond.Error(c.w, c.r, err)
			return
		}
	}
	if c.r.Method == http.MethodHead {
		return
	}
	if err := c.s.streams.Serve(c.w, c.r, c.info.Namespace, c.info.Name, c.info.Subresource); err != nil {
		respond.Error(c.w, c.r, err)
	}
}

// pod reads a pod as the server itself.
func (s *Server) pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	self := &identity.User{Name: "system:apiserver", Groups: []string{identity.GroupMasters}}
	it, err := s.cfg.Pipeline.Get(identity.NewContext(ctx, self), &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{
		Resource: &resourcev1.Resource{Version: "v1", Plural: "pods"}, Namespace: namespace, Name: name}})
	if err != nil {
		return nil, err
	}
	m, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	pod, ok := m.(*corev1.Pod)
	if !ok {
		return nil, apierrors.NewInternal(fmt.Errorf("a pod decoded as %T", m))
	}
	return pod, nil
}
