// Package kinds collects what is special to each kind and can not be said by an option: conditional defaults,
// validation across fields, what an update may change. Each group has a package below, of pure functions.
package kinds

import "github.com/keelson/keelson/proto/schema/rule"

// All returns the hooks of every kind and message.
func All() rule.Set {
	var s rule.Set
	return s
}
