// Package apps holds the apps group's logic around writes.
package apps

import (
	"context"

	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// Deployments are the hooks of deployments.
func Deployments() strategy.Hooks { return strategy.Hooks{PrepareStatus: keepLabels} }

// keepLabels keeps the labels, which a write of the status leaves alone where it may set other metadata.
func keepLabels(_ context.Context, obj, old strategy.Object) {
	obj.GetMetadata().Labels = old.GetMetadata().GetLabels()
}
