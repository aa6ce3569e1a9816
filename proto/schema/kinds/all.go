// Package kinds collects what is special to each kind and can not be said by an option: conditional defaults,
// validation across fields, what an update may change. Each group has a package below, of pure functions.
package kinds

import (
	"github.com/keelson/keelson/proto/schema/kinds/apps"
	"github.com/keelson/keelson/proto/schema/kinds/autoscaling"
	"github.com/keelson/keelson/proto/schema/kinds/batch"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/kinds/discovery"
	"github.com/keelson/keelson/proto/schema/kinds/events"
	"github.com/keelson/keelson/proto/schema/kinds/rbac"
	"github.com/keelson/keelson/proto/schema/kinds/reviews"
	"github.com/keelson/keelson/proto/schema/kinds/scheduling"
	"github.com/keelson/keelson/proto/schema/rule"
)

// All returns the hooks of every kind and message.
func All() rule.Set {
	var s rule.Set
	core.Register(&s)
	apps.Register(&s)
	autoscaling.Register(&s)
	batch.Register(&s)
	discovery.Register(&s)
	events.Register(&s)
	rbac.Register(&s)
	reviews.Register(&s)
	scheduling.Register(&s)
	return s
}
