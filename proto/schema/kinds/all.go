// Package kinds collects what is special to each kind and can not be said by an option: conditional defaults,
// validation across fields, what an update may change. Each group has a package below, of pure functions.
package kinds

import (
	"github.com/keelson/keelson/proto/schema/kinds/admissionregistration"
	"github.com/keelson/keelson/proto/schema/kinds/apiextensions"
	"github.com/keelson/keelson/proto/schema/kinds/apiregistration"
	"github.com/keelson/keelson/proto/schema/kinds/apps"
	"github.com/keelson/keelson/proto/schema/kinds/autoscaling"
	"github.com/keelson/keelson/proto/schema/kinds/batch"
	"github.com/keelson/keelson/proto/schema/kinds/certificates"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/kinds/discovery"
	"github.com/keelson/keelson/proto/schema/kinds/events"
	"github.com/keelson/keelson/proto/schema/kinds/flowcontrol"
	"github.com/keelson/keelson/proto/schema/kinds/networking"
	"github.com/keelson/keelson/proto/schema/kinds/node"
	"github.com/keelson/keelson/proto/schema/kinds/policy"
	"github.com/keelson/keelson/proto/schema/kinds/rbac"
	"github.com/keelson/keelson/proto/schema/kinds/reviews"
	"github.com/keelson/keelson/proto/schema/kinds/scheduling"
	"github.com/keelson/keelson/proto/schema/kinds/storage"
	"github.com/keelson/keelson/proto/schema/kinds/storagemigration"
	"github.com/keelson/keelson/proto/schema/rule"
)

// All returns the hooks of every kind and message.
func All() rule.Set {
	var s rule.Set
	admissionregistration.Register(&s)
	apiregistration.Register(&s)
	apiextensions.Register(&s)
	core.Register(&s)
	apps.Register(&s)
	autoscaling.Register(&s)
	batch.Register(&s)
	discovery.Register(&s)
	events.Register(&s)
	rbac.Register(&s)
	reviews.Register(&s)
	scheduling.Register(&s)
	certificates.Register(&s)
	flowcontrol.Register(&s)
	networking.Register(&s)
	node.Register(&s)
	policy.Register(&s)
	storage.Register(&s)
	storagemigration.Register(&s)
	return s
}
