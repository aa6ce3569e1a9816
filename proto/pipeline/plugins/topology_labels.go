package plugins

import (
	"context"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// topologyLabels are the labels of a node that its pods get.
var topologyLabels = []string{"topology.kubernetes.io/zone", "topology.kubernetes.io/region"}

// PodTopologyLabels gives pods the labels that say where their node is, so that what runs in them can read them.
type PodTopologyLabels struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*PodTopologyLabels) Name() string { return "PodTopologyLabels" }

// Admit implements admission.Plugin.
func (p *PodTopologyLabels) Admit(_ context.Context, r *admission.Request) error {
	if r.Operation != admission.Create {
		return nil
	}
	switch obj := r.Object.(type) {
	case *corev1.Binding:
		if obj.Metadata == nil {
			obj.Metadata = &metav1.ObjectMeta{}
		}
		p.label(obj.Metadata, obj.GetTarget().GetName())
	case *corev1.Pod:
		if r.Subresource == "" && obj.GetMetadata() != nil {
			p.label(obj.Metadata, obj.GetSpec().GetNodeName())
		}
	}
	return nil
}

// label sets the labels of the node. One that is not known has none: it may be registered later.
func (p *PodTopologyLabels) label(meta *metav1.ObjectMeta, name string) {
	if name == "" {
		return
	}
	it, ok := p.Access.Lookup("", "nodes", "", name)
	if !ok {
		return
	}
	for _, key := range topologyLabels {
		if v, ok := it.Label(key); ok {
			if meta.Labels == nil {
				meta.Labels = map[string]string{}
			}
			meta.Labels[key] = v
		}
	}
}
