// Package revisions keeps the history of pod templates of StatefulSets and DaemonSets: ControllerRevisions.
//
// A revision holds the template as the strategic merge patch that brings it back, which is what kubectl applies to undo a
// rollout. There is one for each template, however often it was rolled out: going back to an old one gives its revision a
// new number. What is beyond the limit of the history and used by no pod is deleted, the oldest first.
package revisions
