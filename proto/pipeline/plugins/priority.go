package plugins

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	schedulingv1 "github.com/keelson/keelson/proto/gen/keelson/scheduling/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

const schedulingGroup = "scheduling.k8s.io"

// Priority resolves a pod's priority class into the number that the scheduler goes by.
type Priority struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*Priority) Name() string { return "Priority" }

// Admit implements admission.Plugin.
func (p *Priority) Admit(ctx context.Context, r *admission.Request) error {
	if c, ok := r.Object.(*schedulingv1.PriorityClass); ok && c.GetGlobalDefault() {
		return p.onlyDefault(ctx, r.Operation, c)
	}
	pod, ok := r.Object.(*corev1.Pod)
	if !ok || r.Subresource != "" || pod.GetSpec() == nil {
		return nil
	}
	spec := pod.Spec
	switch r.Operation {
	case admission.Update:
		// The priority is the server's; an update that leaves it out keeps it.
		old := r.Old.(*corev1.Pod).GetSpec()
		if spec.Priority == nil {
			spec.Priority = old.Priority
		}
		if spec.PreemptionPolicy == nil {
			spec.PreemptionPolicy = old.PreemptionPolicy
		}
		return nil
	case admission.Create:
	default:
		return nil
	}
	forbidden := func(format string, args ...any) error {
		return apierrors.NewForbidden("", "pods", pod.GetMetadata().GetName(), fmt.Errorf(format, args...))
	}
	class, err := p.class(ctx, spec.PriorityClassName)
	if apierrors.IsNotFound(err) {
		return forbidden("no PriorityClass with name %v was found", spec.PriorityClassName)
	} else if err != nil {
		return err
	}
	value, policy := class.GetValue(), "PreemptLowerPriority"
	if class != nil && class.PreemptionPolicy != nil {
		policy = *class.PreemptionPolicy
	}
	if class != nil {
		spec.PriorityClassName = class.GetMetadata().GetName()
	}
	if spec.Priority != nil && *spec.Priority != value {
		return forbidden("the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *spec.Priority, value)
	}
	if spec.PreemptionPolicy != nil && *spec.PreemptionPolicy != policy {
		return forbidden("the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *spec.PreemptionPolicy, policy)
	}
	spec.Priority, spec.PreemptionPolicy = proto.Int32(value), proto.String(policy)
	return nil
}

// onlyDefault refuses a second default class.
func (p *Priority) onlyDefault(ctx context.Context, op admission.Operation, c *schedulingv1.PriorityClass) error {
	have, err := p.class(ctx, "")
	if err != nil || have == nil {
		return err
	}
	name, other := c.GetMetadata().GetName(), have.GetMetadata().GetName()
	if op == admission.Create || op == admission.Update && name != other {
		return apierrors.NewForbidden(schedulingGroup, "priorityclasses", name,
			fmt.Errorf("PriorityClass %s is already marked as default. Only one default can exist", other))
	}
	return nil
}

// class returns the named class, or for no name the cluster's default one; nil where there is none.
func (p *Priority) class(ctx context.Context, name string) (*schedulingv1.PriorityClass, error) {
	if name == "" {
		var best *schedulingv1.PriorityClass
		for _, it := range p.Access.Items(schedulingGroup, "priorityclasses", "") {
			if it.Name == "system-node-critical" || it.Name == "system-cluster-critical" {
				continue
			}
			msg, err := it.Decode()
			if err != nil {
				return nil, apierrors.NewInternal(err)
			}
			// Of several defaults the lowest counts.
			if c := msg.(*schedulingv1.PriorityClass); c.GetGlobalDefault() && (best == nil || c.GetValue() < best.GetValue()) {
				best = c
			}
		}
		return best, nil
	}
	it, err := strategy.Find(ctx, p.Access, schedulingGroup, "priorityclasses", "", name)
	if err != nil {
		return nil, err
	}
	msg, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return msg.(*schedulingv1.PriorityClass), nil
}
