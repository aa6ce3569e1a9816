package rest

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/apiserver/internal/rest/proxy"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
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
	if err := c.admitConnect(); err != nil {
		respond.Error(c.w, c.r, err)
		return
	}
	if err := c.s.streams.Serve(c.w, c.r, c.info.Namespace, c.info.Name, c.info.Subresource); err != nil {
		respond.Error(c.w, c.r, err)
	}
}

// proxy sends the request on to a pod, service or node.
func (c *call) proxy() {
	if err := c.authorize(c.info.Verb); err != nil {
		respond.Error(c.w, c.r, err)
		return
	}
	if err := c.admitConnect(); err != nil {
		respond.Error(c.w, c.r, err)
		return
	}
	if err := c.s.proxies.Serve(c.w, c.r, c.kind.Plural, c.info.Namespace, c.info.Name); err != nil {
		respond.Error(c.w, c.r, err)
	}
}

// objects reads what streams and proxies need, as the server itself.
type objects struct{ p *pipeline.Server }

var _ proxy.Objects = objects{}

// read gets an object into m.
func (o objects) read(ctx context.Context, plural, namespace, name string, m proto.Message) error {
	it, err := o.p.Get(identity.NewContext(ctx, pipeline.Self), &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{
		Resource: &resourcev1.Resource{Version: "v1", Plural: plural}, Namespace: namespace, Name: name}})
	if err != nil {
		return err
	}
	if err := it.Unmarshal(m); err != nil {
		return apierrors.NewInternal(fmt.Errorf("%s %q: %w", plural, name, err))
	}
	return nil
}

// Pod implements proxy.Objects.
func (o objects) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	m := &corev1.Pod{}
	return m, o.read(ctx, "pods", namespace, name, m)
}

// Service implements proxy.Objects.
func (o objects) Service(ctx context.Context, namespace, name string) (*corev1.Service, error) {
	m := &corev1.Service{}
	return m, o.read(ctx, "services", namespace, name, m)
}

// Node implements proxy.Objects.
func (o objects) Node(ctx context.Context, name string) (*corev1.Node, error) {
	m := &corev1.Node{}
	return m, o.read(ctx, "nodes", "", name, m)
}

// Slices implements proxy.Objects.
func (o objects) Slices(ctx context.Context, namespace, service string) ([]*discoveryv1.EndpointSlice, error) {
	l, err := o.p.List(identity.NewContext(ctx, pipeline.Self), &resourcev1.ListRequest{Selection: &resourcev1.Selection{
		Resource:  &resourcev1.Resource{Group: "discovery.k8s.io", Version: "v1", Plural: "endpointslices"},
		Namespace: namespace, LabelSelector: "kubernetes.io/service-name=" + service}})
	if err != nil {
		return nil, err
	}
	out := make([]*discoveryv1.EndpointSlice, 0, len(l.Items))
	for _, it := range l.Items {
		m := &discoveryv1.EndpointSlice{}
		if err := it.Unmarshal(m); err != nil {
			return nil, apierrors.NewInternal(fmt.Errorf("endpointslice %q: %w", it.Name, err))
		}
		out = append(out, m)
	}
	return out, nil
}
