package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
	"github.com/keelson/keelson/proto/quota"
)

// quotaTimeout bounds how long a write waits for its place in its namespace's quotas.
const quotaTimeout = 10 * time.Second

// ResourceQuota holds what is created in a namespace to its quotas: what a write uses is added to the quota's status before
// the object is stored, by an optimistic write, so that many writers at once never get more than there is. What is given
// back is found by the controller manager, which counts anew.
//
// Writes of one namespace that come together share one write of each quota.
type ResourceQuota struct {
	Access strategy.Access

	mu sync.Mutex
	// namespaces have writes under way. guarded by mu
	namespaces map[string]*quotaQueue
}

// quotaQueue are the charges of a namespace that wait while one of their makers writes for all before.
type quotaQueue struct{ waiting []*charge }

// charge is what one write asks of its namespace's quotas.
type charge struct {
	request *admission.Request
	// use is the object's whole usage, and before what it used until now (for an update).
	use, before quota.Amounts
	// settled is closed once err is final.
	settled chan struct{}
	err     error
	// paid are the amounts added to quotas so far, by name.
	paid map[string]quota.Amounts
	// relay is received by the waiting maker who is to write for the next ones.
	relay chan struct{}
}

// Name implements admission.Plugin.
func (*ResourceQuota) Name() string { return "ResourceQuota" }

// Admit implements admission.Plugin.
func (*ResourceQuota) Admit(context.Context, *admission.Request) error { return nil }

// Validate implements admission.Validator.
func (p *ResourceQuota) Validate(ctx context.Context, r *admission.Request) error {
	if !charged(r) {
		return nil
	}
	quotas := p.Access.Items("", "resourcequotas", r.Namespace)
	if len(quotas) == 0 {
		return nil
	}
	if r.DryRun {
		// It is decided by what the cache says, as no write tells whether that is the newest.
		if _, err := p.Access.Read(ctx, "", "resourcequotas", r.Namespace, quotas[0].Name); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	now := time.Now()
	c := &charge{request: r, use: quota.Usage(r.Kind.Group, r.Kind.Plural, r.Object, now), settled: make(chan struct{}), relay: make(chan struct{}, 1)}
	if r.Old != nil {
		c.before = quota.Usage(r.Kind.Group, r.Kind.Plural, r.Old, now)
	}
	err := p.settle(ctx, c)
	if len(c.paid) > 0 {
		r.OnFailure(func(ctx context.Context) { p.refund(context.WithoutCancel(ctx), r.Namespace, []*charge{c}) })
	}
	return err
}

// charged tells whether a write can use more of a quota than before.
func charged(r *admission.Request) bool {
	if r.Namespace == "" || r.Object == nil || r.Kind.Ephemeral {
		return false
	}
	if r.Kind.Group == "" && r.Operation == admission.Update {
		switch o := r.Object.(type) {
		case *corev1.Pod:
			return r.Subresource == "resize" || r.Subresource == "" && quota.Terminating(o) != quota.Terminating(r.Old.(*corev1.Pod))
		case *corev1.Service:
			return r.Subresource == ""
		case *corev1.PersistentVolumeClaim:
			return r.Subresource == "" || r.Subresource == "status"
		}
	}
	return r.Operation == admission.Create && r.Subresource == ""
}

// settle queues a charge and waits until somebody has settled it: the maker of an earlier one, or this one itself for all
// that wait.
func (p *ResourceQuota) settle(ctx context.Context, c *charge) error {
	ns := c.request.Namespace
	p.mu.Lock()
	q, busy := p.namespaces[ns]
	if !busy {
		if p.namespaces == nil {
			p.namespaces = map[string]*quotaQueue{}
		}
		q = &quotaQueue{}
		p.namespaces[ns] = q
	}
	q.waiting = append(q.waiting, c)
	p.mu.Unlock()
	if busy {
		select {
		case <-c.settled:
			return c.err
		case <-c.relay:
		}
	}
	p.mu.Lock()
	batch := q.waiting
	q.waiting = nil
	p.mu.Unlock()

	// Others wait for it, thus it does not end with this one's client.
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), quotaTimeout)
	p.charge(work, ns, batch)
	cancel()
	for _, other := range batch {
		close(other.settled)
	}
	p.mu.Lock()
	if len(q.waiting) > 0 {
		q.waiting[0].relay <- struct{}{}
	} else {
		delete(p.namespaces, ns)
	}
	p.mu.Unlock()
	return c.err
}

// charge adds what a batch of writes uses to all quotas of their namespace.
func (p *ResourceQuota) charge(ctx context.Context, ns string, batch []*charge) {
	for _, it := range p.Access.Items("", "resourcequotas", ns) {
		refused, err := p.one(ctx, ns, it.Name, batch)
		switch {
		case apierrors.IsNotFound(err):
			continue // deleted this moment
		case err != nil:
			for _, c := range batch {
				if c.err == nil {
					c.err = err
				}
			}
			p.refund(ctx, ns, batch)
			return
		}
		p.refund(ctx, ns, refused)
	}
}

// errNothingCharged ends a change of a quota that nothing is to be added to.
var errNothingCharged = errors.New("nothing to charge")

// one charges one quota and returns those that it refuses.
func (p *ResourceQuota) one(ctx context.Context, ns, name string, batch []*charge) (refused []*charge, err error) {
	var errs map[*charge]error
	var paid map[*charge]quota.Amounts
	nothing := false
	t := strategy.Target{Resource: "resourcequotas", Namespace: ns, Name: name}
	attempt := func(obj strategy.Object) error {
		q := obj.(*corev1.ResourceQuota)
		errs, paid = map[*charge]error{}, map[*charge]quota.Amounts{}
		used := quota.Parse(q.GetStatus().GetUsed())
		for _, c := range batch {
			if c.err != nil {
				continue
			}
			add, err := c.check(q, used)
			switch {
			case err != nil:
				errs[c] = err
			case len(add) > 0 && !c.request.DryRun:
				used.Add(add)
				paid[c] = add
			}
		}
		if len(errs) > 0 && len(paid) == 0 {
			// The pipeline looks whether a refusal is due to an old state, and tries again on the newest.
			for _, c := range batch {
				if errs[c] != nil {
					return errs[c]
				}
			}
		}
		if nothing = len(paid) == 0; nothing {
			return errNothingCharged
		}
		q.Status.Used = used.Quantities()
		return nil
	}
	_, err = p.Access.Change(ctx, t, attempt)
	if apierrors.IsNotFound(err) || err != nil && len(errs) == 0 && !nothing {
		return nil, err
	}
	for c, amounts := range paid {
		if c.paid == nil {
			c.paid = map[string]quota.Amounts{}
		}
		c.paid[name] = amounts
	}
	for c, err := range errs {
		c.err = err
		refused = append(refused, c)
	}
	return refused, nil
}

// check returns what a charge adds to a quota of which used is used, or why it is too much.
func (c *charge) check(q *corev1.ResourceQuota, used quota.Amounts) (quota.Amounts, error) {
	k, obj := c.request.Kind, c.request.Object
	hard := quota.Parse(q.GetStatus().GetHard())
	names := quota.Relevant(k.Group, k.Plural, hard.Names())
	if len(names) == 0 || !quota.InScope(q.GetSpec(), obj) {
		return nil, nil
	}
	forbidden := func(format string, args ...any) error {
		return apierrors.NewForbidden(k.Group, k.Plural, obj.GetMetadata().GetName(), fmt.Errorf(format, args...))
	}
	name := q.GetMetadata().GetName()
	if pod, ok := obj.(*corev1.Pod); ok {
		if missing := unspecified(pod, names); missing != "" {
			return nil, forbidden("failed quota: %s: must specify %s", name, missing)
		}
	}
	for _, n := range names {
		if _, ok := used[n]; !ok {
			return nil, forbidden("status unknown for quota: %s, resources: %s", name, strings.Join(names, ","))
		}
	}
	add := c.use
	if c.request.Old != nil && quota.InScope(q.GetSpec(), c.request.Old) {
		add = c.use.Over(c.before)
	}
	add = add.Only(names)
	for n, q := range add {
		if q.IsZero() {
			delete(add, n)
		}
	}
	if c.request.Subresource == "status" {
		return add, nil // what is so already is counted, not refused
	}
	var exceeded []string
	for _, n := range add.Names() {
		sum := add[n].DeepCopy()
		sum.Add(used[n])
		if sum.Cmp(hard[n]) > 0 {
			exceeded = append(exceeded, n)
		}
	}
	if len(exceeded) > 0 {
		return nil, forbidden("exceeded quota: %s, requested: %s, used: %s, limited: %s", name, add.Only(exceeded), used.Only(exceeded), hard.Only(exceeded))
	}
	return add, nil
}

// mandatory are the resources that every container must specify where a quota bounds them.
var mandatory = []string{"cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"}

// unspecified lists the bounded resources that containers say nothing of: "limits.cpu for: a,b; memory for: b".
func unspecified(pod *corev1.Pod, names []string) string {
	if r := pod.GetSpec().GetResources(); len(r.GetRequests())+len(r.GetLimits()) > 0 {
		return ""
	}
	var out []string
	for _, name := range mandatory {
		if !slices.Contains(names, name) {
			continue
		}
		var without []string
		for _, list := range [][]*corev1.Container{pod.GetSpec().GetContainers(), pod.GetSpec().GetInitContainers()} {
			for _, c := range list {
				have := c.GetResources().GetRequests()
				plain := strings.TrimPrefix(name, "requests.")
				if l, ok := strings.CutPrefix(name, "limits."); ok {
					have, plain = c.GetResources().GetLimits(), l
				}
				if have[plain] == nil && !slices.Contains(without, c.Name) {
					without = append(without, c.Name)
				}
			}
		}
		if len(without) > 0 {
			slices.Sort(without)
			out = append(out, name+" for: "+strings.Join(without, ","))
		}
	}
	return strings.Join(out, "; ")
}

// refund takes back what refused charges have added to other quotas.
func (p *ResourceQuota) refund(ctx context.Context, ns string, refused []*charge) {
	back := map[string]quota.Amounts{}
	for _, c := range refused {
		for name, amounts := range c.paid {
			if back[name] == nil {
				back[name] = quota.Amounts{}
			}
			back[name].Add(amounts)
		}
		c.paid = nil
	}
	for name, amounts := range back {
		// Where it fails, the controller manager's next count sets it right.
		_, _ = p.Access.Change(ctx, strategy.Target{Resource: "resourcequotas", Namespace: ns, Name: name}, func(obj strategy.Object) error {
			q := obj.(*corev1.ResourceQuota)
			used := quota.Parse(q.GetStatus().GetUsed())
			for n, amount := range amounts {
				rest := used[n].DeepCopy()
				rest.Sub(amount)
				used[n] = rest
			}
			if q.Status != nil {
				q.Status.Used = used.Quantities()
			}
			return nil
		})
	}
}
