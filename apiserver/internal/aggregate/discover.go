package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	apidiscoveryv2 "github.com/keelson/keelson/proto/gen/keelson/apidiscovery/v2"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// acceptAggregated asks for the aggregated document of /apis; who does not know it answers with the old one.
const acceptAggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

// discover asks what the server serves. What it said before stays where it does not answer.
func (r *remote) discover(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, discoveryFor)
	defer cancel()
	found, err := r.aggregated(ctx)
	if err != nil {
		found, err = r.resourceList(ctx)
	}
	if err != nil {
		return // the next check says what is wrong
	}
	if old := r.found.Load(); old == nil || !proto.Equal(old, found) {
		r.found.Store(found)
		r.a.revision.Add(1)
	}
	r.fetchSpecs(ctx)
}

// read gets a JSON document of a bounded length.
func (r *remote) read(ctx context.Context, path, accept string, limit int64) ([]byte, http.Header, error) {
	resp, err := r.get(ctx, path, accept)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("bad status from %s: %d", path, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errors.New("the answer is too long")
	}
	return b, resp.Header, err
}

// aggregated finds the version in the server's aggregated document.
func (r *remote) aggregated(ctx context.Context) (*apidiscoveryv2.APIVersionDiscovery, error) {
	b, header, err := r.read(ctx, "/apis", acceptAggregated, maxDiscovery)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(header.Get("Content-Type"), "as=APIGroupDiscoveryList") {
		return nil, errors.New("not an aggregated document")
	}
	list := &apidiscoveryv2.APIGroupDiscoveryList{}
	if _, err := codec.Unmarshal(b, list, codec.DecodeOptions{}); err != nil {
		return nil, err
	}
	for _, g := range list.GetItems() {
		if g.GetMetadata().GetName() != r.gv.group {
			continue
		}
		for _, v := range g.GetVersions() {
			if v.GetVersion() == r.gv.version {
				v.Freshness = "Current"
				return v, nil
			}
		}
	}
	return nil, errors.New("the document does not have the version")
}

// resourceList makes the version's entry of its old document.
func (r *remote) resourceList(ctx context.Context) (*apidiscoveryv2.APIVersionDiscovery, error) {
	b, _, err := r.read(ctx, r.gv.root(), "application/json", maxDiscovery)
	if err != nil {
		return nil, err
	}
	var list struct {
		Kind      string `json:"kind"`
		Resources []struct {
			Name, SingularName, Kind, Group, Version string
			Namespaced                               bool
			Verbs, ShortNames, Categories            []string
		} `json:"resources"`
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	out := &apidiscoveryv2.APIVersionDiscovery{Version: r.gv.version, Freshness: "Current"}
	byName := map[string]*apidiscoveryv2.APIResourceDiscovery{}
	or := func(v, def string) string {
		if v == "" {
			return def
		}
		return v
	}
	for _, in := range list.Resources {
		kind := &metav1.GroupVersionKind{Group: or(in.Group, r.gv.group), Version: or(in.Version, r.gv.version), Kind: in.Kind}
		name, sub, below := strings.Cut(in.Name, "/")
		d := byName[name]
		if d == nil {
			scope := "Cluster"
			if in.Namespaced {
				scope = "Namespaced"
			}
			d = &apidiscoveryv2.APIResourceDiscovery{Resource: name, Scope: scope}
			byName[name] = d
			out.Resources = append(out.Resources, d)
		}
		if below {
			d.Subresources = append(d.Subresources, &apidiscoveryv2.APISubresourceDiscovery{Subresource: sub, ResponseKind: kind, Verbs: in.Verbs})
			continue
		}
		d.ResponseKind, d.SingularResource, d.Verbs, d.ShortNames, d.Categories = kind, in.SingularName, in.Verbs, in.ShortNames, in.Categories
	}
	return out, nil
}
