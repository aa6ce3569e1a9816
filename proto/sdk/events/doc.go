// Package events records what a component did as Events, which kubectl describe shows beside the object.
//
// Recording never blocks and never fails the caller: events queue up to a bound and are written by one goroutine.
// Equal events are one object with a count. Where an object gets many different messages for one reason they are
// combined, and beyond a rate for each object they are dropped, so that a crash loop does not fill the store.
package events
