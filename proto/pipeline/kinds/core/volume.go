package core

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Claims are the hooks of persistent volume claims.
func Claims() strategy.Hooks {
	return strategy.Hooks{PrepareCreate: func(_ context.Context, obj strategy.Object) {
		obj.(*corev1.PersistentVolumeClaim).Status = &corev1.PersistentVolumeClaimStatus{Phase: "Pending"}
	}}
}

// Volumes are the hooks of persistent volumes: when a phase began is the server's to say.
func Volumes(clock func() time.Time) strategy.Hooks {
	now := func() *metav1.Time { return &metav1.Time{Seconds: proto.Int64(clock().Unix())} }
	return strategy.Hooks{
		PrepareCreate: func(_ context.Context, obj strategy.Object) {
			obj.(*corev1.PersistentVolume).Status = &corev1.PersistentVolumeStatus{Phase: "Pending", LastPhaseTransitionTime: now()}
		},
		PrepareStatus: func(_ context.Context, obj, old strategy.Object) {
			v, was := obj.(*corev1.PersistentVolume), old.(*corev1.PersistentVolume)
			before := was.GetStatus().GetLastPhaseTransitionTime()
			switch s := v.Status; {
			case s == nil:
			case s.Phase == was.GetStatus().GetPhase() && s.LastPhaseTransitionTime == nil:
				s.LastPhaseTransitionTime = before
			case s.Phase != was.GetStatus().GetPhase() && (s.LastPhaseTransitionTime == nil || proto.Equal(s.LastPhaseTransitionTime, before)):
				s.LastPhaseTransitionTime = now()
			}
		},
	}
}
