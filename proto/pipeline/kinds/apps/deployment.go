// Package apps holds the apps group's logic around writes.
package apps

import (
	"context"
	"maps"

	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Deployments are the hooks of deployments.
func Deployments() strategy.Hooks {
	return strategy.Hooks{PrepareStatus: keepLabels, Renewed: annotated}
}

// annotated tells of other annotations: a deployment's replica sets have them, too, so they are part of what is desired.
func annotated(obj, old strategy.Object) bool {
	return !maps.Equal(obj.GetMetadata().GetAnnotations(), old.GetMetadata().GetAnnotations())
}

// keepLabels keeps the labels, which a write of the status leaves alone where it may set other metadata.
func keepLabels(_ context.Context, obj, old strategy.Object) {
	obj.GetMetadata().Labels = old.GetMetadata().GetLabels()
}
