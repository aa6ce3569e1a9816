package api

import (
	"context"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	"github.com/keelson/keelson/proto/sdk/informer"
)

// Unlisted implements pods.Objects.
func (o *Objects) Unlisted(ctx context.Context, pod *corev1.Pod, services []string, known chan<- struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slices := informer.New(o.conn, informer.Options[*discoveryv1.EndpointSlice]{
		Namespace: pod.Metadata.Namespace, Trim: true,
		LabelSelector: "kubernetes.io/service-name in (" + strings.Join(services, ",") + ")",
	})
	changed := make(chan struct{}, 1)
	slices.OnEvent(func(informer.Event[*discoveryv1.EndpointSlice]) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = slices.Run(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	if err := slices.WaitForSync(ctx); err != nil {
		return err
	}
	close(known)
	for {
		if !listed(slices.List(), pod) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listed tells whether a slice leads to the pod as one that takes new work.
func listed(slices []*discoveryv1.EndpointSlice, pod *corev1.Pod) bool {
	for _, s := range slices {
		for _, e := range s.Endpoints {
			if c := e.Conditions; c != nil && c.Ready != nil && !*c.Ready {
				continue
			}
			if e.TargetRef.GetUid() == pod.Metadata.Uid {
				return true
			}
			for _, a := range e.Addresses {
				if a == pod.Status.GetPodIP() {
					return true
				}
			}
		}
	}
	return false
}
