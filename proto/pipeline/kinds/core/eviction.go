package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	policyv1 "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	policyGroup = "policy"
	budgets     = "poddisruptionbudgets"
	// causeBudget is the cause of a refused eviction, by which clients know that to try again helps.
	causeBudget = "DisruptionBudget"
	violates    = "Cannot evict pod as it would violate the pod's disruption budget."
	// evictionRetry is when an eviction that waits for the budget's controller should be tried again, in seconds.
	evictionRetry = 10
	// maxDisrupted bounds the evictions that the budget's controller has not seen yet.
	maxDisrupted = 2000
	// evictAttempts bounds how often an eviction starts again because the pod changed meanwhile.
	evictAttempts = 20
)

// evict deletes a pod gracefully, if its disruption budget can bear it.
func evict(ctx context.Context, r *strategy.SubRequest) (proto.Message, error) {
	e := r.Body.(*policyv1.Eviction)
	if name := e.GetMetadata().GetName(); name != "" && name != r.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	v := &eviction{access: r.Access, namespace: r.Namespace, name: r.Name, options: &metav1.DeleteOptions{}}
	if e.DeleteOptions != nil {
		v.options = proto.CloneOf(e.DeleteOptions)
	}
	if r.DryRun {
		v.options.DryRun = []string{"All"}
	}
	v.insists = v.options.GetPreconditions().GetResourceVersion() != ""
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	return success(), nil
}

// eviction is one on its way.
type eviction struct {
	access          strategy.Access
	namespace, name string
	options         *metav1.DeleteOptions
	// insists is true where the client named a resource version: then nothing is tried again on another one.
	insists bool
	// charged is true once a budget has been charged for it.
	charged bool
}

func (v *eviction) dryRun() bool { return len(v.options.GetDryRun()) > 0 }

func (v *eviction) run(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		it, err := v.access.Read(ctx, "", "pods", v.namespace, v.name)
		if err != nil {
			return err
		}
		msg, err := it.Decode()
		if err != nil {
			return apierrors.NewInternal(err)
		}
		err = v.once(ctx, msg.(*corev1.Pod))
		if !apierrors.IsConflict(err) || v.insists || attempt == evictAttempts {
			return err
		}
	}
}

// once evicts one state of the pod.
func (v *eviction) once(ctx context.Context, pod *corev1.Pod) error {
	version := pod.GetMetadata().GetResourceVersion()
	phase := pod.GetStatus().GetPhase()
	if ended := phase == "Succeeded" || phase == "Failed" || pod.GetMetadata().GetDeletionTimestamp() != nil; ended {
		return v.delete(ctx, "")
	} else if phase == "Pending" || phase == "" {
		// It serves nobody yet; but it must not have begun to.
		return v.delete(ctx, version)
	}
	b, err := v.budget(ctx, pod)
	if err != nil {
		return err
	}
	if b == nil || v.charged {
		return v.delete(ctx, "")
	}
	if !ready(pod) {
		s := b.GetStatus()
		if b.GetSpec().GetUnhealthyPodEvictionPolicy() == "AlwaysAllow" || s.GetCurrentHealthy() >= s.GetDesiredHealthy() && s.GetDesiredHealthy() > 0 {
			// It does not count among the healthy ones; should it become one meanwhile, it is tried again.
			err := v.delete(ctx, version)
			if apierrors.IsConflict(err) && !v.insists {
				return busy(b.GetMetadata().GetName())
			}
			return err
		}
	}
	if err := v.charge(ctx, b.GetMetadata().GetName()); err != nil {
		return err
	}
	v.charged = true
	return v.delete(ctx, "")
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.GetStatus().GetConditions() {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// budget returns the pod's disruption budget; nil where it has none.
func (v *eviction) budget(ctx context.Context, pod *corev1.Pod) (*policyv1.PodDisruptionBudget, error) {
	var found *policyv1.PodDisruptionBudget
	for _, it := range v.access.Items(policyGroup, budgets, v.namespace) {
		msg, err := it.Decode()
		if err != nil {
			return nil, apierrors.NewInternal(err)
		}
		b := msg.(*policyv1.PodDisruptionBudget)
		sel := b.GetSpec().GetSelector()
		if sel == nil || !rule.Selects(sel, pod.GetMetadata().GetLabels()) {
			continue
		}
		if found != nil {
			return nil, apierrors.New("InternalError", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.", nil)
		}
		found = b
	}
	return found, nil
}

// busy asks the client to come back once the budget's controller has caught up.
func busy(name string) error {
	return blocked(fmt.Sprintf("The disruption budget %s is still being processed by the server.", name), evictionRetry)
}

func blocked(why string, retry int) error {
	err := apierrors.NewTooManyRequests(violates, int32(retry))
	return withCause(err, why)
}

func withCause(err error, why string) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return err
	}
	if status.Status.Details == nil {
		status.Status.Details = &metav1.StatusDetails{}
	}
	status.Status.Details.Causes = append(status.Status.Details.Causes, &metav1.StatusCause{Reason: causeBudget, Message: why})
	return err
}

// charge takes one disruption off the budget. Whoever takes the last one wins: the write is optimistic, and is checked
// again on the state that somebody else has made.
func (v *eviction) charge(ctx context.Context, name string) error {
	t := strategy.Target{Group: policyGroup, Resource: budgets, Namespace: v.namespace, Name: name, DryRun: v.dryRun()}
	_, err := v.access.Change(ctx, t, func(obj strategy.Object) error {
		b := obj.(*policyv1.PodDisruptionBudget)
		if err := allowed(b); err != nil {
			return err
		}
		b.Status.DisruptionsAllowed--
		if b.Status.DisruptionsAllowed == 0 {
			spent(b)
		}
		if b.Status.DisruptedPods == nil {
			b.Status.DisruptedPods = map[string]*metav1.Time{}
		}
		now := time.Now().Unix()
		b.Status.DisruptedPods[v.name] = &metav1.Time{Seconds: &now, Nanos: new(int32)}
		return nil
	})
	return err
}

// allowed tells why a budget allows no disruption now.
func allowed(b *policyv1.PodDisruptionBudget) error {
	s, name := b.GetStatus(), b.GetMetadata().GetName()
	if s.GetObservedGeneration() < b.GetMetadata().GetGeneration() {
		return busy(name)
	}
	forbidden := func(short, why string) error {
		err := apierrors.NewForbidden(policyGroup, "poddisruptionbudget", name, errors.New(short))
		return withCause(err, fmt.Sprintf("The disruption budget %s does not allow evicting pods currently: %s", name, why))
	}
	switch n := s.GetDisruptionsAllowed(); {
	case n < 0:
		return forbidden("pdb disruptions allowed is negative", "pdb disruptions allowed is negative")
	case len(s.GetDisruptedPods()) > maxDisrupted:
		return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller",
			"too many pending evictions not confirmed by PDB controller")
	case n > 0:
		return nil
	}
	var c *metav1.Condition
	for _, cond := range s.GetConditions() {
		if cond.Type == "DisruptionAllowed" && cond.Status == "False" && cond.Message != "" {
			c = cond
		}
	}
	why := fmt.Sprintf("The disruption budget %s does not allow evicting pods currently", name)
	switch {
	case c != nil && c.Reason == "SyncFailed":
		why += " because it failed sync: " + c.Message
	case s.GetCurrentHealthy() <= s.GetDesiredHealthy():
		why = fmt.Sprintf("The disruption budget %s needs %d healthy pods and has %d currently", name, s.GetDesiredHealthy(), s.GetCurrentHealthy())
	case c != nil:
		why += fmt.Sprintf(" (%s): %s", c.Reason, c.Message)
	}
	return blocked(why, 0)
}

// spent notes that a budget allows nothing any more.
func spent(b *policyv1.PodDisruptionBudget) {
	now := time.Now().Unix()
	for _, c := range b.Status.Conditions {
		if c.Type != "DisruptionAllowed" {
			continue
		}
		if c.Status != "False" {
			c.LastTransitionTime = &metav1.Time{Seconds: &now, Nanos: new(int32)}
		}
		c.Status, c.Reason, c.Message, c.ObservedGeneration = "False", "InsufficientPods", "", b.Status.ObservedGeneration
		return
	}
	b.Status.Conditions = append(b.Status.Conditions, &metav1.Condition{Type: "DisruptionAllowed", Status: "False", Reason: "InsufficientPods",
		ObservedGeneration: b.Status.ObservedGeneration, LastTransitionTime: &metav1.Time{Seconds: &now, Nanos: new(int32)}})
}

// delete marks the pod as disrupted and deletes it; with a version, only as long as it has that.
func (v *eviction) delete(ctx context.Context, version string) error {
	o := proto.CloneOf(v.options)
	if version != "" && !v.insists {
		if o.Preconditions == nil {
			o.Preconditions = &metav1.Preconditions{}
		}
		o.Preconditions.ResourceVersion = &version
	}
	if !v.dryRun() {
		it, err := v.access.Change(ctx, strategy.Target{Resource: "pods", Namespace: v.namespace, Name: v.name}, func(obj strategy.Object) error {
			return v.mark(obj.(*corev1.Pod), o.GetPreconditions())
		})
		if err != nil {
			return err
		}
		if o.GetPreconditions().GetResourceVersion() != "" {
			now := fmt.Sprint(it.Revision)
			o.Preconditions.ResourceVersion = &now
		}
	}
	_, err := v.access.Delete(ctx, "", "pods", v.namespace, v.name, o)
	return err
}

// mark notes on the pod that it is being evicted.
func (v *eviction) mark(p *corev1.Pod, want *metav1.Preconditions) error {
	m := p.GetMetadata()
	if uid := want.GetUid(); uid != "" && uid != m.GetUid() {
		return apierrors.NewPreconditionFailed("", "pods", v.name, "UID", uid, m.GetUid())
	}
	if rv := want.GetResourceVersion(); rv != "" && rv != m.GetResourceVersion() {
		return apierrors.NewPreconditionFailed("", "pods", v.name, "ResourceVersion", rv, m.GetResourceVersion())
	}
	if p.Status == nil {
		p.Status = &corev1.PodStatus{}
	}
	now := time.Now().Unix()
	stamp := &metav1.Time{Seconds: &now, Nanos: new(int32)}
	for _, c := range p.Status.Conditions {
		if c.Type == "DisruptionTarget" {
			if c.Status != "True" {
				c.LastTransitionTime = stamp
			}
			c.Status, c.Reason, c.Message = "True", "EvictionByEvictionAPI", "Eviction API: evicting"
			return nil
		}
	}
	p.Status.Conditions = append(p.Status.Conditions, &corev1.PodCondition{Type: "DisruptionTarget", Status: "True",
		Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting", LastTransitionTime: stamp})
	return nil
}
