package aggregate

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/keelson/keelson/proto/apierrors"
	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// attempts is how many endpoints are asked: one that answers is enough.
const attempts = 5

func condition(status, reason, format string, args ...any) *apiregistrationv1.APIServiceCondition {
	return &apiregistrationv1.APIServiceCondition{Type: "Available", Status: status, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// check finds out whether the server can be reached, in Kubernetes' words.
func (r *remote) check(ctx context.Context) *apiregistrationv1.APIServiceCondition {
	ref := r.object.GetSpec().GetService()
	s, err := r.service(ctx)
	switch {
	case apierrors.IsNotFound(err):
		return condition("False", "ServiceNotFound", "service/%s in %q is not present", ref.GetName(), ref.GetNamespace())
	case err != nil:
		return condition("Unknown", "ServiceAccessError", "service/%s in %q cannot be checked due to: %v", ref.GetName(), ref.GetNamespace(), err)
	}
	if s.GetSpec().GetType() == "ClusterIP" || s.GetSpec().GetType() == "NodePort" || s.GetSpec().GetType() == "LoadBalancer" || s.GetSpec().GetType() == "" {
		i := slices.IndexFunc(s.GetSpec().GetPorts(), func(p *corev1.ServicePort) bool { return p.GetPort() == port(ref) })
		if i < 0 {
			return condition("False", "ServicePortError", "service/%s in %q is not listening on port %d", ref.GetName(), ref.GetNamespace(), port(ref))
		}
		if c := r.checkEndpoints(ctx, s.Spec.Ports[i].GetName()); c != nil {
			return c
		}
	}
	results := make(chan error, attempts)
	ask, cancel := context.WithTimeout(ctx, discoveryFor)
	defer cancel()
	for range attempts {
		go func() { results <- r.ping(ask) }()
	}
	for range attempts {
		e := <-results
		if e == nil {
			return condition("True", "Passed", "all checks passed")
		}
		err = e
	}
	return condition("False", "FailedDiscoveryCheck", "failing or missing response from %s: %v", r.url(), err)
}

func (r *remote) url() string { return "https://" + r.host() + r.gv.root() }

// ping asks for the version's document.
func (r *remote) ping(ctx context.Context) error {
	resp, err := r.get(ctx, r.gv.root(), "application/json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("bad status from %s: %d", r.url(), resp.StatusCode)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxDiscovery))
	return err
}

// get asks the server as the aggregator itself.
func (r *remote) get(ctx context.Context, path, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.host()+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	setUser(req.Header, aggregatorUser)
	return r.transport.RoundTrip(req)
}

func (r *remote) service(ctx context.Context) (*corev1.Service, error) {
	ref := r.object.GetSpec().GetService()
	it, err := r.a.server.Get(ctx, &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{
		Resource: &resourcev1.Resource{Version: "v1", Plural: "services"}, Namespace: ref.GetNamespace(), Name: ref.GetName()}})
	if err != nil {
		return nil, err
	}
	s := &corev1.Service{}
	return s, it.Unmarshal(s)
}

// checkEndpoints returns what is wrong with the Service's endpoints; nil where one is ready.
func (r *remote) checkEndpoints(ctx context.Context, portName string) *apiregistrationv1.APIServiceCondition {
	ref := r.object.GetSpec().GetService()
	list, err := r.a.server.List(ctx, &resourcev1.ListRequest{Selection: &resourcev1.Selection{
		Resource:  &resourcev1.Resource{Group: "discovery.k8s.io", Version: "v1", Plural: "endpointslices"},
		Namespace: ref.GetNamespace(), LabelSelector: "kubernetes.io/service-name=" + ref.GetName()}})
	switch {
	case err != nil:
		return condition("Unknown", "EndpointsAccessError", "service/%s in %q cannot be checked due to: %v", ref.GetName(), ref.GetNamespace(), err)
	case len(list.Items) == 0:
		return condition("False", "EndpointsNotFound", "cannot find endpointslices for service/%s in %q", ref.GetName(), ref.GetNamespace())
	}
	for _, it := range list.Items {
		s := &discoveryv1.EndpointSlice{}
		if it.Unmarshal(s) == nil && serves(s, portName) {
			return nil
		}
	}
	return condition("False", "MissingEndpoints", "endpointslices for service/%s in %q have no addresses with port name %q", ref.GetName(), ref.GetNamespace(), portName)
}

// serves tells whether a slice has a ready endpoint on a port.
func serves(s *discoveryv1.EndpointSlice, portName string) bool {
	return slices.ContainsFunc(s.GetPorts(), func(p *discoveryv1.EndpointPort) bool { return p.GetName() == portName }) &&
		slices.ContainsFunc(s.GetEndpoints(), func(e *discoveryv1.Endpoint) bool {
			c := e.GetConditions()
			return len(e.GetAddresses()) > 0 && (c == nil || c.Ready == nil || *c.Ready)
		})
}
