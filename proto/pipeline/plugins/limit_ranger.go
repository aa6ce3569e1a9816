package plugins

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/quota"
)

// limitRangerNote is the annotation that says which requests and limits a pod did not bring along.
const limitRangerNote = "kubernetes.io/limit-ranger"

// LimitRanger gives containers the default requests and limits of their namespace, and holds pods and claims to its bounds.
type LimitRanger struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*LimitRanger) Name() string { return "LimitRanger" }

// limited tells whether limit ranges are about a request: creations of pods and claims, and what changes their size.
func limited(r *admission.Request) bool {
	if r.Namespace == "" || r.Old != nil && r.Old.GetMetadata().GetDeletionTimestamp() != nil {
		return false
	}
	switch r.Object.(type) {
	case *corev1.Pod:
		return r.Operation == admission.Create && r.Subresource == "" || r.Operation == admission.Update && r.Subresource == "resize"
	case *corev1.PersistentVolumeClaim:
		return r.Subresource == "" && (r.Operation == admission.Create || r.Operation == admission.Update)
	}
	return false
}

func (p *LimitRanger) ranges(namespace string) ([]*corev1.LimitRange, error) {
	var out []*corev1.LimitRange
	for _, it := range p.Access.Items("", "limitranges", namespace) {
		msg, err := it.Decode()
		if err != nil {
			return nil, apierrors.NewInternal(err)
		}
		out = append(out, msg.(*corev1.LimitRange))
	}
	return out, nil
}

// Admit implements admission.Plugin.
func (p *LimitRanger) Admit(_ context.Context, r *admission.Request) error {
	pod, ok := r.Object.(*corev1.Pod)
	if !ok || !limited(r) || pod.GetSpec() == nil {
		return nil
	}
	ranges, err := p.ranges(r.Namespace)
	if err != nil {
		return err
	}
	for _, l := range ranges {
		defaultResources(pod, l)
	}
	return nil
}

// defaultResources gives a pod's containers what they leave open.
func defaultResources(pod *corev1.Pod, l *corev1.LimitRange) {
	limits, requests := map[string]*metav1.Quantity{}, map[string]*metav1.Quantity{}
	for _, item := range l.GetSpec().GetLimits() {
		if item.Type == "Container" {
			maps.Copy(limits, item.Default)
			maps.Copy(requests, item.DefaultRequest)
		}
	}
	if len(limits)+len(requests) == 0 {
		return
	}
	var notes []string
	add := func(c *corev1.Container, what string) {
		if c.Resources == nil {
			c.Resources = &corev1.ResourceRequirements{}
		}
		var set []string
		c.Resources.Requests, set = complete(c.Resources.Requests, requests)
		if len(set) > 0 {
			notes = append(notes, fmt.Sprintf("%s request for %s %s", strings.Join(set, ", "), what, c.Name))
		}
		c.Resources.Limits, set = complete(c.Resources.Limits, limits)
		if len(set) > 0 {
			notes = append(notes, fmt.Sprintf("%s limit for %s %s", strings.Join(set, ", "), what, c.Name))
		}
	}
	for _, c := range pod.Spec.Containers {
		add(c, "container")
	}
	for _, c := range pod.Spec.InitContainers {
		add(c, "init container")
	}
	if len(notes) == 0 {
		return
	}
	meta := pod.Metadata
	if meta.Annotations == nil {
		meta.Annotations = map[string]string{}
	}
	meta.Annotations[limitRangerNote] = "LimitRanger plugin set: " + strings.Join(notes, "; ")
}

// complete adds what is missing in a list of quantities, and returns the names of what was.
func complete(list, defaults map[string]*metav1.Quantity) (map[string]*metav1.Quantity, []string) {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		if _, ok := list[name]; ok {
			continue
		}
		if list == nil {
			list = map[string]*metav1.Quantity{}
		}
		list[name] = proto.CloneOf(defaults[name])
		set = append(set, name)
	}
	return list, set
}

// Validate implements admission.Validator.
func (p *LimitRanger) Validate(_ context.Context, r *admission.Request) error {
	if !limited(r) {
		return nil
	}
	ranges, err := p.ranges(r.Namespace)
	if err != nil {
		return err
	}
	for _, l := range ranges {
		var problems []string
		switch o := r.Object.(type) {
		case *corev1.Pod:
			problems = podLimits(o, l)
		case *corev1.PersistentVolumeClaim:
			problems = claimLimits(o, l)
		}
		if len(problems) > 0 {
			return apierrors.NewForbidden(r.Kind.Group, r.Kind.Plural, r.Object.GetMetadata().GetName(), aggregate(problems))
		}
	}
	return nil
}

// aggregate words several problems as one error, as Kubernetes does; each stands there once.
func aggregate(problems []string) error {
	var out []string
	for _, p := range problems {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if len(out) == 1 {
		return errors.New(out[0])
	}
	return fmt.Errorf("[%s]", strings.Join(out, ", "))
}

func podLimits(pod *corev1.Pod, l *corev1.LimitRange) []string {
	var out []string
	for _, item := range l.GetSpec().GetLimits() {
		switch item.Type {
		case "Container":
			for _, list := range [][]*corev1.Container{pod.GetSpec().GetContainers(), pod.GetSpec().GetInitContainers()} {
				for _, c := range list {
					out = append(out, bounded(item, quota.Parse(c.GetResources().GetRequests()), quota.Parse(c.GetResources().GetLimits()))...)
				}
			}
		case "Pod":
			bare := &corev1.Pod{Spec: proto.CloneOf(pod.GetSpec())}
			if bare.Spec != nil {
				bare.Spec.Overhead = nil // what the runtime costs is not the user's
			}
			out = append(out, bounded(item, quota.Requests(bare), quota.Limits(bare))...)
		}
	}
	return out
}

func claimLimits(c *corev1.PersistentVolumeClaim, l *corev1.LimitRange) []string {
	requests := quota.Parse(c.GetSpec().GetResources().GetRequests())
	var out []string
	for _, item := range l.GetSpec().GetLimits() {
		if item.Type != "PersistentVolumeClaim" {
			continue
		}
		b := bounds{item.Type, requests, nil}
		for _, name := range slices.Sorted(maps.Keys(item.Min)) {
			out = b.min(out, name, quota.Parse(item.Min)[name])
		}
		for _, name := range slices.Sorted(maps.Keys(item.Max)) {
			out = b.maxRequest(out, name, quota.Parse(item.Max)[name])
		}
	}
	return out
}

func bounded(item *corev1.LimitRangeItem, requests, limits quota.Amounts) []string {
	b := bounds{item.Type, requests, limits}
	var out []string
	for _, set := range []struct {
		list  map[string]*metav1.Quantity
		check func(out []string, name string, bound resource.Quantity) []string
	}{{item.Min, b.min}, {item.Max, b.max}, {item.MaxLimitRequestRatio, b.ratio}} {
		amounts := quota.Parse(set.list)
		for _, name := range amounts.Names() {
			out = set.check(out, name, amounts[name])
		}
	}
	return out
}

// bounds checks requests and limits against the bounds of one sort of object.
type bounds struct {
	sort             string
	requests, limits quota.Amounts
}

func (b bounds) min(out []string, name string, least resource.Quantity) []string {
	text := fmt.Sprintf("minimum %s usage per %s is %s", name, b.sort, least.String())
	request, ok := b.requests[name]
	limit, hasLimit := b.limits[name]
	switch {
	case !ok:
		text += ".  No request is specified"
	case request.Cmp(least) < 0:
		text += ", but request is " + request.String()
	case hasLimit && limit.Cmp(least) < 0:
		text += ", but limit is " + limit.String()
	default:
		return out
	}
	return append(out, text)
}

func (b bounds) max(out []string, name string, most resource.Quantity) []string {
	text := fmt.Sprintf("maximum %s usage per %s is %s", name, b.sort, most.String())
	request, hasRequest := b.requests[name]
	limit, ok := b.limits[name]
	switch {
	case !ok:
		text += ".  No limit is specified"
	case limit.Cmp(most) > 0:
		text += ", but limit is " + limit.String()
	case hasRequest && request.Cmp(most) > 0:
		text += ", but request is " + request.String()
	default:
		return out
	}
	return append(out, text)
}

func (b bounds) maxRequest(out []string, name string, most resource.Quantity) []string {
	text := fmt.Sprintf("maximum %s usage per %s is %s", name, b.sort, most.String())
	switch request, ok := b.requests[name]; {
	case !ok:
		text += ".  No request is specified"
	case request.Cmp(most) > 0:
		text += ", but request is " + request.String()
	default:
		return out
	}
	return append(out, text)
}

func (b bounds) ratio(out []string, name string, most resource.Quantity) []string {
	text := fmt.Sprintf("%s max limit to request ratio per %s is %s", name, b.sort, most.String())
	request, hasRequest := b.requests[name]
	limit, hasLimit := b.limits[name]
	switch {
	case !hasRequest || request.IsZero():
		return append(out, text+", but no request is specified or request is 0")
	case !hasLimit || limit.IsZero():
		return append(out, text+", but no limit is specified or limit is 0")
	}
	if have := limit.AsApproximateFloat64() / request.AsApproximateFloat64(); have > most.AsApproximateFloat64() {
		out = append(out, fmt.Sprintf("%s, but provided ratio is %f", text, have))
	}
	return out
}
