package pods

import (
	"context"
	"time"
)

// maxDrain times DrainHold is the longest that SIGTERM is held back.
const maxDrain = 5

// drain begins to wait until nobody sends the pod new work, and returns what is closed then; nil where nobody does.
//
// A pod that is being deleted goes on as if nothing had happened until the Services' EndpointSlices don't list it as
// ready any more, and then a moment longer, for every node's proxy to follow: an application that exits at once on
// SIGTERM loses no request. What can't be known or takes too long is not waited for.
func (a *actor) drain(grace time.Duration) <-chan struct{} {
	if !a.podReady() {
		return nil
	}
	var services []string
	for _, s := range a.Objects.Services(a.pod.Metadata.Namespace) {
		if len(s.Spec.GetSelector()) > 0 && matches(s.Spec.Selector, a.pod.Metadata.Labels) {
			services = append(services, s.Metadata.Name)
		}
	}
	longest := min(maxDrain*a.DrainHold, grace/4)
	if len(services) == 0 || longest <= 0 {
		return nil
	}
	drained, pod := make(chan struct{}), a.withStatus(a.pod)
	a.ops.Go(func() {
		defer close(drained)
		ctx, cancel := context.WithTimeout(a.ctx, longest)
		defer cancel()
		known, unlisted := make(chan struct{}), make(chan error, 1)
		go func() { unlisted <- a.Objects.Unlisted(ctx, pod, services, known) }()
		blind := time.NewTimer(a.DrainHold)
		defer blind.Stop()
		for blindly := blind.C; ; {
			select {
			case <-known:
				known, blindly = nil, nil
			case <-blindly:
				cancel()
				<-unlisted
				return
			case err := <-unlisted:
				if err != nil {
					return
				}
				follow := time.NewTimer(a.DrainHold / 2)
				defer follow.Stop()
				select {
				case <-follow.C:
				case <-ctx.Done():
				}
				return
			}
		}
	})
	return drained
}
