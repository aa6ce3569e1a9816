// Package statefulset keeps pods with an identity: web-0, web-1, and so on, each with claims of its own.
//
// It reads StatefulSets, Pods, PersistentVolumeClaims and ControllerRevisions. It creates and deletes those pods, creates
// their claims, keeps the history of the template, and writes StatefulSet.status; nobody else writes that status.
//
// plan is a pure function that says what may be done now. With the policy OrderedReady that is at most one pod at a time:
// the next is created when all before it are available, the last is deleted first, and an update goes from the highest
// ordinal to the partition. With Parallel only updates are bounded, by maxUnavailable. What has been done shows in the
// caches before the next pass begins, so a pass never has to remember anything.
package statefulset
