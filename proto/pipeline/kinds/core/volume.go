package core

import (
	"context"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Claims are the hooks of persistent volume claims.
func Claims() strategy.Hooks {
	return strategy.Hooks{PrepareCreate: func(_ context.Context, obj strategy.Object) {
		obj.(*corev1.PersistentVolumeClaim).Status = &corev1.PersistentVolumeClaimStatus{Phase: "Pending"}
	}}
}

// Volumes are the hooks of persistent volumes.
func Volumes() strategy.Hooks {
	return strategy.Hooks{
		PrepareCreate: func(_ context.Context, obj strategy.Object) {
			obj.(*corev1.PersistentVolume).Status = &corev1.PersistentVolumeStatus{Phase: "Pending"}
		},
		PrepareStatus: func(_ context.Context, obj, old strategy.Object) {
			v, was := obj.(*corev1.PersistentVolume), old.(*corev1.PersistentVolume)
			if s := v.Status; s != nil && s.Phase == was.GetStatus().GetPhase() && s.LastPhaseTransitionTime == nil {
				s.LastPhaseTransitionTime = was.GetStatus().GetLastPhaseTransitionTime()
			}
		},
	}
}
