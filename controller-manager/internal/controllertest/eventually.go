package controllertest

import (
	"context"
	"testing"
	"time"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
)

// patience bounds what a test waits for; only a failing test makes it pass.
const patience = 30 * time.Second

// View is a live copy of a cluster's applications. It survives cut connections.
type View struct {
	Deployments *informer.Informer[*appsv1.Deployment]
	Sets        *informer.Informer[*appsv1.ReplicaSet]
	Pods        *informer.Informer[*corev1.Pod]

	changed chan struct{}
}

// View opens a view that lives as long as the test.
func (c *Cluster) View() *View {
	g := informer.NewGroup(c.Conn)
	v := &View{
		Deployments: informer.Of[*appsv1.Deployment](g), Sets: informer.Of[*appsv1.ReplicaSet](g), Pods: informer.Of[*corev1.Pod](g),
		changed: make(chan struct{}, 1),
	}
	onChange(v, v.Deployments)
	onChange(v, v.Sets)
	onChange(v, v.Pods)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	c.t.Cleanup(func() {
		cancel()
		<-done
	})
	return v
}

func onChange[T client.Object](v *View, i *informer.Informer[T]) {
	i.OnEvent(func(informer.Event[T]) {
		select {
		case v.changed <- struct{}{}:
		default:
		}
	})
}

// Await returns once ok holds, which is asked after each change; the test ends where that takes too long.
func (v *View) Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !ok() {
		select {
		case <-v.changed:
		case <-limit.C:
			t.Fatalf("waited %s for: %s", patience, what)
		}
	}
}

// Active counts the pods with the label app that are not being deleted.
func (v *View) Active(app string) int {
	n := 0
	for _, pod := range v.Pods.List() {
		if m := pod.GetMetadata(); m.GetLabels()["app"] == app && m.GetDeletionTimestamp() == nil {
			n++
		}
	}
	return n
}
