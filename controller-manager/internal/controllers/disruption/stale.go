package disruption

import (
	"context"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/podstate"
)

// stale takes the condition DisruptionTarget back from pods that were about to be deleted and were not.
type stale struct {
	*controller.Runner[controller.Key]
	env    *controller.Env
	pods   *informer.Informer[*corev1.Pod]
	client *client.Client[*corev1.Pod]
}

func newStale(env *controller.Env, pods *informer.Informer[*corev1.Pod]) *stale {
	s := &stale{env: env, pods: pods, client: client.For[*corev1.Pod](env.Conn)}
	s.Runner = controller.RunnerOf[controller.Key](env, Name+"-stale", 2, pods)
	pods.OnEvent(func(e informer.Event[*corev1.Pod]) {
		if e.Type == informer.Deleted {
			return
		}
		if since, ok := marked(e.New); ok {
			s.AddAfter(controller.KeyOf(e.New), max(since.Add(patience).Sub(env.Now()), 0))
		}
	})
	return s
}

// marked returns since when a pod that runs on is said to be the target of a disruption.
func marked(pod *corev1.Pod) (time.Time, bool) {
	c := podstate.Condition(pod, podstate.ConditionDisruptionTarget)
	return apitime.Go(c.GetLastTransitionTime()), c.GetStatus() == podstate.True && podstate.Active(pod)
}

// Run works until ctx ends.
func (s *stale) Run(ctx context.Context) error { return s.Runner.Run(ctx, s.reconcile) }

func (s *stale) reconcile(ctx context.Context, key controller.Key) error {
	pod, ok := s.pods.Get(key.Namespace, key.Name)
	if !ok {
		return nil
	}
	since, ok := marked(pod)
	if !ok {
		return nil
	}
	now := s.env.Now()
	if left := since.Add(patience).Sub(now); left > 0 {
		s.AddAfter(key, left)
		return nil
	}
	changed := proto.CloneOf(pod)
	c := podstate.Condition(changed, podstate.ConditionDisruptionTarget)
	c.Status, c.Reason, c.Message, c.LastTransitionTime = podstate.False, "", "", apitime.Of(now)
	written, err := s.client.UpdateStatus(ctx, changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("taking back a condition: %w", err)
	}
	s.Wrote(key, s.pods, client.Revision(written))
	return nil
}
