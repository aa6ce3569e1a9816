// Package job runs pods until enough of them have succeeded.
//
// It reads Jobs and Pods. It creates and deletes the pods of a Job, adopts and releases them by its selector, takes away the
// finalizer batch.kubernetes.io/job-tracking, and writes Job.status; nobody else writes that status.
//
// A pass over a Job counts its pods (tally), finds out whether it has come to its end (judge), creates or deletes pods
// (want), and books those that ended (track). Counters are only ever raised for pods that cannot be counted again:
//
//	pod ends ──▶ its UID into status.uncountedTerminatedPods ──▶ its finalizer goes ──▶ counter up, UID out
//
// Each arrow is a write of its own, and after any of them the controller may be killed: the next pass goes on from what is
// stored. A Job that has come to its end gets SuccessCriteriaMet or FailureTarget first; Complete or Failed follows when
// none of its pods is left running or uncounted.
package job
